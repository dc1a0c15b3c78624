/* A pair of streams that are relayed to each other, with a flow for each direction. The right stream may be added later
 * than the left one, as it may still have to be connected. */
#ifndef UVR_RELAY_PAIR_H
#define UVR_RELAY_PAIR_H

#include "stream/stream.h"
#include "uvrelay.h"

typedef struct uvr_pair uvr_pair;

typedef struct uvr_pair_options {
  bool end_after_left;  /* the left side's end of input ends the pair, once all its bytes are written */
  bool end_after_right; /* the same for the right side */
  /* The pair ends when a side has been silent for so long after the other side has ended; 0: never. Must be 0 with
   * pumps on threads. */
  uint64_t linger_ms;      /* the right side, to which the end could not be signalled */
  uint64_t left_linger_ms; /* the left side, to which the end could not be signalled */
  uint64_t told_linger_ms; /* the left side, which got a mark for the end that not every reader knows, while the right
                              side may be gone without showing it */
  uint64_t idle_ms;        /* the pair ends when both sides have been silent for this long; 0: never */
  bool left_may_leave;     /* if the left side leaves while the right one is being connected, the pair ends */
  bool left_is_client;     /* the left side is a client, so that a reset by it is not a failure */
  uvrelay_eof_t eof_to_left;
  uvrelay_eof_t eof_to_right;
} uvr_pair_options;

typedef struct uvr_pair_events {
  /* The result is decided and everything is being closed. Called once; the result is valid during the call. May be
   * NULL.
   */
  void (*on_end)(void *user, const uvrelay_result_t *result);
  /* The left side has got the end of what comes from the right side, and the pair goes on, as the left side may still
   * send. May be NULL. The pair must not be cancelled from within. */
  void (*on_left_told)(void *user);
  void (*on_close)(void *user); /* the pair is closed and freed; called once, and last; may be NULL */
  void *user;
} uvr_pair_events;

/* Relays between two streams, which then belong to the pair. If `right` is NULL, it is still being connected, and the
 * pair waits for uvr_pair_connect or uvr_pair_fail. *out is set before any event. Returns 0; or UV_ENOMEM, and the
 * streams still belong to the caller. */
int uvr_pair_start(uvr_context *context, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options,
                   const uvr_pair_events *events, uvr_pair **out);

/* Adds the right stream, which then belongs to the pair. Must not be called after on_end. */
void uvr_pair_connect(uvr_pair *pair, uvr_stream *right);

/* Ends the pair because the right stream cannot be connected. */
void uvr_pair_fail(uvr_pair *pair, const uvrelay_error_t *error);

/* The left stream; NULL once it is closed, which it may be long before the pair. Must not be called after on_close. */
uvr_stream *uvr_pair_left(const uvr_pair *pair);

/* Returns the numbers of bytes written to each side so far. Must not be called after on_close. */
void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left);

/* After on_end: whether what was written to both sides has arrived, as far as that can be waited for. Must not be
 * called after on_close. */
bool uvr_pair_has_delivered(const uvr_pair *pair);

/* Ends the pair now, whatever is under way. Its events still come. After on_end this ends gentle closes at once. Must
 * not be called after on_close. */
void uvr_pair_cancel(uvr_pair *pair);

#endif
