/* Windows has no pipes that sockets could be spliced to: see buffer.h. */
#include "base/buffer.h"

bool uvr_splice_works(void)
{
  return false;
}

void uvr_splice_begin(uvr_buffer_pool *pool)
{
  (void)pool;
}

void uvr_splice_end(uvr_buffer_pool *pool)
{
  (void)pool;
}

uvr_buffer *uvr_splice_get(uvr_buffer_pool *pool)
{
  (void)pool;
  return NULL;
}

bool uvr_splice_is_scarce(uvr_buffer_pool *pool)
{
  (void)pool;
  return true;
}

void uvr_splice_put(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  (void)pool;
  (void)buffer;
}

void uvr_splice_clear(uvr_buffer_pool *pool)
{
  (void)pool;
}

ssize_t uvr_splice_read(uvr_buffer *buffer, const uv_stream_t *from, size_t most)
{
  (void)buffer;
  (void)from;
  (void)most;
  return UV_ENOSYS;
}

int uvr_splice_write(uvr_buffer *buffer, size_t length, uv_stream_t *to, void (*on_written)(void *user, int code),
                     void *user)
{
  (void)buffer;
  (void)length;
  (void)to;
  (void)on_written;
  (void)user;
  return UV_ENOSYS;
}

size_t uvr_splice_left(const uvr_buffer *buffer)
{
  (void)buffer;
  return 0;
}

bool uvr_splice_is_refused(const uvr_buffer *buffer)
{
  (void)buffer;
  return true;
}
