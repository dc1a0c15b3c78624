/* The public relay: what comes of sessions between sides of every kind, with all their bytes; backpressure; stopping
 * and closing in their orders; what may be left out. What holds in every case is asserted by the host (relay_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/relay.h"
#include "relay_rig.h"

enum { TURNS = 5, SETTLE_TURNS = 15, DEADLINE_MS = 40, FOREVER_MS = 3600000 };

#define STUCK ((uint64_t)16 * 1024 * 1024)

static host *begin(const relay_scenario *s)
{
  host *h = host_new(s);
  assert_int_equal(host_open(h), 0);
  assert_int_equal(host_start_all(h), 0);
  return h;
}

static void test_scenarios(void **state)
{
  (void)state;
  for (size_t i = 0; i < relay_scenario_count; i++) {
    print_message("%s\n", relay_scenarios[i].name);
    host *h = begin(&relay_scenarios[i]);
    host_wait(h);
    host_check(h);
    host_free(h);
  }
}

/* Both sides send much, and neither reads at first: the relay holds its four buffers and no more, the bytes so far are
 * counted, and then all of them arrive. */
static void test_backpressure(void **state)
{
  (void)state;
  static const size_t buffer_sizes[] = {0, 4096};
  for (unsigned i = 0; i < 2; i++) {
    const relay_scenario stuck = {.name = "nobody reads",
                                  .left = GIVEN,
                                  .left_far = {.sends = STUCK, .then = FAR_ENDS, .held = true},
                                  .right = GIVEN,
                                  .right_far = {.sends = STUCK, .then = FAR_ENDS, .held = true},
                                  .buffer_size = buffer_sizes[i],
                                  .reason = UVRELAY_REASON_ENDED,
                                  .side = ANY_SIDE,
                                  .to_right = STUCK,
                                  .to_left = STUCK};
    host *h = begin(&stuck);
    uint64_t to_right = 0;
    uint64_t to_left = 0;
    uvrelay_counters_t counters;
    for (unsigned ms = 0; to_right == 0 || to_left == 0; ms += 100) {
      assert_in_range(ms, 0, RIG_SOON_MS);
      rig_run_ms(&h->r, 100);
      uvrelay_session_bytes(h->sessions[0].handle, &to_right, &to_left);
    }
    uvrelay_session_bytes(h->sessions[0].handle, NULL, NULL);
    uvrelay_get_counters(h->relay, &counters, sizeof(counters));
    assert_in_range(to_right, 1, STUCK - 1);
    assert_in_range(to_left, 1, STUCK - 1);
    assert_int_equal(counters.active, 1);
    assert_int_equal(counters.to_right, to_right);
    assert_int_equal(counters.to_left, to_left);
    far_read_on(&h->sessions[0].left.remote);
    far_read_on(&h->sessions[0].right.remote);
    host_wait(h);
    host_check(h);
    host_free(h);
  }
}

/* Stopping. */

static const relay_scenario late = {.name = "a late reply",
                                    .sessions = 2,
                                    .left = GIVEN,
                                    .left_far = {.sends = 100, .then = FAR_ENDS},
                                    .right = DIALLED,
                                    .right_far = {.sends = 200, .replies = true, .then = FAR_ENDS},
                                    .reason = UVRELAY_REASON_ENDED,
                                    .side = UVRELAY_RIGHT,
                                    .to_right = 100,
                                    .to_left = 200};
static const relay_scenario endless = {.name = "nobody ends",
                                       .sessions = 2,
                                       .left = GIVEN,
                                       .left_far = {.sends = 100},
                                       .right = DIALLED,
                                       .right_far = {.sends = 200},
                                       .stays = true,
                                       .to_right = 100,
                                       .to_left = 200};

static uint64_t stop_and_wait(host *h, uint64_t timeout_ms)
{
  uv_update_time(&h->r.loop);
  uint64_t before = uv_hrtime();
  host_stop(h, timeout_ms);
  assert_true(rig_run_until(&h->r, &h->stopped));
  assert_true(h->idle); /* the stop callback comes after all done callbacks */
  return (uv_hrtime() - before) / 1000000;
}

static void test_stop_drains(void **state)
{
  (void)state;
  static const uint64_t timeouts[] = {UINT64_MAX, FOREVER_MS, UINT64_MAX - 1};
  for (unsigned i = 0; i < 3; i++) {
    host *h = begin(&late);
    assert_in_range(stop_and_wait(h, timeouts[i]), 0, RIG_PATIENCE_MS);
    host_check(h);
    assert_int_equal(uvrelay_stop(h->relay, 0, NULL), UV_EALREADY);
    host_free(h); /* and with its deadline far away the relay does not keep the loop alive */
  }
}

