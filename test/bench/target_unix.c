/* The server that the bench's connections lead to. One thread, epoll.
 *
 *   target_unix ADDRESS...
 *
 * Listens on each address (sockets_unix.h; tcp:0 chooses a port), prints the ports in this order on one line, and ends
 * with standard input. The first byte of a connection says what happens on it:
 *
 *   e   echo: everything is sent back, that byte included; for messages that a socket takes at once
 *   p   pour: it sends until the client is gone
 *   s   sink: it sends one byte back, and reads until the end */
#include "sockets_unix.h"

#include <signal.h>

enum { BUFFER = 256 * 1024, BATCH = 64 };

struct peer {
  bool listens;
  int fd;
  char does; /* 0 before the first byte */
  const struct place *place;
};

static int epoll;
static char buffer[BUFFER];

/* Closing resets the connection. The relay has closed it by then, so nothing is lost, but its port is free at once.
 * Ports in TIME_WAIT, ten thousand for each second of a load, would make each new connection search long for a free
 * one, and that search would be all that is measured. */
static void leave_no_time_wait(int fd, const struct place *place)
{
  if (place->address.any.sa_family == AF_INET &&
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)) != 0)
    fail("cannot set SO_LINGER on %s", place->text);
}

static void accept_one(const struct peer *listener)
{
  int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  struct peer *peer = allocate(sizeof *peer);
  *peer = (struct peer){.fd = fd, .place = listener->place};
  send_at_once(fd, listener->place);
  leave_no_time_wait(fd, listener->place);
  watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, peer);
}

/* Returns false at the end of the connection. */
static bool serve_peer(struct peer *peer)
{
  if (peer->does == 'p') {
    ssize_t sent = send(peer->fd, buffer, BUFFER, MSG_NOSIGNAL);
    return sent > 0 || (sent < 0 && errno == EAGAIN);
  }
  ssize_t got = read(peer->fd, buffer, BUFFER);
  if (got <= 0)
    return got < 0 && errno == EAGAIN;
  if (peer->does == 0) {
    peer->does = buffer[0];
    if (peer->does == 'p')
      watch(epoll, EPOLL_CTL_MOD, peer->fd, EPOLLOUT, peer);
    else if (peer->does == 's')
      return send(peer->fd, buffer, 1, MSG_NOSIGNAL) == 1;
  }
  return peer->does != 'e' || send(peer->fd, buffer, (size_t)got, MSG_NOSIGNAL) == got;
}

int main(int argc, char **argv)
{
  allow_many_descriptors();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 1; i < argc; i++) {
    struct place *place = allocate(sizeof *place);
    *place = place_of(argv[i]);
    struct peer *listener = allocate(sizeof *listener);
    *listener = (struct peer){.listens = true, .fd = listen_on(place), .place = place};
    watch(epoll, EPOLL_CTL_ADD, listener->fd, EPOLLIN, listener);
    if (place->address.any.sa_family == AF_INET) {
      socklen_t size = sizeof place->address.tcp;
      getsockname(listener->fd, &place->address.any, &size);
      printf("%d ", ntohs(place->address.tcp.sin_port));
    }
  }
  printf("\n");
  fflush(stdout);
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, NULL);
  for (;;) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      if (peer == NULL)
        return 0;
      if (peer->listens) {
        accept_one(peer);
      } else if (!serve_peer(peer)) {
        close(peer->fd);
        free(peer);
      }
    }
  }
}
