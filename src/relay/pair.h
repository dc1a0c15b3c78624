/* A pair of streams that are relayed to each other: a flow for each direction. The right stream may come later than the
 * left one, as it may still have to be connected. */
#ifndef UVR_RELAY_PAIR_H
#define UVR_RELAY_PAIR_H

#include "stream/stream.h"
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
} uvr_pair_options;

typedef struct uvr_pair_events {
  /* Once, when everything is decided and being closed. The result lasts as long as the call. */
  void (*on_end)(void *user, const uvrelay_result_t *result);
  void (*on_close)(void *user); /* once, last: nothing of the pair is left; may be NULL */
  void *user;
} uvr_pair_events;

/* Relays between two streams, which belong to the pair then. `right` NULL: it is being connected, and the pair waits
 * for uvr_pair_connect or uvr_pair_fail. Returns 0; or UV_ENOMEM, and nothing has happened. */
int uvr_pair_start(uvr_context *context, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options,
                   const uvr_pair_events *events, uvr_pair **out);

/* The right stream is connected, and belongs to the pair. Not after on_end. */
void uvr_pair_connect(uvr_pair *pair, uvr_stream *right);

/* The right stream cannot be connected: ends the pair. */
void uvr_pair_fail(uvr_pair *pair, const uvrelay_error_t *error);

/* Bytes written to each side so far. Not after on_close. */
void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left);

/* Ends the pair now, whatever is under way; its events come as ever. After on_end it hurries the closing. Not after
 * on_close. */
void uvr_pair_cancel(uvr_pair *pair);

#endif
