/* The other end of what a relay relays: a stream, or a pair of pipes, that by itself does what a script says, and looks
 * at every byte that comes. */
#ifndef FAR_END_H
#define FAR_END_H

#include "rig.h"

enum { FAR_CHUNK = 16 * 1024, FAR_REPLY_MS = 8 };

/* What it does when it has sent all. */
typedef enum far_then {
  FAR_STAYS,    /* says nothing more, and listens */
  FAR_ENDS,     /* half-closes, or hangs up where there is no half-close; once both sides have ended it hangs up */
  FAR_HANGS_UP, /* closes */
  FAR_RESETS    /* the same in a disorderly way: TCP only */
} far_then;

typedef struct far_script {
  uint64_t sends;    /* so many bytes, */
  uint64_t sends_at; /* once so many have come, */
  bool replies;      /* once the other side has ended and FAR_REPLY_MS have passed */
  bool echoes;       /* instead: sends back what comes, and ends when the other side has ended */
  far_then then;     /* when all is sent */
  uint64_t then_at;  /* and so many bytes have come, or the other side has ended */
  bool deaf;         /* closes its end of the pipe that it should read: two pipes only */
  bool held;         /* reads nothing until far_read_on */
  bool slow;         /* pauses after each read */
} far_script;

typedef union far_stream {
  uv_handle_t handle;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} far_stream;

typedef struct far_end {
  const far_script *script;
  far_stream reader; /* of both directions, unless there are two */
  far_stream writer;
  uv_timer_t reply;
  uv_timer_t pause;
  bool two;
  bool reader_open;
  bool writer_open;
  bool timers_open;
  bool half_closes;
  unsigned seed;          /* of what it sends */
  unsigned expected_seed; /* of what comes */
  uint64_t sent;
  uint64_t received;
  bool ended;  /* the other side has */
  bool lost;   /* reading or writing has failed */
  bool held;   /* reads nothing */
  bool late;   /* the time to reply has come */
  bool spoken; /* did what comes after all is sent */
  bool writing;
  bool shut;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char incoming[FAR_CHUNK];
  char outgoing[FAR_CHUNK];
} far_end;

/* All zero before. What comes must be the data of `expected_seed`, which for an echo is its own. */
void far_init(far_end *f, const far_script *script, unsigned seed, unsigned expected_seed);

/* Makes the stream, which is then to be accepted or opened. */
uv_stream_t *far_stream_new(far_end *f, uv_loop_t *loop, uv_handle_type type);

/* Makes the two pipes of the other ends of standard input and output; then takes the descriptors over. */
void far_open_pipes(far_end *f, uv_loop_t *loop, uv_file reader, uv_file writer);

/* Its streams are connected: it begins. */
void far_start(far_end *f);

void far_read_on(far_end *f);

/* Closes everything, if it is open; the loop must still be run. */
void far_close(far_end *f);

bool far_is_open(const far_end *f);

#endif
