/* Operations that complete through the loop's port.
 *
 * libuv takes each packet from its port for one of its own requests: it finds the request around the OVERLAPPED and
 * acts by the request's type. The request inside a uv_async_t means "call the async callback". So a file that is
 * attached to loop->iocp, and an operation whose OVERLAPPED is the one inside a uv_async_t, complete as a call of
 * that callback, on the loop's thread, with no thread or wait of our own.
 *
 * This leans on fields that uv.h calls private (async_req, u.io.overlapped; iocp of the loop) and that libuv 1.x
 * keeps, as they are part of its binary interface; this file is the only one that names them. The rules that make it
 * safe: one operation at a time; the handle keeps the loop alive only meanwhile; and it is closed only when no packet
 * is on its way, as libuv would free it at once and the packet would then hit freed memory. */
#include "port_op.h"

#include <stddef.h>
#include <string.h>

#define OVERLAPPED_OF(op) ((op)->async.async_req.u.io.overlapped)

_Static_assert(_Generic(OVERLAPPED_OF((uvr_port_op *)0), OVERLAPPED : 1, default : 0), "an OVERLAPPED in uv_async_t");
_Static_assert(_Generic(((uv_loop_t *)0)->iocp, HANDLE : 1, default : 0), "a completion port in uv_loop_t");
_Static_assert(offsetof(uvr_port_op, async) == 0, "an op is found from its async handle");

int uvr_port_op_attach(uv_loop_t *loop, HANDLE file)
{
  return CreateIoCompletionPort(file, loop->iocp, 0, 0) == NULL ? uv_translate_sys_error((int)GetLastError()) : 0;
}

static void on_packet(uv_async_t *async)
{
  uvr_port_op *op = (uvr_port_op *)async;
  DWORD error = op->error;
  DWORD bytes = op->bytes;
  if (!op->deferred) {
    error = GetOverlappedResult(op->file, &OVERLAPPED_OF(op), &bytes, FALSE) ? 0 : GetLastError();
  }
  op->pending = false;
  op->deferred = false;
  uv_unref((uv_handle_t *)async);
  op->on_done(op, error, bytes);
}

void uvr_port_op_init(uvr_port_op *op, uv_loop_t *loop, HANDLE file, bool skips_port, uvr_port_op_cb on_done,
                      void *user)
{
  memset(op, 0, sizeof(*op));
  (void)uv_async_init(loop, &op->async, on_packet); /* on Windows it cannot fail */
  uv_unref((uv_handle_t *)&op->async);
  op->async.data = op;
  op->file = file;
  op->skips_port = skips_port;
  op->on_done = on_done;
  op->user = user;
}

OVERLAPPED *uvr_port_op_begin(uvr_port_op *op)
{
  OVERLAPPED *overlapped = &OVERLAPPED_OF(op);
  memset(overlapped, 0, sizeof(*overlapped));
  return overlapped;
}

void uvr_port_op_issued(uvr_port_op *op, BOOL ok, bool defer)
{
  DWORD error = ok ? 0 : GetLastError();
  if (error == ERROR_IO_PENDING || (!op->skips_port && (error == 0 || error == ERROR_MORE_DATA))) {
    op->pending = true;
    uv_ref((uv_handle_t *)&op->async);
    return;
  }
  /* The result is here and no packet will come. The count of bytes is in the OVERLAPPED: what ReadFile stores is 0
   * with ERROR_MORE_DATA. */
  DWORD bytes = error == 0 || error == ERROR_MORE_DATA ? (DWORD)OVERLAPPED_OF(op).InternalHigh : 0;
  if (!defer) {
    op->on_done(op, error, bytes);
    return;
  }
  op->error = error;
  op->bytes = bytes;
  op->pending = true;
  op->deferred = true;
  uv_ref((uv_handle_t *)&op->async);
  (void)uv_async_send(&op->async);
}

void uvr_port_op_cancel(uvr_port_op *op)
{
  if (op->pending && !op->deferred) {
    (void)CancelIoEx(op->file, &OVERLAPPED_OF(op));
  }
}

void uvr_port_op_close(uvr_port_op *op, uv_close_cb on_close)
{
  uv_close((uv_handle_t *)&op->async, on_close);
}
