/* Splicing through a mux: both ends in one relay, over a pair of pipes, from a Unix socket to a Unix socket. What is
 * sent arrives, also over many connections at once and when one is cut; a system that refuses any of it is not noticed;
 * and all pipes are given back. First yamux alone: which frames it sends from a pipe, and what it reads into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_route.h"
#include "mux_raw.h"
#include "relay/relay.h"
#include "stream/pipe_room.h"

enum { KIB = 1024, MIB = 1024 * KIB, PLENTY = 6 * MIB, PAGE = 4 * KIB };

/* yamux alone. Its buffers have real pipes, which are empty: it only counts their bytes. */

static uvr_buffer *make_piped(yend *e, size_t length)
{
  uvr_buffer *buffer = uvr_splice_get(&e->pool);
  assert_non_null(buffer);
  buffer->length = length;
  return buffer;
}

static ystream *open_stream(yend *e, uint32_t id, uint32_t window)
{
  ystream *s = yend_open(e);
  assert_non_null(s);
  yend_expect(e, Y_UPDATE, Y_SYN, id, 0);
  yend_feed(e, Y_UPDATE, Y_ACK, id, window);
  return s;
}

static void begin(rig *r, yend *e, bool client)
{
  rig_init(r);
  yend_init(e, r, client);
  uvr_yamux_set_fast(&e->y, true);
  uvr_splice_begin(&e->pool);
}

static void end(rig *r, yend *e)
{
  yend_clear(e);
  uvr_splice_end(&e->pool);
  assert_int_equal(e->pool.pipes, 0);
  rig_clear(r);
}

/* Takes what is sent next, and asserts that it is a header, after what else is due, and so many bytes of the pipe. */
static void expect_piped(yend *e, uvr_buffer *buffer, uint32_t id, uint32_t piped)
{
  char header[12];
  uvr_yamux_output output = uvr_yamux_fill(&e->y, e->out, sizeof(e->out));
  assert_ptr_equal(output.buffer, buffer);
  assert_int_equal(output.piped, piped);
  yframe_put(header, Y_DATA, 0, id, piped);
  assert_memory_equal(output.data + output.length - 12, header, 12);
  uvr_buffer_put(&e->pool, output.buffer);
}

/* Frames are much longer than copied ones. */
static void test_sent_from_a_pipe(void **state)
{
  (void)state;
  rig r;
  yend e;
  begin(&r, &e, true);
  ystream *s = open_stream(&e, 1, MIB);
  uvr_buffer *buffer = make_piped(&e, 500 * KIB);
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  expect_piped(&e, buffer, 1, 240 * KIB);
  expect_piped(&e, buffer, 1, 240 * KIB);
  assert_int_equal(s->written, 0);
  expect_piped(&e, buffer, 1, 20 * KIB);
  assert_int_equal(s->written, 1);
  yend_expect_nothing(&e);
  uvr_yamux_set_fast(&e.y, false); /* then they are nearly as long as copied ones */
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  expect_piped(&e, buffer, 1, 60 * KIB);
  uvr_buffer_put(&e.pool, buffer);
  end(&r, &e);
}

/* They have half of the largest window seen, in whole pages, and never more than the window allows now. */
static void test_window_limits_a_pipe(void **state)
{
  (void)state;
  rig r;
  yend e;
  begin(&r, &e, true);
  ystream *s = open_stream(&e, 1, 0);
  uvr_buffer *buffer = make_piped(&e, 300 * KIB);
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  expect_piped(&e, buffer, 1, 128 * KIB); /* half of the first window */
  yend_feed(&e, Y_UPDATE, 0, 1, 3);
  expect_piped(&e, buffer, 1, 128 * KIB);
  expect_piped(&e, buffer, 1, 3);
  yend_expect_nothing(&e);
  yend_feed(&e, Y_UPDATE, 0, 1, 5);
  expect_piped(&e, buffer, 1, 5); /* short, and not copied */
  yend_expect_nothing(&e);
  yend_feed(&e, Y_UPDATE, 0, 1, MIB);
  expect_piped(&e, buffer, 1, 44 * KIB - 8);
  assert_int_equal(s->written, 1);
  uvr_buffer_put(&e.pool, buffer);
  end(&r, &e);
}

