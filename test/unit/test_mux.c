/* The public mux: both ends in one relay, over a pair of pipes, with routes that go through it. What must hold of
 * routes and memory whatever happens is asserted by the host (route_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mux_raw.h"
#include "relay/relay.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static route_client *start(route_host *h, size_t to_send, bool ends)
{
  return route_client_start(h, h->routes[0].address, to_send, ends);
}

static void wait_over(route_host *h)
{
  for (unsigned i = 0; i < h->client_count; i++) {
    ROUTE_WAIT(h, h->clients[i].over);
  }
  ROUTE_WAIT(h, h->routes[0].open == 0 && h->muxes.far_end.opened == h->muxes.far_end.closed);
}

/* Bytes. */

static void test_echo(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 300000, true);
  wait_over(h);
  assert_int_equal(c->received, 300000);
  assert_string_equal(h->muxes.near_end.journal, "N U ");
  assert_string_equal(h->muxes.far_end.journal, "U O C ");
  assert_string_equal(h->muxes.far_end.address, h->target_address);
  assert_int_equal(h->muxes.far_end.result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->muxes.far_end.result.to_right, 300000);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  route_host_free(h);
}

/* Where reading is slow, several frames are read and sent at a time, as long as there are few streams. */
static void test_reads_of_several_frames(void **state)
{
  (void)state;
  static const unsigned counts[] = {1, 12};
  for (unsigned i = 0; i < COUNT(counts); i++) {
    route_host *h = mux_host_new(NULL, NULL);
    h->relay->mux_context.buffers.giant = 4 * UVR_BUFFER_LARGE; /* as on Windows */
    mux_add_via(h, 0, h->target_address, NULL);
    for (unsigned n = 0; n < counts[i]; n++) {
      (void)start(h, 3000000 / counts[i] + n, true);
    }
    wait_over(h);
    for (unsigned n = 0; n < counts[i]; n++) {
      assert_int_equal(h->clients[n].received, h->clients[n].to_send);
    }
    route_host_free(h);
  }
}

/* Many at a time, each with bytes of its own; the counters of the route and of the relay, which has two sessions for
 * each. */
static void test_many(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  char via[ROUTE_ADDRESS];
  mux_add_via(h, 0, h->target_address, NULL);
  (void)snprintf(via, sizeof(via), "via:%.700s", h->target_address);
  assert_string_equal(uvrelay_route_get_target(h->routes[0].route), via);
  uint64_t all = 0;
  for (unsigned i = 0; i < 16; i++) {
    size_t size = i % 4 == 0 ? 0 : 40000 * i + 1;
    (void)start(h, size, size > 0);
    all += size;
  }
  ROUTE_WAIT(h, h->routes[0].open == 16);
  for (unsigned i = 0; i < 16; i += 4) {
    ROUTE_WAIT(h, h->clients[i].connected);
    route_client_end(&h->clients[i]); /* without a byte */
  }
  wait_over(h);
  for (unsigned i = 0; i < 16; i++) {
    assert_int_equal(h->clients[i].received, h->clients[i].to_send);
    assert_int_equal(h->clients[i].code, 0);
    assert_int_equal(h->routes[0].results[i + 1].reason, UVRELAY_REASON_ENDED);
  }
  uvrelay_route_counters_t route;
  uvrelay_route_get_counters(h->routes[0].route, &route, sizeof(route));
  assert_true(route.open == 0 && route.total == 16 && route.failed == 0);
  assert_true(route.to_target == all && route.to_client == all);
  uvrelay_counters_t relay;
  uvrelay_get_counters(h->relay, &relay, sizeof(relay));
  assert_true(relay.active == 0 && relay.started == 32 && relay.failed == 0);
  assert_true(relay.to_right == 2 * all && relay.to_left == 2 * all);
  assert_int_equal(h->muxes.near_end.needs, 1);
  route_host_free(h);
}

static void test_refused_target(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->absent_address, NULL);
  route_client *c = start(h, 10, true);
  wait_over(h);
  assert_int_equal(c->received, 0);
  const uvrelay_error_t *error = &h->routes[0].results[1].error;
  assert_int_equal(error->code, UV_ECONNREFUSED);
  assert_string_equal(h->muxes.far_end.journal, "U R ");
  char expected[UVRELAY_ERROR_TEXT_SIZE + 16];
  (void)snprintf(expected, sizeof(expected), "far end: %s", h->muxes.far_end.error.text);
  assert_string_equal(error->text, expected);
  uvrelay_route_counters_t route;
  uvrelay_route_get_counters(h->routes[0].route, &route, sizeof(route));
  assert_true(route.total == 1 && route.failed == 1);
  route_host_free(h);
}

