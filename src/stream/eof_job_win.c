/* The end-of-input job.
 *
 * Happy path: FlushFileBuffers returns when the peer has read everything that was written, so that the zero-byte
 * message arrives alone even at a peer that reads in byte mode. It blocks, so it runs on a thread of the system's pool
 * (libuv's four are for short work). Then the zero-byte message is written, with an event of its own whose low-order
 * bit is set, so that its completion does not go to the loop's port.
 *
 * Ways to fail: the pipe is gone; the thread cannot be given to the loop, which could not interrupt it then; the peer
 * does not read, and the loop hurries the job, which skips the rest of the flush; the loop cancels the job. Both
 * interrupt the thread in a blocking call. The thread leaves each stage under the lock, so they never interrupt another
 * job that the same thread runs afterwards. */
#include "stream/eof_job_win.h"

#include <stdint.h>
#include <string.h>

static bool enter(uvr_eof_job *job, uvr_eof_stage stage)
{
  AcquireSRWLockExclusive(&job->lock);
  bool wanted = !job->cancelled && !(stage == UVR_EOF_FLUSHING && job->skip_flush);
  job->stage = wanted ? stage : UVR_EOF_IDLE;
  ReleaseSRWLockExclusive(&job->lock);
  return wanted;
}

static void leave(uvr_eof_job *job)
{
  AcquireSRWLockExclusive(&job->lock);
  job->stage = UVR_EOF_IDLE;
  ReleaseSRWLockExclusive(&job->lock);
}

static DWORD flush(uvr_eof_job *job)
{
  DWORD error = 0;
  if (enter(job, UVR_EOF_FLUSHING)) {
    error = FlushFileBuffers(job->file) ? 0 : GetLastError();
    leave(job);
  }
  return error == ERROR_OPERATION_ABORTED ? 0 : error; /* hurried; or cancelled: the next stage is not entered */
}

static DWORD write_nothing(uvr_eof_job *job)
{
  HANDLE event = uvr_event_pool_get(job->events);
  if (event == NULL) {
    return GetLastError();
  }
  memset(&job->overlapped, 0, sizeof(job->overlapped));
  job->overlapped.hEvent = (HANDLE)((uintptr_t)event | 1);
  DWORD error = ERROR_OPERATION_ABORTED;
  if (enter(job, UVR_EOF_WRITING)) {
    DWORD written;
    BOOL ok = WriteFile(job->file, "", 0, NULL, &job->overlapped);
    if (!ok && GetLastError() == ERROR_IO_PENDING) {
      ok = GetOverlappedResult(job->file, &job->overlapped, &written, TRUE);
    }
    error = ok ? 0 : GetLastError();
    leave(job);
  }
  uvr_event_pool_put(job->events, event);
  return error;
}

static DWORD WINAPI run(void *argument)
{
  uvr_eof_job *job = argument;
  /* Without this handle nothing could end the flush but the peer. */
  BOOL ok = DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &job->thread,
                            THREAD_TERMINATE, FALSE, 0);
  DWORD error = ok ? flush(job) : GetLastError();
  if (error == 0) {
    error = write_nothing(job);
  }
  job->error = error;
  (void)uv_async_send(&job->done); /* from here on the job belongs to the loop */
  return 0;
}

static void on_finished(uv_async_t *async)
{
  uvr_eof_job *job = (uvr_eof_job *)async;
  if (job->thread != NULL) {
    (void)CloseHandle(job->thread);
  }
  job->running = false;
  uv_unref((uv_handle_t *)&job->done);
  job->on_done(job, job->error);
}

void uvr_eof_job_init(uvr_eof_job *job, uv_loop_t *loop, HANDLE file, uvr_event_pool *events, uvr_eof_job_cb on_done,
                      void *user)
{
  memset(job, 0, sizeof(*job));
  (void)uv_async_init(loop, &job->done, on_finished); /* on Windows it cannot fail */
  uv_unref((uv_handle_t *)&job->done);
  job->done.data = job;
  job->file = file;
  job->events = events;
  job->on_done = on_done;
  job->user = user;
  InitializeSRWLock(&job->lock);
}

DWORD uvr_eof_job_start(uvr_eof_job *job)
{
  if (!QueueUserWorkItem(run, job, WT_EXECUTELONGFUNCTION)) {
    return GetLastError();
  }
  job->running = true;
  uv_ref((uv_handle_t *)&job->done);
  return 0;
}

static uvr_eof_stage stop(uvr_eof_job *job, bool cancel)
{
  AcquireSRWLockExclusive(&job->lock);
  job->skip_flush = true;
  job->cancelled = job->cancelled || cancel;
  if (job->stage == UVR_EOF_FLUSHING && job->thread != NULL) {
    (void)CancelSynchronousIo(job->thread);
  } else if (job->stage == UVR_EOF_WRITING && cancel) {
    (void)CancelIoEx(job->file, &job->overlapped);
  }
  uvr_eof_stage stage = job->stage;
  ReleaseSRWLockExclusive(&job->lock);
  return stage;
}

bool uvr_eof_job_hurry(uvr_eof_job *job)
{
  return stop(job, false) == UVR_EOF_FLUSHING;
}

void uvr_eof_job_cancel(uvr_eof_job *job)
{
  (void)stop(job, true);
}

void uvr_eof_job_close(uvr_eof_job *job, uv_close_cb on_close)
{
  uv_close((uv_handle_t *)&job->done, on_close);
}
