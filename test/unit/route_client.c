/* The clients of routes: see route_rig.h. They look at every byte that comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route_rig.h"

typedef struct sending {
  uv_write_t request;
  char data[];
} sending;

static void on_closed(uv_handle_t *handle)
{
  ((route_client *)handle->data)->over = true;
}

void route_client_hang_up(route_client *c)
{
  if (c->open) {
    c->open = false;
    uv_close(&c->as.handle, on_closed);
  }
}

static void on_sent(uv_write_t *request, int code)
{
  (void)code; /* the route may be gone */
  free(request);
}

void route_client_send(route_client *c, size_t size)
{
  sending *s = malloc(sizeof(*s) + size);
  assert_non_null(s);
  for (size_t i = 0; i < size; i++) {
    s->data[i] = rig_byte(c->seed, c->to_send + i);
  }
  c->to_send += size;
  uv_buf_t buf = uv_buf_init(s->data, (unsigned)size);
  if (!c->open || uv_write(&s->request, &c->as.stream, &buf, 1, on_sent) != 0) {
    free(s);
  }
}

static void on_shutdown(uv_shutdown_t *request, int code)
{
  (void)request;
  (void)code;
}

void route_client_end(route_client *c)
{
  if (c->open) {
    (void)uv_shutdown(&c->shutdown, &c->as.stream, on_shutdown);
  }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  route_client *c = handle->data;
  (void)suggested;
  *buf = uv_buf_init(c->data, sizeof(c->data));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  route_client *c = stream->data;
  for (ssize_t i = 0; i < count; i++) {
    if (buf->base[i] != rig_byte(c->seed, c->received + (size_t)i)) {
      fail_msg("byte %u was changed on its way", (unsigned)(c->received + (size_t)i));
    }
  }
  if (count > 0) {
    c->received += (size_t)count;
    assert_in_range(c->received, 0, c->to_send);
    if (c->ends && c->received == c->to_send) {
      c->ends = false;
      route_client_end(c);
    }
  } else if (count < 0) {
    c->ended = true;
    c->code = count == UV_EOF ? 0 : (int)count;
    if (!c->stays) {
      route_client_hang_up(c);
    }
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  route_client *c = request->data;
  if (code != 0) {
    c->code = code;
    route_client_hang_up(c);
    return;
  }
  size_t size = c->to_send;
  c->connected = true;
  c->to_send = 0;
  assert_int_equal(uv_read_start(&c->as.stream, on_alloc, on_read), 0);
  if (size > 0) {
    route_client_send(c, size);
  }
}

route_client *route_client_start(route_host *h, const char *address, size_t to_send, bool ends)
{
  assert_in_range(h->client_count, 0, ROUTE_CLIENTS - 1);
  route_client *c = &h->clients[h->client_count++];
  const char *port = strrchr(address, ':') + 1;
  c->h = h;
  c->seed = h->client_count;
  c->to_send = to_send;
  c->ends = ends;
  c->connect.data = c;
  if (strncmp(address, "unix://", 7) == 0) {
    assert_int_equal(uv_pipe_init(&h->r.loop, &c->as.pipe, 0), 0);
    uv_pipe_connect(&c->connect, &c->as.pipe, address + 7, on_connected);
  } else {
    struct sockaddr_storage ip;
    bool six = strchr(address, '[') != NULL;
    assert_int_equal(six ? uv_ip6_addr("::1", atoi(port), (struct sockaddr_in6 *)&ip)
                         : uv_ip4_addr("127.0.0.1", atoi(port), (struct sockaddr_in *)&ip),
                     0);
    assert_int_equal(uv_tcp_init(&h->r.loop, &c->as.tcp), 0);
    assert_int_equal(uv_tcp_connect(&c->connect, &c->as.tcp, (struct sockaddr *)&ip, on_connected), 0);
  }
  c->as.handle.data = c;
  c->open = true;
  return c;
}
