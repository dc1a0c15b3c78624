/* A pump on a thread of libuv's pool.
 *
 * Why: most kinds of standard input and output of a Windows program allow only blocking calls, which must be made on
 * the thread pool. When each read and each write was a request of its own, passing small pieces of data back and forth
 * between the loop and the pool took longer than everything else. Here the thread that has read also writes.
 *
 * Happy path: the thread reads into one buffer and writes it, again and again. A mutex guards what the loop looks at:
 * the loop can see inside which stream the thread is, and stop it, after which the thread does not enter a stream
 * again.
 *
 * Ways to end: a read or a write has an outcome other than UVR_DONE, which the loop then reports; or the pump is
 * stopped. */
#include "relay/pump_thread.h"

struct uvr_pump_thread {
  uv_work_t work;
  uvr_context *context;
  uvr_stream *source;
  uvr_stream *sink;
  uvr_pump_thread_cb on_end;
  void *user;
  uvr_buffer *buffer;
  bool running; /* after_work was not called yet */
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

static void work(uv_work_t *request)
{
  uvr_pump_thread *thread = request->data;
  while (read_once(thread) && write_once(thread)) {
  }
}

static void after_work(uv_work_t *request, int code)
{
  uvr_pump_thread *thread = request->data;
  (void)code; /* the request is never cancelled */
  thread->running = false;
  if (!thread->stopped) {
    thread->on_end(thread->user, thread->reading, thread->outcome, &thread->error);
  }
}

static void release(uvr_pump_thread *thread)
{
  uvr_context *context = thread->context;
  uv_mutex_destroy(&thread->mutex);
  uvr_buffer_put(&context->buffers, thread->buffer);
  uvr_free(&context->memory, thread);
}

uvr_pump_thread *uvr_pump_thread_start(uvr_stream *source, uvr_stream *sink, uvr_pump_thread_cb on_end, void *user)
{
  uvr_context *context = source->context;
  uvr_pump_thread *thread = uvr_alloc(&context->memory, sizeof(*thread));
  if (thread == NULL) {
    return NULL;
  }
  if (uv_mutex_init(&thread->mutex) != 0) {
    uvr_free(&context->memory, thread);
    return NULL;
  }
  thread->work.data = thread;
  thread->context = context;
  thread->source = source;
  thread->sink = sink;
  thread->on_end = on_end;
  thread->user = user;
  thread->buffer = uvr_buffer_get(&context->buffers, UVR_BUFFER_LARGE);
  thread->running = thread->buffer != NULL && uv_queue_work(context->loop, &thread->work, work, after_work) == 0;
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
