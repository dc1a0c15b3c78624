/* What a carrier is: see carrier.h. Only the files of the carrier use more of this than the configuration. */
#ifndef UVR_MUX_CARRIER_STATE_H
#define UVR_MUX_CARRIER_STATE_H

#include "mux/greeting.h"
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

/* The most that is copied together for one write, in bytes: enough for a first frame each of two streams. With more, a
 * small frame would only wait longer. A long frame that stays in its buffer is a write of its own, and may be longer.
 */
#define UVR_MUX_CARRIER_OUT ((size_t)33 * 1024)

typedef enum uvr_mux_carrier_state {
  UVR_CARRIER_OPENING,
  UVR_CARRIER_GREETING,
  UVR_CARRIER_UP,
  UVR_CARRIER_LAST_WORDS, /* it ends when all is sent, such as the go-away frame for an end that has broken the rules */
  UVR_CARRIER_ENDING,
  UVR_CARRIER_CLOSED
} uvr_mux_carrier_state;

struct uvr_mux_carrier {
  uvr_mux_carrier_config config;
  uvr_mux_carrier_state state;
  uvr_stream *stream;
  uvr_yamux yamux;
  unsigned references; /* held by streams */
  uvr_closing closing;
  size_t connections; /* connections that are open over it */
  uv_timer_t timer;   /* for the greeting, pings and last words */
  uv_idle_t idle;     /* calls send_output on the loop's next iteration, so that frames are sent together */
  uvr_mux_greeting greeting;
  uvr_buffer *in;          /* the received buffer, or NULL */
  size_t in_used;          /* bytes of it that were consumed */
  unsigned at_once;        /* frames that were sent at once since `idle` was called last */
  uvr_buffer *sent;        /* the buffer that is being written, or NULL: it is `out` */
  size_t piped;            /* bytes of its pipe that are written after what is being written */
  uint64_t measured;       /* since when its speed is measured: loop time, ms */
  uint64_t measured_bytes; /* that were spliced since then */
  bool fast;               /* the speed was high */
  bool reading;
  bool receiving;
  bool writing;   /* or it waits for room */
  bool filled;    /* the last write was a long frame, after which there may be no room for another */
  bool peer_gone; /* nothing more can be written */
  bool sending;
  bool unconfirmed; /* something was sent since the last ping that was answered */
  bool pinging;     /* a ping waits for its answer */
  bool overdue;     /* the answer did not come in time and is given a last moment */
  uint32_t pings;
  uvrelay_mux_down_t how;
  uvrelay_error_t error;
  size_t cut_connections; /* connections that were open when it ended */
  bool down_delivered;
  char out[UVR_MUX_CARRIER_OUT];
};

#endif
