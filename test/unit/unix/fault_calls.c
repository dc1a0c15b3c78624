/* The calls that can fail, on Unix: see fault.h. CMake reads the names from the lines that begin with ENTRY or UV and
 * renames the calls of the library: bind to fault_bind, uv_read_start to fault_uv_read_start. In libuv, bind becomes
 * sys_bind. So a new wrapper here is all that a new call needs.
 *
 * Not here is what only fails where its caller errs, as uv_timer_init, uv_timer_start, uv_idle_start and uv_queue_work
 * do; and what libuv ends the process for, such as a failing epoll_wait, a pool without a thread, or an eventfd that
 * cannot be read. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

/* Descriptors. */

enum { DESCRIPTORS = 1024 };

typedef enum owner { NOT_OURS, OURS, OF_LIBUV } owner; /* libuv's own ends the process when it fails */

static atomic_int owners[DESCRIPTORS];

static owner owner_of(int fd)
{
  return fd >= 0 && fd < DESCRIPTORS ? (owner)atomic_load(&owners[fd]) : NOT_OURS;
}

static void set_owner(int fd, owner who)
{
  if (fd >= 0 && fd < DESCRIPTORS) {
    atomic_store(&owners[fd], (int)who);
  }
}

/* One that was just made. */
static int made(int fd)
{
  set_owner(fd, fault_is_inside() || fault_owns_all() ? OURS : NOT_OURS);
  return fd;
}

/* Of the call that is being made. */
static _Thread_local int descriptor = -1;

static bool is_ours(int fd)
{
  owner who = owner_of(fd);
  descriptor = fd;
  return who != OF_LIBUV && (who == OURS || fault_is_inside() || fault_owns_all());
}

static void take_handle(const void *handle)
{
  int fd;
  if (uv_fileno(handle, &fd) == 0) {
    set_owner(fd, OURS);
  }
}

/* In what libuv does while it makes a process, nothing fails: the calls that made it report the outcome. */
static _Thread_local bool in_spawn;
/* It makes descriptors for itself. */
static _Thread_local bool in_libuv;

/* Failing. */