static void test_stop_has_a_deadline(void **state)
{
  (void)state;
  host *h = begin(&endless);
  rig_turns(&h->r, TURNS);
  assert_in_range(stop_and_wait(h, DEADLINE_MS), DEADLINE_MS - 5, RIG_PATIENCE_MS);
  host_check_disturbed(h, false);
  host_free(h);
}

static void test_stop_at_once(void **state)
{
  (void)state;
  host *h = begin(&endless);
  rig_turns(&h->r, TURNS);
  assert_in_range(stop_and_wait(h, 0), 0, RIG_SOON_MS);
  host_check_disturbed(h, false);
  host_free(h);
}

static void test_stop_without_sessions(void **state)
{
  (void)state;
  static const uint64_t timeouts[] = {0, FOREVER_MS, UINT64_MAX};
  static const relay_scenario none = {.name = "nothing", .left = REFUSED, .right = REFUSED};
  for (unsigned i = 0; i < 3; i++) {
    host *h = host_new(&none);
    assert_int_equal(host_open(h), 0);
    assert_in_range(stop_and_wait(h, timeouts[i]), 0, RIG_SOON_MS);
    host_free(h);
  }
}

/* A host that closes at once gets no stop callback; host_free would see it. */
static void test_stop_then_close(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 4; turns++) {
    host *h = begin(&endless);
    host_stop(h, turns % 2 == 0 ? UINT64_MAX : DEADLINE_MS);
    rig_turns(&h->r, turns);
    host_act(h, ACTION_CLOSE);
    host_wait(h);
    host_check_disturbed(h, false);
    host_free(h);
  }
}

static void test_cancel_again(void **state)
{
  (void)state;
  host *h = begin(&endless);
  for (unsigned i = 0; i < TURNS; i++) {
    host_act(h, ACTION_CANCEL);
    rig_turns(&h->r, 1);
  }
  host_wait(h);
  host_check_disturbed(h, false);
  host_free(h);
}

/* Of two sessions one is cancelled: the other one goes on. */
static void test_cancel_one(void **state)
{
  (void)state;
  host *h = begin(&late);
  uvrelay_session_cancel(h->sessions[0].handle);
  host_wait(h);
  assert_int_equal(h->sessions[0].result.reason, UVRELAY_REASON_STOPPED);
  assert_int_equal(h->sessions[0].result.error.code, UV_ECANCELED);
  assert_int_equal(h->sessions[1].result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->sessions[1].result.to_left, late.to_left);
  host_free(h);
}

/* A session that is over in an orderly way may wait for its peers; closing, cancelling and stopping do not. */

static const relay_scenario orderly = {.name = "the left side's end is the end, and the right side does not end",
                                       .left = GIVEN_TCP,
                                       .left_far = {.sends = 3000, .then = FAR_ENDS},
                                       .right = GIVEN_TCP,
                                       .options = {.end_after_left = 1},
                                       .reason = UVRELAY_REASON_ENDED,
                                       .side = UVRELAY_LEFT,
                                       .to_right = 3000};

static void test_end_soon(void **state)
{
  (void)state;
  for (host_action action = ACTION_CLOSE; action < ACTION_COUNT; action++) {
    host *h = begin(&orderly);
    h->relay->context.patience.close_ms = RIG_PATIENCE_MS;
    for (unsigned i = 0; i < SETTLE_TURNS; i++) {
      host_turn(h);
    }
    assert_false(h->idle);
    uint64_t before = uv_hrtime();
    host_act(h, action);
    host_wait(h);
    assert_in_range((uv_hrtime() - before) / 1000000, 0, RIG_SOON_MS);
    host_check(h);
    host_free(h);
  }
}

/* Cancels from line number `line` of the log. Returns how many lines there were. */
static size_t end_from_the_log(size_t line, unsigned close_ms)
{
  host *h = host_new(&orderly);
  h->action = ACTION_CANCEL;
  h->act_event = EVENT_LOG;
  h->act_at = line;
  assert_int_equal(host_open(h), 0);
  h->relay->context.patience.close_ms = close_ms;
  assert_int_equal(host_start_all(h), 0);
  uint64_t before = uv_hrtime();
  host_wait(h);
  assert_true(h->acted == (line != SIZE_MAX));
  assert_in_range((uv_hrtime() - before) / 1000000, 0, RIG_SOON_MS);
  host_check_disturbed(h, false);
  size_t lines = h->events[EVENT_LOG];
  host_free(h);
  return lines;
}

/* The same from each line of the log, the last of which tells that it is over. */
static void test_end_soon_from_the_log(void **state)
{
  (void)state;
  size_t lines = end_from_the_log(SIZE_MAX, 20);
  assert_in_range(lines, 2, 100);
  for (size_t line = 1; line <= lines; line++) {
    (void)end_from_the_log(line, RIG_PATIENCE_MS);
  }
}

