/* A pump on a thread of its own.
 *
 * Why: most kinds of standard input and output of a Windows program allow only blocking calls. When each read and each
 * write was a request to libuv's thread pool, passing small pieces of data back and forth between the loop and the pool
 * took longer than everything else. Here the thread that has read also writes. It is none of the pool's, as those may
 * be needed elsewhere, and on Windows each of them has 8 MiB of memory committed for its stack.
 *
 * Happy path: the thread reads into one buffer and writes it, again and again. A mutex guards what the loop looks at:
 * the loop can see inside which stream the thread is, and stop it, after which the thread does not enter a stream
 * again.
 *
 * Ways to end: a read or a write has an outcome other than UVR_DONE, which the loop then reports; or the pump is
 * stopped. */
#include "relay/pump_thread.h"

struct uvr_pump_thread {
  uv_thread_t thread;
  uv_async_t ended;           /* keeps the loop alive while the thread runs, and is its last word */
  uvrelay_allocator_t memory; /* a copy, because the context may be freed before `ended` is closed */
  uvr_buffer_pool *buffers;
  uvr_stream *source;
  uvr_stream *sink;
  uvr_pump_thread_cb on_end;
  void *user;
  uvr_buffer *buffer;
  bool running; /* on_ended was not called yet */
  /* How it ended. Set by the thread. */
  bool reading;
  uvr_outcome outcome;
  uvrelay_error_t error;
  /* Guarded by the mutex. */
  uv_mutex_t mutex;
  uvr_stream *inside;
  bool stopped;
  bool holding;
  uint64_t bytes;
};

/* Returns false if the pump was stopped, and the thread must not enter the stream. */
static bool enter(uvr_pump_thread *thread, uvr_stream *stream)
{
  uv_mutex_lock(&thread->mutex);
  bool go = !thread->stopped;
  thread->inside = go ? stream : NULL;
  uv_mutex_unlock(&thread->mutex);
  return go;
}

static void leave(uvr_pump_thread *thread, bool holding, size_t written)
{
  uv_mutex_lock(&thread->mutex);
  thread->inside = NULL;
  thread->holding = holding;
  thread->bytes += written;
  uv_mutex_unlock(&thread->mutex);
}

static bool read_once(uvr_pump_thread *thread)
{
  if (!enter(thread, thread->source)) {
    return false;
  }
  thread->reading = true;
  thread->outcome = thread->source->blocking->read(thread->source, thread->buffer, &thread->error);
  leave(thread, thread->outcome == UVR_DONE, 0);
  return thread->outcome == UVR_DONE;
}

static bool write_once(uvr_pump_thread *thread)
{
  if (!enter(thread, thread->sink)) {
    return false;
  }
  thread->reading = false;
  thread->outcome =
      thread->sink->blocking->write(thread->sink, thread->buffer->data, thread->buffer->length, &thread->error);
  leave(thread, false, thread->outcome == UVR_DONE ? thread->buffer->length : 0);
  return thread->outcome == UVR_DONE;
}

static void work(void *user)
{
  uvr_pump_thread *thread = user;
  while (read_once(thread) && write_once(thread)) {
  }
  (void)uv_async_send(&thread->ended); /* from here on all belongs to the loop */
}

static void on_ended(uv_async_t *async)
{
  uvr_pump_thread *thread = async->data;
  (void)uv_thread_join(&thread->thread);
  uv_unref((uv_handle_t *)async);
  thread->running = false;
  if (!thread->stopped) {
    thread->on_end(thread->user, thread->reading, thread->outcome, &thread->error);
  }
}

static void on_async_closed(uv_handle_t *handle)
{
  uvr_pump_thread *thread = handle->data;
  uv_mutex_destroy(&thread->mutex);
  const uvrelay_allocator_t memory = thread->memory;
  uvr_free(&memory, thread);
}

static void release(uvr_pump_thread *thread)
{
  uvr_buffer_put(thread->buffers, thread->buffer);
  thread->buffer = NULL;
  uv_close((uv_handle_t *)&thread->ended, on_async_closed);
}

/* Returns false if that is not possible, with what was made undone. */
static bool init_handles(uvr_pump_thread *thread, uv_loop_t *loop)
{
  if (uv_mutex_init(&thread->mutex) != 0) {
    return false;
  }
  if (uv_async_init(loop, &thread->ended, on_ended) != 0) {
    uv_mutex_destroy(&thread->mutex);
    return false;
  }
  thread->ended.data = thread;
  return true;
}

uvr_pump_thread *uvr_pump_thread_start(uvr_stream *source, uvr_stream *sink, uvr_pump_thread_cb on_end, void *user)
{
  uvr_context *context = source->context;
  uvr_pump_thread *thread = uvr_alloc(&context->memory, sizeof(*thread));
  if (thread == NULL) {
    return NULL;
  }
  if (!init_handles(thread, context->loop)) {
    uvr_free(&context->memory, thread);
    return NULL;
  }
  thread->memory = context->memory;
  thread->buffers = &context->buffers;
  thread->source = source;
  thread->sink = sink;
  thread->on_end = on_end;
  thread->user = user;
  thread->buffer = uvr_buffer_get(thread->buffers, UVR_BUFFER_LARGE);
  thread->running = thread->buffer != NULL && uv_thread_create(&thread->thread, work, thread) == 0;
  if (!thread->running) {
    release(thread);
    return NULL;
  }
  return thread;
}

void uvr_pump_thread_stop(uvr_pump_thread *thread)
{
  uv_mutex_lock(&thread->mutex);
  thread->stopped = true;
  if (thread->inside == thread->source && thread->source->blocking->stop_read != NULL) {
    thread->source->blocking->stop_read(thread->source);
  } else if (thread->inside == thread->sink && thread->sink->blocking->stop_write != NULL) {
    thread->sink->blocking->stop_write(thread->sink);
  }
  uv_mutex_unlock(&thread->mutex);
}

const uvr_stream *uvr_pump_thread_inside(uvr_pump_thread *thread)
{
  uv_mutex_lock(&thread->mutex);
  const uvr_stream *inside = thread->inside;
  uv_mutex_unlock(&thread->mutex);
  return inside;
}

bool uvr_pump_thread_is_holding(uvr_pump_thread *thread)
{
  uv_mutex_lock(&thread->mutex);
  bool holding = thread->holding;
  uv_mutex_unlock(&thread->mutex);
  return holding;
}

uint64_t uvr_pump_thread_bytes(uvr_pump_thread *thread)
{
  uv_mutex_lock(&thread->mutex);
  uint64_t bytes = thread->bytes;
  uv_mutex_unlock(&thread->mutex);
  return bytes;
}

bool uvr_pump_thread_free(uvr_pump_thread *thread)
{
  if (thread->running) {
    return false;
  }
  release(thread);
  return true;
}