static bool is_tcp(int fd)
{
  int protocol = 0;
  socklen_t length = sizeof(protocol);
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

/* A TCP connection that is dissolved resets its peer, and has the error that a reset leaves. */
static bool fails_at_once(int fd)
{
  const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  return is_tcp(fd) && connect(fd, &nobody, sizeof(nobody)) == 0;
}

/* Where the peer has left it must stay so: later calls would contradict. */
static void lose_peer(int code)
{
  if ((code == EPIPE || code == ECONNRESET || code == ENOTCONN) && !fails_at_once(descriptor)) {
    (void)shutdown(descriptor, SHUT_RDWR); /* fails for a pipe */
  }
}

static const fault_way *way_of(const char *call, bool ours, const fault_way *ways, unsigned count)
{
  const fault_way *way = ours && !in_spawn ? fault_of(call, ways, count) : NULL;
  if (way != NULL) {
    lose_peer(way->code);
    errno = way->code;
  }
  return way;
}

/* Returns `result` from the caller if the call is to fail; `...` are its ways. */
#define MAY_FAIL(call, ours, result, ...)                                                                              \
  do {                                                                                                                 \
    static const fault_way ways_[] = {__VA_ARGS__};                                                                    \
    if (way_of(call, ours, ways_, COUNT(ways_)) != NULL) {                                                             \
      return result;                                                                                                   \
    }                                                                                                                  \
  } while (false)

/* A call that moves bytes: with errors if it may have to be repeated only where the descriptor may block. */
#define MAY_MOVE(call, ours, count, ...)                                                                               \
  do {                                                                                                                 \
    static const fault_way ways_[] = {SHORT_ONE, __VA_ARGS__};                                                         \
    const fault_way *way_ = way_of(call, ours, ways_, COUNT(ways_));                                                   \
    if (way_ != NULL && way_->kind != FAULT_SHORT) {                                                                   \
      return -1;                                                                                                       \
    }                                                                                                                  \
    (count) = way_ != NULL && (count) > 1 ? 1 : (count);                                                               \
  } while (false)

static bool blocks(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  return flags == -1 || (flags & O_NONBLOCK) == 0;
}

static bool is_file(int fd)
{
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* What the library calls goes through here. */
#define ENTRY(type, name, parameters, arguments)                                                                       \
  type fault_##name parameters;                                                                                        \
  type fault_##name parameters                                                                                         \
  {                                                                                                                    \
    fault_enter();                                                                                                     \
    type result_ = sys_##name arguments;                                                                               \
    fault_leave();                                                                                                     \
    return result_;                                                                                                    \
  }

/* The same for libuv's; where one is not to fail, it does the rest. */
#define UV(type, name, parameters, arguments, take, ...)                                                               \
  type fault_##name parameters;                                                                                        \
  type fault_##name parameters                                                                                         \
  {                                                                                                                    \
    static const fault_way ways_[] = {__VA_ARGS__};                                                                    \
    const fault_way *way_ = fault_of(#name, ways_, COUNT(ways_));                                                      \
    if (way_ != NULL) {                                                                                                \
      return way_->code;                                                                                               \
    }                                                                                                                  \
    take;                                                                                                              \
    fault_enter();                                                                                                     \
    type result_ = name arguments;                                                                                     \
    fault_leave();                                                                                                     \
    return result_;                                                                                                    \
  }

/* Libuv's that fail with what the system calls in them do, and not by themselves. */
#define UV_THROUGH(type, name, parameters, arguments, take)                                                            \
  type fault_##name parameters;                                                                                        \
  type fault_##name parameters                                                                                         \
  {                                                                                                                    \
    take;                                                                                                              \
    fault_enter();                                                                                                     \
    type result_ = name arguments;                                                                                     \
    fault_leave();                                                                                                     \
    return result_;                                                                                                    \
  }

/* Sockets. */

int sys_socket(int domain, int type, int protocol);
int sys_socket(int domain, int type, int protocol)
{
  MAY_FAIL("socket", fault_is_inside() || fault_owns_all(), -1, FAILS(EMFILE), FAILS(ENOBUFS));
  return made(socket(domain, type, protocol));
}
ENTRY(int, socket, (int domain, int type, int protocol), (domain, type, protocol))

int sys_bind(int fd, const struct sockaddr *address, socklen_t length);
int sys_bind(int fd, const struct sockaddr *address, socklen_t length)
{
  MAY_FAIL("bind", is_ours(fd), -1, FAILS(EADDRINUSE), FAILS(EACCES));
  return bind(fd, address, length);
}
ENTRY(int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))

/* Without a child, the umask may take permissions away; then the socket is refused. The child shares the memory, so
 * that its calls are counted and fail, too. ThreadSanitizer would end the program for that: there the child's calls
 * don't fail, because that would not be noticed. */
#ifdef __SANITIZE_THREAD__
enum { SHARED = 0 };
#else
enum { SHARED = CLONE_VM | CLONE_VFORK };
#endif

typedef struct child_call {
  int (*run)(void *);
  void *arg;
} child_call;

static int run_in_child(void *user)
{
  const child_call *call = user;
  if (SHARED == 0) {
    fault_disarm();
  }
  return call->run(call->arg);
}

int sys_clone(int (*run)(void *), void *stack, int flags, void *arg);
int sys_clone(int (*run)(void *), void *stack, int flags, void *arg)
{
  MAY_FAIL("clone", true, -1, FAILS(EAGAIN));
  child_call call = {.run = run, .arg = arg};
  return clone(run_in_child, stack, flags | SHARED, &call);
}
ENTRY(int, clone, (int (*run)(void *), void *stack, int flags, void *arg), (run, stack, flags, arg))

int sys_listen(int fd, int backlog);
int sys_listen(int fd, int backlog)
{
  MAY_FAIL("listen", is_ours(fd), -1, FAILS(EADDRINUSE));
  return listen(fd, backlog);
}
ENTRY(int, listen, (int fd, int backlog), (fd, backlog))

int sys_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int sys_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
  MAY_FAIL("accept4", is_ours(fd), -1, REPEATS(EINTR), REPEATS(ECONNABORTED), REPEATS(EAGAIN), REPEATS(EMFILE),
           REPEATS(ENOMEM), REPEATS(EPERM));
  return made(accept4(fd, address, length, flags));
}
ENTRY(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags), (fd, address, length, flags))

int sys_connect(int fd, const struct sockaddr *address, socklen_t length);
int sys_connect(int fd, const struct sockaddr *address, socklen_t length)
{
  MAY_FAIL("connect", is_ours(fd), -1, FAILS(ECONNREFUSED), FAILS(EADDRNOTAVAIL), FAILS(EACCES), FAILS(EAGAIN));
  return connect(fd, address, length);
}
ENTRY(int, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))

int sys_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int sys_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
  MAY_FAIL("getsockname", is_ours(fd), -1, FAILS(ENOBUFS));
  return getsockname(fd, address, length);
}
ENTRY(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))

int sys_getpeername(int fd, struct sockaddr *address, socklen_t *length);
int sys_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
  MAY_FAIL("getpeername", is_ours(fd), -1, FAILS(ENOTCONN));
  return getpeername(fd, address, length);
}
ENTRY(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))

