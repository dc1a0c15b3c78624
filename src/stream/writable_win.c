/* Windows' part of writable.h: nothing tells beforehand whether a write would have to wait. */
#include "stream/writable.h"

bool uvr_writable_await(uvr_writable **self, uvr_context *context, const uv_stream_t *handle,
                        void (*on_writable)(void *user), void *user)
{
  (void)self;
  (void)context;
  (void)handle;
  (void)on_writable;
  (void)user;
  return false;
}

void uvr_writable_close(uvr_writable *self, uvr_close_cb on_closed, void *user)
{
  (void)self;
  on_closed(user);
}
