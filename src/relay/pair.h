/* One relay: a pair of streams, the right one dialled, and a pump for each direction. */
#ifndef UVR_RELAY_PAIR_H
#define UVR_RELAY_PAIR_H

#include "endpoint/dial.h"
#include "uvrelay.h"

typedef struct uvr_pair uvr_pair;

typedef struct uvr_pair_options {
  bool end_after_left;  /* the left side's end of input ends the pair, once all its bytes are written */
  bool end_after_right; /* and the right side's */
  /* Where an end of input is not passed on, the pair ends when the other side has been silent for so long; 0: never.
   * Not with pumps on threads. */
  uint64_t linger_ms;
  uint64_t idle_ms;    /* the same when no byte has come either way for so long */
  bool left_is_client; /* the left side is a client: its connection's reset is no failure */
  uvrelay_eof_t eof_to_left;
  uvrelay_eof_t eof_to_right;
  uvr_dial_options dial;
} uvr_pair_options;

typedef struct uvr_pair_events {
  void (*on_end)(void *user, const uvrelay_result_t *result); /* once, when all is decided and being closed */
  void (*on_close)(void *user);                               /* once, last: nothing of the pair is left */
  void *user;
} uvr_pair_events;

/* Dials `address` and relays between it and `left`, which belongs to the pair then. Returns 0; or UV_ENOMEM, and
 * nothing has happened. */
int uvr_pair_start(uvr_context *context, uvr_stream *left, const uvr_address *address, const uvr_pair_options *options,
                   const uvr_pair_events *events, uvr_pair **out);

/* The same with a right side that is connected already, and belongs to the pair as well. */
int uvr_pair_start_connected(uvr_context *context, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options,
                             const uvr_pair_events *events, uvr_pair **out);

/* Bytes written to each side so far. Not after on_close. */
void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left);

/* Ends the pair now, whatever is under way; its events come as ever. After on_end it hurries the closing. Not after
 * on_close. */
void uvr_pair_cancel(uvr_pair *pair);

#endif