int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
  MAY_FAIL("getsockopt", is_ours(fd) && fault_is_inside(), -1, FAILS(ENOPROTOOPT)); /* libuv knows that it cannot */
  return getsockopt(fd, level, option, value, length);
}
ENTRY(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *length),
      (fd, level, option, value, length))

int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
  MAY_FAIL("setsockopt", is_ours(fd), -1, FAILS(ENOMEM), FAILS(ENOPROTOOPT));
  return setsockopt(fd, level, option, value, length);
}
ENTRY(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t length),
      (fd, level, option, value, length))

int sys_shutdown(int fd, int how);
int sys_shutdown(int fd, int how)
{
  MAY_FAIL("shutdown", is_ours(fd) && is_tcp(fd), -1, FAILS(ENOTCONN));
  return shutdown(fd, how);
}
ENTRY(int, shutdown, (int fd, int how), (fd, how))

int sys_socketpair(int domain, int type, int protocol, int fds[2]);
int sys_socketpair(int domain, int type, int protocol, int fds[2])
{
  MAY_FAIL("socketpair", (fault_is_inside() || fault_owns_all()) && !in_libuv, -1, FAILS(EMFILE));
  int result = socketpair(domain, type, protocol, fds);
  if (result == 0) {
    (void)made(fds[0]);
    (void)made(fds[1]);
  }
  return result;
}

/* Bytes. */

ssize_t sys_read(int fd, void *data, size_t size);
ssize_t sys_read(int fd, void *data, size_t size)
{
  if (blocks(fd) || is_file(fd)) {
    MAY_MOVE("read", is_ours(fd), size, FAILS(EIO), REPEATS(EINTR));
  } else {
    MAY_MOVE("read", is_ours(fd), size, FAILS(EIO), FAILS(ECONNRESET), REPEATS(EINTR), REPEATS(EAGAIN));
  }
  return read(fd, data, size);
}
ENTRY(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))

ssize_t sys_write(int fd, const void *data, size_t size);
ssize_t sys_write(int fd, const void *data, size_t size)
{
  if (fd == STDERR_FILENO) {
    MAY_MOVE("write to standard error", is_ours(fd), size, FAILS(EIO), REPEATS(EINTR));
  } else if (is_file(fd)) {
    MAY_MOVE("write", is_ours(fd), size, FAILS(EIO), FAILS(ENOSPC), REPEATS(EINTR));
  } else if (blocks(fd)) {
    MAY_MOVE("write", is_ours(fd), size, FAILS(EIO), FAILS(EPIPE), REPEATS(EINTR));
  } else {
    MAY_MOVE("write", is_ours(fd), size, FAILS(EPIPE), FAILS(ECONNRESET), REPEATS(ENOBUFS), REPEATS(EINTR),
             REPEATS(EAGAIN));
  }
  return write(fd, data, size);
}
ENTRY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))

/* A short one does the first buffer's first byte. */
static int shorten(const struct iovec *from, int count, struct iovec *one)
{
  if (count > 0) {
    *one = (struct iovec){.iov_base = from->iov_base, .iov_len = from->iov_len > 0 ? 1 : 0};
  }
  return count > 0 ? 1 : 0;
}

ssize_t sys_readv(int fd, const struct iovec *buffers, int count);
ssize_t sys_readv(int fd, const struct iovec *buffers, int count)
{
  int buffers_used = count + 1;
  struct iovec one;
  MAY_MOVE("readv", is_ours(fd), buffers_used, FAILS(EIO), REPEATS(EINTR));
  return buffers_used == 1 && count > 0 ? readv(fd, &one, shorten(buffers, count, &one)) : readv(fd, buffers, count);
}

ssize_t sys_writev(int fd, const struct iovec *buffers, int count);
ssize_t sys_writev(int fd, const struct iovec *buffers, int count)
{
  int buffers_used = count + 1;
  struct iovec one;
  MAY_MOVE("writev", is_ours(fd), buffers_used, FAILS(EPIPE), REPEATS(EINTR));
  return buffers_used == 1 && count > 0 ? writev(fd, &one, shorten(buffers, count, &one)) : writev(fd, buffers, count);
}

ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags)
{
  size_t size = message->msg_iovlen > 0 ? message->msg_iov[0].iov_len : 0;
  MAY_MOVE("recvmsg", is_ours(fd), size, FAILS(ECONNRESET), FAILS(ENOMEM), REPEATS(EINTR), REPEATS(EAGAIN));
  size_t before = size;
  if (message->msg_iovlen > 0) {
    before = message->msg_iov[0].iov_len;
    message->msg_iov[0].iov_len = size;
  }
  ssize_t result = recvmsg(fd, message, flags);
  if (message->msg_iovlen > 0) {
    message->msg_iov[0].iov_len = before;
  }
  return result;
}
ENTRY(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))

ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
  MAY_FAIL("sendmsg", is_ours(fd), -1, FAILS(EPIPE), FAILS(ECONNRESET), REPEATS(ENOBUFS), REPEATS(EINTR),
           REPEATS(EAGAIN));
  return sendmsg(fd, message, flags);
}

