/* What the files of the mux share: see core.h. */
#include "mux/core.h"

static void on_wakeup_closed(uv_handle_t *handle)
{
  uvr_mux *mux = handle->data;
  mux->events.on_closed(mux->events.user);
}

void uvr_mux_ref(uvr_mux *mux)
{
  mux->references++;
}

void uvr_mux_unref(uvr_mux *mux)
{
  mux->references--;
  if (mux->references == 0) {
    uv_close((uv_handle_t *)&mux->wakeup, on_wakeup_closed);
  }
}

void uvr_mux_wake(uvr_mux *mux)
{
  if (!uv_is_closing((uv_handle_t *)&mux->wakeup)) {
    (void)uv_timer_start(&mux->wakeup, mux->on_wakeup, 0, 0);
  }
}

void uvr_mux_emit(uvr_mux *mux, uvrelay_mux_event_t event)
{
  mux->events.on_event(mux->events.user, &event);
}