/* What is due goes before, in the same write; short frames of others go in writes of their own. */
static void test_around_a_pipe(void **state)
{
  (void)state;
  static const char little[100];
  rig r;
  yend e;
  begin(&r, &e, true);
  ystream *other = open_stream(&e, 1, 0);
  assert_true(uvr_yamux_write(&other->s, little, sizeof(little)));
  ystream *s = yend_open(&e); /* its SYN is due */
  uvr_buffer *buffer = make_piped(&e, 20 * KIB);
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  uvr_yamux_output output = uvr_yamux_fill(&e.y, e.out, sizeof(e.out));
  assert_int_equal(output.length, 12 + sizeof(little));
  assert_int_equal(output.piped, 0);
  assert_true(uvr_yamux_is_shared(&e.y));
  output = uvr_yamux_fill(&e.y, e.out, sizeof(e.out));
  assert_int_equal(output.length, 24);
  assert_int_equal(output.piped, 16 * KIB);
  uvr_buffer_put(&e.pool, output.buffer);
  expect_piped(&e, buffer, 3, 4 * KIB);
  uvr_buffer_put(&e.pool, buffer);
  buffer = make_piped(&e, 130 * KIB);
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  uvr_yamux_keep_long(&e.y);
  expect_piped(&e, buffer, 3, 60 * KIB); /* long, but not the longest */
  expect_piped(&e, buffer, 3, 60 * KIB);
  expect_piped(&e, buffer, 3, 10 * KIB);
  assert_true(uvr_yamux_finish(&s->s));
  yend_expect(&e, Y_UPDATE, Y_FIN, 3, 0);
  uvr_buffer_put(&e.pool, buffer);
  end(&r, &e);
}

/* A reset drops what is in the pipe; what was announced by a header stays the carrier's. */
static void test_reset_with_a_pipe(void **state)
{
  (void)state;
  rig r;
  yend e;
  begin(&r, &e, true);
  ystream *s = open_stream(&e, 1, MIB);
  uvr_buffer *buffer = make_piped(&e, 300 * KIB);
  assert_true(uvr_yamux_write_buffer(&s->s, buffer));
  uvr_yamux_output output = uvr_yamux_fill(&e.y, e.out, sizeof(e.out));
  assert_int_equal(output.piped, 240 * KIB);
  yend_feed(&e, Y_UPDATE, Y_RST, 1, 0);
  assert_int_equal(s->written, 1);
  uvr_buffer_put(&e.pool, buffer); /* the writer's */
  assert_int_equal(e.pool.pipes_free_count, 0);
  uvr_buffer_put(&e.pool, output.buffer);
  assert_int_equal(e.pool.pipes_free_count, 1);
  ystream_release(s);
  yend_expect_nothing(&e);
  end(&r, &e);
}

static void give_piped(yend *e, size_t length)
{
  uvrelay_error_t error;
  uvr_buffer *buffer = make_piped(e, length);
  size_t used = 0;
  assert_int_equal(uvr_yamux_receive_buffer(&e->y, &buffer, &used, &error), 0);
  assert_null(buffer);
  assert_int_equal(used, 0);
}

