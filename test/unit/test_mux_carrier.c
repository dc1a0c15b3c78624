/* What carries a mux: endpoints of every kind, what cannot be one, the other end's greeting, pings, and how it ends.
 * What must hold of memory and handles whatever happens is asserted by the host (route_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mux_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The near end without pings that would disturb. */
static const uvrelay_mux_options_t quiet = {.size = sizeof(quiet), .ping_ms = UINT64_MAX};

static void check_down(const mux_end *end, uvrelay_mux_down_t how, int code, const char *text)
{
  assert_int_equal(end->downs, 1);
  assert_int_equal(end->down, how);
  assert_int_equal(end->error.code, code);
  if (strstr(end->error.text, text) == NULL) {
    fail_msg("not %s but %s", text, end->error.text);
  }
}

static int attach(mux_end *end, const uvrelay_endpoint_t *carrier)
{
  mux_pair *p = end->user;
  p->calling++;
  int code = uvrelay_mux_attach(end->mux, carrier);
  p->calling--;
  if (code != 0) {
    assert_int_equal(uvrelay_error(p->relay)->code, code);
    assert_true(uvrelay_error(p->relay)->text[0] != '\0');
  }
  return code;
}

/* Lets an echo go over what both are attached to. */
static void check_echo(route_host *h)
{
  h->muxes.attaches = false;
  mux_add_via(h, 0, h->target_address, NULL);
  route_client *c = route_client_start(h, h->routes[0].address, 1000, true);
  ROUTE_WAIT(h, c->over);
  assert_int_equal(c->received, 1000);
  ROUTE_WAIT(h, h->muxes.far_end.closed == 1);
  assert_string_equal(h->muxes.near_end.journal, "U ");
  assert_string_equal(h->muxes.far_end.journal, "U O C ");
}

/* Options. */

static void test_options(void **state)
{
  (void)state;
  static const char *const patterns[] = {"tcp://*"};
  static const char *const faulty[] = {"//./pipe/x?impersonation=all"};
  static const struct {
    int role;
    uvrelay_mux_options_t options;
    int code;
  } cases[] = {
      {UVRELAY_MUX_NEAR, {.size = sizeof(uvrelay_mux_options_t)}, 0},
      {UVRELAY_MUX_FAR, {.size = sizeof(uvrelay_mux_options_t), .window_total = 131072}, 0},
      {UVRELAY_MUX_FAR, {.size = sizeof(uvrelay_mux_options_t), .window_total = 131071}, UV_EINVAL},
      {UVRELAY_MUX_NEAR, {.size = sizeof(uvrelay_mux_options_t), .window_total = 1}, UV_EINVAL},
      {UVRELAY_MUX_NEAR, {.size = sizeof(uvrelay_mux_options_t), .window_total = UINT64_MAX}, 0},
      {UVRELAY_MUX_NEAR,
       {.size = sizeof(uvrelay_mux_options_t),
        .ping_ms = UINT64_MAX,
        .ping_timeout_ms = UINT64_MAX,
        .greeting_ms = UINT64_MAX},
       0},
      {UVRELAY_MUX_FAR, {.size = sizeof(uvrelay_mux_options_t), .allow = patterns, .allow_count = 1}, 0},
      {UVRELAY_MUX_FAR, {.size = sizeof(uvrelay_mux_options_t), .allow_count = 1}, UV_EINVAL},
      {UVRELAY_MUX_FAR, {.size = sizeof(uvrelay_mux_options_t), .allow = faulty, .allow_count = 1}, UV_EINVAL},
      {UVRELAY_MUX_FAR, {.size = 0}, UV_EINVAL},
      {2, {.size = sizeof(uvrelay_mux_options_t)}, UV_EINVAL},
      {-1, {.size = sizeof(uvrelay_mux_options_t)}, UV_EINVAL},
  };
  route_host *h = mux_host_new(NULL, NULL);
  for (size_t i = 0; i < COUNT(cases); i++) {
    uvrelay_mux_t *mux = h->muxes.near_end.mux;
    int code = uvrelay_mux_new(&mux, h->relay, (uvrelay_mux_role_t)cases[i].role, &cases[i].options);
    if (code != cases[i].code) {
      fail_msg("case %u: %d", (unsigned)i, code);
    }
    assert_int_equal(mux == NULL, code != 0);
    if (code == 0) {
      uvrelay_mux_close(mux, NULL, NULL);
    } else {
      assert_int_equal(uvrelay_error(h->relay)->code, code);
      assert_true(uvrelay_error(h->relay)->text[0] != '\0');
    }
  }
  uvrelay_mux_t *mux = NULL;
  assert_int_equal(uvrelay_mux_new(&mux, h->relay, UVRELAY_MUX_NEAR, NULL), 0); /* closed by the relay */
  route_run_ms(h, 3);
  route_host_free(h);
}

