/* A stream of a mux: see stream.h.
 *
 * Happy path: received data waits in the yamux stream until it is read. What was read counts as
 * consumed, which lets the peer send more, when the next read is asked for, except for what the reader still keeps.
 *
 * Closing: the end of the output is sent, unless the owner says that the data is incomplete. A peer that is not uvrelay
 * may discard unread data at a reset. It therefore has a moment to end as well, during which received data is
 * discarded. Then the stream is reset. To the peer, a reset alone is a failure, and a reset after an end means that we
 * have left.
 *
 * Ways to fail: the peer resets the stream; the carrier ends, which resets all its streams. */
#include "mux/stream.h"

#include <assert.h>
#include <string.h>

enum { FEW = 8 /* streams */ };

static uvr_mux_stream *mux_stream_of(uvr_stream *stream)
{
  return (uvr_mux_stream *)stream;
}

/* Describes why nothing more can be read or written: the stream was reset. */
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
  (void)uvr_error_set(error, phase, UV_ECONNRESET, "the connection to %s was reset by %s", s->base.name,
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
    uvr_mux_carrier_unref(carrier);
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

static void on_close_timeout(uv_timer_t *timer)
{
  finish(timer->data);
}

/* Goes on with closing as far as possible at present. */
static void continue_closing(uvr_mux_stream *s)
{
  uvr_buffer *buffer;
  uvr_yamux_found found;
  while ((found = uvr_yamux_read(&s->yamux, &buffer)) == UVR_YAMUX_BYTES) {
    uvr_buffer_put(&s->base.context->buffers, buffer);
  }
  bool ended = found == UVR_YAMUX_RESET || uvr_yamux_has_ended(&s->yamux);
  bool survives_reset = uvr_yamux_peer_is_ours(uvr_mux_carrier_yamux(s->carrier));
  if (!s->shutting && (ended || survives_reset)) {
    finish(s);
  } else if (!s->shutting && !uv_is_active((uv_handle_t *)&s->timer)) {
    (void)uv_timer_start(&s->timer, on_close_timeout, s->base.context->patience.close_ms, 0);
  }
}

static void mux_close(uvr_stream *stream, uvr_close_how how)
{
  uvr_mux_stream *s = mux_stream_of(stream);
  /* A stream with an unanswered request is cut, so that nothing of the request remains. */
  bool cut = uvr_close_is_cut(how) || s->writing || s->request != NULL;
  s->closing = true;
  s->reading = false;
  s->yamux.takes_pipes = false;
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
  continue_closing(s);
}

static void mux_hurry(uvr_stream *stream)
{
  finish(mux_stream_of(stream));
}

/* Reading. */

static void deliver(uvr_mux_stream *s)
{
  uvr_buffer *buffer;
  uvrelay_error_t error;
  uvr_yamux_found found = uvr_yamux_read(&s->yamux, &buffer);
  if (found == UVR_YAMUX_NOTHING) {
    return;
  }
  s->reading = false;
  if (found == UVR_YAMUX_BYTES) {
    s->delivered += buffer->length;
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
  uvr_mux_stream *s = mux_stream_of(stream);
  size_t consumed = s->delivered > stream->read_kept ? s->delivered - stream->read_kept : 0;
  s->delivered -= consumed;
  if (consumed > 0) {
    uvr_yamux_consumed(&s->yamux, consumed);
  }
  s->reading = true;
  s->yamux.takes_pipes = stream->splices;
  stream->can_splice = uvr_mux_carrier_can_splice(s->carrier);
  deliver(s);
}

static void report_lost(uvr_mux_stream *s)
{
  uvrelay_error_t error;
  s->watching = false;
  if (s->shut && !s->shutting && uvr_yamux_has_ended(&s->yamux)) {
    return; /* both directions are complete, so that nothing is lost */
  }
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
  uvr_mux_stream *s = mux_stream_of(stream);
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
  return uvr_yamux_is_reset(&mux_stream_of(stream)->yamux);
}

void uvr_mux_stream_readable(uvr_yamux_stream *stream)
{
  uvr_mux_stream *s = stream->user;
  if (s->closing) {
    continue_closing(s);
  } else if (s->reading) {
    deliver(s);
  } else if (s->watching && uvr_yamux_is_reset(&s->yamux)) {
    report_lost(s);
  }
}

/* Writing. */

static void mux_write(uvr_stream *stream, const char *data, size_t length)
{
  uvr_mux_stream *s = mux_stream_of(stream);
  uvrelay_error_t error;
  s->writing = uvr_yamux_write(&s->yamux, data, length);
  if (!s->writing) {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_WRITE, &error);
    stream->on_write(stream->write_user, outcome, &error);
  }
}

/* A long frame is sent at once, so that the writer may go on before anything else is done. */
static void mux_write_buffer(uvr_stream *stream, uvr_buffer *buffer)
{
  uvr_mux_stream *s = mux_stream_of(stream);
  uvrelay_error_t error;
  s->writing = uvr_yamux_write_buffer(&s->yamux, buffer);
  if (!s->writing) {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_WRITE, &error);
    stream->on_write(stream->write_user, outcome, &error);
  } else if (buffer->length >= UVR_YAMUX_LONG) {
    uvr_mux_carrier_send(s->carrier);
  }
}

