/* Shared sockets on Windows: there are none. */
#include "stream/socket.h"

int uvr_stream_socket_new(uvr_context *context, uv_file fd, bool reads, const char *name, uvr_stream **out)
{
  (void)context;
  (void)fd;
  (void)reads;
  (void)name;
  (void)out;
  return UV_ENOTSUP;
}