/* One that is being closed takes no carrier and no route; after a stop none is made. */
static void test_too_late(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  uvrelay_endpoint_t none = uvrelay_stdio(-1, -1);
  mux_end_close(&h->muxes.near_end);
  assert_int_equal(attach(&h->muxes.near_end, &none), UV_ESHUTDOWN);
  const uvrelay_route_options_t options = {.size = sizeof(options), .via = h->muxes.near_end.mux};
  assert_true(route_add(h, 0, "tcp://127.0.0.1:0", "via:tcp://127.0.0.1:1", &options) < 0);
  ROUTE_WAIT(h, h->muxes.near_end.mux == NULL);
  assert_string_equal(h->muxes.near_end.journal, "- ");
  route_host_stop(h, 0);
  uvrelay_mux_t *mux = NULL;
  assert_int_equal(uvrelay_mux_new(&mux, h->relay, UVRELAY_MUX_NEAR, NULL), UV_ESHUTDOWN);
  assert_null(mux);
  assert_int_equal(uvrelay_error(h->relay)->code, UV_ESHUTDOWN);
  ROUTE_WAIT(h, h->stopped);
  route_host_free(h);
}

/* Kinds of carriers. */

static void test_descriptors(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  assert_int_equal(mux_pair_attach(&h->muxes), 0);
  check_echo(h);
  route_host_free(h);
}

static unsigned closed_streams;

static void on_stream_closed(uv_handle_t *handle)
{
  assert_ptr_equal(handle->data, &closed_streams);
  closed_streams++;
}

