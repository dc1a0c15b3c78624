/* The public relay: what its sessions, routes and muxes share. */
#ifndef UVR_RELAY_RELAY_H
#define UVR_RELAY_RELAY_H

#include "base/closing.h"
#include "base/context.h"
#include "relay/part.h"
#include "uvrelay.h"

struct uvrelay_s {
  uvr_context context;
  uvr_context mux_context; /* for what goes over a mux: the same context, but with smaller buffers */
  uvr_list parts;
  uvr_list hops;               /* the routes, for ring.h */
  uvrelay_counters_t counters; /* without the bytes of active sessions */
  uvrelay_error_t error;       /* of the last call that failed */
  void *data;
  uv_timer_t wakeup; /* ends parts and makes callbacks from the loop */
  uv_timer_t deadline;
  uvr_relay_state state;
  bool closed; /* the timers are being closed */
  uvrelay_cb stop_cb;
  uvrelay_cb close_cb;
  uvr_closing closing;
};

static inline bool uvr_relay_is_open(const uvrelay_t *relay)
{
  return relay->state == UVR_RELAY_OPEN;
}

void uvr_relay_add(uvrelay_t *relay, uvr_part *part, const uvr_part_ops *ops);

/* Removes a part. If the relay may be waiting for it, call uvr_relay_wake afterwards. */
void uvr_relay_remove(uvr_part *part);

/* Whether a part uses this stream of the host. */
bool uvr_relay_uses_stream(const uvrelay_t *relay, const uv_stream_t *stream);

/* If the relay is no longer open, makes it end its parts and check, from the loop, whether it still waits for any. */
void uvr_relay_wake(uvrelay_t *relay);

#endif