/* Small things. */

static void test_version(void **state)
{
  (void)state;
  assert_string_equal(uvrelay_version(), UVRELAY_VERSION);
}

static void on_closed_count(uvrelay_t *relay)
{
  ++*(unsigned *)uvrelay_get_data(relay);
}

/* No more is written than the caller's header knows, and what the library does not know is zero. */
static void test_counters_of_another_version(void **state)
{
  (void)state;
  host *h = begin(&late);
  struct {
    uvrelay_counters_t counters;
    unsigned char more[8];
  } newer;
  memset(&newer, 0xFF, sizeof(newer));
  uvrelay_get_counters(h->relay, &newer.counters, sizeof(newer.counters.active));
  assert_int_equal(newer.counters.active, 2);
  assert_int_equal(newer.counters.started, UINT64_MAX);
  uvrelay_get_counters(h->relay, &newer.counters, sizeof(newer));
  assert_int_equal(newer.counters.started, 2);
  assert_int_equal(newer.counters.failed, 0);
  assert_int_equal(newer.more[0] | newer.more[sizeof(newer.more) - 1], 0);
  host_wait(h);
  host_check(h);
  host_free(h);
}

/* Closed at once, with and without callbacks, and without a session nothing keeps the loop alive. */
static void test_close_at_once(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    uv_loop_t loop;
    uvrelay_t *relay;
    unsigned closed = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uvrelay_new(&relay, &loop, NULL), 0);
    assert_null(uvrelay_get_data(relay));
    uvrelay_set_data(relay, &closed);
    assert_ptr_equal(uvrelay_get_data(relay), &closed);
    assert_ptr_equal(uvrelay_get_loop(relay), &loop);
    assert_false(uv_loop_alive(&loop));
    if (i >= 2) {
      assert_int_equal(uvrelay_stop(relay, i == 2 ? 0 : FOREVER_MS, NULL), 0);
      assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* no callback is required */
    }
    uvrelay_close(relay, i % 2 == 0 ? on_closed_count : NULL);
    assert_int_equal(closed, 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(closed, i % 2 == 0 ? 1 : 0);
    assert_int_equal(uv_loop_close(&loop), 0);
  }
}

/* Two relays of one loop know nothing of each other. */
static void test_two_relays(void **state)
{
  (void)state;
  host *h = begin(&late);
  uvrelay_t *other;
  unsigned closed = 0;
  uvrelay_counters_t counters;
  assert_int_equal(uvrelay_new(&other, &h->r.loop, NULL), 0);
  uvrelay_set_data(other, &closed);
  rig_turns(&h->r, 2);
  uvrelay_get_counters(other, &counters, sizeof(counters));
  assert_int_equal(counters.started, 0);
  uvrelay_close(other, on_closed_count);
  host_wait(h);
  assert_int_equal(closed, 1);
  host_check(h);
  host_free(h);
}

/* The memory of a stream is the caller's again, to free at once. */

typedef struct gift {
  uv_tcp_t tcp;
  unsigned *steps;
} gift;

static void on_gift_closed(uv_handle_t *handle)
{
  gift *g = (gift *)handle;
  assert_ptr_equal(handle->data, g);
  assert_in_range(++*g->steps, 1, 2);
  free(g);
}

static void on_done_after_gifts(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  (void)session;
  assert_int_equal(++*(unsigned *)user, 3);
  assert_int_equal(result->reason, UVRELAY_REASON_STOPPED);
}

static gift *make_gift(uv_loop_t *loop, uv_os_sock_t sock, unsigned *steps)
{
  gift *g = malloc(sizeof(*g));
  assert_non_null(g);
  assert_int_equal(uv_tcp_init(loop, &g->tcp), 0);
  assert_int_equal(uv_tcp_open(&g->tcp, sock), 0);
  g->tcp.data = g;
  g->steps = steps;
  return g;
}