/* The data of a long frame, for a stream that takes it; then the next header alone, until that is another frame's. */
static void test_received_into_a_pipe(void **state)
{
  (void)state;
  rig r;
  yend e;
  uint8_t before;
  char header[12];
  uvr_buffer *buffer;
  begin(&r, &e, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  ystream *s = e.streams;
  assert_int_equal(uvr_yamux_best_piped(&e.y), 0);
  yframe_put(header, Y_DATA, 0, 1, 50 * KIB);
  yend_receive(&e, header, 12);
  assert_int_equal(uvr_yamux_best_piped(&e.y), 0); /* it does not take that */
  s->s.takes_pipes = true;
  assert_int_equal(uvr_yamux_best_piped(&e.y), 50 * KIB);
  give_piped(&e, 20 * KIB);
  assert_int_equal(uvr_yamux_best_piped(&e.y), 30 * KIB);
  static const char zeros[30 * KIB];
  yend_receive(&e, zeros, 1000); /* no pipe was there */
  give_piped(&e, 30 * KIB - 1000);
  assert_int_equal(s->s.held, 50 * KIB);
  assert_int_equal(e.y.held, 50 * KIB);
  static const size_t expected[] = {20 * KIB, 1000, 30 * KIB - 1000};
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(uvr_yamux_read(&s->s, &buffer), UVR_YAMUX_BYTES);
    assert_int_equal(buffer->length, expected[i]);
    assert_true((buffer->splice != NULL) == (i != 1));
    uvr_buffer_put(&e.pool, buffer);
  }
  for (unsigned i = 0; i < 3; i++) {
    bool is_long = i != 1;
    yframe_put(header, Y_DATA, 0, 1, is_long ? 8 * KIB : 100);
    yend_receive(&e, header, 5);
    yend_receive(&e, header + 5, 7);
    assert_int_equal(uvr_yamux_best_piped(&e.y), is_long ? 8 * KIB : 0);
    if (is_long) {
      give_piped(&e, 8 * KIB);
      assert_int_equal(uvr_yamux_best_read(&e.y, &before), 12);
      assert_int_equal(before, 0);
    } else {
      yend_receive(&e, zeros, 100);
      assert_int_equal(uvr_yamux_best_read(&e.y, &before), 64 * KIB);
      assert_int_equal(before, 12);
    }
  }
  end(&r, &e);
}

/* A stream that is not read must not have all pipes. */
static void test_unread_pipes(void **state)
{
  (void)state;
  rig r;
  yend e;
  char header[12];
  uvr_yamux_found found;
  uvr_buffer *buffer;
  begin(&r, &e, false);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  ystream *s = e.streams;
  s->s.takes_pipes = true;
  s->s.receive_window = 8 * MIB;
  yframe_put(header, Y_DATA, 0, 1, 8 * MIB);
  yend_receive(&e, header, 12);
  while (uvr_yamux_best_piped(&e.y) > 0) {
    give_piped(&e, 60 * KIB);
  }
  assert_true(s->s.held < 4 * MIB);
  uvr_buffer *others = uvr_splice_get(&e.pool);
  assert_non_null(others);
  uvr_buffer_put(&e.pool, others);
  for (unsigned i = 0; i < 2; i++) {
    found = uvr_yamux_read(&s->s, &buffer);
    assert_int_equal(found, UVR_YAMUX_BYTES);
    uvr_buffer_put(&e.pool, buffer);
  }
  assert_true(uvr_yamux_best_piped(&e.y) > 0);
  end(&r, &e);
}

/* The rest of a frame whose stream is gone, or was reset for holding too much. */
static void test_piped_for_none(void **state)
{
  (void)state;
  rig r;
  yend e;
  char header[12];
  rig_init(&r);
  assert_int_equal(yend_try_init(&e, &r, false, 128 * KIB), 0);
  uvr_splice_begin(&e.pool);
  yend_feed(&e, Y_UPDATE, Y_SYN, 1, 0);
  e.streams->s.takes_pipes = true;
  for (unsigned i = 0; i < 3; i++) {
    yframe_put(header, Y_DATA, 0, 1, 60 * KIB);
    yend_receive(&e, header, 12);
    assert_int_equal(uvr_yamux_best_piped(&e.y), 60 * KIB);
    give_piped(&e, 60 * KIB);
    assert_int_equal(e.y.held, i < 2 ? (i + 1) * 60 * KIB : 0);
  }
  assert_true(uvr_yamux_is_reset(&e.streams->s));
  yend_receive(&e, header, 12);
  assert_int_equal(uvr_yamux_best_piped(&e.y), 0);
  give_piped(&e, 30 * KIB);
  ystream_release(e.streams);
  assert_int_equal(uvr_yamux_best_piped(&e.y), 0);
  give_piped(&e, 30 * KIB);
  assert_int_equal(e.y.held, 0);
  assert_false(uvr_yamux_is_inside_frame(&e.y));
  end(&r, &e);
}

