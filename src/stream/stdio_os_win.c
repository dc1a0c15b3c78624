/* Standard handles on Windows: see stdio_os.h. */
#include "stream/stdio_os.h"

#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include "base/file_query_win.h"
#include "stream/handle_socket_win.h"

static HANDLE handle_of(uv_file fd)
{
  return fd < 0 ? INVALID_HANDLE_VALUE : (HANDLE)_get_osfhandle(fd);
}

static bool is_open(HANDLE handle)
{
  /* The C library has -2 for a standard stream that the process was started without. */
  return handle != INVALID_HANDLE_VALUE && handle != NULL && handle != (HANDLE)(intptr_t)-2;
}

/* The state of a pipe's end; 0 if it is not one, or may not be asked. */
static DWORD pipe_state(HANDLE handle)
{
  DWORD state = 0;
  return GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0) ? state : 0;
}

bool uvr_stdio_is_socket(uv_file fd)
{
  uvr_handle_socket it;
  bool is = uvr_handle_socket_open(handle_of(fd), &it);
  if (is) {
    (void)closesocket(it.socket);
  }
  return is;
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
  if (uvr_stdio_is_socket(fd)) {
    return UVR_STDIO_SOCKET;
  }
  DWORD state = 0;
  if (!GetNamedPipeHandleStateW(handle, &state, NULL, NULL, NULL, NULL, 0) || (state & PIPE_NOWAIT) != 0) {
    return UVR_STDIO_BLOCKING; /* libuv wants to know, and does not expect others to make it PIPE_NOWAIT again */
  }
  /* libuv reads in byte mode only, and would switch an end that is in message mode, for all processes that share it. */
  return (state & PIPE_READMODE_MESSAGE) != 0 ? UVR_STDIO_NPIPE : UVR_STDIO_PIPE;
}

bool uvr_stdio_unshare(uv_file *fd)
{
  (void)fd;
  return true;
}

unsigned uvr_stdio_make_wait(uv_file fd)
{
  HANDLE handle = handle_of(fd);
  DWORD state = pipe_state(handle);
  DWORD waiting = (state & PIPE_READMODE_MESSAGE) | PIPE_WAIT;
  bool made = (state & PIPE_NOWAIT) != 0 && SetNamedPipeHandleState(handle, &waiting, NULL, NULL);
  return made ? state & (PIPE_READMODE_MESSAGE | PIPE_NOWAIT) : 0;
}

void uvr_stdio_restore(uv_file fd, unsigned state)
{
  DWORD mode = state;
  (void)SetNamedPipeHandleState(handle_of(fd), &mode, NULL, NULL);
}

bool uvr_stdio_is_one(uv_file input, uv_file output)
{
  return is_open(handle_of(input)) && is_open(handle_of(output)) &&
         uvr_file_is_same(handle_of(input), handle_of(output));
}

const char *uvr_stdio_unfit(uv_file fd)
{
  uvr_handle_socket it;
  if (!uvr_handle_socket_open(handle_of(fd), &it)) {
    return NULL;
  }
  (void)closesocket(it.socket);
  return it.unfit;
}

bool uvr_stdio_may_be_socket(uv_file fd)
{
  return uvr_handle_may_be_socket(handle_of(fd));
}

void uvr_stdio_end_output(uv_file fd)
{
  uvr_handle_socket it;
  if (uvr_handle_socket_open(handle_of(fd), &it)) {
    (void)shutdown(it.socket, SD_SEND);
    (void)closesocket(it.socket);
  }
}

/* Of an overlapped socket everything is known to its own stream. */

bool uvr_stdio_has_input(uv_file fd)
{
  (void)fd;
  return false;
}

uvr_input_state uvr_stdio_input_state(uv_file fd)
{
  HANDLE handle = handle_of(fd);
  bool gone = uvr_pipe_is_over(handle); /* or the handle may not be asked */
  if (PeekNamedPipe(handle, NULL, 0, NULL, NULL, NULL)) {
    return gone ? UVR_INPUT_LAST : UVR_INPUT_OPEN;
  }
  return gone || GetLastError() == ERROR_BROKEN_PIPE ? UVR_INPUT_OVER : UVR_INPUT_OPEN;
}

bool uvr_stdio_is_tcp(uv_file fd)
{
  uvr_handle_socket it;
  if (!uvr_handle_socket_open(handle_of(fd), &it)) {
    return false;
  }
  (void)closesocket(it.socket);
  return it.is_tcp;
}

bool uvr_stdio_may_lose(uv_file fd)
{
  (void)fd;
  return false;
}

bool uvr_stdio_reader_gone(uv_file fd)
{
  return uvr_pipe_is_over(handle_of(fd));
}

void uvr_stdio_close(uv_file fd)
{
  (void)_close(fd);
}

static uv_file detach(uv_file fd)
{
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

/* Whether another standard descriptor has the same handle, which the C library would close for both. */
static bool is_shared(uv_file fd)
{
  bool shared = false;
  for (uv_file other = 0; other <= 2; other++) {
    shared = shared || (other != fd && handle_of(other) == handle_of(fd));
  }
  return shared;
}

uv_file uvr_stdio_detach(uv_file fd)
{
  HANDLE handle = handle_of(fd);
  if (!is_open(handle)) {
    return fd;
  }
  DWORD flag = HANDLE_FLAG_PROTECT_FROM_CLOSE;
  bool keeps = is_shared(fd) && SetHandleInformation(handle, flag, flag);
  uv_file copy = detach(fd);
  if (keeps) {
    (void)SetHandleInformation(handle, flag, 0);
  }
  return copy;
}
