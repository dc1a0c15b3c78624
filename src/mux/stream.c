/* A stream of a mux: see stream_mux.h.
 *
 * Bytes that come wait in the yamux stream until they are read. What is read counts as taken, so that the peer may send
 * more, one buffer later than it is read: a reader that asks for the next buffer may still be writing the last one.
 *
 * Closing: if all was said, an end of our own goes first. A peer of another kind, which may throw away at a reset what
 * it has not read, then has a moment to end as well; what comes is thrown away. After that, or where the owner says
 * that not all was said, the stream is reset. The peer sees a reset alone as a failure, and one behind an end as its
 * peer's leaving.
 *
 * Ways to fail: a reset by the peer, and the end of the carrier, which is as many resets. */
#include "mux/stream.h"

#include <assert.h>
#include <string.h>

static uvr_mux_stream *of(uvr_stream *stream)
{
  return (uvr_mux_stream *)stream;
}

/* Why there is nothing more to be read or written. */
static uvr_outcome reset_outcome(const uvr_mux_stream *s, uvrelay_phase_t phase, uvrelay_error_t *error)
{
  const uvrelay_error_t *fault = uvr_mux_carrier_fault(s->carrier);
  if (fault != NULL) {
    (void)uvr_error_set(error, phase, UV_ECONNRESET, "the connection to %s broke: %s", s->base.name, fault->text);
    return UVR_FAILED;
  }
  if (uvr_yamux_has_ended(&s->yamux)) {
    (void)uvr_error_set(error, phase, UV_EPIPE, "%s is gone", s->base.name);
    return UVR_GONE;
  }
  (void)uvr_error_set(error, phase, UV_ECONNRESET, "the connection to %s was cut by %s", s->base.name,
                      s->mux->role == UVRELAY_MUX_NEAR ? "the far end" : "it");
  return UVR_FAILED;
}

/* Closing. */

static void on_timer_closed(uv_handle_t *handle)
{
  uvr_mux_stream *s = handle->data;
  uvr_mux *mux = s->mux;
  const uvrelay_allocator_t *memory = &s->base.context->memory;
  uvr_close_cb on_close = s->base.on_close;
  void *user = s->base.close_user;
  uvr_mux_carrier *carrier = s->carrier;
  uvr_free(memory, s->line);
  uvr_free(memory, s);
  on_close(user);
  if (carrier != NULL) {
    uvr_mux_carrier_drop(carrier);
  }
  uvr_mux_unref(mux);
}

static void finish(uvr_mux_stream *s)
{
  if (!s->finishing) {
    s->finishing = true;
    if (s->carrier != NULL) {
      uvr_yamux_release(&s->yamux);
    }
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
  }
}

static void on_patience(uv_timer_t *timer)
{
  finish(timer->data);
}

/* While closing: goes on as far as it can. */
static void close_on(uvr_mux_stream *s)
{
  uvr_buffer *buffer;
  uvr_yamux_found found;
  while ((found = uvr_yamux_read(&s->yamux, &buffer)) == UVR_YAMUX_BYTES) {
    uvr_buffer_put(&s->base.context->buffers, buffer);
  }
  bool ended = found == UVR_YAMUX_RESET || uvr_yamux_has_ended(&s->yamux);
  bool bears_reset = uvr_yamux_peer_is_ours(uvr_mux_carrier_session(s->carrier));
  if (!s->shutting && (ended || bears_reset)) {
    finish(s);
  } else if (!s->shutting && !uv_is_active((uv_handle_t *)&s->timer)) {
    (void)uv_timer_start(&s->timer, on_patience, s->base.context->patience.close_ms, 0);
  }
}

