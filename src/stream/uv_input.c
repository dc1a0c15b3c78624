/* The input of a libuv stream.
 *
 * libuv reads until it is stopped, we read once. So reading stays on as long as each callback starts the next read, and
 * is stopped after one that does not.
 *
 * On Unix, this process reads: libuv reports that there is something to read by asking for a buffer, gets none, and
 * therefore reads nothing. So one call reads the bytes and shows whether descriptors came with them, and an end is
 * never reported too early; and the bytes can be spliced. On Windows, libuv reads into a buffer that is allocated when
 * libuv asks for it.
 *
 * Ways to fail: UV_EOF is the end of input, unless it hides a reset; every other code is an error. */
#include "stream/uv_input.h"

#include "base/os.h"

enum {
  LOOKS = 16,
  READS_AT_ONCE = 32, /* before the loop handles other things */
  PIPE_READS = 8      /* a full pipe counts as so many */
};

void uvr_uv_input_init(uvr_uv_input *input, uvr_stream *stream, uv_stream_t *handle)
{
  *input = (uvr_uv_input){.stream = stream, .handle = handle, .by_libuv = !uvr_os_reads_streams()};
  input->looks = handle->type == UV_NAMED_PIPE ? LOOKS : 0;
  handle->data = input;
}

void uvr_uv_input_stop(uvr_uv_input *input)
{
  if (input->reading) {
    input->reading = false;
    (void)uv_read_stop(input->handle);
  }
}

/* Reports. */

static void fail_read(uvr_uv_input *input, int code)
{
  uvr_stream *stream = input->stream;
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_READ, code, 0, "reading from %s failed: %s", stream->name,
                             uv_strerror(code));
  stream->on_read(stream->read_user, UVR_FAILED, NULL, &error);
}

/* What an end of input hides, or 0. A reset behind it is not reported by a read of TCP; and a write that has met it
 * takes it away. */
static int hidden_reset(const uvr_uv_input *input)
{
  if (input->was_reset) {
    return UV_ECONNRESET;
  }
  return input->handle->type == UV_TCP ? uvr_os_pending_error(input->handle) : 0;
}

static void discard(uvr_uv_input *input, uvr_buffer *buffer, ssize_t count)
{
  uvr_buffer_put(&input->stream->context->buffers, buffer);
  if (count < 0) {
    uvr_uv_input_stop(input);
  }
  input->on_discarded(input->stream, count > 0 ? (size_t)count : 0);
}

/* Reports what a read has brought: so many bytes, not 0, or a code. */
static void report(uvr_uv_input *input, uvr_buffer *buffer, ssize_t count)
{
  uvr_stream *stream = input->stream;
  if (input->on_discarded != NULL) {
    discard(input, buffer, count);
    return;
  }
  input->wanted = false;
  if (count > 0) {
    input->used = true;
    buffer->length = (size_t)count;
    stream->on_read(stream->read_user, UVR_DONE, buffer, NULL);
    return;
  }
  uvr_buffer_put(&stream->context->buffers, buffer);
  uvr_uv_input_stop(input);
  input->ended = true;
  input->failed = count != UV_EOF;
  int code = count == UV_EOF ? hidden_reset(input) : (int)count;
  if (code != 0) {
    fail_read(input, code);
  } else {
    stream->on_read(stream->read_user, UVR_END_OF_INPUT, NULL, NULL);
  }
}

static void stop_if_unwanted(uvr_uv_input *input)
{
  if (!input->wanted && input->on_discarded == NULL) {
    uvr_uv_input_stop(input);
  }
}

/* Reading on Unix. */

/* Reading drops descriptors. Programs that send some begin with them, or soon do, so only the first reads look for
 * them, which costs time. */