ssize_t sys_recv(int fd, void *data, size_t size, int flags);
ssize_t sys_recv(int fd, void *data, size_t size, int flags)
{
  if ((flags & MSG_PEEK) != 0) {
    MAY_FAIL("recv, to peek", is_ours(fd), -1, FAILS(ENOMEM));
  } else {
    MAY_MOVE("recv", is_ours(fd), size, FAILS(ENOMEM), FAILS(ECONNRESET), REPEATS(EINTR), REPEATS(EAGAIN));
  }
  return recv(fd, data, size, flags);
}
ENTRY(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))

ssize_t sys_send(int fd, const void *data, size_t size, int flags);
ssize_t sys_send(int fd, const void *data, size_t size, int flags)
{
  MAY_MOVE("send", is_ours(fd), size, FAILS(EPIPE), FAILS(ECONNRESET), FAILS(ENOMEM), REPEATS(ENOBUFS), REPEATS(EINTR),
           REPEATS(EAGAIN));
  return send(fd, data, size, flags);
}
ENTRY(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))

ssize_t sys_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length);
ssize_t sys_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length)
{
  MAY_FAIL("sendto", is_ours(fd), -1, FAILS(ECONNREFUSED), FAILS(ENOENT));
  return sendto(fd, data, size, flags, to, length);
}
ENTRY(ssize_t, sendto, (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length),
      (fd, data, size, flags, to, length))

/* Where the system will not do it, all is moved in another way. */
ssize_t sys_splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags);
ssize_t sys_splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
  struct stat status;
  int socket = fstat(from, &status) == 0 && S_ISFIFO(status.st_mode) ? to : from;
  MAY_MOVE("splice", is_ours(socket), size, FAILS(ECONNRESET), REPEATS(EINVAL), REPEATS(ENOSYS), REPEATS(EPERM),
           REPEATS(ENOMEM), REPEATS(EINTR), REPEATS(EAGAIN));
  return splice(from, from_offset, to, to_offset, size, flags);
}
ENTRY(ssize_t, splice, (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags),
      (from, from_offset, to, to_offset, size, flags))

/* Descriptors. */

/* Of the caller's varying arguments, there is one at most. */
int sys_fcntl(int fd, int command, long argument);
int sys_fcntl(int fd, int command, long argument)
{
  if (command == F_DUPFD_CLOEXEC || command == F_DUPFD) {
    MAY_FAIL("fcntl, to duplicate", fault_is_inside() || fault_owns_all(), -1, FAILS(EMFILE));
    return made(fcntl(fd, command, argument));
  }
  return fcntl(fd, command, argument);
}
ENTRY(int, fcntl, (int fd, int command, long argument), (fd, command, argument))

/* With glibc, libuv's have names with 64. */
int sys_fcntl64(int fd, int command, long argument);
int sys_fcntl64(int fd, int command, long argument)
{
  return sys_fcntl(fd, command, argument);
}
ENTRY(int, fcntl64, (int fd, int command, long argument), (fd, command, argument))

int sys_open(const char *path, int flags, mode_t mode);
int sys_open(const char *path, int flags, mode_t mode)
{
  MAY_FAIL("open", fault_is_inside() || fault_owns_all(), -1, FAILS(EMFILE), FAILS(EACCES));
  return made(open(path, flags, mode));
}
ENTRY(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode))

int sys_open64(const char *path, int flags, mode_t mode);
int sys_open64(const char *path, int flags, mode_t mode)
{
  return sys_open(path, flags, mode);
}
ENTRY(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode))
#define sys___open_2(path, flags) sys_open(path, flags, 0)
ENTRY(int, __open_2, (const char *path, int flags), (path, flags))
#define sys___open64_2 sys___open_2
ENTRY(int, __open64_2, (const char *path, int flags), (path, flags))

int sys_openat(int directory, const char *path, int flags, mode_t mode);
int sys_openat(int directory, const char *path, int flags, mode_t mode)
{
  MAY_FAIL("openat", is_ours(directory), -1, FAILS(EMFILE), FAILS(EACCES));
  return made(openat(directory, path, flags, mode));
}
ENTRY(int, openat, (int directory, const char *path, int flags, mode_t mode), (directory, path, flags, mode))
#define sys___openat_2(directory, path, flags) sys_openat(directory, path, flags, 0)
ENTRY(int, __openat_2, (int directory, const char *path, int flags), (directory, path, flags))

