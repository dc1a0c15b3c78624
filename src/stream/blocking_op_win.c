/* Blocking calls on an overlapped file. Each waits for an event of its own, whose low-order bit is set so that no
 * packet goes to the loop's port. */
#include "stream/blocking_op_win.h"

#include <stdint.h>
#include <string.h>

static bool begin(uvr_blocking_op *op)
{
  if (op->event == NULL) {
    op->event = uvr_event_pool_get(op->events);
    if (op->event == NULL) {
      return false;
    }
  }
  AcquireSRWLockExclusive(&op->lock);
  memset(&op->overlapped, 0, sizeof(op->overlapped));
  op->overlapped.hEvent = (HANDLE)((uintptr_t)op->event | 1);
  op->active = true;
  ReleaseSRWLockExclusive(&op->lock);
  return true;
}

/* Waits for the operation whose call has returned `ok`. */
static DWORD finish(uvr_blocking_op *op, BOOL ok, DWORD *bytes)
{
  DWORD error = ok ? 0 : GetLastError();
  if (error == ERROR_IO_PENDING) {
    error = GetOverlappedResult(op->file, &op->overlapped, bytes, TRUE) ? 0 : GetLastError();
  } else {
    *bytes = (DWORD)op->overlapped.InternalHigh;
  }
  AcquireSRWLockExclusive(&op->lock);
  op->active = false;
  ReleaseSRWLockExclusive(&op->lock);
  return error;
}

void uvr_blocking_op_init(uvr_blocking_op *op, HANDLE file, uvr_event_pool *events)
{
  memset(op, 0, sizeof(*op));
  op->file = file;
  op->events = events;
  InitializeSRWLock(&op->lock);
}

DWORD uvr_blocking_op_read(uvr_blocking_op *op, void *data, DWORD size, DWORD *bytes)
{
  if (!begin(op)) {
    return GetLastError();
  }
  BOOL ok = ReadFile(op->file, data, size, NULL, &op->overlapped);
  return finish(op, ok, bytes);
}

DWORD uvr_blocking_op_write(uvr_blocking_op *op, const void *data, DWORD size, DWORD *bytes)
{
  if (!begin(op)) {
    return GetLastError();
  }
  BOOL ok = WriteFile(op->file, data, size, NULL, &op->overlapped);
  return finish(op, ok, bytes);
}

void uvr_blocking_op_stop(uvr_blocking_op *op)
{
  AcquireSRWLockExclusive(&op->lock);
  if (op->active) {
    (void)CancelIoEx(op->file, &op->overlapped);
  }
  ReleaseSRWLockExclusive(&op->lock);
}

void uvr_blocking_op_clear(uvr_blocking_op *op)
{
  if (op->event != NULL) {
    uvr_event_pool_put(op->events, op->event);
    op->event = NULL;
  }
}