/* Half-close. */

static void answer_at_end(peer_connection *c)
{
  peer_send(c, c->data, c->received);
  uv_shutdown_t *request = c->server->user;
  (void)uv_shutdown(request, (uv_stream_t *)&c->tcp, NULL);
}

/* The target answers once the client has ended. */
static void test_client_ends_first(void **state)
{
  (void)state;
  uv_shutdown_t request;
  route_host *h = mux_host_new(NULL, NULL);
  h->target.echo = false;
  h->target.on_end = answer_at_end;
  h->target.user = &request;
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 3000, false);
  ROUTE_WAIT(h, c->connected);
  route_client_end(c);
  wait_over(h);
  assert_int_equal(c->received, 3000);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  route_host_free(h);
}

static void end_at_once(peer_connection *c)
{
  assert_int_equal(uv_shutdown(c->server->user, (uv_stream_t *)&c->tcp, NULL), 0);
}

/* The client goes on to send to a target that has ended. */
static void test_target_ends_first(void **state)
{
  (void)state;
  uv_shutdown_t request;
  route_host *h = mux_host_new(NULL, NULL);
  h->target.echo = false;
  h->target.on_connect = end_at_once;
  h->target.user = &request;
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 0, false);
  c->stays = true;
  ROUTE_WAIT(h, c->ended);
  route_client_send(c, 2000);
  route_run_ms(h, 3);
  route_client_send(c, 500);
  route_client_end(c);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  ROUTE_WAIT(h, h->target.connections[0].received == 2500);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  route_client_hang_up(c);
  wait_over(h);
  route_host_free(h);
}

/* A target that is reset: what it has sent before arrives, or nothing, and then an error; not an end. */
static void test_target_resets(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 100, false);
  ROUTE_WAIT(h, c->received == 100);
  h->target.connections[0].open = false;
  assert_int_equal(uv_tcp_close_reset(&h->target.connections[0].tcp, NULL), 0);
  wait_over(h);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_FAILED);
  assert_int_equal(h->routes[0].results[1].error.code, UV_ECONNRESET);
  assert_int_equal(h->routes[0].results[1].side, UVRELAY_RIGHT);
  assert_int_equal(h->routes[0].results[1].to_left, 100);
  route_host_free(h);
}

/* A client that vanishes while the target has more for it. */
static void test_client_resets(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 100, false);
  ROUTE_WAIT(h, c->received == 100);
  c->open = false;
  assert_int_equal(uv_tcp_close_reset(&c->as.tcp, NULL), 0);
  ROUTE_WAIT(h, h->routes[0].open == 0 && h->muxes.far_end.closed == 1);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_GONE);
  assert_int_equal(h->muxes.far_end.result.reason, UVRELAY_REASON_GONE);
  assert_int_equal(h->muxes.far_end.result.side, UVRELAY_LEFT);
  ROUTE_WAIT(h, h->target.connections[0].ended);
  route_host_free(h);
}

/* Carriers that are not there, that end, that come again. */

/* Clients that come while there is none wait, in their order, and one event reports them. */
static void test_waiting(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  h->muxes.attaches = false;
  mux_add_via(h, 0, h->target_address, NULL);
  for (unsigned i = 0; i < 3; i++) {
    (void)start(h, 100, true);
  }
  ROUTE_WAIT(h, h->routes[0].open == 3);
  ROUTE_WAIT(h, h->muxes.near_end.journal[0] != '\0');
  route_run_ms(h, 5);
  assert_string_equal(h->muxes.near_end.journal, "N ");
  route_client_hang_up(&h->clients[1]);
  assert_int_equal(mux_pair_attach(&h->muxes), 0);
  wait_over(h);
  assert_int_equal(h->clients[0].received, 100);
  assert_int_equal(h->clients[2].received, 100);
  assert_string_equal(h->muxes.near_end.journal, "N U ");
  route_host_free(h);
}