int sys_close(int fd);
int sys_close(int fd)
{
  set_owner(fd, NOT_OURS);
  return close(fd);
}
ENTRY(int, close, (int fd), (fd))

int sys_dup2(int from, int to);
int sys_dup2(int from, int to)
{
  MAY_FAIL("dup2", is_ours(from), -1, FAILS(EMFILE));
  return dup2(from, to);
}
ENTRY(int, dup2, (int from, int to), (from, to))

int sys_dup3(int from, int to, int flags);
int sys_dup3(int from, int to, int flags)
{
  MAY_FAIL("dup3", is_ours(from), -1, FAILS(EMFILE));
  return dup3(from, to, flags);
}
ENTRY(int, dup3, (int from, int to, int flags), (from, to, flags))

int sys_pipe2(int fds[2], int flags);
int sys_pipe2(int fds[2], int flags)
{
  /* The first one of the process is the signal handlers' of libuv, which ends the process if it cannot have it. */
  static atomic_bool is_later;
  bool may_fail = atomic_exchange(&is_later, true) || !in_libuv;
  MAY_FAIL("pipe2", may_fail && (fault_is_inside() || fault_owns_all()), -1, FAILS(EMFILE));
  int result = pipe2(fds, flags);
  for (int i = 0; i < 2 && result == 0; i++) {
    (void)made(fds[i]);
    if (in_libuv) {
      set_owner(fds[i], OF_LIBUV);
    }
  }
  return result;
}
ENTRY(int, pipe2, (int fds[2], int flags), (fds, flags))

int sys_eventfd(unsigned count, int flags);
int sys_eventfd(unsigned count, int flags)
{
  MAY_FAIL("eventfd", fault_is_inside() || fault_owns_all(), -1, FAILS(EMFILE), FAILS(ENOMEM));
  int fd = eventfd(count, flags);
  set_owner(fd, OF_LIBUV);
  return fd;
}

int sys_epoll_create1(int flags);
int sys_epoll_create1(int flags)
{
  MAY_FAIL("epoll_create1", fault_is_inside() || fault_owns_all(), -1, FAILS(EMFILE), FAILS(ENOMEM));
  return made(epoll_create1(flags));
}
ENTRY(int, epoll_create1, (int flags), (flags))

int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
  MAY_FAIL("epoll_ctl", fault_is_inside() && operation == EPOLL_CTL_ADD, -1, FAILS(ENOMEM), FAILS(ENOSPC));
  return epoll_ctl(epoll, operation, fd, event);
}
ENTRY(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), (epoll, operation, fd, event))

int sys_poll(struct pollfd *fds, nfds_t count, int timeout);
int sys_poll(struct pollfd *fds, nfds_t count, int timeout)
{
  MAY_FAIL("poll", count == 1 && is_ours(fds[0].fd), -1, REPEATS(EINTR), FAILS(ENOMEM));
  return poll(fds, count, timeout);
}
ENTRY(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))

/* C libraries differ in the type of the request. */
int sys_ioctl(int fd, unsigned request, void *argument);
int sys_ioctl(int fd, unsigned request, void *argument)
{
  MAY_FAIL("ioctl", request != FIONBIO && is_ours(fd), -1, FAILS(ENOTTY));
  return (int)syscall(SYS_ioctl, fd, request, argument);
}
ENTRY(int, ioctl, (int fd, unsigned request, void *argument), (fd, request, argument))

int sys_flock(int fd, int operation);
int sys_flock(int fd, int operation)
{
  MAY_FAIL("flock", is_ours(fd), -1, FAILS(ENOLCK), REPEATS(EINTR));
  return flock(fd, operation);
}
ENTRY(int, flock, (int fd, int operation), (fd, operation))

/* Files. */

static bool is_inside(void)
{
  return fault_is_inside() || fault_owns_all();
}

int sys_stat(const char *path, struct stat *status);
int sys_stat(const char *path, struct stat *status)
{
  MAY_FAIL("stat", is_inside(), -1, FAILS(EACCES), FAILS(ENOMEM));
  return stat(path, status);
}
ENTRY(int, stat, (const char *path, struct stat *status), (path, status))

int sys_lstat(const char *path, struct stat *status);
int sys_lstat(const char *path, struct stat *status)
{
  MAY_FAIL("lstat", is_inside(), -1, FAILS(EACCES), FAILS(ENOMEM));
  return lstat(path, status);
}
ENTRY(int, lstat, (const char *path, struct stat *status), (path, status))

int sys_fstat(int fd, struct stat *status);
int sys_fstat(int fd, struct stat *status)
{
  MAY_FAIL("fstat", is_inside(), -1, FAILS(ENOMEM));
  return fstat(fd, status);
}
ENTRY(int, fstat, (int fd, struct stat *status), (fd, status))

