/* Standard descriptors on Unix: see stdio_os.h. */
#include "stream/stdio_os.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd)
{
  if (fcntl(fd, F_GETFL) == -1) {
    return UVR_STDIO_CLOSED;
  }
  switch (uv_guess_handle(fd)) {
  case UV_NAMED_PIPE: {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? UVR_STDIO_SOCKET : UVR_STDIO_PIPE;
  }
  case UV_TCP:
    return UVR_STDIO_TCP;
  default:
    return UVR_STDIO_BLOCKING;
  }
}

/* libuv makes what it opens non-blocking, which affects every process that shares the open file. */
int uvr_stdio_state(uv_file fd)
{
  return fcntl(fd, F_GETFL);
}

void uvr_stdio_restore(uv_file fd, int state)
{
  if (state != -1) {
    (void)fcntl(fd, F_SETFL, state);
  }
}

void uvr_stdio_set_blocking(uv_file fd)
{
  int flags = fcntl(fd, F_GETFL);
  if (flags != -1 && (flags & O_NONBLOCK) != 0) {
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  }
}

bool uvr_stdio_has_input(uv_file fd)
{
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool uvr_stdio_reader_gone(uv_file fd)
{
  struct pollfd poll_fd = {.fd = fd};
  return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLERR | POLLHUP)) != 0;
}

void uvr_stdio_close(uv_file fd)
{
  (void)close(fd);
}

uv_file uvr_stdio_detach(uv_file fd)
{
  uv_file copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  uv_file null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (copy != -1 && null != -1) {
    (void)dup2(null, fd);
  }
  if (null != -1) {
    (void)close(null);
  }
  return copy != -1 ? copy : fd;
}