/* Carriers that are cut in the middle of transfers, again and again. */
static void test_cuts(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  for (unsigned round = 0; round < 4; round++) {
    unsigned first = h->client_count;
    mux_end *end = round % 2 == 0 ? &h->muxes.near_end : &h->muxes.far_end;
    for (unsigned i = 0; i < 3; i++) {
      (void)start(h, 2000000, true);
    }
    ROUTE_WAIT(h, h->clients[first].received > 1000 && h->clients[first + 1].received > 1000 &&
                      h->clients[first + 2].received > 1000);
    mux_end_detach(end);
    wait_over(h);
    ROUTE_WAIT(h, h->muxes.near_end.downs == round + 1 && h->muxes.far_end.downs == round + 1);
    assert_int_equal(end->down, UVRELAY_MUX_DOWN_DETACHED);
    assert_int_equal(end->streams, 3);
    for (unsigned i = first; i < first + 3; i++) {
      const uvrelay_result_t *result = &h->routes[0].results[i + 1];
      assert_int_equal(result->reason, UVRELAY_REASON_FAILED);
      assert_int_equal(result->error.code, UV_ECONNRESET);
      assert_int_equal(result->side, UVRELAY_RIGHT);
      assert_in_range(h->clients[i].received, 1000, 1999999);
    }
  }
  route_client *c = start(h, 5000, true);
  wait_over(h);
  assert_int_equal(c->received, 5000);
  assert_int_equal(h->muxes.near_end.needs, 5);
  route_host_free(h);
}

/* Detached, and closed, from inside each event of each end. */

typedef struct act_in {
  bool is_far;
  bool closes;
  uvrelay_mux_event_type_t type;
  unsigned count;
} act_in;

static act_in acting;

static void attach_if_needed(mux_end *end, const uvrelay_mux_event_t *event)
{
  mux_pair *p = end->user;
  if (event->type == UVRELAY_MUX_EVENT_NEEDED && p->near_end.mux != NULL && !p->near_end.closing &&
      !p->far_end.closing) {
    (void)mux_pair_attach(p); /* the far end may still have its own */
  }
}

static void act(mux_end *end, const uvrelay_mux_event_t *event)
{
  mux_pair *p = end->user;
  if ((end == &p->far_end) == acting.is_far && event->type == acting.type && acting.count++ == 0) {
    if (acting.closes) {
      mux_end_close(end);
    } else {
      mux_end_detach(end);
    }
  }
  attach_if_needed(end, event);
}

static bool all_over(const route_host *h)
{
  for (unsigned i = 0; i < h->client_count; i++) {
    if (!h->clients[i].over) {
      return false;
    }
  }
  return true;
}

static void start_both(route_host *h)
{
  (void)start(h, 10, true);
  (void)route_client_start(h, h->routes[1].address, 10, true);
}

static void test_in_events(void **state)
{
  (void)state;
  static const uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = 300};
  for (unsigned i = 0; i < 2 * 2 * 6; i++) {
    acting = (act_in){.is_far = i % 2 != 0, .closes = i / 2 % 2 != 0, .type = (uvrelay_mux_event_type_t)(i / 4)};
    bool happens = acting.is_far ? acting.type != UVRELAY_MUX_EVENT_NEEDED : acting.type <= UVRELAY_MUX_EVENT_DOWN;
    route_host *h = mux_host_new(NULL, NULL);
    h->muxes.near_end.on_event = act;
    h->muxes.far_end.on_event = act;
    /* Where the first client is to get an answer, it waits as long as a busy machine takes. */
    mux_add_via(h, 0, h->target_address, acting.type == UVRELAY_MUX_EVENT_DOWN ? NULL : &options);
    mux_add_via(h, 1, h->absent_address, &options);
    start_both(h);
    if (happens && acting.type == UVRELAY_MUX_EVENT_DOWN) {
      ROUTE_WAIT(h, h->clients[0].received == 10);
      mux_end_detach(acting.is_far ? &h->muxes.near_end : &h->muxes.far_end);
    }
    for (unsigned n = 0; happens && acting.count == 0 && n < 5; n++) {
      ROUTE_WAIT(h, acting.count > 0 || all_over(h));
      if (acting.count == 0) {
        start_both(h); /* on a busy machine, their time was up before */
      }
    }
    ROUTE_WAIT(h, all_over(h) && h->routes[0].open == 0 && h->routes[1].open == 0);
    assert_int_equal(happens, acting.count > 0);
    mux_end *end = acting.is_far ? &h->muxes.far_end : &h->muxes.near_end;
    if (happens && acting.closes) {
      route_remove(h, 0, 0);
      route_remove(h, 1, 0);
      ROUTE_WAIT(h, end->mux == NULL);
      assert_int_equal(end->opened, end->closed); /* before its last callback */
      route_run_ms(h, 3);
      assert_string_equal(end->journal + strlen(end->journal) - 2, "- ");
    }
    ROUTE_WAIT(h, h->muxes.far_end.opened == h->muxes.far_end.closed);
    route_host_free(h);
  }
}