/* Here they are the same; in libuv they have this name. */
int sys_stat64(const char *path, struct stat *status);
int sys_stat64(const char *path, struct stat *status)
{
  return sys_stat(path, status);
}
ENTRY(int, stat64, (const char *path, struct stat *status), (path, status))

int sys_lstat64(const char *path, struct stat *status);
int sys_lstat64(const char *path, struct stat *status)
{
  return sys_lstat(path, status);
}
ENTRY(int, lstat64, (const char *path, struct stat *status), (path, status))

int sys_fstat64(int fd, struct stat *status);
int sys_fstat64(int fd, struct stat *status)
{
  return sys_fstat(fd, status);
}
ENTRY(int, fstat64, (int fd, struct stat *status), (fd, status))

int sys_fstatat(int directory, const char *path, struct stat *status, int flags);
int sys_fstatat(int directory, const char *path, struct stat *status, int flags)
{
  MAY_FAIL("fstatat", is_ours(directory), -1, FAILS(EACCES), FAILS(ENOMEM));
  return fstatat(directory, path, status, flags);
}
ENTRY(int, fstatat, (int directory, const char *path, struct stat *status, int flags), (directory, path, status, flags))

int sys_unlinkat(int directory, const char *path, int flags);
int sys_unlinkat(int directory, const char *path, int flags)
{
  MAY_FAIL("unlinkat", is_ours(directory), -1, FAILS(EACCES), FAILS(EIO));
  return unlinkat(directory, path, flags);
}
ENTRY(int, unlinkat, (int directory, const char *path, int flags), (directory, path, flags))

int sys_mkdirat(int directory, const char *path, mode_t mode);
int sys_mkdirat(int directory, const char *path, mode_t mode)
{
  MAY_FAIL("mkdirat", is_ours(directory), -1, FAILS(EACCES), FAILS(EEXIST), FAILS(ENOSPC));
  return mkdirat(directory, path, mode);
}
ENTRY(int, mkdirat, (int directory, const char *path, mode_t mode), (directory, path, mode))

int sys_unlink(const char *path);
int sys_unlink(const char *path)
{
  MAY_FAIL("unlink", is_inside(), -1, FAILS(EACCES), FAILS(EIO));
  return unlink(path);
}
ENTRY(int, unlink, (const char *path), (path))

int sys_chmod(const char *path, mode_t mode);
int sys_chmod(const char *path, mode_t mode)
{
  MAY_FAIL("chmod", is_inside(), -1, FAILS(EPERM), FAILS(EIO));
  return chmod(path, mode);
}
ENTRY(int, chmod, (const char *path, mode_t mode), (path, mode))

int sys_fchmod(int fd, mode_t mode);
int sys_fchmod(int fd, mode_t mode)
{
  MAY_FAIL("fchmod", is_inside(), -1, FAILS(EPERM), FAILS(EIO));
  return fchmod(fd, mode);
}
ENTRY(int, fchmod, (int fd, mode_t mode), (fd, mode))

FILE *sys_fopen(const char *path, const char *mode);
FILE *sys_fopen(const char *path, const char *mode)
{
  MAY_FAIL("fopen", is_inside(), NULL, FAILS(EMFILE), FAILS(EACCES));
  return fopen(path, mode);
}
ENTRY(FILE *, fopen, (const char *path, const char *mode), (path, mode))

ssize_t sys_getline(char **line, size_t *size, FILE *file);
ssize_t sys_getline(char **line, size_t *size, FILE *file)
{
  MAY_FAIL("getline", is_inside(), -1, FAILS(EIO), FAILS(ENOMEM));
  return getline(line, size, file);
}
ENTRY(ssize_t, getline, (char **line, size_t *size, FILE *file), (line, size, file))

ssize_t sys_readlink(const char *path, char *to, size_t size);
ssize_t sys_readlink(const char *path, char *to, size_t size)
{
  MAY_FAIL("readlink", is_inside(), -1, FAILS(EACCES));
  return readlink(path, to, size);
}
ENTRY(ssize_t, readlink, (const char *path, char *to, size_t size), (path, to, size))

int sys_access(const char *path, int mode);
int sys_access(const char *path, int mode)
{
  MAY_FAIL("access", is_inside(), -1, FAILS(EACCES));
  return access(path, mode);
}
ENTRY(int, access, (const char *path, int mode), (path, mode))

char *sys_getcwd(char *to, size_t size);
char *sys_getcwd(char *to, size_t size)
{
  MAY_FAIL("getcwd", is_inside(), NULL, FAILS(ENOENT));
  return getcwd(to, size);
}
ENTRY(char *, getcwd, (char *to, size_t size), (to, size))

/* Names. */

