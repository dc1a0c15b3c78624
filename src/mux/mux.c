/* The mux: see mux.h.
 *
 * Happy path: a stream that is to be connected waits for a carrier, and NEEDED asks for one. When the carrier is up,
 * the waiting streams are opened over it. The next carrier can be attached after DOWN was emitted.
 *
 * No callback is made from within a call of the owner. What such a call brings about happens on the wakeup, a timer of
 * 0 ms, which ends the carrier, emits DOWN, opens waiting streams and emits NEEDED. The mux stays in memory until its
 * owner has closed it and no route, session, stream or carrier refers to it.
 *
 * Ways to fail: a carrier ends, and its streams are reset; those that were not connected yet wait for the next one. */
#include "mux/mux.h"

#include "mux/far.h"
#include "mux/near.h"
#include "mux/stream.h"

/* The carrier's callbacks. */

static void on_carrier_up(void *user)
{
  uvr_mux *mux = user;
  mux->why.code = 0;
  uvr_mux_wake(mux);
  uvr_mux_emit(mux, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_UP});
}

static void on_carrier_change(void *user)
{
  uvr_mux_wake(user);
}

static bool is_carrier_unwanted(void *user)
{
  const uvr_mux *mux = user;
  return mux->detaching || mux->closing;
}

static bool is_carrier_awaited(void *user)
{
  return uvr_mux_near_is_awaited(user);
}

static uvr_yamux_stream *on_stream_opened(void *user)
{
  uvr_mux *mux = user;
  return mux->role == UVRELAY_MUX_FAR ? uvr_mux_far_open(mux) : NULL;
}

static void on_carrier_freed(void *user)
{
  uvr_mux_unref(user);
}

/* The wakeup. */

static void end_carrier(uvr_mux *mux)
{
  uvrelay_error_t error;
  if (mux->carrier != NULL) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, 0, "the carrier was removed");
    if (mux->closing) {
      uvr_mux_carrier_finish(mux->carrier, UVRELAY_MUX_DOWN_DETACHED, &error);
    } else {
      uvr_mux_carrier_end(mux->carrier, UVRELAY_MUX_DOWN_DETACHED, &error);
    }
  }
}

static void deliver_down(uvr_mux *mux)
{
  uvr_mux_carrier *carrier = mux->carrier;
  uvrelay_mux_event_t event;
  if (carrier != NULL && uvr_mux_carrier_pop_down_event(carrier, &event)) {
    mux->carrier = NULL;
    mux->needed = false;
    mux->why = *event.error;
    event.error = &mux->why;
    uvr_mux_emit(mux, event);
    uvr_mux_carrier_down_delivered(carrier);
  }
}

static void on_wakeup(uv_timer_t *timer)
{
  uvr_mux *mux = timer->data;
  uvr_mux_ref(mux);
  if (mux->detaching || mux->closing) {
    mux->detaching = false;
    end_carrier(mux);
  }
  deliver_down(mux);
  uvr_mux_near_open_waiting(mux);
  if (!uvr_list_is_empty(&mux->waiting) && mux->carrier == NULL && !mux->needed && !mux->closing) {
    mux->needed = true;
    uvr_mux_emit(mux, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_NEEDED});
  }
  uvr_mux_unref(mux);
}

void uvr_mux_init(uvr_mux *mux)
{
  mux->via.ops = &uvr_mux_near_ops;
  uvr_list_init(&mux->waiting);
  uvr_list_init(&mux->asked);
  mux->references = 1;
  (void)uv_timer_init(mux->context->loop, &mux->wakeup);
  mux->wakeup.data = mux;
  mux->on_wakeup = on_wakeup;
}

int uvr_mux_attach(uvr_mux *mux, void *opener, void (*on_end)(void *opener, uvr_closing *closing),
                   void (*on_closed)(void *opener), uvr_mux_carrier **out)
{
  const uvr_mux_carrier_config config = {.context = mux->context,
                                         .buffers = &mux->streams->buffers,
                                         .role = mux->role,
                                         .window_total = mux->options.window_total,
                                         .ping_ms = mux->options.ping_ms,
                                         .ping_timeout_ms = mux->options.ping_timeout_ms,
                                         .greeting_ms = mux->options.greeting_ms,
                                         .on_up = on_carrier_up,
                                         .on_change = on_carrier_change,
                                         .is_unwanted = is_carrier_unwanted,
                                         .is_awaited = is_carrier_awaited,
                                         .on_open = on_stream_opened,
                                         .on_readable = uvr_mux_stream_readable,
                                         .on_written = uvr_mux_stream_written,
                                         .on_freed = on_carrier_freed,
                                         .user = mux,
                                         .on_end = on_end,
                                         .on_closed = on_closed,
                                         .opener = opener};
  int code = uvr_mux_carrier_new(&config, &mux->carrier);
  if (code == 0) {
    uvr_mux_ref(mux);
    *out = mux->carrier;
  }
  return code;
}

void uvr_mux_detach(uvr_mux *mux)
{
  mux->detaching = mux->carrier != NULL;
  uvr_mux_wake(mux);
}

void uvr_mux_close(uvr_mux *mux)
{
  mux->closing = true;
  uvr_mux_wake(mux);
  uvr_mux_unref(mux);
}