/* Limits. */

/* Room for two connections: the third waits, and then has its turn. */
static void limit(const uvrelay_mux_options_t *near_options, const uvrelay_mux_options_t *far_options)
{
  route_host *h = mux_host_new(near_options, far_options);
  mux_add_via(h, 0, h->target_address, NULL);
  for (unsigned i = 0; i < 6; i++) {
    (void)start(h, 10, false);
    ROUTE_WAIT(h, h->routes[0].open == i + 1);
  }
  ROUTE_WAIT(h, h->clients[0].received == 10 && h->clients[1].received == 10);
  route_run_ms(h, 5);
  assert_int_equal(h->target.accepted, 2);
  assert_int_equal(h->clients[2].received, 0);
  for (unsigned i = 0; i < 6; i++) {
    route_client_end(&h->clients[i]);
  }
  wait_over(h);
  for (unsigned i = 0; i < 6; i++) {
    assert_int_equal(h->clients[i].received, 10);
    assert_int_equal(h->routes[0].results[i + 1].reason, UVRELAY_REASON_ENDED);
  }
  route_host_free(h);
}

static void test_limit(void **state)
{
  (void)state;
  const uvrelay_mux_options_t limited = {.size = sizeof(limited), .window_total = 131072};
  limit(&limited, &limited);
  limit(&limited, NULL);
  limit(NULL, &limited); /* the far end says that it is busy, and is asked again */
}

/* A client that waits for room gives up in its time, and takes no other client's place. */
static void test_limit_timeout(void **state)
{
  (void)state;
  const uvrelay_mux_options_t limited = {.size = sizeof(limited), .window_total = 131072};
  const uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = 60};
  route_host *h = mux_host_new(&limited, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  mux_add_via(h, 1, h->target_address, &options);
  (void)start(h, 10, false);
  (void)start(h, 10, false);
  ROUTE_WAIT(h, h->clients[0].received == 10 && h->clients[1].received == 10);
  route_client *late = route_client_start(h, h->routes[1].address, 10, true);
  ROUTE_WAIT(h, late->over && h->routes[1].open == 0);
  assert_int_equal(h->routes[1].results[1].error.code, UV_ETIMEDOUT);
  (void)start(h, 10, true);
  route_client_end(&h->clients[0]);
  route_client_end(&h->clients[1]);
  wait_over(h);
  assert_int_equal(h->clients[3].received, 10);
  route_host_free(h);
}

/* Streams that stall. */

enum { STALLED = 24, EACH = 8 * 1024 * 1024, SOCKET_BUFFER = 4096 };

/* The system is to hold as little as it can. */
static void hold_little(uv_tcp_t *tcp)
{
  int size = SOCKET_BUFFER;
  assert_int_equal(uv_recv_buffer_size((uv_handle_t *)tcp, &size), 0);
}

/* A server that reads nothing, and sends much where it is asked to. */
typedef struct stall {
  uv_tcp_t listener;
  char address[64];
  uv_tcp_t accepted[STALLED];
  uv_write_t writes[STALLED];
  unsigned count;
  bool sends;
  char *data;
} stall;

static void on_stalled_client(uv_stream_t *listener, int code)
{
  stall *s = listener->data;
  assert_int_equal(code, 0);
  assert_true(s->count < STALLED);
  uv_tcp_t *tcp = &s->accepted[s->count];
  assert_int_equal(uv_tcp_init(listener->loop, tcp), 0);
  assert_int_equal(uv_accept(listener, (uv_stream_t *)tcp), 0);
  if (s->sends) {
    uv_buf_t buf = uv_buf_init(s->data, EACH);
    assert_int_equal(uv_write(&s->writes[s->count], (uv_stream_t *)tcp, &buf, 1, NULL), 0);
  }
  s->count++;
}

