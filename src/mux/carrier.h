/* What carries a mux: one connected stream, from the greeting to its end. It knows neither what the streams over it are
 * for nor how its own stream was opened. */
#ifndef UVR_MUX_CARRIER_H
#define UVR_MUX_CARRIER_H

#include "stream/stream.h"
#include "uvrelay/mux.h"
#include "yamux/yamux.h"

typedef struct uvr_mux_carrier uvr_mux_carrier;

typedef struct uvr_mux_carrier_config {
  uvr_context *context;
  uvr_buffer_pool *buffers; /* of what goes over it */
  uvrelay_mux_role_t role;
  uint64_t window_total; /* see uvrelay_mux_options_t, and so the others */
  uint64_t ping_ms;
  uint64_t ping_timeout_ms;
  uint64_t greeting_ms;

  /* The other end has said that it speaks this protocol. */
  void (*on_up)(void *user);
  /* The carrier has ended (see uvr_mux_carrier_pop_down_event), or more streams may be opened over it. From anywhere.
   */
  void (*on_change)(void *user);
  /* Whether nothing that has come is to be used, as the carrier is about to be ended. */
  bool (*is_unwanted)(void *user);
  /* The other end has opened a stream; see uvr_yamux_events, and so for the next two. */
  uvr_yamux_stream *(*on_open)(void *user);
  void (*on_readable)(uvr_yamux_stream *stream);
  void (*on_written)(uvr_yamux_stream *stream);
  /* It is freed. */
  void (*on_freed)(void *user);
  void *user;

  /* For whoever opens the carrier's stream. The carrier ends: what else was made of that opening is to be closed, and
   * added to `closing`. */
  void (*on_end)(void *opener, uvr_closing *closing);
  /* All of that is closed, and so is the stream. */
  void (*on_closed)(void *opener);
  void *opener;
} uvr_mux_carrier_config;

/* Makes a carrier without a stream. Returns 0 or UV_ENOMEM. */
int uvr_mux_carrier_new(const uvr_mux_carrier_config *config, uvr_mux_carrier **out);

/* Gives it its stream, which belongs to it then. Not after it has ended. */
void uvr_mux_carrier_use(uvr_mux_carrier *carrier, uvr_stream *stream);

/* Whoever opens its stream; NULL once the carrier has ended. */
void *uvr_mux_carrier_opener(const uvr_mux_carrier *carrier);

/* Whether streams can be opened over it. */
bool uvr_mux_carrier_is_up(const uvr_mux_carrier *carrier);

uvr_yamux *uvr_mux_carrier_session(uvr_mux_carrier *carrier);

/* Counts a connection over it, for the event of its end. */
void uvr_mux_carrier_count(uvr_mux_carrier *carrier, bool open);

/* Why a stream over it was reset: the carrier's own end, or NULL while it has none. */
const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *carrier);

/* Whether it has ended and this was not delivered yet; sets the event, whose error lasts as long as the carrier. */
bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *carrier, uvrelay_mux_event_t *event);

/* The owner has delivered that event, and does not use the carrier any more, which may be freed now. */
void uvr_mux_carrier_down_delivered(uvr_mux_carrier *carrier);

/* Keeps it, for a stream that works with its session, until uvr_mux_carrier_drop. */
void uvr_mux_carrier_hold(uvr_mux_carrier *carrier);
void uvr_mux_carrier_drop(uvr_mux_carrier *carrier);

/* Ends the carrier. DOWN is emitted on the mux's next wakeup; the stream may still be closing. No effect on one that is
 * already ending. */
void uvr_mux_carrier_end(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

#endif
