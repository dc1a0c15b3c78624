/* Waiting until a stream can be written, on Unix: see writable.h. libuv already polls the stream's descriptor, and
 * polls each for one user only; so an epoll descriptor that watches it is polled.
 *
 * Ways to fail: there is no memory or no descriptor for that. */
#include "stream/writable.h"

#include "stream/shared_poll_unix.h"

struct uvr_writable {
  uvr_shared_poll poll;
  uvr_context *context;
  void (*on_writable)(void *user);
  uvr_close_cb on_closed;
  void *user;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
  uvr_writable *self = poll->data;
  (void)status;
  (void)events;
  uvr_shared_poll_stop(&self->poll);
  self->on_writable(self->user);
}

static uvr_writable *make(uvr_context *context, const uv_stream_t *handle)
{
  int fd;
  uvr_writable *self = uvr_alloc(&context->memory, sizeof(*self));
  if (self == NULL) {
    return NULL;
  }
  if (uv_fileno((const uv_handle_t *)handle, &fd) != 0 ||
      uvr_shared_poll_init(&self->poll, context->loop, fd, UV_WRITABLE) != 0) {
    uvr_free(&context->memory, self);
    return NULL;
  }
  self->context = context;
  self->poll.handle.data = self;
  return self;
}

bool uvr_writable_await(uvr_writable **self, uvr_context *context, const uv_stream_t *handle,
                        void (*on_writable)(void *user), void *user)
{
  if (*self == NULL) {
    *self = make(context, handle);
  }
  if (*self == NULL) {
    return false;
  }
  (*self)->on_writable = on_writable;
  (*self)->user = user;
  uvr_shared_poll_start(&(*self)->poll, on_poll);
  return true;
}

static void on_poll_closed(uv_handle_t *handle)
{
  uvr_writable *self = handle->data;
  uvr_close_cb on_closed = self->on_closed;
  void *user = self->user;
  uvr_free(&self->context->memory, self);
  on_closed(user);
}

void uvr_writable_close(uvr_writable *self, uvr_close_cb on_closed, void *user)
{
  if (self == NULL) {
    on_closed(user);
    return;
  }
  self->on_closed = on_closed;
  self->user = user;
  uvr_shared_poll_close(&self->poll, on_poll_closed);
}
