/* What carries a mux: one connected stream, from the greeting to its end. The carrier knows neither what the streams
 * over it are for nor how its own stream is opened. */
#ifndef UVR_MUX_CARRIER_H
#define UVR_MUX_CARRIER_H

#include "stream/stream.h"
#include "uvrelay/mux.h"
#include "yamux/yamux.h"

typedef struct uvr_mux_carrier uvr_mux_carrier;

typedef struct uvr_mux_carrier_config {
  uvr_context *context;
  uvr_buffer_pool *buffers; /* for the data of the streams over it */
  uvrelay_mux_role_t role;
  uint64_t window_total; /* for this and the next three see uvrelay_mux_options_t */
  uint64_t ping_ms;
  uint64_t ping_timeout_ms;
  uint64_t greeting_ms;

  /* The greeting of the other end was received: the carrier is up. */
  void (*on_up)(void *user);
  /* The carrier has ended (see uvr_mux_carrier_pop_down_event), or more streams can be opened over it. May be called
   * from within any function of the carrier. */
  void (*on_change)(void *user);
  /* Returns whether received data is to be ignored, because the carrier is about to be ended. */
  bool (*is_unwanted)(void *user);
  /* Near end: whether somebody waits for the other end, which is then pinged soon when nothing is received. */
  bool (*is_awaited)(void *user);
  /* The other end has opened a stream. For this and the next two see uvr_yamux_events. */
  uvr_yamux_stream *(*on_open)(void *user);
  void (*on_readable)(uvr_yamux_stream *stream);
  void (*on_written)(uvr_yamux_stream *stream);
  /* The carrier was freed. This is the last call. */
  void (*on_freed)(void *user);
  void *user;

  /* The carrier has ended: its opener closes what it still has, and adds that to `closing`. */
  void (*on_end)(void *opener, uvr_closing *closing);
  /* What was added to `closing` and the carrier's stream are closed. */
  void (*on_closed)(void *opener);
  void *opener;
} uvr_mux_carrier_config;

/* Makes a carrier without a stream. Returns 0 or UV_ENOMEM. */
int uvr_mux_carrier_new(const uvr_mux_carrier_config *config, uvr_mux_carrier **out);

/* Starts the greeting over a connected stream, which then belongs to the carrier. Must not be called after the carrier
 * has ended. */
void uvr_mux_carrier_start(uvr_mux_carrier *carrier, uvr_stream *stream);

/* Returns the opener from the configuration, or NULL once the carrier has ended. */
void *uvr_mux_carrier_opener(const uvr_mux_carrier *carrier);

/* Whether the greetings were exchanged, so that streams can be opened over it. */
bool uvr_mux_carrier_is_up(const uvr_mux_carrier *carrier);

/* Near end: somebody begins to wait for the other end: see is_awaited. */
void uvr_mux_carrier_await(uvr_mux_carrier *carrier);

uvr_yamux *uvr_mux_carrier_yamux(uvr_mux_carrier *carrier);

/* Counts a connection over it that has been opened or closed. DOWN reports how many were open. */
void uvr_mux_carrier_count(uvr_mux_carrier *carrier, bool open);

/* Returns why the carrier has ended, or NULL if it has not. A stream over it was then reset for this reason. */
const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *carrier);

/* Returns true and sets *event to DOWN if the carrier has ended and this was not delivered yet. The event's error is
 * valid as long as the carrier. */
bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *carrier, uvrelay_mux_event_t *event);

/* The owner has delivered DOWN and no longer uses the carrier, which may be freed now. */
void uvr_mux_carrier_down_delivered(uvr_mux_carrier *carrier);

/* Each ref keeps the carrier and its yamux session in memory for one stream, until its unref. */
void uvr_mux_carrier_ref(uvr_mux_carrier *carrier);
void uvr_mux_carrier_unref(uvr_mux_carrier *carrier);

/* Ends the carrier. DOWN is emitted on the mux's next wakeup; the stream may still be closing. No effect on one that is
 * already ending. */
void uvr_mux_carrier_end(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

/* Ends it when all that is to be sent was sent, or very soon. May be called again until it has ended. */
void uvr_mux_carrier_finish(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

#endif
