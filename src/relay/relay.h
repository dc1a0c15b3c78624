/* The public relay: what its parts share. */
#ifndef UVR_RELAY_RELAY_H
#define UVR_RELAY_RELAY_H

#include "base/closing.h"
#include "base/context.h"
#include "relay/part.h"
#include "uvrelay.h"

struct uvrelay_s {
  uvr_context context;
  uvr_context mux_context; /* the same, with smaller buffers: for what goes over a mux */
  uvr_list parts;
  uvrelay_counters_t counters; /* but for the bytes of active sessions */
  uvrelay_error_t error;
  void *data;
  uv_timer_t wakeup; /* brings what must come from the loop */
  uv_timer_t deadline;
  uvr_relay_state state;
  bool closed; /* its timers are being closed */
  uvrelay_cb stop_cb;
  uvrelay_cb close_cb;
  uvr_closing closing;
};

static inline bool uvr_relay_is_open(const uvrelay_t *relay)
{
  return relay->state == UVR_RELAY_OPEN;
}

void uvr_relay_add(uvrelay_t *relay, uvr_part *part, const uvr_part_ops *ops);

/* Removes a part, after which the relay is to be woken if it may have waited for it. */
void uvr_relay_remove(uvr_part *part);

/* Whether a part uses this stream of the host's. */
bool uvr_relay_uses_stream(const uvrelay_t *relay, const uv_stream_t *stream);

/* Makes the relay look whether what it waits for has come, if it is no longer open. */
void uvr_relay_wake(uvrelay_t *relay);

#endif
