/* A call that may block for long, on a thread: of libuv's pool on Unix, of the system's on Windows, which grows as
 * needed and where libuv's would take 8 MiB of memory for each thread: long_call_unix.c and long_call_win.c. */
#ifndef UVR_BASE_LONG_CALL_H
#define UVR_BASE_LONG_CALL_H

#include <stdbool.h>

#include <uv.h>

typedef struct uvr_long_call uvr_long_call;

struct uvr_long_call {
  union {
    uv_work_t work;   /* Unix */
    uv_async_t async; /* Windows */
  } uv;
  void (*run)(uvr_long_call *call);                   /* on the thread */
  void (*on_done)(uvr_long_call *call, bool did_run); /* on the loop; may free the call */
  bool did_run;
};

/* How many of them may run at the same time, so that there is always a thread for short calls. */
unsigned uvr_long_call_max(void);

/* Calls `run` and then, once, later, `on_done`, both of which must be set. */
void uvr_long_call_start(uv_loop_t *loop, uvr_long_call *call);

/* Asks not to begin with it. on_done comes in any case, later. */
void uvr_long_call_cancel(uvr_long_call *call);

#endif