static void stall_listen(route_host *h, stall *s, char *data, bool sends)
{
  struct sockaddr_in address;
  int size = sizeof(address);
  s->data = data;
  s->sends = sends;
  assert_int_equal(uv_tcp_init(&h->r.loop, &s->listener), 0);
  s->listener.data = s;
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_bind(&s->listener, (struct sockaddr *)&address, 0), 0);
  hold_little(&s->listener);
  assert_int_equal(uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&s->listener, STALLED, on_stalled_client), 0);
  (void)snprintf(s->address, sizeof(s->address), "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

/* Clients that read nothing, and send much where they are asked to. */
typedef struct sink {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  char *data; /* NULL: it sends nothing */
  bool done;
} sink;

static void on_sink_sent(uv_write_t *request, int code)
{
  sink *c = request->data;
  c->done = code == 0;
}

static void on_sink_connected(uv_connect_t *request, int code)
{
  sink *c = request->data;
  assert_int_equal(code, 0);
  if (c->data != NULL) {
    uv_buf_t buf = uv_buf_init(c->data, EACH);
    c->write.data = c;
    assert_int_equal(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_sink_sent), 0);
  }
}

static void sink_start(route_host *h, sink *c, const char *address, char *data)
{
  struct sockaddr_in to;
  c->data = data;
  c->connect.data = c;
  assert_int_equal(uv_tcp_init_ex(&h->r.loop, &c->tcp, AF_INET), 0); /* has a socket */
  hold_little(&c->tcp);
  assert_int_equal(uv_ip4_addr("127.0.0.1", atoi(strrchr(address, ':') + 1), &to), 0);
  assert_int_equal(uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to, on_sink_connected), 0);
}

static bool is_quiet(route_host *h, uint64_t *last)
{
  uvrelay_counters_t counters;
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  uint64_t now = counters.to_right + counters.to_left;
  bool same = now == *last;
  *last = now;
  return same && now > 0;
}

/* Half of the connections have a target that reads nothing, half a client that reads nothing. Others go on, memory
 * stays within what the header says, and when it is over it is given back. */
static void test_stalled(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .window_total = 4 * 1024 * 1024};
  char *data = calloc(1, EACH);
  stall *deaf = calloc(1, sizeof(*deaf));
  stall *loud = calloc(1, sizeof(*loud));
  sink *sinks = calloc(2 * STALLED, sizeof(*sinks));
  assert_true(data != NULL && deaf != NULL && loud != NULL && sinks != NULL);
  route_host *h = mux_host_new(&options, &options);
  stall_listen(h, deaf, data, false);
  stall_listen(h, loud, data, true);
  mux_add_via(h, 0, deaf->address, NULL);
  mux_add_via(h, 1, loud->address, NULL);
  mux_add_via(h, 2, h->target_address, NULL);
  h->r.bytes_max = h->r.bytes;
  size_t before = h->r.bytes;
  for (unsigned i = 0; i < STALLED; i++) {
    sink_start(h, &sinks[i], h->routes[0].address, data);
    sink_start(h, &sinks[STALLED + i], h->routes[1].address, NULL);
  }
  ROUTE_WAIT(h, deaf->count == STALLED && loud->count == STALLED);
  uint64_t moved = 0;
  do {
    route_run_ms(h, 30);
  } while (!is_quiet(h, &moved));
  /* Both ends are in this relay: each has its budget, two buffers, and four of 16 KiB a connection. */
  size_t bound = 2 * (4 * 1024 * 1024 + 2 * 65536 + 4 * (16384 + 64) * 2 * (STALLED + 1)) + 1024 * 1024;
  uvrelay_counters_t counters;
  uvrelay_get_counters(h->relay, &counters, sizeof(counters));
  assert_in_range(counters.to_right, 1, 2 * (uint64_t)STALLED * EACH - 1); /* they do stall */
  assert_in_range(counters.to_left, 1, 2 * (uint64_t)STALLED * EACH - 1);
  print_message("%u KiB held of at most %u\n", (unsigned)((h->r.bytes - before) / 1024), (unsigned)(bound / 1024));
  route_client *c = route_client_start(h, h->routes[2].address, 200000, true);
  ROUTE_WAIT(h, c->over);
  assert_int_equal(c->received, 200000);
  assert_int_equal(h->muxes.near_end.downs, 0);
  assert_in_range(h->r.bytes_max - before, 0, bound);
  for (unsigned i = 0; i < 2 * STALLED; i++) {
    uv_close((uv_handle_t *)&sinks[i].tcp, NULL);
  }
  for (unsigned i = 0; i < STALLED; i++) {
    uv_close((uv_handle_t *)&deaf->accepted[i], NULL);
    uv_close((uv_handle_t *)&loud->accepted[i], NULL);
  }
  uv_close((uv_handle_t *)&deaf->listener, NULL);
  uv_close((uv_handle_t *)&loud->listener, NULL);
  ROUTE_WAIT(h, h->routes[0].open == 0 && h->routes[1].open == 0 && h->routes[2].open == 0);
  ROUTE_WAIT(h, h->muxes.far_end.opened == h->muxes.far_end.closed);
  ROUTE_WAIT(h, h->r.bytes < before + 2 * 1024 * 1024); /* pools keep some */
  route_host_free(h);
  free(sinks);
  free(loud);
  free(deaf);
  free(data);
}

