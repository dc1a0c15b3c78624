/* Sockets that other processes may share, as streams.
 *
 * Happy path: each call says by MSG_DONTWAIT that it must not block. The socket is polled while a read is wanted, and
 * read when it is readable; what is written goes out at once as far as possible, and the rest when the socket is
 * writable again.
 *
 * Ways to fail: a read of no bytes is the end of input; writing to a peer that has left is UVR_GONE; everything else is
 * an error. */
#include "stream/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/shared_poll_unix.h"

enum { READS_AT_ONCE = 32 }; /* reads that fill their buffers before the loop handles other things */

typedef struct stream_socket {
  uvr_stream base;
  uv_file fd;
  uvr_shared_poll poll;
  bool read_wanted; /* our owner waits for on_read */
  bool warned;      /* of descriptors */
  bool closing;
  const char *source; /* what is still to be written */
  size_t left;
} stream_socket;

/* Whether what a read has dropped may be descriptors: with some sockets it is what they give their reader with each
 * message, such as credentials, or times. */
static bool may_drop_descriptors(int fd)
{
  int domain = AF_UNSPEC;
  int credentials = 0;
  socklen_t domain_length = sizeof(domain);
  socklen_t credentials_length = sizeof(credentials);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_length) == 0 && domain == AF_UNIX &&
         getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &credentials, &credentials_length) == 0 && credentials == 0;
}

/* A read that has no room for descriptors drops those that come with the bytes, and is marked as truncated. */
static ssize_t receive(stream_socket *s, char *data, size_t size)
{
  struct iovec bytes = {.iov_base = data, .iov_len = size};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  ssize_t count;
  do {
    count = recvmsg(s->fd, &message, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    return uv_translate_sys_error(errno);
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0 && !s->warned && may_drop_descriptors(s->fd)) {
    s->warned = true;
    uvr_stream_warn_of_descriptors(&s->base);
  }
  return count;
}

static ssize_t transmit(int fd, const char *data, size_t size)
{
  ssize_t count;
  do {
    count = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) {
    return count;
  }
  return errno == ENOBUFS ? UV_EAGAIN : uv_translate_sys_error(errno); /* there is no memory at the moment */
}

/* Reading. */

static void fail_read(stream_socket *s, int code)
{
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_READ, code, 0, "reading from %s failed: %s", s->base.name,
                             uv_strerror(code));
  s->base.on_read(s->base.read_user, UVR_FAILED, NULL, &error);
}

/* Returns whether there may be more to read at once. */
static bool read_once(stream_socket *s)
{
  uvr_buffer_pool *pool = &s->base.context->buffers;
  char *at;
  size_t most;
  uvr_buffer *buffer = uvr_stream_get_buffer(&s->base, &at, &most);
  ssize_t count = buffer != NULL ? receive(s, at, most) : UV_ENOMEM;
  bool full = count > 0 && (size_t)count == most;
  if (count == UV_EAGAIN) { /* another process was quicker */
    uvr_buffer_put(pool, buffer);
    return false;
  }
  s->read_wanted = false;
  if (count > 0) {
    buffer->length = (size_t)count;
    s->base.on_read(s->base.read_user, UVR_DONE, buffer, NULL);
  } else {
    uvr_buffer_put(pool, buffer);
    if (count == 0) {
      s->base.on_read(s->base.read_user, UVR_END_OF_INPUT, NULL, NULL);
    } else {
      fail_read(s, (int)count);
    }
  }
  return full;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
  stream_socket *s = poll->data;
  (void)status;
  (void)events;
  for (unsigned i = 0; i < READS_AT_ONCE && s->read_wanted && !s->closing; i++) {
    if (!read_once(s)) {
      break;
    }
  }
  if (!s->read_wanted && !s->closing) {
    uvr_shared_poll_stop(&s->poll);
  }
}

static void stream_read(uvr_stream *stream)
{
  stream_socket *s = (stream_socket *)stream;
  s->read_wanted = true;
  uvr_shared_poll_start(&s->poll, on_readable);
}

