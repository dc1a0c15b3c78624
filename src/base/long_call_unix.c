/* Long calls on libuv's pool, of which they may take a quarter: see long_call.h. Half is for look-ups of names, as
 * libuv sees to. */
#include "base/long_call.h"

#include <stdlib.h>

enum { POOL_DEFAULT = 4, POOL_MAX = 1024, SHARE = 4 };

unsigned uvr_long_call_max(void)
{
  const char *text = getenv("UV_THREADPOOL_SIZE");
  long threads = text == NULL ? POOL_DEFAULT : strtol(text, NULL, 10);
  threads = threads < POOL_MAX ? threads : POOL_MAX;
  return threads < SHARE ? 1 : (unsigned)(threads / SHARE);
}

static void run(uv_work_t *work)
{
  uvr_long_call *call = work->data;
  call->run(call);
}

static void after(uv_work_t *work, int code)
{
  uvr_long_call *call = work->data;
  call->on_done(call, code == 0);
}

void uvr_long_call_start(uv_loop_t *loop, uvr_long_call *call)
{
  call->uv.work.data = call;
  (void)uv_queue_work(loop, &call->uv.work, run, after); /* it fails only without a function */
}

void uvr_long_call_cancel(uvr_long_call *call)
{
  (void)uv_cancel((uv_req_t *)&call->uv.work);
}
