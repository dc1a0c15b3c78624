/* A pump.
 *
 * Happy path: while one buffer is being written, the next one is being read. `writing` is the buffer that the sink
 * writes, `ready` is the one that waits for it, and nothing is read while `ready` waits. Thus a sink that accepts
 * nothing stops the source, with two buffers held.
 *
 * Ways to end: the source ends, is gone or fails, and what was read before is written first; or the sink is gone or
 * fails, and what was not written is lost. The pump reports this once and leaves everything else to its owner.
 *
 * Between two streams that keep messages, each message is written at once, so its parts are collected first. A message
 * that is longer than the context allows, or is never completed, is an error of the source.
 *
 * If both streams offer blocking calls, the bytes do not pass through the loop but through a thread: see pump_thread.c.
 * What is reported is the same. */
#include "relay/pump.h"

#include <stdio.h>
#include <string.h>

#include "relay/pump_thread.h"

#define BUSY      ((size_t)1024 * 1024) /* bytes */
#define BUSY_READ ((size_t)16 * 1024)   /* a read of more makes a pump busier, a shorter one less busy */

static const uvr_pump_end source_ends[] = {[UVR_END_OF_INPUT] = UVR_PUMP_SOURCE_ENDED,
                                           [UVR_GONE] = UVR_PUMP_SOURCE_GONE,
                                           [UVR_FAILED] = UVR_PUMP_SOURCE_FAILED};
static const uvr_pump_end sink_ends[] = {[UVR_GONE] = UVR_PUMP_SINK_GONE, [UVR_FAILED] = UVR_PUMP_SINK_FAILED};

static void run(uvr_pump *pump);

static void report(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  pump->stopped = true;
  pump->on_end(pump, end, error);
}

/* Remembers why the source has ended until what was read is written. The memory is allocated only here, as most pumps
 * never need it. */
static void end_source(uvr_pump *pump, uvr_outcome outcome, const uvrelay_error_t *error)
{
  pump->source_ended = true;
  pump->source_outcome = outcome;
  if (error != NULL) {
    pump->source_code = error->code;
    pump->source_error = uvr_alloc(pump->buffers->memory, sizeof(*pump->source_error));
    if (pump->source_error != NULL) {
      *pump->source_error = *error;
    }
  }
}

static void report_source(uvr_pump *pump)
{
  uvrelay_error_t plain;
  const uvrelay_error_t *error = pump->source_error;
  if (error == NULL && pump->source_outcome != UVR_END_OF_INPUT) {
    (void)uvr_error_set_system(&plain, UVRELAY_PHASE_READ, pump->source_code, 0, "reading from %s failed: %s",
                               pump->source->name, uv_strerror(pump->source_code));
    error = &plain;
  }
  report(pump, source_ends[pump->source_outcome], error);
}

static void fail_source(uvr_pump *pump, int code, const char *what)
{
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_READ, code, 0, "%s %s", pump->source->name, what);
  end_source(pump, UVR_FAILED, &error);
}

/* Makes room for `more` bytes of the message. */
static bool grow_message(uvr_pump *pump, size_t more)
{
  size_t length = pump->message != NULL ? pump->message->length : 0;
  size_t room = pump->message != NULL ? pump->message->capacity - length : 0;
  if (more <= room) {
    return true;
  }
  if (more > pump->message_size - length) {
    char what[96];
    (void)snprintf(what, sizeof(what), "sent a message of more than %zu bytes, the limit", pump->message_size);
    fail_source(pump, UV_EMSGSIZE, what);
    return false;
  }
  size_t capacity = length + more > pump->message_size / 2 ? pump->message_size : (length + more) * 2;
  uvr_buffer *larger = uvr_buffer_new(pump->buffers, capacity);
  if (larger == NULL) {
    fail_source(pump, UV_ENOMEM, "sent a message that is too large for the free memory");
    return false;
  }
  if (pump->message != NULL) {
    memcpy(larger->data, pump->message->data, length);
    larger->length = length;
    uvr_buffer_put(pump->buffers, pump->message);
  }
  pump->message = larger;
  return true;
}

/* Makes what was read ready to be written: at once, or, if messages are kept, once the message is complete. */
static void accept_buffer(uvr_pump *pump, uvr_buffer *buffer)
{
  bool whole = buffer->end_of_message && pump->message == NULL && buffer->length <= pump->message_size;
  if (!pump->whole_messages || whole) {
    pump->ready = buffer;
    return;
  }
  if (grow_message(pump, buffer->length)) {
    memcpy(pump->message->data + pump->message->length, buffer->data, buffer->length);
    pump->message->length += buffer->length;
    if (buffer->end_of_message) {
      pump->ready = pump->message;
      pump->message = NULL;
    }
  }
  uvr_buffer_put(pump->buffers, buffer);
}

/* A Unix socket splices single pages, and so may what comes through a mux. TCP has to handle each of them, which takes
 * longer than copying their bytes. */
static bool can_splice(const uvr_pump *pump)
{
  const uvr_stream *source = pump->source, *sink = pump->sink;
  return source->can_splice && sink->can_splice && !sink->prefers_copies && (source->is_tcp || !sink->is_tcp);
}

/* A direction that has long been fast is spliced where the streams allow it, until it is slow again: small pieces cost
 * less to copy. */