/* Writing. */

static uvr_outcome describe_write(const stream_socket *s, uvrelay_phase_t phase, int code, uvrelay_error_t *error)
{
  if (code == 0) {
    return UVR_DONE;
  }
  (void)uvr_error_set_system(error, phase, code, 0, "%s %s failed: %s",
                             phase == UVRELAY_PHASE_WRITE ? "writing to" : "ending the output to", s->base.name,
                             uv_strerror(code));
  bool gone = code == UV_EPIPE || code == UV_ENOTCONN || code == UV_ECONNRESET || code == UV_ECONNABORTED;
  return gone ? UVR_GONE : UVR_FAILED;
}

/* Writes as much as the socket accepts. Returns 0 when all is written, UV_EAGAIN when some of it must wait, or an
 * error. */
static int write_more(stream_socket *s)
{
  while (s->left > 0) {
    ssize_t count = transmit(s->fd, s->source, s->left);
    if (count < 0) {
      return (int)count;
    }
    s->source += count;
    s->left -= (size_t)count;
  }
  return 0;
}

static void finish_write(stream_socket *s, int code)
{
  uvrelay_error_t error;
  uvr_outcome outcome = describe_write(s, UVRELAY_PHASE_WRITE, code, &error);
  s->base.on_write(s->base.write_user, outcome, outcome == UVR_DONE ? NULL : &error);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
  stream_socket *s = poll->data;
  (void)status;
  (void)events;
  int code = write_more(s);
  if (code != UV_EAGAIN) {
    uvr_shared_poll_stop(&s->poll);
    finish_write(s, code);
  }
}

static void stream_write(uvr_stream *stream, const char *data, size_t length)
{
  stream_socket *s = (stream_socket *)stream;
  s->source = data;
  s->left = length;
  int code = write_more(s);
  if (code == UV_EAGAIN) {
    uvr_shared_poll_start(&s->poll, on_writable);
  } else {
    finish_write(s, code);
  }
}

static void stream_shutdown(uvr_stream *stream)
{
  stream_socket *s = (stream_socket *)stream;
  uvrelay_error_t error;
  int code = shutdown(s->fd, SHUT_WR) != 0 ? uv_translate_sys_error(errno) : 0;
  uvr_outcome outcome = describe_write(s, UVRELAY_PHASE_SHUTDOWN, code, &error);
  s->base.on_shutdown(s->base.shutdown_user, outcome, outcome == UVR_DONE ? NULL : &error);
}

/* Closing. */

static void on_closed(uv_handle_t *handle)
{
  stream_socket *s = handle->data;
  uvr_context *context = s->base.context;
  uvr_close_cb callback = s->base.on_close;
  void *user = s->base.close_user;
  uvr_free(&context->memory, s);
  callback(user);
}

static void stream_close(uvr_stream *stream, uvr_close_how how)
{
  stream_socket *s = (stream_socket *)stream;
  (void)how;
  s->closing = true;
  uvr_shared_poll_close(&s->poll, on_closed);
  (void)close(s->fd);
}

static const uvr_stream_ops ops = {
    .read = stream_read, .write = stream_write, .shutdown = stream_shutdown, .close = stream_close};

int uvr_stream_socket_new(uvr_context *context, uv_file *fd, bool reads, const char *name, uvr_stream **out)
{
  stream_socket *s = uvr_alloc(&context->memory, sizeof(*s));
  if (s == NULL) {
    return UV_ENOMEM;
  }
  int code = uvr_shared_poll_init(&s->poll, context->loop, *fd, reads ? UV_READABLE : UV_WRITABLE);
  if (code != 0) {
    uvr_free(&context->memory, s);
    return code;
  }
  s->poll.handle.data = s;
  s->base.ops = &ops;
  s->base.context = context;
  s->base.name = name;
  s->base.can_half_close = true;
  s->fd = *fd;
  *out = &s->base;
  return 0;
}
