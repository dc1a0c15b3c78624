/* The counter of what is still to be closed: see closing.h. */
#include "base/closing.h"

#include <stddef.h>

void uvr_closing_done(void *closing)
{
  uvr_closing *self = closing;
  self->open--;
  if (self->open == 0 && self->on_closed != NULL) {
    uvr_close_cb on_closed = self->on_closed;
    self->on_closed = NULL;
    on_closed(self->user);
  }
}

void uvr_closing_begin(uvr_closing *closing, uvr_close_cb on_closed, void *user)
{
  closing->open++;
  closing->on_closed = on_closed;
  closing->user = user;
}

void uvr_closing_end(uvr_closing *closing)
{
  uvr_closing_done(closing);
}

uvr_close_cb uvr_closing_add(uvr_closing *closing)
{
  closing->open++;
  return uvr_closing_done;
}

static void on_handle_closed(uv_handle_t *handle)
{
  uvr_closing_done(handle->data);
}

void uvr_closing_handle(uvr_closing *closing, uv_handle_t *handle)
{
  closing->open++;
  handle->data = closing;
  uv_close(handle, on_handle_closed);
}
