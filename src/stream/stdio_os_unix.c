/* Standard descriptors on Unix: see stdio_os.h. */
#include "stream/stdio_os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/nothing_unix.h"

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd)
{
  if (fcntl(fd, F_GETFL) == -1) {
    return UVR_STDIO_CLOSED;
  }
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return UVR_STDIO_BLOCKING;
  }
  return S_ISFIFO(status.st_mode) ? UVR_STDIO_PIPE : S_ISSOCK(status.st_mode) ? UVR_STDIO_SOCKET : UVR_STDIO_BLOCKING;
}

static bool has_hung_up(uv_file fd)
{
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP) != 0;
}

/* O_NONBLOCK belongs to the open file, which every process that has inherited it shares. Opening the pipe once more
 * makes another open file. This may fail: /proc may be missing, the pipe may be another user's, or a pipe to write to
 * may have lost its reader. A pipe that is already non-blocking is not changed by libuv.
 *
 * A pipe with a name whose writers have left before it is opened again does not show that they have: a read of the old
 * descriptor does. */
bool uvr_stdio_unshare(uv_file *fd)
{
  char path[32];
  int flags = fcntl(*fd, F_GETFL);
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
  int own = (flags & O_DIRECT) == 0 ? open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC) : -1;
  if (own < 0) {
    return (flags & O_NONBLOCK) != 0;
  }
  if (has_hung_up(*fd) && !has_hung_up(own)) {
    (void)close(own);
    return false;
  }
  (void)close(*fd);
  *fd = own;
  return true;
}

unsigned uvr_stdio_make_wait(uv_file fd)
{
  (void)fd;
  return 0; /* who finds it non-blocking waits by himself */
}

void uvr_stdio_restore(uv_file fd, unsigned state)
{
  (void)fd;
  (void)state;
}

bool uvr_stdio_is_one(uv_file input, uv_file output)
{
  (void)input;
  (void)output;
  return false;
}

const char *uvr_stdio_unfit(uv_file fd)
{
  int listens = 0;
  socklen_t length = sizeof(listens);
  bool unfit = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
  return unfit ? "a listening socket, not a connection" : NULL;
}

bool uvr_stdio_may_be_socket(uv_file fd)
{
  return uvr_stdio_is_socket(fd);
}

bool uvr_stdio_is_socket(uv_file fd)
{
  return uvr_stdio_kind_of(fd) == UVR_STDIO_SOCKET;
}

void uvr_stdio_end_output(uv_file fd)
{
  (void)fd; /* such a socket is not used by calls that block */
}

bool uvr_stdio_has_input(uv_file fd)
{
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

uvr_input_state uvr_stdio_input_state(uv_file fd)
{
  char byte;
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLRDHUP};
  if (poll(&poll_fd, 1, 0) != 1 || (poll_fd.revents & (POLLERR | POLLHUP | POLLRDHUP)) == 0) {
    return UVR_INPUT_OPEN;
  }
  bool readable = (poll_fd.revents & POLLIN) != 0;
  bool over = readable ? recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 : (poll_fd.revents & POLLHUP) != 0;
  return over ? UVR_INPUT_OVER : UVR_INPUT_LAST;
}

bool uvr_stdio_is_tcp(uv_file fd)
{
  int protocol = 0;
  socklen_t length = sizeof(protocol);
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

bool uvr_stdio_may_lose(uv_file fd)
{
  int unsent = 0;
  struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
  short events = poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
  bool is_over = (events & (POLLERR | POLLHUP)) != 0 || ((events & POLLRDHUP) != 0 && !uvr_stdio_has_input(fd));
  return !is_over && uvr_stdio_is_tcp(fd) && ioctl(fd, TIOCOUTQ, &unsent) == 0 && unsent > 0;
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

/* Frees the number for a moment, in which the null device gets it, unless a thread is quicker. */
static void replace_by_null(uv_file fd)
{
  (void)close(fd);
  (void)uvr_open_nothing(O_RDWR);
}

uv_file uvr_stdio_detach(uv_file fd)
{
  uv_file null = -1;
  uv_file copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (copy == -1 && errno == EBADF) {
    return fd;
  }
  if (copy != -1) {
    null = uvr_open_nothing(O_RDWR);
  }
  bool moved = null != -1 && dup2(null, fd) != -1;
  int code = uv_translate_sys_error(errno);
  if (null != -1) {
    (void)close(null);
  }
  if (moved) {
    return copy;
  }
  if (copy != -1) {
    (void)close(copy);
  }
  replace_by_null(fd);
  return code;
}