/* Two connected streams. */
static void make_streams(route_host *h, uv_stream_t *first, uv_stream_t *second, bool tcp)
{
  uv_loop_t *loop = &h->r.loop;
  closed_streams = 0;
  uv_os_sock_t sockets[2];
  assert_int_equal(uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
  if (tcp) {
    assert_int_equal(uv_tcp_init(loop, (uv_tcp_t *)first), 0);
    assert_int_equal(uv_tcp_init(loop, (uv_tcp_t *)second), 0);
    assert_int_equal(uv_tcp_open((uv_tcp_t *)first, sockets[0]), 0);
    assert_int_equal(uv_tcp_open((uv_tcp_t *)second, sockets[1]), 0);
  } else {
    assert_int_equal(uv_pipe_init(loop, (uv_pipe_t *)first, 0), 0);
    assert_int_equal(uv_pipe_init(loop, (uv_pipe_t *)second, 0), 0);
    assert_int_equal(uv_pipe_open((uv_pipe_t *)first, (uv_file)sockets[0]), 0);
    assert_int_equal(uv_pipe_open((uv_pipe_t *)second, (uv_file)sockets[1]), 0);
  }
  first->data = &closed_streams;
  second->data = &closed_streams;
}

/* Pipe handles over a pair of sockets are for Unix. */
#ifdef _WIN32
#define SOCKETS_ARE_TCP true
#else
#define SOCKETS_ARE_TCP false
#endif

typedef union any_stream {
  uv_tcp_t tcp;
  uv_pipe_t pipe;
  uv_stream_t stream;
  uv_handle_t handle;
} any_stream;

static void test_streams(void **state)
{
  (void)state;
  any_stream a;
  any_stream b;
  route_host *h = mux_host_new(NULL, NULL);
  make_streams(h, &a.stream, &b.stream, SOCKETS_ARE_TCP);
  uvrelay_endpoint_t one = uvrelay_stream(&a.stream, on_stream_closed);
  uvrelay_endpoint_t two = uvrelay_stream(&b.stream, on_stream_closed);
  assert_int_equal(attach(&h->muxes.near_end, &one), 0);
  assert_int_equal(attach(&h->muxes.far_end, &two), 0);
  check_echo(h);
  mux_end_detach(&h->muxes.near_end);
  ROUTE_WAIT(h, closed_streams == 2);
  ROUTE_WAIT(h, h->muxes.far_end.downs == 1);
  check_down(&h->muxes.near_end, UVRELAY_MUX_DOWN_DETACHED, 0, "removed");
  check_down(&h->muxes.far_end, UVRELAY_MUX_DOWN_ENDED, 0, "the near end ended");
  route_host_free(h);
}

/* One stream has one user, which is the mux from attach on. */
static void test_one_user(void **state)
{
  (void)state;
  any_stream a;
  any_stream b;
  route_host *h = mux_host_new(NULL, NULL);
  make_streams(h, &a.stream, &b.stream, SOCKETS_ARE_TCP);
  uvrelay_endpoint_t one = uvrelay_stream(&a.stream, on_stream_closed);
  uvrelay_endpoint_t two = uvrelay_stream(&b.stream, on_stream_closed);
  uvrelay_endpoint_t none = uvrelay_stdio(-1, -1);
  assert_int_equal(attach(&h->muxes.near_end, &one), 0);
  assert_int_equal(attach(&h->muxes.near_end, &two), UV_EBUSY);
  assert_int_equal(attach(&h->muxes.near_end, &none), UV_EBUSY);
  assert_int_equal(attach(&h->muxes.far_end, &one), UV_EBUSY);
  assert_int_equal(uvrelay_start(h->relay, &one, &none, NULL, NULL, NULL, NULL), UV_EBUSY);
  assert_int_equal(uvrelay_start(h->relay, &none, &one, NULL, NULL, NULL, NULL), UV_EBUSY);
  route_run_ms(h, 5);
  assert_int_equal(attach(&h->muxes.far_end, &one), UV_EBUSY);
  assert_int_equal(uvrelay_start(h->relay, &one, &none, NULL, NULL, NULL, NULL), UV_EBUSY);
  uvrelay_session_t *session = NULL;
  assert_int_equal(uvrelay_start(h->relay, &two, &none, NULL, NULL, NULL, &session), 0);
  assert_int_equal(attach(&h->muxes.far_end, &two), UV_EBUSY);
  assert_int_equal(h->muxes.near_end.downs, 0);
  uvrelay_session_cancel(session);
  ROUTE_WAIT(h, closed_streams == 2);
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  route_host_free(h);
}

/* What cannot be a carrier is not taken, and stays its owner's. */
static void test_bad_endpoints(void **state)
{
  (void)state;
  any_stream a;
  route_host *h = mux_host_new(NULL, NULL);
  mux_end *end = &h->muxes.near_end;
  uvrelay_endpoint_t bad = uvrelay_address("nonsense");
  assert_int_equal(attach(end, &bad), UV_EINVAL);
  bad = uvrelay_address("via:tcp://127.0.0.1:1");
  assert_true(attach(end, &bad) < 0);
  bad = uvrelay_address("tcp://127.0.0.1:1");
  bad.size = 0;
  assert_int_equal(attach(end, &bad), UV_EINVAL);
  bad = uvrelay_stdio(5, 5);
  assert_int_equal(attach(end, &bad), UV_EINVAL);
  bad.type = (uvrelay_endpoint_type_t)77;
  assert_int_equal(attach(end, &bad), UV_EINVAL);
  bad = uvrelay_stream(NULL, NULL);
  assert_int_equal(attach(end, &bad), UV_EINVAL);
  assert_int_equal(uv_tcp_init(&h->r.loop, &a.tcp), 0);
  bad = uvrelay_stream(&a.stream, on_stream_closed);
  assert_int_equal(attach(end, &bad), UV_ENOTCONN);
  uv_close(&a.handle, NULL);
  route_run_ms(h, 3);
  assert_string_equal(end->journal, "");
  uvrelay_endpoint_t none = uvrelay_stdio(-1, -1); /* can be taken, and ends at once */
  assert_int_equal(attach(end, &none), 0);
  ROUTE_WAIT(h, end->downs == 1);
  assert_int_equal(end->down, UVRELAY_MUX_DOWN_EARLY);
  assert_true(end->error.code < 0);
  route_host_free(h);
}

static void on_dialled(peer_connection *c)
{
  *(peer_connection **)c->server->user = c;
}

/* An address is dialled: the greeting of a mux comes there. */
static void test_address(void **state)
{
  (void)state;
  peer other = {.on_connect = on_dialled};
  peer_connection *c = NULL;
  other.user = &c;
  route_host *h = mux_host_new(&quiet, NULL);
  peer_listen(&h->r, &other, 0);
  char address[64];
  (void)snprintf(address, sizeof(address), "tcp://127.0.0.1:%u", other.port);
  uvrelay_endpoint_t carrier = uvrelay_address(address);
  assert_int_equal(attach(&h->muxes.near_end, &carrier), 0);
  memset(address, 'x', sizeof(address)); /* it was copied */
  ROUTE_WAIT(h, c != NULL && c->received >= 14 + 12);
  assert_memory_equal(c->data, RAW_GREETING, 14);
  peer_send(c, RAW_GREETING, 14);
  ROUTE_WAIT(h, h->muxes.near_end.ups == 1);
  peer_hang_up(c);
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  check_down(&h->muxes.near_end, UVRELAY_MUX_DOWN_ENDED, 0, "the far end ended");
  peer_close(&other);
  route_host_free(h);
}

/* The address may be one that another mux's far end connects to. */
static void test_via_another(void **state)
{
  (void)state;
  mux_pair inner;
  char address[ROUTE_ADDRESS + 8];
  route_host *h = mux_host_new(NULL, NULL);
  assert_int_equal(mux_pair_new(&inner, h->relay, &quiet, NULL), 0);
  peer other = {.on_connect = on_dialled};
  peer_connection *c = NULL;
  other.user = &c;
  peer_listen(&h->r, &other, 0);
  (void)snprintf(address, sizeof(address), "via:tcp://127.0.0.1:%u", other.port);
  uvrelay_endpoint_t carrier = uvrelay_address(address);
  carrier.via = h->muxes.near_end.mux;
  assert_int_equal(attach(&inner.near_end, &carrier), 0);
  ROUTE_WAIT(h, c != NULL && c->received >= 14 + 12);
  peer_send(c, RAW_GREETING, 14);
  ROUTE_WAIT(h, inner.near_end.ups == 1);
  mux_end_detach(&h->muxes.near_end);
  ROUTE_WAIT(h, inner.near_end.downs == 1);
  check_down(&inner.near_end, UVRELAY_MUX_DOWN_BROKEN, UV_ECONNRESET, "");
  carrier.via = inner.near_end.mux; /* over itself: it waits in vain, and can be closed */
  assert_int_equal(attach(&inner.near_end, &carrier), 0);
  route_run_ms(h, 5);
  peer_close(&other);
  route_host_free(h);
}

static void test_refused_address(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, NULL);
  uvrelay_endpoint_t carrier = uvrelay_address(h->absent_address);
  assert_int_equal(attach(&h->muxes.near_end, &carrier), 0);
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  check_down(&h->muxes.near_end, UVRELAY_MUX_DOWN_EARLY, UV_ECONNREFUSED, h->absent_address);
  assert_int_equal(attach(&h->muxes.near_end, &carrier), 0); /* can be tried again */
  ROUTE_WAIT(h, h->muxes.near_end.downs == 2);
  assert_int_equal(attach(&h->muxes.near_end, &carrier), 0);
  mux_end_detach(&h->muxes.near_end); /* while it is not even opened */
  ROUTE_WAIT(h, h->muxes.near_end.downs == 3);
  assert_int_equal(h->muxes.near_end.down, UVRELAY_MUX_DOWN_DETACHED);
  assert_int_equal(attach(&h->muxes.near_end, &carrier), 0);
  rig_turns(&h->r, 2);
  mux_end_detach(&h->muxes.near_end); /* while it dials */
  mux_end_detach(&h->muxes.near_end); /* has no effect */
  ROUTE_WAIT(h, h->muxes.near_end.downs == 4);
  route_run_ms(h, 5);
  assert_int_equal(h->muxes.near_end.downs, 4);
  mux_end_detach(&h->muxes.near_end); /* nothing to take away */
  route_host_free(h);
}