static void mux_close(uvr_stream *stream, uvr_close_how how)
{
  uvr_mux_stream *s = of(stream);
  bool cut =
      uvr_close_is_cut(how) || s->writing || s->request != NULL; /* of a request that is taken back nothing stays */
  s->closing = true;
  s->reading = false;
  s->watching = false;
  (void)uv_timer_stop(&s->timer);
  if (uvr_list_has(&s->waiting)) {
    uvr_list_remove(&s->waiting);
  }
  if (s->counted) {
    s->counted = false;
    uvr_mux_carrier_count(s->carrier, false);
  }
  if (s->carrier == NULL || cut || uvr_yamux_is_reset(&s->yamux)) {
    finish(s);
    return;
  }
  if (!s->shut) {
    s->shut = true;
    s->shutting = uvr_yamux_finish(&s->yamux);
  }
  close_on(s);
}

static void mux_hurry(uvr_stream *stream)
{
  finish(of(stream));
}

/* Reading. */

static void give(uvr_mux_stream *s)
{
  uvr_buffer *buffer;
  uvrelay_error_t error;
  uvr_yamux_found found = uvr_yamux_read(&s->yamux, &buffer);
  if (found == UVR_YAMUX_NOTHING) {
    return;
  }
  s->reading = false;
  if (found == UVR_YAMUX_BYTES) {
    s->given[0] = buffer->length;
    s->base.on_read(s->base.read_user, UVR_DONE, buffer, NULL);
  } else if (found == UVR_YAMUX_END) {
    s->base.on_read(s->base.read_user, UVR_END_OF_INPUT, NULL, NULL);
  } else {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_READ, &error);
    s->base.on_read(s->base.read_user, outcome, NULL, &error);
  }
}

static void mux_read(uvr_stream *stream)
{
  uvr_mux_stream *s = of(stream);
  size_t taken = s->given[1];
  s->given[1] = s->given[0];
  s->given[0] = 0;
  if (taken > 0) {
    uvr_yamux_consumed(&s->yamux, taken);
  }
  s->reading = true;
  give(s);
}

static void report_lost(uvr_mux_stream *s)
{
  uvrelay_error_t error;
  s->watching = false;
  uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_READ, &error);
  s->base.on_lost(s->base.lost_user, outcome, &error);
}

static void on_watched(uv_timer_t *timer)
{
  uvr_mux_stream *s = timer->data;
  if (s->watching) {
    report_lost(s);
  }
}

static void mux_watch(uvr_stream *stream)
{
  uvr_mux_stream *s = of(stream);
  s->watching = true;
  if (uvr_yamux_is_reset(&s->yamux)) {
    (void)uv_timer_start(&s->timer, on_watched, 0, 0);
  }
}

void uvr_mux_stream_unwatch(uvr_mux_stream *stream)
{
  stream->watching = false;
}

static bool mux_is_lost(uvr_stream *stream)
{
  return uvr_yamux_is_reset(&of(stream)->yamux);
}

void uvr_mux_stream_readable(uvr_yamux_stream *stream)
{
  uvr_mux_stream *s = stream->user;
  if (s->closing) {
    close_on(s);
  } else if (s->reading) {
    give(s);
  } else if (s->watching && uvr_yamux_is_reset(&s->yamux)) {
    report_lost(s);
  }
}

/* Writing. */

static void mux_write(uvr_stream *stream, const char *data, size_t length)
{
  uvr_mux_stream *s = of(stream);
  uvrelay_error_t error;
  s->writing = uvr_yamux_write(&s->yamux, data, length);
  if (!s->writing) {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_WRITE, &error);
    stream->on_write(stream->write_user, outcome, &error);
  }
}

static size_t mux_unwritten(uvr_stream *stream)
{
  return uvr_yamux_unwritten(&of(stream)->yamux);
}

static void mux_shutdown(uvr_stream *stream)
{
  uvr_mux_stream *s = of(stream);
  uvrelay_error_t error;
  s->shut = true;
  s->shutting = uvr_yamux_finish(&s->yamux);
  if (!s->shutting) {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_SHUTDOWN, &error);
    stream->on_shutdown(stream->shutdown_user, outcome, &error);
  }
}