/* The size of a pipe. */

static void test_room(void **state)
{
  (void)state;
  rig r;
  uv_pipe_t pipe;
  uv_file fds[2];
  uvr_pipe_room room = {0};
  rig_init(&r);
  mux_pipe(fds);
  int usual = fcntl(fds[1], F_GETPIPE_SZ);
  assert_int_equal(uv_pipe_init(&r.loop, &pipe, 0), 0);
  assert_int_equal(uv_pipe_open(&pipe, fds[1]), 0);
  const uv_stream_t *handle = (const uv_stream_t *)&pipe;
  uvr_pipe_room_set(&room, handle, false);
  assert_int_equal(fcntl(fds[1], F_GETPIPE_SZ), usual);
  uvr_pipe_room_set(&room, handle, true);
  int wide = fcntl(fds[1], F_GETPIPE_SZ);
  assert_true(wide > usual);
  static const char data[PAGE];
  while (write(fds[1], data, sizeof(data)) > 0) {
  }
  uvr_pipe_room_set(&room, handle, false); /* it holds too much for that */
  assert_int_equal(fcntl(fds[1], F_GETPIPE_SZ), wide);
  char taken[PAGE];
  for (int i = 0; i < wide - usual; i += PAGE) {
    assert_int_equal(read(fds[0], taken, sizeof(taken)), PAGE);
  }
  uvr_pipe_room_set(&room, handle, false);
  assert_int_equal(fcntl(fds[1], F_GETPIPE_SZ), usual);
  assert_false(room.fixed);
  uv_close((uv_handle_t *)&pipe, NULL);
  mux_close_fd(fds[0]);
  rig_clear(&r);
}

static void test_room_of_others(void **state)
{
  (void)state;
  rig r;
  uv_pipe_t pipe;
  int fds[2];
  uvr_pipe_room room = {0};
  rig_init(&r);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  assert_int_equal(uv_pipe_init(&r.loop, &pipe, 0), 0);
  assert_int_equal(uv_pipe_open(&pipe, fds[0]), 0);
  uvr_pipe_room_set(&room, (const uv_stream_t *)&pipe, true);
  assert_true(room.fixed);
  uv_close((uv_handle_t *)&pipe, NULL);
  assert_int_equal(close(fds[1]), 0);
  rig_clear(&r);
}

/* A whole mux. Route 0 leads from a Unix socket over the mux to route 1's, and that one to the target, which echoes. */

static route_host *host_new(void)
{
  char outer[ROUTE_ADDRESS];
  char inner[ROUTE_ADDRESS];
  char through[ROUTE_ADDRESS + 8];
  route_host *h = mux_host_new(NULL, NULL);
  fault_route_hurry(h);
  assert_int_equal(mux_pair_attach(&h->muxes), 0);
  uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = RIG_PATIENCE_MS};
  options.via = h->muxes.near_end.mux;
  assert_int_equal(route_add(h, 1, route_unix_address(h, "inner", inner), h->target_address, NULL), 0);
  (void)snprintf(through, sizeof(through), "via:%s", inner);
  assert_int_equal(route_add(h, 0, route_unix_address(h, "outer", outer), through, &options), 0);
  return h;
}

static const uvr_buffer_pool *pipes_of(const route_host *h)
{
  return &h->relay->context.buffers;
}

static void host_free(route_host *h)
{
  ROUTE_WAIT(h, h->routes[0].open == 0 && h->routes[1].open == 0);
  ROUTE_WAIT(h, h->muxes.far_end.closed == h->muxes.far_end.opened);
  assert_int_equal(pipes_of(h)->splicing, 0);
  assert_int_equal(pipes_of(h)->pipes, 0);
  assert_int_equal(h->relay->mux_context.buffers.pipes, 0);
  route_host_free(h);
}