#ifdef _WIN32

static unsigned closed_pipes;

static void on_pipe_closed(uvrelay_npipe_t *npipe)
{
  (void)npipe;
  closed_pipes++;
}

static void on_pipe_connected(uvrelay_npipe_t *npipe, int status)
{
  assert_int_equal(status, 0);
  *(bool *)uvrelay_npipe_get_data(npipe) = true;
}

static void on_pipe_client(uvrelay_npipe_t *listener, int status)
{
  assert_int_equal(status, 0);
  *(bool *)uvrelay_npipe_get_data(listener) = true;
}

/* Both ends of a named pipe, in each mode. */
static void carry_by_pipe(bool message_mode)
{
  char name[64];
  struct {
    bool connected, asked;
  } seen = {false, false};
  uvrelay_npipe_t *listener;
  uvrelay_npipe_t *a;
  uvrelay_npipe_t *b;
  closed_pipes = 0;
  route_host *h = mux_host_new(NULL, NULL);
  uvrelay_npipe_options_t options = {.size = sizeof(options),
                                     .mode = message_mode ? UVRELAY_NPIPE_MESSAGE : UVRELAY_NPIPE_BYTE};
  (void)snprintf(name, sizeof(name), "//./pipe/uvrelay-mux-%u", (unsigned)uv_os_getpid());
  assert_int_equal(uvrelay_npipe_new(&listener, &h->r.loop, &options), 0);
  assert_int_equal(uvrelay_npipe_new(&a, &h->r.loop, NULL), 0);
  assert_int_equal(uvrelay_npipe_new(&b, &h->r.loop, NULL), 0);
  uvrelay_npipe_set_data(listener, &seen.asked);
  uvrelay_npipe_set_data(a, &seen.connected);
  assert_int_equal(uvrelay_npipe_listen(listener, name, 1, on_pipe_client), 0);
  assert_int_equal(uvrelay_npipe_connect(a, name, on_pipe_connected), 0);
  ROUTE_WAIT(h, seen.connected && seen.asked);
  assert_int_equal(uvrelay_npipe_accept(listener, b), 0);
  uvrelay_npipe_close(listener, NULL);
  uvrelay_endpoint_t one = uvrelay_npipe(a, on_pipe_closed);
  uvrelay_endpoint_t two = uvrelay_npipe(b, on_pipe_closed);
  assert_int_equal(attach(&h->muxes.near_end, &one), 0);
  assert_int_equal(attach(&h->muxes.far_end, &one), UV_EBUSY);
  assert_int_equal(attach(&h->muxes.far_end, &two), 0);
  check_echo(h);
  mux_end_detach(&h->muxes.far_end);
  ROUTE_WAIT(h, closed_pipes == 2 && h->muxes.near_end.downs == 1);
  check_down(&h->muxes.near_end, UVRELAY_MUX_DOWN_ENDED, 0, "the far end ended");
  route_host_free(h);
}