static size_t mux_unwritten(uvr_stream *stream)
{
  return uvr_yamux_unwritten(&mux_stream_of(stream)->yamux);
}

static void mux_shutdown(uvr_stream *stream)
{
  uvr_mux_stream *s = mux_stream_of(stream);
  uvrelay_error_t error;
  s->shut = true;
  s->shutting = uvr_yamux_finish(&s->yamux);
  if (!s->shutting) {
    uvr_outcome outcome = reset_outcome(s, UVRELAY_PHASE_SHUTDOWN, &error);
    stream->on_shutdown(stream->shutdown_user, outcome, &error);
  }
}

/* Where the pool has giant buffers, which hold several of the longest frames, reading is slow, and few streams with
 * large windows read as much at a time. */
static size_t best_write(const uvr_mux_stream *s)
{
  size_t frame = uvr_yamux_best_write(&s->yamux);
  size_t frames = s->base.context->buffers.giant / UVR_BUFFER_LARGE;
  bool few = uvr_yamux_stream_count(s->yamux.session) <= FEW;
  return few && frame == UVR_YAMUX_FRAME_MAX && frames > 1 ? frames * frame : frame;
}

void uvr_mux_stream_written(uvr_yamux_stream *stream)
{
  uvr_mux_stream *s = stream->user;
  bool shutting = s->shutting;
  uvrelay_error_t error;
  s->shutting = false;
  s->writing = false;
  s->base.write_best = best_write(s);
  s->base.can_splice = uvr_mux_carrier_can_splice(s->carrier);
  s->base.prefers_copies = uvr_mux_carrier_prefers_copies(s->carrier);
  if (s->closing) {
    continue_closing(s);
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

/* Making and binding. */

static const uvr_stream_ops ops = {.read = mux_read,
                                   .write = mux_write,
                                   .write_buffer = mux_write_buffer,
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
    s->base.write_best_piped = UVR_YAMUX_PIPED_MAX;
    s->mux = mux;
    uvr_mux_ref(mux);
    (void)uv_timer_init(context->loop, &s->timer);
    s->timer.data = s;
  }
  return s;
}

void uvr_mux_stream_bind(uvr_mux_stream *stream, uvr_mux_carrier *carrier)
{
  stream->carrier = carrier;
  stream->yamux.user = stream;
  uvr_mux_carrier_ref(carrier);
}

void uvr_mux_stream_set_connected(uvr_mux_stream *stream)
{
  uvr_free(&stream->base.context->memory, stream->line);
  stream->line = NULL;
  stream->request = NULL;
  stream->counted = true;
  stream->base.can_splice = uvr_mux_carrier_can_splice(stream->carrier);
  uvr_mux_carrier_count(stream->carrier, true);
}

void uvr_mux_stream_unbind(uvr_mux_stream *stream)
{
  uvr_mux_carrier *carrier = stream->carrier;
  assert(!stream->reading && !stream->writing);
  uvr_yamux_release(&stream->yamux);
  memset(&stream->yamux, 0, sizeof(stream->yamux));
  stream->delivered = 0;
  stream->carrier = NULL;
  uvr_mux_carrier_unref(carrier);
}
