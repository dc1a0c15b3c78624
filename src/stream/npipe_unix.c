/* There are no Windows named pipes on Unix: see npipe.h. */
#include "stream/npipe.h"

int uvr_npipe_stream(uvr_context *context, uv_os_fd_t file, const char *name, uvr_stream **out, uvrelay_error_t *error)
{
  (void)context;
  (void)file;
  (void)out;
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_ENOTSUP, "cannot use %s: named pipes exist only on Windows",
                       name);
}

int uvr_npipe_peer_pid(const uvr_stream *stream, uint32_t *pid)
{
  (void)stream;
  (void)pid;
  return UV_ENOTSUP;
}