#endif

static void test_npipe(void **state)
{
  (void)state;
#ifdef _WIN32
  carry_by_pipe(false);
  carry_by_pipe(true);
#else
  skip();
#endif
}

/* The greeting. */

typedef struct said {
  const char *text;
  size_t length; /* 0: that of the text */
  uvrelay_mux_down_t how;
  int code;
  const char *expected; /* after "the far end " */
} said;

#define ALIEN UVRELAY_MUX_DOWN_ALIEN
#define EARLY UVRELAY_MUX_DOWN_EARLY

static const said greetings[] = {
    {"hello\r\n", 0, ALIEN, UV_EPROTO, "says \"hello\\r\\n\" instead of uvrelay-mux/1"},
    {"uvrelay-mux/2\n", 0, UVRELAY_MUX_DOWN_VERSION, UV_EPROTO, "speaks uvrelay-mux/2, not uvrelay-mux/1"},
    {"uvrelay-mux/10\n", 0, UVRELAY_MUX_DOWN_VERSION, UV_EPROTO, "speaks uvrelay-mux/10, not uvrelay-mux/1"},
    {"uvrelay-mux/1\r\n", 0, ALIEN, UV_EPROTO, "says \"uvrelay-mux/1\\r\\n\" instead"},
    {"uvrelay-mux/\n", 0, ALIEN, UV_EPROTO, "says \"uvrelay-mux/\\n\" instead"},
    {"uvrelay-mux/1 \n", 0, ALIEN, UV_EPROTO, "says \"uvrelay-mux/1 \\n\" instead"},
    {"uvrelay-mux/x\n", 0, ALIEN, UV_EPROTO, "says \"uvrelay-mux/x\\n\" instead"},
    {"\n", 0, ALIEN, UV_EPROTO, "says \"\\n\" instead"},
    {"\0\1\"\\\xff\x7f\n", 7, ALIEN, UV_EPROTO, "says \"\\x00\\x01\\x22\\x5c\\xff\\x7f\\n\" instead"},
    {"uvrelay-mux/1\0\n", 15, ALIEN, UV_EPROTO, "says \"uvrelay-mux/1\\x00\\n\" instead"},
    {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeee", 0, ALIEN, UV_EPROTO,
     "says \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\" instead"},
    {"uvrelay-mux/1111111111111111111111111111111111111111111\n", 0, ALIEN, UV_EPROTO,
     "says \"uvrelay-mux/1111111111111111111111111111...\" instead"},
    {"T\0h\0e\0\r\0\n\0", 10, ALIEN, UV_EPROTO, "says \"The\\r\\n\" instead"},
    {"\xff\xfe\xe4\0x\0", 6, ALIEN, UV_EPROTO, "says \"\\xc3\\xa4x\" instead"},
    {"x", 0, ALIEN, UV_EPROTO, "says \"x\" instead"},
    {"", 0, EARLY, UV_EOF, "ended before it sent its protocol version"},
    {"u", 0, EARLY, UV_EOF, "ended before it sent its protocol version"},
    {"uvrelay-mux/1", 0, EARLY, UV_EOF, "ended before it sent its protocol version"},
};

