/* `serve` with one route, its target and its clients; and an echo: see native.h. */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 1024, CHUNK = 16 * 1024 };

static void make_target(rig *r)
{
  if (r->target == KIND_TCP) {
    r->socket = tcp_listen(&r->port);
    r->target_address = text("tcp://127.0.0.1:%d", r->port);
  } else {
    r->pipe.instances = PIPE_UNLIMITED_INSTANCES;
    pipe_listen(&r->pipe, r->target == KIND_MESSAGE ? MESSAGE_PIPE : BYTE_PIPE);
    r->target_address = r->pipe.name;
  }
}

rig rig_start(end_kind listen, end_kind target, const char *flags, const char *prefix)
{
  rig r = {.listen = listen, .target = target};
  make_target(&r);
  r.listen_name = listen == KIND_TCP ? NULL : unique_pipe();
  r.listens = listen == KIND_TCP ? "tcp://127.0.0.1:0"
                                 : text("%s?mode=%s", r.listen_name, listen == KIND_MESSAGE ? "message" : "byte");
  r.p = serve(NULL, 1, "%s \"%s=%s%s\"", flags, r.listens, prefix, r.target_address);
  return r;
}

void rig_ready(rig *r)
{
  if (r->target != KIND_TCP && r->pipe.e.pipe == NULL) {
    pipe_instance(&r->pipe);
  }
}

end rig_client(rig *r)
{
  rig_ready(r);
  if (r->listen == KIND_TCP) {
    return tcp_connect(port_of(r->p, 1));
  }
  return pipe_connect(r->listen_name, r->listen == KIND_MESSAGE ? MESSAGE_PIPE : BYTE_PIPE);
}

end rig_accept(rig *r)
{
  if (r->target == KIND_TCP) {
    return tcp_accept(r->socket);
  }
  pipe_accept(&r->pipe);
  end e = r->pipe.e;
  r->pipe.e = (end){.pipe = NULL};
  return e;
}

bool half_closes(end_kind k)
{
  return k != KIND_BYTE;
}

/* ---- the echo ---- */

typedef struct echo {
  WSAPOLLFD polled[CLIENTS]; /* the listener, and then its clients */
  int count;
} echo;

/* Sends back what has come. What one client does not take holds up all: they all read. */
static bool answer(SOCKET s)
{
  char buffer[CHUNK];
  int got = recv(s, buffer, sizeof(buffer), 0);
  for (int sent = 0; sent < got;) {
    int part = send(s, buffer + sent, got - sent, 0);
    if (part <= 0) {
      return false;
    }
    sent += part;
  }
  return got > 0;
}

static void run_echo(void *argument)
{
  echo *e = argument;
  for (;;) {
    CHECK(WSAPoll(e->polled, (ULONG)e->count, -1) > 0, "the echo cannot wait (error %d)", WSAGetLastError());
    for (int i = e->count - 1; i > 0; i--) {
      if (e->polled[i].revents != 0 && !answer(e->polled[i].fd)) {
        (void)closesocket(e->polled[i].fd);
        e->polled[i] = e->polled[--e->count];
      }
    }
    if (e->polled[0].revents != 0 && e->count < CLIENTS) {
      SOCKET accepted = accept(e->polled[0].fd, NULL, NULL);
      if (accepted != INVALID_SOCKET) {
        e->polled[e->count++] = (WSAPOLLFD){.fd = accepted, .events = POLLRDNORM};
      }
    }
  }
}

int echo_server(void)
{
  int port;
  echo *e = memory(sizeof(*e));
  e->polled[0] = (WSAPOLLFD){.fd = tcp_listen(&port), .events = POLLRDNORM};
  e->count = 1;
  (void)background(run_echo, e);
  return port;
}
