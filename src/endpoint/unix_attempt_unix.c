/* Attempts to connect to Unix sockets: see unix_attempt_unix.h. */
#include "endpoint/unix_attempt_unix.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint/owner.h"
#include "stream/uv.h"

int uvr_unix_attempt_connect(uvr_attempt *attempt, const struct sockaddr_un *to, socklen_t length)
{
  int code = uvr_attempt_make_stream(attempt, UV_NAMED_PIPE);
  if (code != 0) {
    return code;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  code = fd < 0 || connect(fd, (const struct sockaddr *)to, length) != 0
             ? uv_translate_sys_error(errno)
             : uv_pipe_open((uv_pipe_t *)uvr_stream_uv_handle(attempt->stream), fd);
  if (code != 0 && fd >= 0) {
    (void)close(fd);
  }
  return code;
}

void uvr_unix_attempt_connected(uvr_attempt *attempt)
{
  uv_os_fd_t fd = -1;
  (void)uv_fileno((const uv_handle_t *)uvr_stream_uv_handle(attempt->stream), &fd);
  if (uvr_owner_check_peer(fd, attempt->address->canonical, attempt->options->owner, &attempt->error) == 0) {
    uvr_attempt_succeed(attempt);
  } else {
    uvr_attempt_fail(attempt);
  }
}

void uvr_unix_attempt_fail(uvr_attempt *attempt, int code)
{
  const char *name = attempt->address->canonical;
  if (code == UV_EAGAIN) {
    (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, UV_EBUSY, 0, "the backlog of %s is full", name);
  } else if (code == UV_EPROTOTYPE) {
    (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, code, 0,
                               "cannot connect to %s: " UVR_TAKES_PACKETS, name);
  } else {
    uvr_attempt_fail_with(attempt, code);
    return;
  }
  uvr_attempt_fail(attempt);
}