static bool are_over(const route_host *h)
{
  unsigned i = 0;
  while (i < h->client_count && h->clients[i].over) {
    i++;
  }
  return i == h->client_count;
}

/* Through the mux, both ways: two directions at each end, and one from the mux to a Unix socket each. */
static void test_arrives(void **state)
{
  (void)state;
  route_host *h = host_new();
  unsigned most = 0;
  fault_arm(); /* nothing fails: counts the calls */
  const route_client *c = route_client_start(h, h->routes[0].address, PLENTY, true);
  while (!c->over) {
    route_turn(h);
    most = pipes_of(h)->splicing > most ? pipes_of(h)->splicing : most;
  }
  fault_disarm();
  assert_int_equal(c->received, PLENTY);
  assert_true(most >= 4);
  host_free(h);
}

static void test_many(void **state)
{
  (void)state;
  route_host *h = host_new();
  for (unsigned i = 0; i < 12; i++) {
    (void)route_client_start(h, h->routes[0].address, i % 3 == 0 ? 1000 : PLENTY / 2 + i * 4321, true);
  }
  ROUTE_WAIT(h, are_over(h));
  for (unsigned i = 0; i < 12; i++) {
    assert_int_equal(h->clients[i].code, 0);
    assert_int_equal(h->clients[i].received, h->clients[i].to_send);
  }
  host_free(h);
}

/* Clients that leave in the middle, with bytes in pipes at both ends, and frames that are half sent. */
static void test_cut(void **state)
{
  (void)state;
  route_host *h = host_new();
  for (unsigned i = 0; i < 10; i++) {
    route_client *c = route_client_start(h, h->routes[0].address, PLENTY, true);
    size_t at = 2 * MIB + i * 77777;
    if (i % 2 == 0) {
      ROUTE_WAIT(h, c->received >= at || c->over);
      assert_false(c->over);
      route_client_hang_up(c);
    }
  }
  ROUTE_WAIT(h, are_over(h));
  for (unsigned i = 1; i < 10; i += 2) {
    assert_int_equal(h->clients[i].received, PLENTY);
  }
  host_free(h);
}

/* The host acts in the middle, and also from within a callback: of the relay's memory, as pipes come and go. */
static void test_disturbed(void **state)
{
  (void)state;
  static const route_action actions[] = {ROUTE_CLOSES, ROUTE_STOPS, ROUTE_REMOVES, ROUTE_CANCELS, ROUTE_DETACHES};
  for (unsigned i = 0; i < 4 * COUNT(actions); i++) {
    route_host *h = host_new();
    const route_client *c = route_client_start(h, h->routes[0].address, PLENTY, true);
    size_t at = MIB + i * 77777;
    ROUTE_WAIT(h, c->received >= at && pipes_of(h)->pipes > 0);
    if (i % 4 == 0) {
      h->action = actions[i / 4];
      h->act_call = CALL_RELEASE;
      h->act_at = h->calls[CALL_RELEASE] + 1;
      (void)route_client_start(h, h->routes[0].address, 10, true);
      ROUTE_WAIT(h, h->acted);
    } else {
      route_host_act(h, actions[i / 4]);
    }
    ROUTE_WAIT(h, are_over(h));
    route_host_free(h);
  }
}

/* A socket that listens, for the far end of another mux. */
static int listen_at(const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
  assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
  assert_int_equal(listen(fd, 1), 0);
  return fd;
}

