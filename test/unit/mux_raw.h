/* The other end of a mux, by hand: what it says is the test's to say, and what the mux says is written down. */
#ifndef MUX_RAW_H
#define MUX_RAW_H

#include "route_rig.h"
#include "yamux_rig.h"

enum { RAW_TALK = 16 * 1024, RAW_CHUNK = 64 * 1024 };

#define RAW_GREETING "uvrelay-mux/1\n"

typedef struct mux_raw {
  route_host *h;
  uv_pipe_t reader;
  uv_pipe_t writer;
  bool writes; /* it is open */
  unsigned closed;
  bool ended;   /* the mux has closed its end */
  bool answers; /* pings */
  size_t told;  /* bytes of the greeting that have come */
  unsigned pings;
  unsigned pongs;  /* but for the one to the hint */
  uint64_t credit; /* of all window updates */
  uint64_t bytes;  /* of all data frames */
  /* What was said, but for pings and plain window updates: `1S ` a frame of stream 1 with the flag SYN, A: ACK, F: FIN,
   * R: RST; `1"CONNECT x\n" ` its data, however it was cut; `G1 ` go-away with code 1. */
  char talk[RAW_TALK];
  uint32_t last; /* the stream whose data ends the talk; 0: none does */
  char frame[12];
  size_t frame_length;
  uint32_t data_left;
  unsigned data_flags;
  uint32_t data_id;
  char chunk[RAW_CHUNK];
} mux_raw;

/* A host whose relay has both ends of a mux. */
route_host *mux_host_new(const uvrelay_mux_options_t *near_options, const uvrelay_mux_options_t *far_options);

/* Adds route `i`, on TCP, to a target that the far end is to connect to; `options` may be NULL. */
void mux_add_via(route_host *h, unsigned i, const char *target, const uvrelay_route_options_t *options);

/* Attaches the mux to it. It says nothing by itself, but answers pings once `answers` is set. */
mux_raw *raw_new(route_host *h, uvrelay_mux_t *mux);

void raw_send(mux_raw *raw, const void *data, size_t size);

/* Says the greeting, and the hint of our own kind unless it is `foreign`; turns until the mux has said its own. */
void raw_greet(mux_raw *raw, bool foreign);

void raw_frame(mux_raw *raw, unsigned type, unsigned flags, uint32_t id, uint32_t length);
void raw_data(mux_raw *raw, unsigned flags, uint32_t id, const char *text);

/* Turns until all that was said ends like this; fails when that takes too long. */
void raw_expect(mux_raw *raw, const char *end_of_talk);

/* Closes what the mux reads from. */
void raw_end(mux_raw *raw);

/* Closes both and frees it. The loop must still be run. */
void raw_free(mux_raw *raw);

#endif
