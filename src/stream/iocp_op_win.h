/* One overlapped operation whose completion comes through the loop's own completion port. */
#ifndef UVR_STREAM_IOCP_OP_WIN_H
#define UVR_STREAM_IOCP_OP_WIN_H

#include <stdbool.h>

#include <uv.h>

typedef struct uvr_iocp_op uvr_iocp_op;

/* `error` is 0 or a Windows code; ERROR_MORE_DATA comes with the bytes that did fit. */
typedef void (*uvr_iocp_op_cb)(uvr_iocp_op *op, DWORD error, DWORD bytes);

struct uvr_iocp_op {
  uv_async_t async; /* its OVERLAPPED is the operation's */
  uv_async_t later; /* brings a result that is here already from the loop */
  HANDLE file;
  uvr_iocp_op_cb on_done;
  void *user;
  uv_close_cb on_close;
  bool skips_port; /* the file does not send a packet for what succeeds at once */
  bool pending;    /* on_done will come from the loop */
  bool delayed;    /* by `later` */
  DWORD error;     /* the delayed result */
  DWORD bytes;
};

/* Lets a file complete through the loop's port; once a file. */
int uvr_iocp_op_attach(uv_loop_t *loop, HANDLE file);

/* `skips_port`: FILE_SKIP_COMPLETION_PORT_ON_SUCCESS is set for the file. `user` is free for the caller. It
 * must be closed with uvr_iocp_op_close. */
void uvr_iocp_op_init(uvr_iocp_op *op, uv_loop_t *loop, HANDLE file, bool skips_port, uvr_iocp_op_cb on_done,
                      void *user);

/* Goes on with another file; nothing may be pending. */
void uvr_iocp_op_set_file(uvr_iocp_op *op, HANDLE file);

/* The OVERLAPPED for the next ReadFile, WriteFile or ConnectNamedPipe; nothing may be pending. */
OVERLAPPED *uvr_iocp_op_begin(uvr_iocp_op *op);

/* Must follow the call that was given the OVERLAPPED at once; `ok` is what that call returned. When the result is
 * here already, and `defer` is false, on_done is called now; else from the loop. */
void uvr_iocp_op_issued(uvr_iocp_op *op, BOOL ok, bool defer);

/* Asks the system to end the operation soon; on_done comes all the same. */
void uvr_iocp_op_cancel(uvr_iocp_op *op);

/* Closes the handles inside; nothing may be pending. `on_close` gets a handle whose data is the op, once, last. */
void uvr_iocp_op_close(uvr_iocp_op *op, uv_close_cb on_close);

#endif
