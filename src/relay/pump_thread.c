/* A pump on the thread pool.
 *
 * Why: standard input and output of a Windows program can mostly be used by blocking calls only, on the thread pool.
 * Two trips between loop and pool for each 64 bytes, there and back, took longer than all the rest; here the thread
 * that has read also writes, as a program of two plain threads would do it.
 *
 * It reads into one buffer and writes it, in turn, until a call does not succeed; then the loop is told how it ended.
 * The loop can look where the job is, and stop it: under the mutex, so that a stopped job goes into no stream again. */
#include "relay/pump_thread.h"

struct uvr_pump_thread {
  uv_work_t work;
  uvr_context *context;
  uvr_stream *source;
  uvr_stream *sink;
  uvr_pump_thread_cb on_end;
  void *user;
  uvr_buffer *buffer;
  bool running; /* the loop has not been told of its end */
  /* How it ended. */
  bool reading;
  uvr_outcome outcome;
  uvrelay_error_t error;
  /* Under the mutex. */
  uv_mutex_t mutex;
  uvr_stream *inside;
  bool stopped;
  bool holding;
  uint64_t bytes;
};

static bool enter(uvr_pump_thread *job, uvr_stream *stream)
{
  uv_mutex_lock(&job->mutex);
  bool go = !job->stopped;
  job->inside = go ? stream : NULL;
  uv_mutex_unlock(&job->mutex);
  return go;
}

static void leave(uvr_pump_thread *job, bool holding, size_t written)
{
  uv_mutex_lock(&job->mutex);
  job->inside = NULL;
  job->holding = holding;
  job->bytes += written;
  uv_mutex_unlock(&job->mutex);
}

static bool read_once(uvr_pump_thread *job)
{
  if (!enter(job, job->source)) {
    return false;
  }
  job->reading = true;
  job->outcome = job->source->blocking->read(job->source, job->buffer, &job->error);
  leave(job, job->outcome == UVR_DONE, 0);
  return job->outcome == UVR_DONE;
}

static bool write_once(uvr_pump_thread *job)
{
  if (!enter(job, job->sink)) {
    return false;
  }
  job->reading = false;
  job->outcome = job->sink->blocking->write(job->sink, job->buffer->data, job->buffer->length, &job->error);
  leave(job, false, job->outcome == UVR_DONE ? job->buffer->length : 0);
  return job->outcome == UVR_DONE;
}

static void work(uv_work_t *request)
{
  uvr_pump_thread *job = request->data;
  while (read_once(job) && write_once(job)) {
  }
}

static void after_work(uv_work_t *request, int code)
{
  uvr_pump_thread *job = request->data;
  (void)code; /* it is never cancelled */
  job->running = false;
  if (!job->stopped) {
    job->on_end(job->user, job->reading, job->outcome, &job->error);
  }
}

static void release(uvr_pump_thread *job)
{
  uvr_context *context = job->context;
  uv_mutex_destroy(&job->mutex);
  uvr_buffer_put(&context->buffers, job->buffer);
  uvr_free(&context->memory, job);
}

uvr_pump_thread *uvr_pump_thread_start(uvr_stream *source, uvr_stream *sink, uvr_pump_thread_cb on_end, void *user)
{
  uvr_context *context = source->context;
  uvr_pump_thread *job = uvr_alloc(&context->memory, sizeof(*job));
  if (job == NULL) {
    return NULL;
  }
  if (uv_mutex_init(&job->mutex) != 0) {
    uvr_free(&context->memory, job);
    return NULL;
  }
  job->work.data = job;
  job->context = context;
  job->source = source;
  job->sink = sink;
  job->on_end = on_end;
  job->user = user;
  job->buffer = uvr_buffer_get(&context->buffers, UVR_BUFFER_LARGE);
  job->running = job->buffer != NULL && uv_queue_work(context->loop, &job->work, work, after_work) == 0;
  if (!job->running) {
    release(job);
    return NULL;
  }
  return job;
}

void uvr_pump_thread_stop(uvr_pump_thread *job)
{
  uv_mutex_lock(&job->mutex);
  job->stopped = true;
  if (job->inside == job->source && job->source->blocking->stop_read != NULL) {
    job->source->blocking->stop_read(job->source);
  } else if (job->inside == job->sink && job->sink->blocking->stop_write != NULL) {
    job->sink->blocking->stop_write(job->sink);
  }
  uv_mutex_unlock(&job->mutex);
}

const uvr_stream *uvr_pump_thread_inside(uvr_pump_thread *job)
{
  uv_mutex_lock(&job->mutex);
  const uvr_stream *inside = job->inside;
  uv_mutex_unlock(&job->mutex);
  return inside;
}

bool uvr_pump_thread_is_holding(uvr_pump_thread *job)
{
  uv_mutex_lock(&job->mutex);
  bool holding = job->holding;
  uv_mutex_unlock(&job->mutex);
  return holding;
}

uint64_t uvr_pump_thread_bytes(uvr_pump_thread *job)
{
  uv_mutex_lock(&job->mutex);
  uint64_t bytes = job->bytes;
  uv_mutex_unlock(&job->mutex);
  return bytes;
}

bool uvr_pump_thread_free(uvr_pump_thread *job)
{
  if (job->running) {
    return false;
  }
  release(job);
  return true;
}