void uvr_mux_stream_written(uvr_yamux_stream *stream)
{
  uvr_mux_stream *s = stream->user;
  bool shutting = s->shutting;
  uvrelay_error_t error;
  s->shutting = false;
  s->writing = false;
  if (s->closing) {
    close_on(s);
    return;
  }
  uvr_outcome outcome = UVR_DONE;
  if (uvr_yamux_is_reset(stream)) {
    outcome = reset_outcome(s, shutting ? UVRELAY_PHASE_SHUTDOWN : UVRELAY_PHASE_WRITE, &error);
  }
  if (shutting) {
    s->base.on_shutdown(s->base.shutdown_user, outcome, outcome == UVR_DONE ? NULL : &error);
  } else {
    s->base.on_write(s->base.write_user, outcome, outcome == UVR_DONE ? NULL : &error);
  }
}

/* Lines. */

static void on_line_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvr_mux_stream *s = user;
  if (outcome != UVR_DONE) {
    s->on_line(s, outcome == UVR_END_OF_INPUT ? UV_EOF : error->code);
    return;
  }
  const char *newline = memchr(buffer->data, '\n', buffer->length);
  size_t length = newline != NULL ? (size_t)(newline - buffer->data) : buffer->length;
  size_t used = newline != NULL ? length + 1 : length;
  bool fits = s->line_length + used <= UVR_MUX_LINE_MAX;
  if (fits) {
    memcpy(s->line + s->line_length, buffer->data, length);
    s->line_length += length;
    s->line[s->line_length] = '\0';
  }
  if (fits && used < buffer->length) {
    buffer->length -= used;
    memmove(buffer->data, buffer->data + used, buffer->length);
    uvr_stream_unread(&s->base, buffer);
  } else {
    uvr_buffer_put(&s->base.context->buffers, buffer);
  }
  if (!fits) {
    s->on_line(s, UV_EMSGSIZE);
  } else if (newline != NULL) {
    s->on_line(s, strlen(s->line) == s->line_length ? 0 : UV_EPROTO);
  } else {
    uvr_stream_read(&s->base, on_line_read, s);
  }
}

void uvr_mux_stream_read_line(uvr_mux_stream *stream, uvr_mux_stream_line_cb on_line)
{
  stream->line_length = 0;
  stream->on_line = on_line;
  uvr_stream_read(&stream->base, on_line_read, stream);
}

/* Making. */

static const uvr_stream_ops ops = {.read = mux_read,
                                   .write = mux_write,
                                   .shutdown = mux_shutdown,
                                   .watch = mux_watch,
                                   .close = mux_close,
                                   .hurry = mux_hurry,
                                   .is_lost = mux_is_lost,
                                   .unwritten = mux_unwritten};

uvr_mux_stream *uvr_mux_stream_new(uvr_mux *mux, const char *name)
{
  uvr_context *context = mux->streams;
  size_t size = strlen(name) + 1;
  uvr_mux_stream *s = uvr_alloc(&context->memory, sizeof(*s) + size);
  if (s != NULL) {
    memcpy(s->name, name, size);
    s->base.ops = &ops;
    s->base.context = context;
    s->base.name = s->name;
    s->base.can_half_close = true;
    s->mux = mux;
    uvr_mux_ref(mux);
    (void)uv_timer_init(context->loop, &s->timer);
    s->timer.data = s;
  }
  return s;
}

void uvr_mux_stream_use(uvr_mux_stream *stream, uvr_mux_carrier *carrier)
{
  stream->carrier = carrier;
  stream->yamux.user = stream;
  uvr_mux_carrier_hold(carrier);
}

void uvr_mux_stream_connected(uvr_mux_stream *stream)
{
  uvr_free(&stream->base.context->memory, stream->line);
  stream->line = NULL;
  stream->request = NULL;
  stream->counted = true;
  uvr_mux_carrier_count(stream->carrier, true);
}

void uvr_mux_stream_leave(uvr_mux_stream *stream)
{
  uvr_mux_carrier *carrier = stream->carrier;
  assert(!stream->reading && !stream->writing);
  uvr_yamux_release(&stream->yamux);
  memset(&stream->yamux, 0, sizeof(stream->yamux));
  memset(stream->given, 0, sizeof(stream->given));
  stream->carrier = NULL;
  uvr_mux_carrier_drop(carrier);
}
