/* Calls that block, on Windows: see blocking_file.h. Not by uv_fs_read() and uv_fs_write(), which cannot use an
 * overlapped socket, and which take each read of no bytes for the end, and a message that is longer than the buffer for
 * an error. */
#include "stream/blocking_file.h"

#include <io.h>
#include <stdint.h>
#include <windows.h>

#include "base/file_query_win.h"

enum { AGAIN_MS = 10 };

static HANDLE handle_of(const uvr_blocking_file *file)
{
  HANDLE handle = (HANDLE)_get_osfhandle(file->fd);
  return handle == (HANDLE)(intptr_t)-2 ? INVALID_HANDLE_VALUE : handle; /* the C library's mark for "none" */
}

uvr_blocking_file uvr_blocking_file_of(uv_file fd, bool both_ways)
{
  uvr_blocking_file file = {.fd = fd};
  HANDLE handle = handle_of(&file);
  if (GetFileType(handle) == FILE_TYPE_PIPE) {
    DWORD state = 0;
    bool known = GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0);
    bool refused = !known && GetLastError() == ERROR_ACCESS_DENIED;
    file.overlapped = uvr_file_is_overlapped(handle);
    file.looks = both_ways && !file.overlapped && known && (state & PIPE_READMODE_MESSAGE) == 0;
    file.special = file.overlapped || (known ? (state & PIPE_NOWAIT) != 0 : refused);
  }
  return file;
}

/* Returns 0 or a Windows code. The event's low-order bit keeps the packet away from a port that somebody may have
 * attached the file to. */
static DWORD call_overlapped(HANDLE handle, bool writes, char *data, DWORD size, DWORD *bytes)
{
  OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  HANDLE event = overlapped.hEvent;
  if (event == NULL) {
    return GetLastError();
  }
  overlapped.hEvent = (HANDLE)((uintptr_t)event | 1);
  BOOL ok = writes ? WriteFile(handle, data, size, NULL, &overlapped) : ReadFile(handle, data, size, NULL, &overlapped);
  DWORD error = ok ? 0 : GetLastError();
  if (error == ERROR_IO_PENDING) {
    error = GetOverlappedResult(handle, &overlapped, bytes, TRUE) ? 0 : GetLastError();
  }
  *bytes = (DWORD)overlapped.InternalHigh;
  (void)CloseHandle(event);
  return error;
}

static DWORD call(const uvr_blocking_file *file, HANDLE handle, bool writes, char *data, DWORD size, DWORD *bytes)
{
  *bytes = 0;
  if (file->cancelled != 0) {
    return ERROR_OPERATION_ABORTED;
  }
  if (file->overlapped) {
    return call_overlapped(handle, writes, data, size, bytes);
  }
  BOOL ok = writes ? WriteFile(handle, data, size, bytes, NULL) : ReadFile(handle, data, size, bytes, NULL);
  return ok ? 0 : GetLastError();
}

static int code_of(DWORD error)
{
  /* The handle is open for the other direction only. */
  return error == ERROR_ACCESS_DENIED ? UV_EBADF : uv_translate_sys_error((int)error);
}

/* Whichever of the three it is, the reader has left. */
static int write_code_of(DWORD error)
{
  return error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA || error == ERROR_PIPE_NOT_CONNECTED ? UV_EPIPE
                                                                                                   : code_of(error);
}

/* Whether a read of no bytes was somebody's empty write to a pipe, after which more may come. In message mode it is a
 * message without bytes, which is the end of the input. */
static bool was_empty_write(HANDLE handle)
{
  DWORD state = 0;
  return GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0) && (state & PIPE_READMODE_MESSAGE) == 0 &&
         PeekNamedPipe(handle, NULL, 0, NULL, NULL, NULL);
}

/* ERROR_NO_DATA is what an empty pipe says instead of waiting (PIPE_NOWAIT); one without a writer says
 * ERROR_BROKEN_PIPE. */
ssize_t uvr_blocking_file_read(const uvr_blocking_file *file, char *data, size_t size)
{
  HANDLE handle = handle_of(file);
  for (;;) {
    DWORD bytes;
    DWORD ready = 1;
    if (file->looks && PeekNamedPipe(handle, NULL, 0, NULL, &ready, NULL) && ready == 0 && file->cancelled == 0) {
      Sleep(AGAIN_MS);
      continue;
    }
    DWORD error = call(file, handle, false, data, (DWORD)size, &bytes);
    if (bytes > 0 && (error == 0 || error == ERROR_MORE_DATA)) {
      return (ssize_t)bytes;
    }
    if (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF || (error == 0 && !was_empty_write(handle))) {
      return 0;
    }
    if (error == ERROR_NO_DATA && PeekNamedPipe(handle, NULL, 0, NULL, NULL, NULL)) {
      Sleep(AGAIN_MS);
    } else if (error != 0) {
      return error == ERROR_NO_DATA ? 0 : code_of(error);
    }
  }
}

/* A pipe that does not wait accepts less than all, or nothing, of what it has no room for; so the pieces get smaller
 * then. No other pipe accepts nothing. */
int uvr_blocking_file_write(const uvr_blocking_file *file, const char *data, size_t length)
{
  HANDLE handle = handle_of(file);
  size_t piece = length;
  while (length > 0) {
    DWORD bytes;
    DWORD error = call(file, handle, true, (char *)data, (DWORD)(piece < length ? piece : length), &bytes);
    if (error != 0) {
      return write_code_of(error);
    }
    data += bytes;
    length -= bytes;
    if (bytes > 0) {
      piece = piece < length ? piece * 2 : length;
    } else if (GetFileType(handle) == FILE_TYPE_PIPE) {
      piece = piece / 2 + 1;
      Sleep(AGAIN_MS);
    } else {
      return UV_EIO; /* a device that accepts nothing would be tried forever */
    }
  }
  return 0;
}

void uvr_blocking_file_cancel(uvr_blocking_file *file)
{
  (void)InterlockedExchange(&file->cancelled, 1);
  (void)CancelIoEx(handle_of(file), NULL);
}
