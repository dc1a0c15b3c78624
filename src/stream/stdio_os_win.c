/* Standard handles on Windows: see stdio_os.h. */
#include "stream/stdio_os.h"

#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include "base/file_query_win.h"

static HANDLE handle_of(uv_file fd)
{
  return (HANDLE)_get_osfhandle(fd);
}

static bool is_open(HANDLE handle)
{
  /* The C library has -2 for a standard stream that the process was started without. */
  return handle != INVALID_HANDLE_VALUE && handle != NULL && handle != (HANDLE)(intptr_t)-2;
}

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd)
{
  HANDLE handle = handle_of(fd);
  if (!is_open(handle)) {
    return UVR_STDIO_CLOSED;
  }
  if (GetFileType(handle) != FILE_TYPE_PIPE || !uvr_file_is_overlapped(handle)) {
    return UVR_STDIO_BLOCKING;
  }
  /* libuv reads in byte mode only, and would switch an end that is in message mode, for all processes that share it. */
  DWORD state = 0;
  bool message = GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0) && (state & PIPE_READMODE_MESSAGE);
  return message ? UVR_STDIO_NPIPE : UVR_STDIO_PIPE;
}

bool uvr_stdio_unshare(uv_file *fd)
{
  (void)fd;
  return true;
}

bool uvr_stdio_listens(uv_file fd)
{
  (void)fd; /* on Windows none of the kinds is a socket */
  return false;
}

bool uvr_stdio_has_input(uv_file fd)
{
  (void)fd;
  return false;
}

bool uvr_stdio_input_is_over(uv_file fd)
{
  return GetFileType(handle_of(fd)) == FILE_TYPE_PIPE && !PeekNamedPipe(handle_of(fd), NULL, 0, NULL, NULL, NULL) &&
         GetLastError() == ERROR_BROKEN_PIPE;
}

bool uvr_stdio_is_tcp(uv_file fd)
{
  (void)fd;
  return false;
}

bool uvr_stdio_may_lose(uv_file fd)
{
  (void)fd;
  return false;
}

bool uvr_stdio_reader_gone(uv_file fd)
{
  return uvr_pipe_is_closing(handle_of(fd));
}

void uvr_stdio_close(uv_file fd)
{
  (void)_close(fd);
}

uv_file uvr_stdio_detach(uv_file fd)
{
  if (!is_open(handle_of(fd))) {
    return fd;
  }
  int copy = _dup(fd);
  int null = _open("NUL", _O_RDWR | _O_BINARY);
  bool moved = copy != -1 && null != -1 && _dup2(null, fd) == 0;
  if (null != -1) {
    (void)_close(null);
  }
  if (moved) {
    return copy;
  }
  if (copy != -1) {
    (void)_close(copy);
  }
  (void)_close(fd);
  (void)_open("NUL", _O_RDWR | _O_BINARY); /* gets the number that has become free, unless a thread is quicker */
  return UV_EMFILE;
}