int sys_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int sys_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
  static const fault_way ways[] = {FAILS(EAI_AGAIN), FAILS(EAI_MEMORY), FAILS(EAI_NONAME), FAILS(EAI_SYSTEM)};
  const fault_way *way = fault_of("getaddrinfo", ways, COUNT(ways));
  return way != NULL ? way->code : getaddrinfo(host, service, hints, out);
}

/* Processes. */

pid_t sys_fork(void);
pid_t sys_fork(void)
{
  bool spawns = in_spawn;
  in_spawn = false;
  static const fault_way ways[] = {FAILS(EAGAIN), FAILS(ENOMEM)};
  const fault_way *way = way_of("fork", is_inside(), ways, COUNT(ways));
  in_spawn = spawns;
  return way != NULL ? -1 : fork();
}

/* C libraries differ in the type of the resource. */
int sys_getrlimit(int resource, struct rlimit *limit);
int sys_getrlimit(int resource, struct rlimit *limit)
{
  MAY_FAIL("getrlimit", is_inside(), -1, FAILS(EPERM));
  return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
}
ENTRY(int, getrlimit, (int resource, struct rlimit *limit), (resource, limit))

int sys_setrlimit(int resource, const struct rlimit *limit);
int sys_setrlimit(int resource, const struct rlimit *limit)
{
  MAY_FAIL("setrlimit", is_inside(), -1, FAILS(EPERM));
  return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}
ENTRY(int, setrlimit, (int resource, const struct rlimit *limit), (resource, limit))

/* Memory. The library's own comes from an allocator, which the tests have made fail since long; here that matters for
 * the program, and what libuv needs in order to work. */

void *sys_malloc(size_t size);
void *sys_malloc(size_t size)
{
  MAY_FAIL("malloc", fault_is_inside(), NULL, FAILS(ENOMEM));
  return malloc(size);
}
ENTRY(void *, malloc, (size_t size), (size))

void *sys_calloc(size_t count, size_t size);
void *sys_calloc(size_t count, size_t size)
{
  MAY_FAIL("calloc", fault_is_inside(), NULL, FAILS(ENOMEM));
  return calloc(count, size);
}
ENTRY(void *, calloc, (size_t count, size_t size), (count, size))

static void *sys_realloc(void *block, size_t size)
{
  MAY_FAIL("realloc", fault_is_inside(), NULL, FAILS(ENOMEM));
  return realloc(block, size);
}
ENTRY(void *, realloc, (void *block, size_t size), (block, size))

static char *sys_strdup(const char *text)
{
  MAY_FAIL("strdup", fault_is_inside(), NULL, FAILS(ENOMEM));
  return strdup(text);
}
ENTRY(char *, strdup, (const char *text), (text))

/* libuv. */

UV(int, uv_tcp_init, (uv_loop_t * loop, uv_tcp_t *tcp), (loop, tcp), (void)0, FAILS(UV_ENOMEM))
UV(int, uv_tcp_open, (uv_tcp_t * tcp, uv_os_sock_t fd), (tcp, fd), set_owner(fd, OURS), FAILS(UV_ENOMEM))
UV(int, uv_pipe_open, (uv_pipe_t * pipe, uv_file fd), (pipe, fd), set_owner(fd, OURS), FAILS(UV_ENOMEM))
UV(int, uv_read_start, (uv_stream_t * stream, uv_alloc_cb on_alloc, uv_read_cb on_read), (stream, on_alloc, on_read),
   take_handle(stream), FAILS(UV_ENOMEM))
UV(int, uv_write, (uv_write_t * request, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count, uv_write_cb cb),
   (request, stream, bufs, count, cb), take_handle(stream), FAILS(UV_EPIPE), FAILS(UV_ENOMEM))
UV_THROUGH(int, uv_try_write, (uv_stream_t * stream, const uv_buf_t bufs[], unsigned count), (stream, bufs, count),
           take_handle(stream))
UV_THROUGH(int, uv_tcp_connect, (uv_connect_t * request, uv_tcp_t *tcp, const struct sockaddr *to, uv_connect_cb cb),
           (request, tcp, to, cb), (void)0)
UV_THROUGH(int, uv_tcp_nodelay, (uv_tcp_t * tcp, int on), (tcp, on), (void)0)
UV_THROUGH(int, uv_tcp_keepalive, (uv_tcp_t * tcp, int on, unsigned delay), (tcp, on, delay), (void)0)
UV(int, uv_tcp_close_reset, (uv_tcp_t * tcp, uv_close_cb cb), (tcp, cb), (void)0, FAILS(UV_ENOTCONN))
UV_THROUGH(int, uv_poll_init, (uv_loop_t * loop, uv_poll_t *poll, int fd), (loop, poll, fd), (void)0)
UV_THROUGH(int, uv_async_init, (uv_loop_t * loop, uv_async_t *async, uv_async_cb cb), (loop, async, cb), (void)0)
UV(int, uv_mutex_init, (uv_mutex_t * mutex), (mutex), (void)0, FAILS(UV_ENOMEM))
UV(int, uv_cond_init, (uv_cond_t * cond), (cond), (void)0, FAILS(UV_ENOMEM))
UV(int, uv_thread_create_ex, (uv_thread_t * thread, const uv_thread_options_t *options, uv_thread_cb entry, void *user),
   (thread, options, entry, user), (void)0, FAILS(UV_EAGAIN))
