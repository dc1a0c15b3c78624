/* Unix's part of os.h. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tcp_peer_unix.h"

int uvr_os_new_events(const uvrelay_allocator_t *memory, struct uvr_event_pool **events)
{
  (void)memory;
  *events = NULL;
  return 0;
}

void uvr_os_free_events(struct uvr_event_pool *events)
{
  (void)events;
}

bool uvr_os_has_npipes(void)
{
  return false;
}

bool uvr_os_pipes_half_close(void)
{
  return true;
}

bool uvr_os_reads_streams(void)
{
  return true;
}

/* Whether what a read has dropped were descriptors. It may also be what some sockets give their reader with each
 * message. */
static bool dropped_descriptors(int fd)
{
  int credentials = 0;
  socklen_t length = sizeof(credentials);
  return getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &credentials, &length) == 0 && credentials == 0;
}

/* A read that has no room for descriptors drops those that come with the bytes, and is marked as truncated. */
static ssize_t receive_and_look(int fd, char *data, size_t size, bool *descriptors)
{
  struct iovec bytes = {.iov_base = data, .iov_len = size};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT);
  *descriptors = count > 0 && (message.msg_flags & MSG_CTRUNC) != 0 && dropped_descriptors(fd);
  return count;
}

static ssize_t read_once(int fd, char *data, size_t size, bool is_pipe, bool *descriptors)
{
  return is_pipe               ? read(fd, data, size)
         : descriptors != NULL ? receive_and_look(fd, data, size, descriptors)
                               : recv(fd, data, size, MSG_DONTWAIT);
}

ssize_t uvr_os_read(const uv_stream_t *stream, char *data, size_t size, bool *is_pipe, bool *descriptors)
{
  int fd;
  int code = uv_fileno((const uv_handle_t *)stream, &fd);
  if (code != 0) {
    return code;
  }
  ssize_t count;
  do {
    count = read_once(fd, data, size, *is_pipe, descriptors);
    if (count < 0 && errno == ENOTSOCK) {
      *is_pipe = true;
      count = read_once(fd, data, size, *is_pipe, descriptors);
    }
  } while (count < 0 && errno == EINTR);
  return count > 0 ? count : count == 0 ? UV_EOF : uv_translate_sys_error(errno);
}

int uvr_os_shutdown(const uv_stream_t *stream)
{
  int fd;
  int code = uv_fileno((const uv_handle_t *)stream, &fd);
  return code != 0 ? code : shutdown(fd, SHUT_WR) == 0 ? 0 : uv_translate_sys_error(errno);
}

/* poll shows a reset, and of a Unix socket everything. A TCP peer that has closed both directions looks like one that
 * has ended its output only, until something is sent to it. */
int uvr_os_is_hung_up(const uv_stream_t *stream, bool output_ended)
{
  (void)output_ended;
  struct pollfd poll_fd = {.events = POLLRDHUP};
  int code = uv_fileno((const uv_handle_t *)stream, &poll_fd.fd);
  if (code != 0) {
    return code;
  }
  short events = poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
  return (events & (POLLHUP | POLLERR)) != 0 ||
         (stream->type == UV_TCP && (events & POLLRDHUP) != 0 && uvr_tcp_peer_has_closed(poll_fd.fd));
}

int uvr_os_pending_error(const uv_stream_t *stream)
{
  int fd;
  int error = 0;
  socklen_t length = sizeof(error);
  bool known = uv_fileno((const uv_handle_t *)stream, &fd) == 0 &&
               getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0; /* fails for a pipe that is not a socket */
  return known ? uv_translate_sys_error(error) : 0;
}

bool uvr_os_input_is_over(const uv_stream_t *stream)
{
  int fd;
  char byte;
  return uv_fileno((const uv_handle_t *)stream, &fd) == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool uvr_os_get_linger(const uv_stream_t *stream, struct linger *out)
{
  int fd;
  socklen_t length = sizeof(*out);
  return uv_fileno((const uv_handle_t *)stream, &fd) == 0 && getsockopt(fd, SOL_SOCKET, SO_LINGER, out, &length) == 0;
}

bool uvr_os_set_linger(const uv_stream_t *stream, const struct linger *linger)
{
  int fd;
  return uv_fileno((const uv_handle_t *)stream, &fd) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, sizeof(*linger)) == 0;
}

int uvr_os_unsent(const uv_stream_t *stream)
{
  int fd;
  int bytes;
  int code = uv_fileno((const uv_handle_t *)stream, &fd);
  return code != 0 ? code : ioctl(fd, TIOCOUTQ, &bytes) == 0 ? bytes : uv_translate_sys_error(errno);
}

static int try_to_connect(int fd, const struct sockaddr *ip)
{
  socklen_t length = ip->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  bool connected = connect(fd, ip, length) == 0 || errno == EISCONN;
  return connected ? 0 : errno == EINPROGRESS ? UV_EALREADY : uv_translate_sys_error(errno);
}

/* The second call tells what has become of the first one. libuv has to be told that the handle can be used. */
int uvr_os_connect(uv_tcp_t *tcp, const struct sockaddr *ip)
{
  int fd;
  int code = uv_fileno((const uv_handle_t *)tcp, &fd);
  if (code == 0) {
    code = try_to_connect(fd, ip);
  }
  if (code == UV_EALREADY) {
    code = try_to_connect(fd, ip);
  }
  int opened = code == 0 || code == UV_EALREADY ? uv_tcp_open(tcp, fd) : 0;
  return opened != 0 ? opened : code;
}

/* The kernel lets a socket be bound to its own addresses only. */
bool uvr_os_has_ip(const struct sockaddr *address, size_t length)
{
  int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool is_own = fd >= 0 && bind(fd, address, (socklen_t)length) == 0;
  if (fd >= 0) {
    (void)close(fd);
  }
  return is_own;
}

/* Duplicates a descriptor that is always there: any would do. */
int uvr_os_open_spare_fd(const uv_loop_t *loop)
{
  return 1 + fcntl(uv_backend_fd(loop), F_DUPFD_CLOEXEC, 0);
}

void uvr_os_close_spare_fd(int *spare_fd)
{
  if (*spare_fd > 0) {
    (void)close(*spare_fd - 1);
    *spare_fd = 0;
  }
}
