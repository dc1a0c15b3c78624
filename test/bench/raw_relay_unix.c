/* The yardstick for speed on Linux: what a relay costs that does nothing but copy. One thread, epoll, non-blocking
 * sockets, one buffer of 64 KiB for all connections.
 *
 *   raw_relay_unix LISTEN TARGET [LISTEN TARGET]...
 *
 * Each address is as in sockets_unix.h. A client whose target cannot be reached is closed. The end of one side's input
 * is passed on after the last byte; a connection ends after both ends, or at the first error. There are no time limits,
 * retries, messages or limits of memory, which a relay for daily use needs. */
#include "sockets_unix.h"

#include <signal.h>

enum { BUFFER = 65536, BATCH = 64 };

/* What watch() reports: a listener or one side of a connection, told apart by `target`. */
struct side {
  const struct place *target; /* of a listener */
  int fd;
  struct side *other;
  uint32_t watched;
  bool ended;    /* its input */
  char *rest;    /* what it has not accepted yet */
  size_t at, to; /* the part of rest that is left */
};

struct pair {
  struct side sides[2];
  struct pair *next; /* among those that are closed and still have to be freed */
};

static int epoll;
static struct pair *closed;
static char buffer[BUFFER];

static void close_pair(struct side *side)
{
  struct side *first = side < side->other ? side : side->other;
  struct pair *pair = (struct pair *)(void *)first;
  if (first->fd < 0)
    return;
  for (int i = 0; i < 2; i++) {
    close(pair->sides[i].fd);
    pair->sides[i].fd = -1;
    free(pair->sides[i].rest);
  }
  pair->next = closed; /* events for it can still be in this batch */
  closed = pair;
}

static void watch_what_is_needed(struct side *side)
{
  bool reads = !side->ended && side->other->rest == NULL;
  uint32_t events = (reads ? (uint32_t)EPOLLIN : 0) | (side->rest != NULL ? (uint32_t)EPOLLOUT : 0);
  if (events != side->watched) {
    watch(epoll,
          side->watched == 0 ? EPOLL_CTL_ADD
          : events == 0      ? EPOLL_CTL_DEL
                             : EPOLL_CTL_MOD,
          side->fd, events, side);
    side->watched = events;
  }
}

static void pass_on_end(struct side *from)
{
  shutdown(from->other->fd, SHUT_WR);
  if (from->other->ended)
    close_pair(from);
}

/* Reads once and writes what it got. */
static void copy(struct side *from)
{
  struct side *to = from->other;
  ssize_t got = read(from->fd, buffer, BUFFER);
  if (got < 0) {
    if (errno != EAGAIN)
      close_pair(from);
    return;
  }
  if (got == 0) {
    from->ended = true;
    pass_on_end(from);
  } else {
    ssize_t written = write(to->fd, buffer, (size_t)got);
    if (written < 0 && errno != EAGAIN) {
      close_pair(from);
    } else if (written < got) {
      to->at = 0;
      to->to = (size_t)(got - (written > 0 ? written : 0));
      to->rest = allocate(to->to);
      memcpy(to->rest, buffer + got - (ssize_t)to->to, to->to);
    }
  }
  if (from->fd >= 0) {
    watch_what_is_needed(from);
    watch_what_is_needed(to);
  }
}

static void write_rest(struct side *to)
{
  ssize_t written = write(to->fd, to->rest + to->at, to->to - to->at);
  if (written < 0) {
    if (errno != EAGAIN)
      close_pair(to);
    return;
  }
  to->at += (size_t)written;
  if (to->at == to->to) {
    free(to->rest);
    to->rest = NULL;
    if (to->other->ended)
      pass_on_end(to->other);
    if (to->fd >= 0) {
      watch_what_is_needed(to);
      watch_what_is_needed(to->other);
    }
  }
}

/* A connection on the loopback interface, or to a Unix socket, is made or refused at once, so connecting may block. */
static void accept_one(const struct side *listener)
{
  int client = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0)
    return;
  int target = open_socket(listener->target, SOCK_NONBLOCK);
  if (connect(target, &listener->target->address.any, listener->target->size) != 0 && errno != EINPROGRESS) {
    close(client);
    close(target);
    return;
  }
  struct pair *pair = allocate(sizeof *pair);
  pair->sides[0] = (struct side){.fd = client, .other = &pair->sides[1]};
  pair->sides[1] = (struct side){.fd = target, .other = &pair->sides[0]};
  send_at_once(target, listener->target);
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* fails on a Unix socket */
  watch_what_is_needed(&pair->sides[0]);
  watch_what_is_needed(&pair->sides[1]);
}

static void handle(const struct epoll_event *event)
{
  struct side *side = event->data.ptr;
  if (side->target != NULL) {
    accept_one(side);
    return;
  }
  if (side->fd >= 0 && side->rest != NULL && (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
    write_rest(side);
  if (side->fd >= 0 && !side->ended && side->other->rest == NULL && (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
    copy(side);
}

int main(int argc, char **argv)
{
  if (argc < 3 || argc % 2 == 0) {
    fprintf(stderr, "usage: raw_relay_unix LISTEN TARGET [LISTEN TARGET]...\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  allow_many_descriptors();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct place *places = allocate((size_t)argc * sizeof *places);
  struct side *listeners = allocate((size_t)argc * sizeof *listeners);
  for (int i = 1; i < argc; i += 2) {
    places[i] = place_of(argv[i]);
    places[i + 1] = place_of(argv[i + 1]);
    listeners[i] = (struct side){.fd = listen_on(&places[i]), .target = &places[i + 1]};
    watch(epoll, EPOLL_CTL_ADD, listeners[i].fd, EPOLLIN, &listeners[i]);
  }
  for (;;) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < count; i++)
      handle(&events[i]);
    while (closed != NULL) {
      struct pair *next = closed->next;
      free(closed);
      closed = next;
    }
  }
}
