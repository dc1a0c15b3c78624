/* Long calls on the system's pool: see long_call.h. The pool makes a thread for each of them when there is no idle one.
 */
#include "base/long_call.h"

#include <windows.h>

enum { MOST = 64 };

unsigned uvr_long_call_max(void)
{
  return MOST;
}

static DWORD WINAPI run(void *argument)
{
  uvr_long_call *call = argument;
  call->run(call);
  call->did_run = true;
  (void)uv_async_send(&call->uv.async); /* from here on the call belongs to the loop */
  return 0;
}

static void on_closed(uv_handle_t *async)
{
  uvr_long_call *call = async->data;
  call->on_done(call, call->did_run);
}

static void on_finished(uv_async_t *async)
{
  uv_close((uv_handle_t *)async, on_closed);
}

void uvr_long_call_start(uv_loop_t *loop, uvr_long_call *call)
{
  (void)uv_async_init(loop, &call->uv.async, on_finished); /* on Windows it cannot fail */
  call->uv.async.data = call;
  call->did_run = false;
  if (!QueueUserWorkItem(run, call, WT_EXECUTELONGFUNCTION)) {
    (void)uv_async_send(&call->uv.async);
  }
}

void uvr_long_call_cancel(uvr_long_call *call)
{
  (void)call; /* it has begun already */
}