static void choose_way(uvr_pump *pump, size_t length)
{
  size_t busy = pump->busy + length;
  if (busy < BUSY_READ && !pump->splices) { /* the usual case */
    pump->busy = 0;
    return;
  }
  pump->busy = busy < BUSY_READ ? 0 : busy - BUSY_READ < BUSY ? busy - BUSY_READ : BUSY;
  bool can = can_splice(pump);
  if (!pump->splices && can && pump->busy == BUSY) {
    pump->splices = true;
    uvr_splice_begin(pump->buffers);
  } else if (pump->splices && (!can || pump->busy == 0)) {
    pump->splices = false;
    uvr_splice_end(pump->buffers);
  }
  pump->source->splices = pump->splices;
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  uvr_pump *pump = user;
  pump->reading = false;
  pump->active = uv_now(pump->source->context->loop);
  if (outcome == UVR_DONE) {
    choose_way(pump, buffer->length);
    accept_buffer(pump, buffer);
  } else if (pump->message != NULL && outcome != UVR_FAILED) {
    fail_source(pump, UV_EPROTO, "ended in the middle of a message");
  } else {
    end_source(pump, outcome, error);
  }
  run(pump);
}

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pump *pump = user;
  uvr_buffer *written = pump->writing;
  pump->writing = NULL;
  if (outcome == UVR_DONE) {
    pump->bytes += written->length;
    pump->active = uv_now(pump->source->context->loop);
  }
  uvr_buffer_put(pump->buffers, written);
  if (outcome != UVR_DONE && !pump->stopped) {
    report(pump, sink_ends[outcome], error);
    return;
  }
  run(pump);
}

/* Starts what can be started. Streams may call back at once, so this is a loop and not a recursion. */
static void run(uvr_pump *pump)
{
  if (pump->running) {
    return;
  }
  pump->running = true;
  while (!pump->stopped) {
    if (pump->writing == NULL && pump->ready != NULL) {
      pump->writing = pump->ready;
      pump->ready = NULL;
      uvr_stream_write_buffer(pump->sink, pump->writing, on_write, pump);
    } else if (!pump->reading && !uvr_pump_is_full(pump) && pump->ready == NULL && !pump->source_ended) {
      pump->reading = true;
      pump->source->read_most = pump->sink->write_best;
      pump->source->read_most_piped = pump->sink->write_best_piped;
      pump->source->read_kept = pump->writing != NULL ? pump->writing->length : 0;
      uvr_stream_read(pump->source, on_read, pump);
    } else {
      break;
    }
  }
  pump->running = false;
  if (!pump->stopped && pump->source_ended && pump->ready == NULL && pump->writing == NULL) {
    report_source(pump);
  } else if (!pump->stopped && pump->on_full != NULL && uvr_pump_is_full(pump)) {
    pump->on_full(pump);
  }
}

static void on_thread_end(void *user, bool reading, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pump *pump = user;
  if (!pump->stopped) {
    report(pump, reading ? source_ends[outcome] : sink_ends[outcome], error);
  }
}

void uvr_pump_start(uvr_pump *pump, uvr_context *context, uvr_stream *source, uvr_stream *sink, uvr_pump_cb on_end)
{
  *pump = (uvr_pump){.source = source, .sink = sink, .on_end = on_end, .buffers = &source->context->buffers};
  pump->active = uv_now(source->context->loop);
  pump->whole_messages = source->keeps_messages && sink->keeps_messages;
  pump->message_size = context->message_size;
  if (context->threads && !pump->whole_messages && source->reads_blocking && sink->writes_blocking) {
    pump->thread = uvr_pump_thread_start(source, sink, on_thread_end, pump);
  }
  if (pump->thread == NULL) {
    run(pump);
  }
}

void uvr_pump_stop(uvr_pump *pump)
{
  pump->stopped = true;
  if (pump->thread != NULL) {
    uvr_pump_thread_stop(pump->thread);
  }
}

bool uvr_pump_is_inside(const uvr_pump *pump, const uvr_stream *stream)
{
  return pump->thread != NULL && uvr_pump_thread_inside(pump->thread) == stream;
}

bool uvr_pump_is_holding(const uvr_pump *pump)
{
  return pump->thread != NULL ? uvr_pump_thread_is_holding(pump->thread)
                              : pump->message != NULL || pump->ready != NULL || pump->writing != NULL;
}

bool uvr_pump_is_finishing(const uvr_pump *pump)
{
  return uvr_pump_is_holding(pump) || (pump->thread == NULL && pump->source_ended);
}

bool uvr_pump_is_full(const uvr_pump *pump)
{
  return pump->writing != NULL && (pump->ready != NULL || pump->writing->splice != NULL);
}

uint64_t uvr_pump_progress(const uvr_pump *pump)
{
  return pump->bytes + (pump->writing != NULL ? pump->writing->length - uvr_stream_unwritten(pump->sink) : 0);
}

uint64_t uvr_pump_bytes(const uvr_pump *pump)
{
  return pump->thread != NULL ? uvr_pump_thread_bytes(pump->thread) : pump->bytes;
}

bool uvr_pump_clear(uvr_pump *pump)
{
  if (pump->thread != NULL && !uvr_pump_thread_free(pump->thread)) {
    return false;
  }
  pump->thread = NULL;
  if (pump->buffers != NULL) {
    uvr_free(pump->buffers->memory, pump->source_error);
    uvr_buffer_put(pump->buffers, pump->message);
    uvr_buffer_put(pump->buffers, pump->ready);
    uvr_buffer_put(pump->buffers, pump->writing);
    if (pump->splices) {
      uvr_splice_end(pump->buffers);
    }
  }
  pump->splices = false;
  pump->source_error = NULL;
  pump->message = NULL;
  pump->ready = NULL;
  pump->writing = NULL;
  return true;
}