/* The relay ends with all that there is: waiting, asking, open, half-closed. */
static void test_close_with_all(void **state)
{
  (void)state;
  const uvrelay_mux_options_t limited = {.size = sizeof(limited), .window_total = 131072};
  for (unsigned turns = 0; turns < 30; turns++) {
    route_host *h = mux_host_new(&limited, NULL);
    mux_add_via(h, 0, h->target_address, NULL);
    mux_add_via(h, 1, h->absent_address, NULL);
    for (unsigned i = 0; i < 4; i++) {
      (void)start(h, 100000, i % 2 == 0);
    }
    (void)route_client_start(h, h->routes[1].address, 10, true);
    rig_turns(&h->r, turns);
    if (turns % 3 == 0) {
      mux_pair_close(&h->muxes);
    } else if (turns % 3 == 1) {
      route_host_stop(h, 0);
      ROUTE_WAIT(h, h->stopped);
    }
    route_host_free(h);
  }
}

/* Draining: what is open goes on, over the mux as well. */
static void test_drain(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = start(h, 100, false);
  ROUTE_WAIT(h, c->received == 100);
  route_host_stop(h, UINT64_MAX);
  route_client_send(c, 100);
  ROUTE_WAIT(h, c->received == 200);
  assert_false(h->stopped);
  route_client_end(c);
  ROUTE_WAIT(h, h->stopped);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  route_host_free(h);
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  (void)session;
  *(uvrelay_result_t *)user = *result;
}

static void hang_up(peer_connection *c)
{
  peer_hang_up(c);
}

/* A session both of whose sides the far end connects to. */
static void test_both_sides(void **state)
{
  (void)state;
  char via[ROUTE_ADDRESS];
  uvrelay_result_t result = {.duration_ms = UINT64_MAX};
  route_host *h = mux_host_new(NULL, NULL);
  h->target.on_end = hang_up;
  (void)snprintf(via, sizeof(via), "via:%.700s", h->target_address);
  uvrelay_endpoint_t left = uvrelay_address(via);
  uvrelay_endpoint_t right = uvrelay_address(via);
  left.via = h->muxes.near_end.mux;
  right.via = h->muxes.near_end.mux;
  assert_int_equal(uvrelay_start(h->relay, &left, &right, NULL, on_done, &result, NULL), 0);
  memset(via, 'x', sizeof(via) - 1); /* it was copied */
  ROUTE_WAIT(h, h->target.accepted == 2 && h->muxes.far_end.opened == 2);
  h->target.echo = false;
  peer_send(&h->target.connections[0], "hello", 5);
  ROUTE_WAIT(h, h->target.connections[1].received == 5);
  peer_send(&h->target.connections[1], "you", 3);
  ROUTE_WAIT(h, h->target.connections[0].received == 3);
  peer_hang_up(&h->target.connections[0]);
  peer_hang_up(&h->target.connections[1]);
  ROUTE_WAIT(h, result.duration_ms != UINT64_MAX && h->muxes.far_end.closed == 2);
  assert_true(result.reason == UVRELAY_REASON_ENDED || result.reason == UVRELAY_REASON_GONE);
  assert_int_equal(result.to_left + result.to_right, 8);
  route_host_free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_reads_of_several_frames),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_refused_target),
      cmocka_unit_test(test_client_ends_first),
      cmocka_unit_test(test_target_ends_first),
      cmocka_unit_test(test_target_resets),
      cmocka_unit_test(test_client_resets),
      cmocka_unit_test(test_waiting),
      cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_in_events),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_limit_timeout),
      cmocka_unit_test(test_stalled),
      cmocka_unit_test(test_close_with_all),
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_both_sides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
