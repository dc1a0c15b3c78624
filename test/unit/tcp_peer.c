/* The small TCP server: see tcp_peer.h. */
#include "tcp_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct sending {
  uv_write_t request;
  char data[];
} sending;

static void bind_to(uv_tcp_t *tcp, unsigned port)
{
  struct sockaddr_in address;
  assert_int_equal(uv_ip4_addr("127.0.0.1", (int)port, &address), 0);
  assert_int_equal(uv_tcp_bind(tcp, (const struct sockaddr *)&address, 0), 0);
}

static unsigned port_of(const uv_tcp_t *tcp)
{
  struct sockaddr_in address;
  int size = sizeof(address);
  assert_int_equal(uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &size), 0);
  return ntohs(address.sin_port);
}

static void on_nobody(uv_stream_t *server, int status)
{
  (void)server;
  (void)status;
}

static bool is_free(unsigned port)
{
  uv_loop_t loop;
  uv_tcp_t tcp;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uv_tcp_init(&loop, &tcp), 0);
  bind_to(&tcp, port); /* libuv tells only when it is to listen that the port is taken */
  bool free = uv_listen((uv_stream_t *)&tcp, 1, on_nobody) == 0;
  uv_close((uv_handle_t *)&tcp, NULL);
  (void)uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  return free;
}

/* It is none of those that the system gives to processes that ask for any, so no other test gets it meanwhile. */
unsigned peer_free_port(void)
{
  enum { FIRST = 10000, COUNT = 20000 };
  unsigned port;
  do {
    port = FIRST + (unsigned)(uv_hrtime() / 100 + (uint64_t)uv_os_getpid() * 61) % COUNT;
  } while (!is_free(port));
  return port;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  peer_connection *c = handle->data;
  (void)suggested;
  *buf = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  peer_connection *c = stream->data;
  if (count > 0) {
    size_t left = sizeof(c->data) - c->received;
    size_t take = (size_t)count < left ? (size_t)count : left;
    memcpy(c->data + c->received, buf->base, take);
    c->received += take;
    if (c->server->echo) {
      peer_send(c, buf->base, (size_t)count);
    }
    if (c->server->on_data != NULL) {
      c->server->on_data(c);
    }
  } else if (count < 0) {
    c->ended = true;
    if (c->server->on_end != NULL) {
      c->server->on_end(c);
    } else {
      peer_hang_up(c);
    }
  }
}

static void on_connection(uv_stream_t *listener, int code)
{
  peer *p = listener->data;
  assert_int_equal(code, 0);
  assert_true(p->accepted < PEER_CONNECTIONS);
  peer_connection *c = &p->connections[p->accepted++];
  c->server = p;
  assert_int_equal(uv_tcp_init(listener->loop, &c->tcp), 0);
  c->tcp.data = c;
  c->open = true;
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
  assert_int_equal(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read), 0);
  if (p->on_connect != NULL) {
    p->on_connect(c);
  }
}

void peer_listen(rig *r, peer *p, unsigned port)
{
  assert_int_equal(uv_tcp_init(&r->loop, &p->listener), 0);
  p->listener.data = p;
  bind_to(&p->listener, port);
  p->port = port_of(&p->listener);
  assert_int_equal(uv_listen((uv_stream_t *)&p->listener, PEER_CONNECTIONS, on_connection), 0);
  p->listening = true;
}

static void on_sent(uv_write_t *request, int code)
{
  (void)code; /* the client may be gone */
  free(request);
}

void peer_send(peer_connection *connection, const void *data, size_t size)
{
  sending *s = malloc(sizeof(*s) + size);
  assert_non_null(s);
  memcpy(s->data, data, size);
  uv_buf_t buf = uv_buf_init(s->data, (unsigned)size);
  if (!connection->open || uv_write(&s->request, (uv_stream_t *)&connection->tcp, &buf, 1, on_sent) != 0) {
    free(s);
  }
}

void peer_hang_up(peer_connection *connection)
{
  if (connection->open) {
    connection->open = false;
    uv_close((uv_handle_t *)&connection->tcp, NULL);
  }
}

void peer_close(peer *p)
{
  if (p->listening) {
    p->listening = false;
    uv_close((uv_handle_t *)&p->listener, NULL);
  }
  for (unsigned i = 0; i < p->accepted; i++) {
    peer_hang_up(&p->connections[i]);
  }
}
