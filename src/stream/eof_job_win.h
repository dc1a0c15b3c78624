/* The end-of-input job of a message-mode pipe: flush, then a zero-byte message, on a system pool thread. */
#ifndef UVR_STREAM_EOF_JOB_WIN_H
#define UVR_STREAM_EOF_JOB_WIN_H

#include <stdbool.h>

#include <uv.h>

#include "base/event_pool_win.h"

typedef enum uvr_eof_stage { UVR_EOF_IDLE, UVR_EOF_FLUSHING, UVR_EOF_WRITING } uvr_eof_stage;

typedef struct uvr_eof_job uvr_eof_job;

/* `error` is 0 when the zero-byte message was written, else a Windows code; ERROR_OPERATION_ABORTED after cancel. */
typedef void (*uvr_eof_job_cb)(uvr_eof_job *job, DWORD error);

struct uvr_eof_job {
  uv_async_t done; /* first: a job is found from it */
  uvr_eof_job_cb on_done;
  void *user;
  HANDLE file;
  uvr_event_pool *events;
  bool running;
  /* Below: shared with the pool's thread, under the lock. */
  SRWLOCK lock;
  uvr_eof_stage stage;
  bool skip_flush;
  bool cancelled;
  HANDLE thread; /* which flushes */
  OVERLAPPED overlapped;
  DWORD error;
};

/* Prepares a job, which must be closed with uvr_eof_job_close. */
void uvr_eof_job_init(uvr_eof_job *job, uv_loop_t *loop, HANDLE file, uvr_event_pool *events, uvr_eof_job_cb on_done,
                      void *user);

/* Starts the job, once. on_done comes from the loop, later. Returns 0 or a Windows code. */
DWORD uvr_eof_job_start(uvr_eof_job *job);

/* Stops waiting for the flush; the zero-byte message is written nevertheless. The thread may miss this between two
 * steps: repeat it while it returns true. */
bool uvr_eof_job_hurry(uvr_eof_job *job);

/* Ends the job. The thread may miss this: repeat it until on_done comes. */
void uvr_eof_job_cancel(uvr_eof_job *job);

/* Closes the handle inside. The job must not be running. */
void uvr_eof_job_close(uvr_eof_job *job, uv_close_cb on_close);

#endif