/* The carrier may be a stream of another mux, which moves pipes as they come. */
static void test_mux_over_a_mux(void **state)
{
  (void)state;
  mux_pair over;
  char place[ROUTE_ADDRESS];
  char address[ROUTE_ADDRESS + 8];
  route_host *h = host_new();
  assert_int_equal(mux_pair_new(&over, h->relay, NULL, NULL), 0);
  int listener = listen_at(strchr(route_unix_address(h, "over", place), '/') + 2);
  (void)snprintf(address, sizeof(address), "via:%s", place);
  uvrelay_endpoint_t carrier = uvrelay_address(address);
  carrier.via = h->muxes.near_end.mux;
  assert_int_equal(uvrelay_mux_attach(over.near_end.mux, &carrier), 0);
  int accepted;
  ROUTE_WAIT(h, (accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
  carrier = uvrelay_stdio(accepted, fcntl(accepted, F_DUPFD_CLOEXEC, 0));
  assert_int_equal(uvrelay_mux_attach(over.far_end.mux, &carrier), 0);
  uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = RIG_PATIENCE_MS};
  options.via = over.near_end.mux;
  (void)snprintf(address, sizeof(address), "via:%s", h->routes[1].address);
  assert_int_equal(route_add(h, 2, route_unix_address(h, "twice", place), address, &options), 0);
  for (unsigned i = 0; i < 3; i++) {
    (void)route_client_start(h, h->routes[i == 1 ? 0 : 2].address, PLENTY, true);
  }
  ROUTE_WAIT(h, are_over(h));
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(h->clients[i].received, PLENTY);
  }
  ROUTE_WAIT(h, h->routes[2].open == 0);
  ROUTE_WAIT(h, over.far_end.closed == over.far_end.opened);
  mux_end_detach(&over.near_end);
  ROUTE_WAIT(h, over.near_end.downs == 1 && over.far_end.downs == 1);
  assert_int_equal(close(listener), 0);
  (void)route_unix_address(h, "over", place);
  assert_int_equal(unlink(strchr(place, '/') + 2), 0);
  host_free(h);
}

/* Calls that fail, in each way: all arrives, or the connection or its carrier ends and says why. The calls of one
 * transfer are too many to take each of them. */
static void refuse(const char *call, unsigned most)
{
  unsigned runs = 0;
  for (unsigned at = 1; at < most; at += 1 + 3 * at) {
    for (unsigned way = 0;; way++) {
      fault_plan_is((fault_plan){.at = at, .way = way, .only = call});
      route_host *h = host_new();
      fault_arm();
      const route_client *c = route_client_start(h, h->routes[0].address, 3 * MIB, true);
      ROUTE_WAIT(h, c->over);
      fault_disarm();
      bool fired = fault_fired();
      if (!fired || fault_is_harmless()) {
        assert_int_equal(c->received, 3 * MIB);
        assert_int_equal(c->code, 0);
      }
      runs += fired ? 1U : 0U;
      host_free(h);
      fault_plan next = {.at = at, .way = way, .only = call};
      if (!fired || !fault_next(&next) || next.at != at) {
        break;
      }
    }
  }
  print_message("%s: %u faults\n", call, runs);
  assert_true(runs > 0);
}

static void test_refused(void **state)
{
  (void)state;
  refuse("splice", 120);
  refuse("pipe2", 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_sent_from_a_pipe, fault_teardown),
      cmocka_unit_test_teardown(test_window_limits_a_pipe, fault_teardown),
      cmocka_unit_test_teardown(test_around_a_pipe, fault_teardown),
      cmocka_unit_test_teardown(test_reset_with_a_pipe, fault_teardown),
      cmocka_unit_test_teardown(test_received_into_a_pipe, fault_teardown),
      cmocka_unit_test_teardown(test_unread_pipes, fault_teardown),
      cmocka_unit_test_teardown(test_piped_for_none, fault_teardown),
      cmocka_unit_test_teardown(test_room, fault_teardown),
      cmocka_unit_test_teardown(test_room_of_others, fault_teardown),
      cmocka_unit_test_teardown(test_arrives, fault_teardown),
      cmocka_unit_test_teardown(test_many, fault_teardown),
      cmocka_unit_test_teardown(test_cut, fault_teardown),
      cmocka_unit_test_teardown(test_disturbed, fault_teardown),
      cmocka_unit_test_teardown(test_mux_over_a_mux, fault_teardown),
      cmocka_unit_test_teardown(test_refused, fault_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