static ssize_t receive(uvr_uv_input *input, char *at, size_t most)
{
  bool descriptors = false;
  ssize_t count = uvr_os_read(input->handle, at, most, &input->is_pipe, input->looks > 0 ? &descriptors : NULL);
  if (count > 0 && input->looks > 0) {
    input->looks = descriptors ? 0 : input->looks - 1;
  }
  if (descriptors) {
    uvr_stream_warn_of_descriptors(input->stream);
  }
  return count;
}

/* Returns as how many reads it counts if another one is to follow at once, or 0: as much was there as the reader wants,
 * or it must be read in the other way. */
static unsigned splice_once(uvr_uv_input *input, uvr_buffer *pipe)
{
  uvr_stream *stream = input->stream;
  ssize_t count =
      uvr_splice_read(pipe, input->handle, stream->read_most_piped > 0 ? stream->read_most_piped : SIZE_MAX);
  if (count == UV_EAGAIN || count == UV_ENOSYS) {
    uvr_buffer_put(&stream->context->buffers, pipe);
    bool refused = count == UV_ENOSYS;
    stream->can_splice = stream->can_splice && !refused;
    stream->splices = stream->splices && !refused;
    return refused ? 1 : 0;
  }
  bool full = count > 0 && (size_t)count == stream->read_most_piped;
  report(input, pipe, count);
  return full ? PIPE_READS : 0;
}

/* The same; for a read into a buffer, when it was filled. */
static unsigned read_once(uvr_uv_input *input)
{
  uvr_buffer_pool *pool = &input->stream->context->buffers;
  uvr_buffer *pipe = input->stream->splices ? uvr_splice_get(pool) : NULL;
  if (pipe != NULL) {
    return splice_once(input, pipe);
  }
  char *at;
  size_t most;
  uvr_buffer *buffer = uvr_stream_get_buffer(input->stream, &at, &most);
  ssize_t count = buffer != NULL ? receive(input, at, most) : UV_ENOBUFS;
  bool full = count > 0 && (size_t)count == most;
  if (count == UV_EAGAIN) {
    uvr_buffer_put(pool, buffer);
    return 0;
  }
  report(input, buffer, count);
  return full ? 1 : 0;
}

static void read_now(uvr_uv_input *input)
{
  unsigned reads = 0;
  while (reads < READS_AT_ONCE && input->reading && (input->wanted || input->on_discarded != NULL)) {
    unsigned count = read_once(input);
    if (count == 0) {
      break;
    }
    reads += count;
  }
  stop_if_unwanted(input);
}

/* Reading by libuv. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  uvr_uv_input *input = handle->data;
  char *at = NULL;
  size_t most = 0;
  (void)suggested;
  if (input->by_libuv) {
    input->incoming = uvr_stream_get_buffer(input->stream, &at, &most);
  }
  *buf =
      input->incoming != NULL ? uv_buf_init(at, (unsigned)most) : uv_buf_init(NULL, 0); /* then it gives UV_ENOBUFS */
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
  uvr_uv_input *input = handle->data;
  uvr_buffer *buffer = input->incoming;
  (void)buf;
  if (count == UV_ENOBUFS && !input->by_libuv) {
    read_now(input);
    return;
  }
  input->incoming = NULL;
  if (count == 0) {
    uvr_buffer_put(&input->stream->context->buffers, buffer); /* nothing yet */
    return;
  }
  report(input, buffer, count);
  stop_if_unwanted(input);
}

static int start(uvr_uv_input *input)
{
  int code = input->reading ? 0 : uv_read_start(input->handle, on_alloc, on_read);
  input->reading = code == 0;
  return code;
}

void uvr_uv_input_read(uvr_uv_input *input)
{
  input->wanted = true;
  int code = start(input);
  if (code != 0) {
    input->wanted = false;
    fail_read(input, code);
  }
}

bool uvr_uv_input_discard(uvr_uv_input *input, void (*on_discarded)(uvr_stream *stream, size_t bytes))
{
  input->on_discarded = on_discarded;
  input->stream->splices = false;
  return !input->ended && start(input) == 0;
}
