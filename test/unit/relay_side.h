/* One side of a session under test: what the relay is given, and its far end. */
#ifndef RELAY_SIDE_H
#define RELAY_SIDE_H

#include "far_end.h"
#include "scratch.h"
#include "uvrelay.h"

enum { SIDE_FILE_SIZE = 5000 };

/* What it is. */
typedef enum side_kind {
  GIVEN_TCP,   /* a uv_tcp_t of the host */
  GIVEN_PIPE,  /* a uv_pipe_t of the host */
  GIVEN,       /* a stream of the host that can be half-closed, and is cheap: a Unix socket, on Windows TCP */
  DIALLED_TCP, /* an address where the far end listens: a TCP port */
  DIALLED,     /* the same; a Unix socket, where there are any */
  REFUSED,     /* an address on which no process listens */
  LACKING,     /* an address that this system cannot connect to */
  PIPES,       /* two descriptors of pipes, on Windows anonymous ones */
  ASYNC_PIPES, /* the same, on Windows overlapped ones */
  STANDARD,    /* descriptors of pipes, the one to read from being standard input */
  NOTHING,     /* no descriptors at all */
  FILES        /* two descriptors of files; the first one's bytes are those of the side's seed */
} side_kind;

typedef struct relay_side {
  side_kind kind;
  rig *r;
  far_end remote;
  bool far_connected;
  far_stream given;
  bool given_open; /* the host has to close it, unless it was taken */
  bool given_connected;
  unsigned given_closed; /* how often its callback came */
  uv_connect_t connect;
  far_stream listener;
  bool listener_open;
  uv_file input; /* -1: none */
  uv_file output;
  uv_file saved_input; /* what standard input was */
  char output_name[16];
  char address[SCRATCH_PATH_MAX + 16];
  void *user;
} relay_side;

/* Makes it, all zero before, and connects it if it is given. Its files in `files` are named after the seed. */
void side_init(relay_side *side, side_kind kind, rig *r, const scratch *files, const far_script *script, unsigned seed,
               unsigned expected_seed);

/* What uvrelay_start is given. */
uvrelay_endpoint_t side_endpoint(relay_side *side, uv_close_cb closed);

bool side_is_given(const relay_side *side);

/* Asserts that what was offered is still the host's, and works. */
void side_assert_untouched(const relay_side *side);

/* Closes the far end and, unless the relay has taken it, the near one. The loop must still be run. */
void side_close(relay_side *side, bool taken);

/* What has come out at the far end. */
uint64_t side_received(const relay_side *side, const scratch *files, unsigned expected_seed);

#endif
