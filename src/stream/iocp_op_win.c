/* Operations that complete through the loop's port.
 *
 * libuv treats each packet at its port as one of its own requests: it finds the request around the OVERLAPPED and acts
 * by the request's type. The request inside a uv_async_t means "call the async callback". So an operation on a file
 * that is attached to loop->iocp, with the OVERLAPPED that is inside a uv_async_t, completes as a call of that callback
 * on the loop's thread, and needs no thread or wait of our own.
 *
 * This depends on fields that uv.h calls private (async_req, u.io.overlapped; the loop's iocp). libuv 1.x keeps them,
 * as they are part of its binary interface, and no other file names them. Three rules make it safe: one operation at a
 * time; the handle keeps the loop alive only while its operation is pending; and it is closed only when no packet is on
 * its way, as libuv would free the handle at once and then handle the packet in freed memory.
 *
 * With FILE_SKIP_COMPLETION_PORT_ON_SUCCESS an operation that succeeds at once sends no packet. Whether one that
 * returns ERROR_MORE_DATA at once sends one is documented nowhere. So that result is delayed until a packet of our own
 * (`later`) arrives after it: the port is first in, first out, so by then the other packet, if there was one, has
 * arrived and was ignored, and the OVERLAPPED is free. */
#include "stream/iocp_op_win.h"

#include <string.h>

#define OVERLAPPED_OF(op) ((op)->async.async_req.u.io.overlapped)

_Static_assert(_Generic(OVERLAPPED_OF((uvr_iocp_op *)0), OVERLAPPED : 1, default : 0), "an OVERLAPPED in uv_async_t");
_Static_assert(_Generic(((uv_loop_t *)0)->iocp, HANDLE : 1, default : 0), "a completion port in uv_loop_t");

int uvr_iocp_op_attach(uv_loop_t *loop, HANDLE file)
{
  return CreateIoCompletionPort(file, loop->iocp, 0, 0) == NULL ? uv_translate_sys_error((int)GetLastError()) : 0;
}

static void finish(uvr_iocp_op *op, DWORD error, DWORD bytes)
{
  op->pending = false;
  op->delayed = false;
  op->on_done(op, error, bytes);
}

static void on_packet(uv_async_t *async)
{
  uvr_iocp_op *op = async->data;
  DWORD bytes = 0;
  if (!op->pending || op->delayed || !HasOverlappedIoCompleted(&OVERLAPPED_OF(op))) {
    return; /* not ours, or the packet that may or may not follow ERROR_MORE_DATA */
  }
  DWORD error = GetOverlappedResult(op->file, &OVERLAPPED_OF(op), &bytes, FALSE) ? 0 : GetLastError();
  uv_unref((uv_handle_t *)async);
  finish(op, error, bytes);
}

static void on_later(uv_async_t *async)
{
  uvr_iocp_op *op = async->data;
  uv_unref((uv_handle_t *)async);
  finish(op, op->error, op->bytes);
}

void uvr_iocp_op_init(uvr_iocp_op *op, uv_loop_t *loop, HANDLE file, bool skips_port, uvr_iocp_op_cb on_done,
                      void *user)
{
  memset(op, 0, sizeof(*op));
  /* On Windows uv_async_init cannot fail. */
  (void)uv_async_init(loop, &op->async, on_packet);
  (void)uv_async_init(loop, &op->later, on_later);
  uv_unref((uv_handle_t *)&op->async);
  uv_unref((uv_handle_t *)&op->later);
  op->async.data = op;
  op->later.data = op;
  op->file = file;
  op->skips_port = skips_port;
  op->on_done = on_done;
  op->user = user;
}

void uvr_iocp_op_set_file(uvr_iocp_op *op, HANDLE file)
{
  op->file = file;
}

OVERLAPPED *uvr_iocp_op_begin(uvr_iocp_op *op)
{
  OVERLAPPED *overlapped = &OVERLAPPED_OF(op);
  memset(overlapped, 0, sizeof(*overlapped));
  return overlapped;
}

void uvr_iocp_op_issued(uvr_iocp_op *op, BOOL ok, bool defer)
{
  DWORD error = ok ? 0 : GetLastError();
  if (error == ERROR_IO_PENDING || (!op->skips_port && (error == 0 || error == ERROR_MORE_DATA))) {
    op->pending = true;
    uv_ref((uv_handle_t *)&op->async);
    return;
  }
  /* The result is known and no packet will come. The count of bytes is in the OVERLAPPED: with ERROR_MORE_DATA the one
   * that ReadFile stores is 0. */
  DWORD bytes = error == 0 || error == ERROR_MORE_DATA ? (DWORD)OVERLAPPED_OF(op).InternalHigh : 0;
  if (!defer && error != ERROR_MORE_DATA) {
    op->on_done(op, error, bytes);
    return;
  }
  op->error = error;
  op->bytes = bytes;
  op->pending = true;
  op->delayed = true;
  uv_ref((uv_handle_t *)&op->later);
  (void)uv_async_send(&op->later);
}

void uvr_iocp_op_cancel(uvr_iocp_op *op)
{
  if (op->pending && !op->delayed) {
    (void)CancelIoEx(op->file, &OVERLAPPED_OF(op));
  }
}

static void on_async_closed(uv_handle_t *handle)
{
  uvr_iocp_op *op = handle->data;
  uv_close((uv_handle_t *)&op->later, op->on_close);
}

void uvr_iocp_op_close(uvr_iocp_op *op, uv_close_cb on_close)
{
  op->on_close = on_close;
  uv_close((uv_handle_t *)&op->async, on_async_closed);
}
