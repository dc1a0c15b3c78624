/* Blocking descriptors as streams.
 *
 * Happy path: a read or a write is one job of libuv's pool, by the calls of blocking_file.h. A read of no bytes is the
 * end of input.
 *
 * Ways to fail: writing to a pipe without a reader is UVR_GONE; everything else is an error. */
#include "stream/fd.h"

#include "stream/blocking_file.h"
#include "stream/stdio_os.h"

enum { LEAVE_TRIES = 20, LEAVE_MS = 5 };

typedef struct stream_fd {
  uvr_stream base;
  uvr_blocking_file file;
  uv_work_t job;        /* reading or writing: each stream does only one of them */
  ssize_t result;       /* of the job: a number of bytes read, or a code */
  uvr_buffer *incoming; /* being read into */
  char *at;             /* where in it the next byte belongs */
  size_t most;          /* how many bytes may be read */
  const char *source;   /* being written */
  size_t source_length;
  uv_async_t closed; /* never sent: its close callback comes later, from the loop */
  bool busy;
  bool closing;
  uv_mutex_t mutex;
  bool reading; /* under the mutex: a read is inside the system */
  bool writing; /* likewise a write */
} stream_fd;

static void on_closed(uv_handle_t *handle)
{
  stream_fd *s = handle->data;
  uvr_context *context = s->base.context;
  uvr_close_cb callback = s->base.on_close;
  void *user = s->base.close_user;
  uv_mutex_destroy(&s->mutex);
  uvr_free(&context->memory, s);
  callback(user);
}

static void finish_close(stream_fd *s)
{
  uvr_stdio_close(s->file.fd);
  uv_close((uv_handle_t *)&s->closed, on_closed);
}

static void set(stream_fd *s, bool *state, bool value)
{
  uv_mutex_lock(&s->mutex);
  *state = value;
  uv_mutex_unlock(&s->mutex);
}

bool uvr_stream_fd_reader_gone(uvr_stream *stream)
{
  stream_fd *s = (stream_fd *)stream;
  uv_mutex_lock(&s->mutex);
  bool gone = !s->writing && uvr_stdio_reader_gone(s->file.fd);
  uv_mutex_unlock(&s->mutex);
  return gone;
}

static uvr_outcome describe_read(const stream_fd *s, ssize_t result, uvrelay_error_t *error)
{
  if (result > 0) {
    return UVR_DONE;
  }
  if (result == 0 || result == UV_EOF) {
    return UVR_END_OF_INPUT;
  }
  (void)uvr_error_set_system(error, UVRELAY_PHASE_READ, (int)result, 0, "reading from %s failed: %s", s->base.name,
                             uv_strerror((int)result));
  return UVR_FAILED;
}

static uvr_outcome describe_write(const stream_fd *s, int code, uvrelay_error_t *error)
{
  if (code == 0) {
    return UVR_DONE;
  }
  (void)uvr_error_set_system(error, UVRELAY_PHASE_WRITE, code, 0, "writing to %s failed: %s", s->base.name,
                             uv_strerror(code));
  return code == UV_EPIPE || code == UV_EOF ? UVR_GONE : UVR_FAILED;
}

static void finish_read(stream_fd *s, ssize_t result)
{
  uvrelay_error_t error;
  uvr_buffer *buffer = s->incoming;
  uvr_outcome outcome = describe_read(s, result, &error);
  s->incoming = NULL;
  if (outcome == UVR_DONE) {
    buffer->length = (size_t)result;
  } else {
    uvr_buffer_put(&s->base.context->buffers, buffer);
    buffer = NULL;
  }
  s->base.on_read(s->base.read_user, outcome, buffer, outcome == UVR_FAILED ? &error : NULL);
}

static void finish_write(stream_fd *s, int code)
{
  uvrelay_error_t error;
  s->source = NULL;
  uvr_outcome outcome = describe_write(s, code, &error);
  s->base.on_write(s->base.write_user, outcome, outcome == UVR_DONE ? NULL : &error);
}

/* The calls that block. */

static ssize_t read_now(stream_fd *s, char *at, size_t most)
{
  set(s, &s->reading, true);
  ssize_t result = uvr_blocking_file_read(&s->file, at, most);
  set(s, &s->reading, false);
  return result;
}

