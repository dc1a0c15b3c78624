/* Shared sockets on Windows: see socket.h. */
#include "stream/socket.h"

#include <io.h>

#include "stream/handle_socket_win.h"
#include "stream/uv.h"

int uvr_stream_socket_new(uvr_context *context, uv_file *fd, bool reads, const char *name, uvr_stream **out)
{
  uvr_handle_socket it;
  (void)reads;
  if (!uvr_handle_socket_open((HANDLE)_get_osfhandle(*fd), &it)) {
    return UV_EBADF;
  }
  int code = uvr_stream_uv_new_passed(context, it.socket, name, out);
  if (code != 0) {
    (void)closesocket(it.socket);
    return code;
  }
  (void)_close(*fd);
  *fd = -1;
  return 0;
}