static void test_memory_of_streams(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    rig r;
    rig_init(&r);
    uvrelay_t *relay;
    unsigned steps = 0;
    unsigned closed = 0;
    uv_os_sock_t pair[2];
    uvrelay_options_t options = {.size = sizeof(options), .allocator = r.context.memory};
    assert_int_equal(uvrelay_new(&relay, &r.loop, &options), 0);
    uvrelay_set_data(relay, &closed);
    assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
    /* With no callbacks at all the handles' memory must outlast the loop. */
    gift *left = make_gift(&r.loop, pair[0], &steps);
    gift *right = make_gift(&r.loop, pair[1], &steps);
    uvrelay_endpoint_t ends[] = {uvrelay_stream((uv_stream_t *)&left->tcp, i == 0 ? on_gift_closed : NULL),
                                 uvrelay_stream((uv_stream_t *)&right->tcp, i == 0 ? on_gift_closed : NULL)};
    uvrelay_done_cb on_done = i == 0 ? on_done_after_gifts : NULL;
    assert_int_equal(uvrelay_start(relay, &ends[0], &ends[1], NULL, on_done, &steps, NULL), 0);
    rig_turns(&r, TURNS);
    uvrelay_close(relay, on_closed_count);
    rig_run(&r);
    assert_int_equal(closed, 1);
    assert_int_equal(steps, i == 0 ? 3 : 0);
    rig_clear(&r);
    if (i == 1) {
      assert_ptr_equal(left->tcp.data, left);
      assert_ptr_equal(right->tcp.data, right);
      free(left);
      free(right);
    }
  }
}

/* That memory can hold the next stream, which is started while the rest of the old session is still closing. */

typedef struct successor {
  uvrelay_t *relay;
  uv_tcp_t left;
  uv_tcp_t right;
  uv_tcp_t left_remote;
  uv_tcp_t right_remote;
  uv_tcp_t next_remote;
  unsigned done;
  int started;
} successor;

static void connect_tcp(uv_tcp_t *one, uv_tcp_t *other, uv_loop_t *loop)
{
  uv_os_sock_t pair[2];
  assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
  assert_int_equal(uv_tcp_init(loop, one), 0);
  assert_int_equal(uv_tcp_init(loop, other), 0);
  assert_int_equal(uv_tcp_open(one, pair[0]), 0);
  assert_int_equal(uv_tcp_open(other, pair[1]), 0);
}

static void on_successor_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  (void)session;
  (void)result;
  ++((successor *)user)->done;
}

static void on_left_given_back(uv_handle_t *handle)
{
  successor *s = handle->data;
  uv_close((uv_handle_t *)&s->right_remote, NULL);
  handle->data = NULL;
}

static void on_left_closed(uv_handle_t *handle)
{
  successor *s = handle->data;
  uv_loop_t *loop = handle->loop;
  connect_tcp(&s->left, &s->next_remote, loop);
  s->left.data = s;
  uvrelay_endpoint_t left = uvrelay_stream((uv_stream_t *)&s->left, on_left_given_back);
  uvrelay_endpoint_t right = uvrelay_stdio(-1, -1);
  s->started = uvrelay_start(s->relay, &left, &right, NULL, on_successor_done, s, NULL);
  uv_close((uv_handle_t *)&s->next_remote, NULL);
}

static void test_memory_for_the_next_stream(void **state)
{
  (void)state;
  rig r;
  successor s = {.started = 1};
  rig_init(&r);
  uvrelay_options_t options = {.size = sizeof(options), .allocator = r.context.memory};
  assert_int_equal(uvrelay_new(&s.relay, &r.loop, &options), 0);
  connect_tcp(&s.left, &s.left_remote, &r.loop);
  connect_tcp(&s.right, &s.right_remote, &r.loop);
  s.left.data = &s;
  uvrelay_session_options_t end_after_left = {.size = sizeof(end_after_left), .end_after_left = 1};
  uvrelay_endpoint_t left = uvrelay_stream((uv_stream_t *)&s.left, on_left_closed);
  uvrelay_endpoint_t right = uvrelay_stream((uv_stream_t *)&s.right, NULL);
  assert_int_equal(uvrelay_start(s.relay, &left, &right, &end_after_left, on_successor_done, &s, NULL), 0);
  uv_close((uv_handle_t *)&s.left_remote, NULL);
  rig_run(&r);
  assert_int_equal(s.started, 0);
  assert_int_equal(s.done, 2);
  uvrelay_close(s.relay, NULL);
  rig_run(&r);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scenarios),
      cmocka_unit_test(test_backpressure),
      cmocka_unit_test(test_stop_drains),
      cmocka_unit_test(test_stop_has_a_deadline),
      cmocka_unit_test(test_stop_at_once),
      cmocka_unit_test(test_stop_without_sessions),
      cmocka_unit_test(test_stop_then_close),
      cmocka_unit_test(test_cancel_again),
      cmocka_unit_test(test_cancel_one),
      cmocka_unit_test(test_end_soon),
      cmocka_unit_test(test_end_soon_from_the_log),
      cmocka_unit_test(test_version),
      cmocka_unit_test(test_counters_of_another_version),
      cmocka_unit_test(test_close_at_once),
      cmocka_unit_test(test_two_relays),
      cmocka_unit_test(test_memory_of_streams),
      cmocka_unit_test(test_memory_for_the_next_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