static int write_now(stream_fd *s, const char *data, size_t length)
{
  set(s, &s->writing, true);
  int code = uvr_blocking_file_write(&s->file, data, length);
  set(s, &s->writing, false);
  return code;
}

bool uvr_stream_fd_leave(uvr_stream *stream)
{
  stream_fd *s = (stream_fd *)stream;
  for (unsigned i = 0; i < LEAVE_TRIES; i++) {
    uvr_blocking_file_cancel(&s->file);
    uv_mutex_lock(&s->mutex);
    bool inside = s->reading || s->writing;
    uv_mutex_unlock(&s->mutex);
    if (!inside) {
      return true;
    }
    uv_sleep(LEAVE_MS);
  }
  return false;
}

uvr_outcome uvr_stream_fd_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error)
{
  stream_fd *s = (stream_fd *)stream;
  ssize_t result = read_now(s, buffer->data, buffer->capacity);
  buffer->length = result > 0 ? (size_t)result : 0;
  return describe_read(s, result, error);
}

uvr_outcome uvr_stream_fd_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error)
{
  stream_fd *s = (stream_fd *)stream;
  return describe_write(s, write_now(s, data, length), error);
}

/* The same as jobs. */

static void read_job(uv_work_t *job)
{
  stream_fd *s = job->data;
  s->result = read_now(s, s->at, s->most);
}

static void after_read(uv_work_t *job, int code)
{
  stream_fd *s = job->data;
  (void)code; /* the job is never cancelled */
  s->busy = false;
  if (s->closing) {
    uvr_buffer_put(&s->base.context->buffers, s->incoming);
    finish_close(s);
    return;
  }
  finish_read(s, s->result);
}

static void write_job(uv_work_t *job)
{
  stream_fd *s = job->data;
  s->result = write_now(s, s->source, s->source_length);
}

static void after_write(uv_work_t *job, int code)
{
  stream_fd *s = job->data;
  (void)code; /* the job is never cancelled */
  s->busy = false;
  if (s->closing) {
    finish_close(s);
    return;
  }
  finish_write(s, (int)s->result);
}

static void stream_read(uvr_stream *stream)
{
  stream_fd *s = (stream_fd *)stream;
  s->incoming = uvr_stream_get_buffer(&s->base, &s->at, &s->most);
  if (s->incoming == NULL) {
    finish_read(s, UV_ENOMEM);
    return;
  }
  int code = uv_queue_work(s->base.context->loop, &s->job, read_job, after_read);
  s->busy = code == 0;
  if (code != 0) {
    finish_read(s, code);
  }
}

static void stream_write(uvr_stream *stream, const char *data, size_t length)
{
  stream_fd *s = (stream_fd *)stream;
  s->source = data;
  s->source_length = length;
  int code = uv_queue_work(s->base.context->loop, &s->job, write_job, after_write);
  s->busy = code == 0;
  if (code != 0) {
    finish_write(s, code);
  }
}

static void stream_close(uvr_stream *stream, uvr_close_how how)
{
  stream_fd *s = (stream_fd *)stream;
  (void)how;
  s->closing = true;
  if (!s->busy) {
    finish_close(s);
  }
}

static const uvr_stream_ops ops = {.read = stream_read, .write = stream_write, .close = stream_close};

int uvr_stream_fd_new(uvr_context *context, uv_file fd, bool both_ways, const char *name, uvr_stream **out)
{
  stream_fd *s = uvr_alloc(&context->memory, sizeof(*s));
  if (s == NULL) {
    return UV_ENOMEM;
  }
  int code = uv_mutex_init(&s->mutex);
  if (code != 0) {
    uvr_free(&context->memory, s);
    return code;
  }
  code = uv_async_init(context->loop, &s->closed, NULL);
  if (code != 0) {
    uv_mutex_destroy(&s->mutex);
    uvr_free(&context->memory, s);
    return code;
  }
  uv_unref((uv_handle_t *)&s->closed);
  s->closed.data = s;
  s->job.data = s;
  s->base.ops = &ops;
  s->base.context = context;
  s->base.name = name;
  s->file = uvr_blocking_file_of(fd, both_ways);
  *out = &s->base;
  return 0;
}