/* Says it, and ends. */
static void say(const said *s, bool is_far)
{
  char expected[256];
  route_host *h = mux_host_new(&quiet, NULL);
  mux_end *end = is_far ? &h->muxes.far_end : &h->muxes.near_end;
  mux_raw *raw = raw_new(h, end->mux);
  size_t length = s->length > 0 ? s->length : strlen(s->text);
  if (length > 0) {
    raw_send(raw, s->text, length);
    route_run_ms(h, 5);
  }
  if (s->how == EARLY) {
    assert_int_equal(end->downs, 0);
    raw_end(raw);
  }
  ROUTE_WAIT(h, end->downs == 1);
  (void)snprintf(expected, sizeof(expected), "the %s end %s", is_far ? "near" : "far", s->expected);
  check_down(end, s->how, s->code, expected);
  assert_int_equal(end->streams, 0);
  ROUTE_WAIT(h, raw->ended);
  assert_int_equal(raw->told, strlen(RAW_GREETING)); /* the mux has said its own all the same */
  raw_free(raw);
  route_host_free(h);
}

static void test_greetings(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(greetings); i++) {
    say(&greetings[i], false);
    say(&greetings[i], true);
  }
}

/* In two pieces, and in single bytes, with a frame right after it. */
static void test_split_greeting(void **state)
{
  (void)state;
  char text[14 + 12];
  memcpy(text, RAW_GREETING, 14);
  yframe_put(text + 14, Y_PING, Y_SYN, 0, 77);
  for (size_t split = 0; split <= sizeof(text); split++) {
    route_host *h = mux_host_new(&quiet, NULL);
    mux_end *end = split % 2 == 0 ? &h->muxes.near_end : &h->muxes.far_end;
    mux_raw *raw = raw_new(h, end->mux);
    if (split == 0) {
      for (size_t i = 0; i < sizeof(text); i++) {
        raw_send(raw, text + i, 1);
        route_turn(h);
      }
    } else {
      raw_send(raw, text, split);
      if (split >= 14) {
        ROUTE_WAIT(h, end->ups == 1);
      }
      route_run_ms(h, 2);
      assert_int_equal(end->ups, split >= 14);
      if (split < sizeof(text)) {
        raw_send(raw, text + split, sizeof(text) - split);
      }
    }
    ROUTE_WAIT(h, raw->pongs == 1);
    assert_string_equal(end->journal, "U ");
    raw_free(raw);
    route_host_free(h);
  }
}

static void test_silence(void **state)
{
  (void)state;
  for (int is_far = 0; is_far < 2; is_far++) {
    const uvrelay_mux_options_t options = {.size = sizeof(options), .greeting_ms = 40};
    route_host *h = mux_host_new(&options, &options);
    mux_end *end = is_far ? &h->muxes.far_end : &h->muxes.near_end;
    mux_raw *raw = raw_new(h, end->mux);
    raw_send(raw, RAW_GREETING, 5);
    ROUTE_WAIT(h, end->downs == 1);
    check_down(end, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, is_far ? "the near end" : "the far end");
    assert_non_null(strstr(end->error.text, "0.04 s"));
    raw_free(raw);
    route_host_free(h);
  }
}

/* That limit is for the greeting only. */
static void test_greeting_in_time(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .greeting_ms = 1000, .ping_ms = UINT64_MAX};
  route_host *h = mux_host_new(&options, &options);
  assert_int_equal(mux_pair_attach(&h->muxes), 0);
  ROUTE_WAIT(h, h->muxes.near_end.ups == 1 && h->muxes.far_end.ups == 1);
  route_run_ms(h, 1100);
  assert_string_equal(h->muxes.near_end.journal, "U ");
  assert_string_equal(h->muxes.far_end.journal, "U ");
  route_host_free(h);
}

/* Pings. */

static const uvrelay_mux_options_t pinging = {.size = sizeof(pinging), .ping_ms = 30, .ping_timeout_ms = 50};

static void test_no_answer(void **state)
{
  (void)state;
  route_host *h = mux_host_new(&pinging, NULL);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, true);
  uint64_t since = route_now_ms();
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  assert_in_range(route_now_ms() - since, 50, RIG_PATIENCE_MS);
  check_down(&h->muxes.near_end, UVRELAY_MUX_DOWN_SILENT, UV_ETIMEDOUT, "the far end did not answer for 0.05 s");
  ROUTE_WAIT(h, raw->ended);
  assert_int_equal(raw->pings, 2); /* with the hint */
  raw_free(raw);
  route_host_free(h);
}

static void test_answers(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .ping_ms = 10, .ping_timeout_ms = 5000};
  route_host *h = mux_host_new(&options, NULL);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw->answers = true;
  raw_greet(raw, true);
  ROUTE_WAIT(h, raw->pings >= 5);
  assert_string_equal(h->muxes.near_end.journal, "U ");
  raw_free(raw);
  route_host_free(h);
}