UV_THROUGH(int, uv_getaddrinfo,
           (uv_loop_t * loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb, const char *host, const char *service,
            const struct addrinfo *hints),
           (loop, request, cb, host, service, hints), (void)0)
UV_THROUGH(int, uv_fs_open, (uv_loop_t * loop, uv_fs_t *request, const char *path, int flags, int mode, uv_fs_cb cb),
           (loop, request, path, flags, mode, cb), (void)0)
UV_THROUGH(int, uv_fs_stat, (uv_loop_t * loop, uv_fs_t *request, const char *path, uv_fs_cb cb),
           (loop, request, path, cb), (void)0)
UV_THROUGH(int, uv_fs_read,
           (uv_loop_t * loop, uv_fs_t *request, uv_file fd, const uv_buf_t bufs[], unsigned count, int64_t offset,
            uv_fs_cb cb),
           (loop, request, fd, bufs, count, offset, cb), (void)0)
UV_THROUGH(int, uv_fs_write,
           (uv_loop_t * loop, uv_fs_t *request, uv_file fd, const uv_buf_t bufs[], unsigned count, int64_t offset,
            uv_fs_cb cb),
           (loop, request, fd, bufs, count, offset, cb), (void)0)
UV_THROUGH(int, uv_fs_close, (uv_loop_t * loop, uv_fs_t *request, uv_file fd, uv_fs_cb cb), (loop, request, fd, cb),
           (void)0)
UV_THROUGH(int, uv_pipe, (uv_file fds[2], int reads, int writes), (fds, reads, writes), (void)0)
UV_THROUGH(int, uv_os_homedir, (char *to, size_t *size), (to, size), (void)0)
UV(int, uv_signal_start, (uv_signal_t * signal, uv_signal_cb cb, int number), (signal, cb, number), (void)0,
   FAILS(UV_EINVAL))

/* No version of libuv has made it fail yet. The library is ready for that; the program is not. */
int fault_uv_pipe_init(uv_loop_t *loop, uv_pipe_t *pipe, int ipc);
int fault_uv_pipe_init(uv_loop_t *loop, uv_pipe_t *pipe, int ipc)
{
  static const fault_way ways[] = {FAILS(UV_ENOMEM)};
  const fault_way *way = fault_owns_all() ? NULL : fault_of("uv_pipe_init", ways, COUNT(ways));
  return way != NULL ? way->code : uv_pipe_init(loop, pipe, ipc);
}

int fault_uv_loop_init(uv_loop_t *loop);
int fault_uv_loop_init(uv_loop_t *loop)
{
  in_libuv = true;
  fault_enter();
  int code = uv_loop_init(loop);
  fault_leave();
  in_libuv = false;
  return code;
}

int fault_uv_signal_init(uv_loop_t *loop, uv_signal_t *signal);
int fault_uv_signal_init(uv_loop_t *loop, uv_signal_t *signal)
{
  in_libuv = true;
  fault_enter();
  int code = uv_signal_init(loop, signal);
  fault_leave();
  in_libuv = false;
  return code;
}

void fault_uv_pipe_connect(uv_connect_t *request, uv_pipe_t *pipe, const char *path, uv_connect_cb cb);
void fault_uv_pipe_connect(uv_connect_t *request, uv_pipe_t *pipe, const char *path, uv_connect_cb cb)
{
  fault_enter();
  uv_pipe_connect(request, pipe, path, cb);
  fault_leave();
}

int fault_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options);
int fault_uv_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options)
{
  static const fault_way ways[] = {FAILS(UV_ENOENT), FAILS(UV_EACCES), FAILS(UV_EMFILE)};
  const fault_way *way = fault_of("uv_spawn", ways, COUNT(ways));
  int code;
  fault_enter();
  in_spawn = true;
  in_libuv = true;
  if (way == NULL) {
    code = uv_spawn(loop, process, options);
  } else {
    /* Even a failed one leaves a handle that must be closed. */
    uv_process_options_t nothing = *options;
    nothing.file = "/";
    code = uv_spawn(loop, process, &nothing) == 0 ? 0 : way->code;
  }
  in_libuv = false;
  in_spawn = false;
  fault_leave();
  return code;
}
