/* What the programs of the bench share: addresses, sockets and errors. Each program is one file that includes this.
 *
 * An address is unix:PATH or tcp:PORT, which is a port of 127.0.0.1. */
#ifndef UVR_BENCH_SOCKETS_UNIX_H
#define UVR_BENCH_SOCKETS_UNIX_H
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Prints one sentence and ends. */
static inline _Noreturn void fail(const char *format, ...)
{
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "bench: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  va_end(arguments);
  exit(1);
}

static inline void *allocate(size_t size)
{
  void *memory = calloc(1, size);
  if (memory == NULL)
    fail("cannot allocate %zu bytes", size);
  return memory;
}

struct place {
  const char *text;
  socklen_t size;
  union {
    struct sockaddr any;
    struct sockaddr_un unix_socket;
    struct sockaddr_in tcp;
  } address;
};

static inline struct place place_of(const char *text)
{
  struct place place = {.text = text};
  errno = EINVAL;
  if (strncmp(text, "unix:", 5) == 0 && strlen(text + 5) < sizeof place.address.unix_socket.sun_path) {
    place.address.unix_socket.sun_family = AF_UNIX;
    memcpy(place.address.unix_socket.sun_path, text + 5, strlen(text + 5) + 1);
    place.size = sizeof place.address.unix_socket;
  } else if (strncmp(text, "tcp:", 4) == 0) {
    place.address.tcp.sin_family = AF_INET;
    place.address.tcp.sin_port = htons((uint16_t)atoi(text + 4));
    place.address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place.size = sizeof place.address.tcp;
  } else {
    fail("%s is neither unix:PATH nor tcp:PORT", text);
  }
  return place;
}

static inline void send_at_once(int fd, const struct place *place)
{
  if (place->address.any.sa_family == AF_INET && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
    fail("cannot set TCP_NODELAY on %s", place->text);
}

static inline int open_socket(const struct place *place, int flags)
{
  int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0)
    fail("cannot create a socket for %s", place->text);
  return fd;
}

static inline int listen_on(const struct place *place)
{
  int fd = open_socket(place, SOCK_NONBLOCK);
  if (place->address.any.sa_family == AF_INET && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0)
    fail("cannot set SO_REUSEADDR on %s", place->text);
  if (bind(fd, &place->address.any, place->size) != 0 || listen(fd, 4096) != 0)
    fail("cannot listen on %s", place->text);
  return fd;
}

static inline void watch(int epoll, int how, int fd, uint32_t events, void *data)
{
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(epoll, how, fd, &event) != 0)
    fail("cannot watch a descriptor");
}

static inline void allow_many_descriptors(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

#endif