/* Anything that comes shows that the far end lives. */
static void test_other_bytes(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .ping_ms = 10, .ping_timeout_ms = 500};
  route_host *h = mux_host_new(&options, NULL);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, true);
  for (unsigned i = 0; i < 60; i++) {
    route_run_ms(h, 10);
    raw_frame(raw, Y_UPDATE, 0, 999, 0); /* of no stream */
  }
  assert_string_equal(h->muxes.near_end.journal, "U ");
  assert_in_range(raw->pings, 2, 200);
  raw_free(raw);
  route_host_free(h);
}

/* The far end waits for nothing, and answers. */
static void test_far_pings(void **state)
{
  (void)state;
  route_host *h = mux_host_new(NULL, &pinging);
  mux_raw *raw = raw_new(h, h->muxes.far_end.mux);
  raw_greet(raw, true);
  route_run_ms(h, 150);
  assert_int_equal(raw->pings, 1);     /* its hint */
  for (unsigned i = 0; i < 200; i++) { /* more than it keeps */
    raw_frame(raw, Y_PING, Y_SYN, 0, i);
  }
  ROUTE_WAIT(h, raw->pongs == 200);
  assert_string_equal(h->muxes.far_end.journal, "U ");
  raw_free(raw);
  route_host_free(h);
}

/* Rules and ends. */

/* Sends 12 bytes after the greeting, and ends when `ends` is set. */
static void break_rules(const char *bytes, size_t length, bool ends, uvrelay_mux_down_t how, int code, const char *text,
                        const char *talk)
{
  route_host *h = mux_host_new(&quiet, NULL);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, true);
  if (length > 0) {
    raw_send(raw, bytes, length);
  }
  if (ends) {
    ROUTE_WAIT(h, h->muxes.near_end.ups == 1);
    route_run_ms(h, 3);
    raw_end(raw);
  }
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  check_down(&h->muxes.near_end, how, code, text);
  ROUTE_WAIT(h, raw->ended);
  assert_string_equal(raw->talk, talk);
  raw_free(raw);
  route_host_free(h);
}

static void test_rules(void **state)
{
  (void)state;
  char frame[12];
  yframe_put(frame, 9, 0, 0, 0);
  break_rules(frame, 12, false, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, "unknown type", "G1 ");
  yframe_put(frame, Y_UPDATE, Y_SYN, 1, 0);
  break_rules(frame, 12, false, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, "one of our numbers", "G1 ");
  yframe_put(frame, Y_GO_AWAY, 0, 0, 0);
  break_rules(frame, 12, false, UVRELAY_MUX_DOWN_ENDED, 0, "the far end is closing the session", "");
  yframe_put(frame, Y_GO_AWAY, 0, 0, 1);
  break_rules(frame, 12, false, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, "go-away code 1", "");
  yframe_put(frame, Y_GO_AWAY, 0, 0, 2);
  break_rules(frame, 12, false, UVRELAY_MUX_DOWN_BROKEN, UV_EPROTO, "go-away code 2", "");
  yframe_put(frame, Y_PING, Y_ACK, 0, 0);
  break_rules(frame, 5, true, UVRELAY_MUX_DOWN_BROKEN, UV_EOF, "ended in the middle of a frame", "");
  break_rules(frame, 12, true, UVRELAY_MUX_DOWN_ENDED, 0, "the far end ended", "");
  yframe_put(frame, Y_DATA, 0, 99, 100);
  break_rules(frame, 12, true, UVRELAY_MUX_DOWN_BROKEN, UV_EOF, "ended in the middle of a frame", "");
}

/* A server may open streams, too, in yamux; here it is refused, and all goes on. */
static void test_far_opens(void **state)
{
  (void)state;
  route_host *h = mux_host_new(&quiet, NULL);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, true);
  raw_frame(raw, Y_UPDATE, Y_SYN, 2, 0);
  raw_expect(raw, "2R ");
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(h, raw->pongs == 1);
  assert_string_equal(h->muxes.near_end.journal, "U ");
  raw_free(raw);
  route_host_free(h);
}

/* The far end's go-away text names who goes. */
static void test_near_goes_away(void **state)
{
  (void)state;
  route_host *h = mux_host_new(&quiet, NULL);
  mux_raw *raw = raw_new(h, h->muxes.far_end.mux);
  raw_greet(raw, true);
  raw_frame(raw, Y_GO_AWAY, 0, 0, 0);
  ROUTE_WAIT(h, h->muxes.far_end.downs == 1);
  check_down(&h->muxes.far_end, UVRELAY_MUX_DOWN_ENDED, 0, "the near end");
  raw_free(raw);
  route_host_free(h);
}

/* What the host does inside events. */

static mux_raw *next_raw;

