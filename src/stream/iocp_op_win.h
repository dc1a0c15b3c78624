/* One overlapped operation whose completion comes through the loop's own completion port. */
#ifndef UVR_STREAM_IOCP_OP_WIN_H
#define UVR_STREAM_IOCP_OP_WIN_H

#include <stdbool.h>

#include <uv.h>

typedef struct uvr_iocp_op uvr_iocp_op;

/* `error` is 0 or a Windows code; with ERROR_MORE_DATA, `bytes` of the message fitted. */
typedef void (*uvr_iocp_op_cb)(uvr_iocp_op *op, DWORD error, DWORD bytes);

struct uvr_iocp_op {
  uv_async_t async; /* its OVERLAPPED is the operation's */
  uv_async_t later; /* delivers, from the loop, a result that is known already */
  HANDLE file;
  uvr_iocp_op_cb on_done;
  void *user;
  uv_close_cb on_close;
  bool skips_port; /* the file does not send a packet for what succeeds at once */
  bool pending;    /* on_done will come from the loop */
  bool delayed;    /* and is called by `later` */
  DWORD error;     /* the delayed result */
  DWORD bytes;
};

/* Attaches a file to the loop's port, once. Returns 0 or a negative code. */
int uvr_iocp_op_attach(uv_loop_t *loop, HANDLE file);

/* Prepares an operation, which must be closed with uvr_iocp_op_close. `skips_port`: the file has
 * FILE_SKIP_COMPLETION_PORT_ON_SUCCESS. `user` is the caller's. */
void uvr_iocp_op_init(uvr_iocp_op *op, uv_loop_t *loop, HANDLE file, bool skips_port, uvr_iocp_op_cb on_done,
                      void *user);

/* Changes the file. Nothing may be pending. */
void uvr_iocp_op_set_file(uvr_iocp_op *op, HANDLE file);

/* Returns the OVERLAPPED for the next ReadFile, WriteFile or ConnectNamedPipe. Nothing may be pending. */
OVERLAPPED *uvr_iocp_op_begin(uvr_iocp_op *op);

/* Must directly follow the call that used the OVERLAPPED; `ok` is what that call returned. If the result is known
 * already and `defer` is false, on_done is called now, otherwise from the loop. */
void uvr_iocp_op_issued(uvr_iocp_op *op, BOOL ok, bool defer);

/* Asks the system to cancel the operation. on_done still comes. */
void uvr_iocp_op_cancel(uvr_iocp_op *op);

/* Closes the handles inside. Nothing may be pending. `on_close` is called once, later, with a handle whose data is the
 * op. */
void uvr_iocp_op_close(uvr_iocp_op *op, uv_close_cb on_close);

#endif
