/* One direction of an overlapped file, used by calls that block, on a thread other than the loop's. */
#ifndef UVR_STREAM_BLOCKING_OP_WIN_H
#define UVR_STREAM_BLOCKING_OP_WIN_H

#include <stdbool.h>

#include "base/event_pool_win.h"

typedef struct uvr_blocking_op {
  HANDLE file;
  uvr_event_pool *events;
  HANDLE event; /* from the pool, once it is needed */
  SRWLOCK lock;
  OVERLAPPED overlapped;
  bool active; /* under the lock */
} uvr_blocking_op;

void uvr_blocking_op_init(uvr_blocking_op *op, HANDLE file, uvr_event_pool *events);

/* Each returns 0 or a Windows code: ERROR_OPERATION_ABORTED when it was stopped; on reading, ERROR_MORE_DATA with the
 * part of the message that fitted. */
DWORD uvr_blocking_op_read(uvr_blocking_op *op, void *data, DWORD size, DWORD *bytes);
DWORD uvr_blocking_op_write(uvr_blocking_op *op, const void *data, DWORD size, DWORD *bytes);

/* Ends the call that is under way, if there is one. May be called on any thread. */
void uvr_blocking_op_stop(uvr_blocking_op *op);

/* Returns the event to the pool. No call may be under way. */
void uvr_blocking_op_clear(uvr_blocking_op *op);

#endif