static void attach_again(mux_end *end, const uvrelay_mux_event_t *event)
{
  if (event->type == UVRELAY_MUX_EVENT_DOWN && end->downs < 3) {
    next_raw = raw_new(((mux_pair *)end->user)->user, end->mux);
  }
}

/* A new carrier can be given from within DOWN, and waits for nothing of the old one. */
static void test_attach_in_down(void **state)
{
  (void)state;
  route_host *h = mux_host_new(&quiet, NULL);
  mux_raw *all[3];
  h->muxes.near_end.on_event = attach_again;
  h->muxes.user = h;
  next_raw = raw_new(h, h->muxes.near_end.mux);
  for (unsigned i = 0; i < 3; i++) {
    ROUTE_WAIT(h, h->muxes.near_end.downs == i);
    all[i] = next_raw;
    raw_greet(all[i], true);
    ROUTE_WAIT(h, h->muxes.near_end.ups == i + 1);
    raw_end(all[i]);
  }
  ROUTE_WAIT(h, h->muxes.near_end.downs == 3);
  assert_string_equal(h->muxes.near_end.journal, "U D0 U D0 U D0 ");
  for (unsigned i = 0; i < 3; i++) {
    raw_free(all[i]);
  }
  route_host_free(h);
}

static void detach_at_up(mux_end *end, const uvrelay_mux_event_t *event)
{
  if (event->type == UVRELAY_MUX_EVENT_UP) {
    mux_end_detach(end);
  }
}

static void close_at_any(mux_end *end, const uvrelay_mux_event_t *event)
{
  (void)event;
  mux_end_close(end);
}

static void test_in_up(void **state)
{
  (void)state;
  static const struct {
    void (*on_event)(mux_end *end, const uvrelay_mux_event_t *event);
    const char *journal;
  } cases[] = {{detach_at_up, "U D6 "}, {close_at_any, "U D6 - "}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (int is_far = 0; is_far < 2; is_far++) {
      route_host *h = mux_host_new(&quiet, NULL);
      mux_end *end = is_far ? &h->muxes.far_end : &h->muxes.near_end;
      end->on_event = cases[i].on_event;
      mux_raw *raw = raw_new(h, end->mux);
      char text[14 + 12];
      memcpy(text, RAW_GREETING, 14);
      yframe_put(text + 14, Y_UPDATE, Y_SYN, 1, 0); /* comes with it, and must no longer be taken */
      raw_send(raw, text, sizeof(text));
      ROUTE_WAIT(h, raw->ended);
      ROUTE_WAIT(h, strcmp(end->journal, cases[i].journal) == 0);
      route_run_ms(h, 3);
      assert_string_equal(end->journal, cases[i].journal);
      raw_free(raw);
      route_host_free(h);
    }
  }
}

/* Closed at each of its first turns, by itself and by its relay. */
static void test_close_at_every_turn(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 12; turns++) {
    route_host *h = mux_host_new(NULL, NULL);
    assert_int_equal(mux_pair_attach(&h->muxes), 0);
    rig_turns(&h->r, turns);
    mux_pair_close(&h->muxes);
    ROUTE_WAIT(h, h->muxes.near_end.mux == NULL && h->muxes.far_end.mux == NULL);
    const char *journal = h->muxes.near_end.journal;
    assert_true(strcmp(journal, "D6 - ") == 0 || strcmp(journal, "U D6 - ") == 0 || strcmp(journal, "U D0 - ") == 0);
    route_host_free(h);
    h = mux_host_new(NULL, NULL);
    assert_int_equal(mux_pair_attach(&h->muxes), 0);
    rig_turns(&h->r, turns);
    route_host_free(h);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options),         cmocka_unit_test(test_too_late),
      cmocka_unit_test(test_descriptors),     cmocka_unit_test(test_streams),
      cmocka_unit_test(test_one_user),        cmocka_unit_test(test_bad_endpoints),
      cmocka_unit_test(test_via_another),     cmocka_unit_test(test_address),
      cmocka_unit_test(test_refused_address), cmocka_unit_test(test_npipe),
      cmocka_unit_test(test_greetings),       cmocka_unit_test(test_split_greeting),
      cmocka_unit_test(test_silence),         cmocka_unit_test(test_greeting_in_time),
      cmocka_unit_test(test_no_answer),       cmocka_unit_test(test_answers),
      cmocka_unit_test(test_other_bytes),     cmocka_unit_test(test_far_pings),
      cmocka_unit_test(test_rules),           cmocka_unit_test(test_far_opens),
      cmocka_unit_test(test_near_goes_away),  cmocka_unit_test(test_attach_in_down),
      cmocka_unit_test(test_in_up),           cmocka_unit_test(test_close_at_every_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
