/* Routes that are disturbed: their relay is closed or stopped, they are removed, or their sessions are cancelled, after
 * 0, 1, 2 ... turns of the loop until all is over by itself, and from inside every callback; and each allocation fails
 * once; also with a mux between client and target. What must hold whatever happens is asserted by the host
 * (route_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/relay.h"
#include "route_rig.h"

enum { TURNS_MAX = 400, BUSY_TURNS = 12, CALLS_MIN = 1 };

/* Acts after so many turns, each of which waits for something to happen or, if `busy`, does not. Returns whether it was
 * over before. */
static bool act_after(route_story story, route_action action, unsigned turns, bool busy)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(story_begin(h, story), 0);
  bool over = false;
  for (unsigned i = 0; i < turns && !over; i++) {
    if (busy) {
      h->turns++;
      rig_turns(&h->r, 1);
    } else {
      route_turn(h);
    }
    over = story_step(h);
  }
  route_host_act(h, action);
  ROUTE_WAIT(h, story_step(h));
  if (over) {
    assert_journal(h, 0, "O1 P C1 O2 C2 - ");
    assert_journal(h, 1, "O1 C1 ");
  }
  route_host_free(h);
  return over;
}

static void act_at_every_turn(route_action action)
{
  for (route_story story = STORY_TCP; story < STORIES_HERE; story++) {
    unsigned turns = 0;
    while (turns < TURNS_MAX && !act_after(story, action, turns, false)) {
      turns += RIG_STRIDE;
    }
    assert_in_range(turns, 5, TURNS_MAX - 1);
    for (unsigned busy = 1; busy < BUSY_TURNS; busy += RIG_STRIDE) {
      (void)act_after(story, action, busy, true);
    }
    print_message("%u turns\n", turns);
  }
}

static void test_close(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_CLOSES);
}

static void test_stop(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_STOPS);
}

static void test_drain(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_DRAINS);
}

static void test_remove(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_REMOVES);
}

static void test_leave(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_LEAVES);
}

static void test_cancel(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_CANCELS);
}

static void test_add(void **state)
{
  (void)state;
  act_at_every_turn(ROUTE_ADDS);
}

/* The mux gets another carrier, and what was not connected yet goes over that. */
static void test_detach(void **state)
{
  (void)state;
  unsigned turns = 0;
  bool over = false;
  for (; turns < TURNS_MAX && !over; turns += RIG_STRIDE) {
    route_host *h = route_host_new();
    assert_int_equal(route_host_open(h), 0);
    assert_int_equal(story_begin(h, STORY_VIA), 0);
    for (unsigned i = 0; i < turns && !over; i++) {
      route_turn(h);
      over = story_step(h);
    }
    route_host_act(h, ROUTE_DETACHES);
    ROUTE_WAIT(h, story_step(h));
    assert_journal(h, 0, "O1 P C1 O2 C2 - ");
    assert_journal(h, 1, "O1 C1 ");
    route_host_free(h);
  }
  assert_in_range(turns, 5, TURNS_MAX - 1);
}

/* Whether that call came so often. */
static bool act_at(route_story story, route_action action, route_call call, size_t number)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  h->action = action;
  h->act_call = call;
  h->act_at = h->calls[call] + number;
  assert_int_equal(story_begin(h, story), 0);
  ROUTE_WAIT(h, story_step(h));
  route_run_ms(h, 1); /* nothing may come now */
  bool acted = h->acted;
  route_host_free(h);
  return acted;
}

static void test_callbacks(void **state)
{
  (void)state;
  static const char *const names[CALL_COUNT] = {"opened",  "closed", "paused", "resumed",  "failed", "removed",
                                                "stopped", "mux",    "log",    "allocate", "release"};
  for (route_call call = CALL_OPENED; call < CALL_COUNT; call++) {
    bool memory = call == CALL_ALLOCATE || call == CALL_RELEASE;
    size_t calls = 0;
    const route_action end = memory ? ROUTE_STOPS : ROUTE_ACTIONS; /* from there only closing */
    for (unsigned i = 0; i < STORIES_HERE * (unsigned)end; i++) {
      for (size_t n = 1; act_at((route_story)(i / end), (route_action)(i % end), call, n); n += RIG_STRIDE) {
        calls++;
      }
    }
    print_message("%s: %u times\n", names[call], (unsigned)calls);
    assert_in_range(calls, call == CALL_FAILED || call == CALL_RESUMED ? 0 : CALLS_MIN, SIZE_MAX);
  }
}

/* That comes too late for the stories. */
static void test_resumed(void **state)
{
  (void)state;
  for (route_action action = 0; action < ROUTE_ACTIONS; action++) {
    route_host *h = route_host_new();
    assert_int_equal(route_host_open(h), 0);
    h->relay->context.patience.relief_ms = 50;
    h->action = action;
    h->act_call = CALL_RESUMED;
    h->act_at = 1;
    assert_int_equal(route_add(h, 0, "tcp://127.0.0.1:0?max=1", h->target_address, NULL), 0);
    (void)route_client_start(h, h->routes[0].address, 10, true);
    ROUTE_WAIT(h, h->acted);
    route_run_ms(h, 5);
    route_host_free(h);
  }
}

/* Memory. */

/* Or its target, another route, was, and has dropped it. */
static bool is_poor(const uvrelay_result_t *result)
{
  int code = result->error.code;
  return result->reason == UVRELAY_REASON_FAILED &&
         (code == UV_ENOMEM || code == UV_ENOBUFS || code == UV_ECONNRESET || code == UV_EPIPE);
}

/* Whatever came of it, the routes work as before. */
static void check_later(route_host *h)
{
  unsigned before = h->client_count;
  for (unsigned i = 0; i < 2; i++) {
    (void)route_client_start(h, h->routes[0].address, 10, true);
  }
  ROUTE_WAIT(h, h->clients[before].over && h->clients[before + 1].over && h->routes[0].open == 0);
  for (unsigned i = before; i < before + 2; i++) {
    assert_int_equal(h->clients[i].code, 0);
    assert_int_equal(h->clients[i].received, 10);
  }
}

static void check_results(const route_host *h)
{
  for (unsigned i = 0; i < 2; i++) {
    const host_route *route = &h->routes[i];
    for (uint64_t n = 1; n <= route->opened; n++) {
      const uvrelay_result_t *result = &route->results[n];
      bool expected = i == 0 ? result->reason == UVRELAY_REASON_ENDED || result->reason == UVRELAY_REASON_GONE
                             : result->error.code == UV_ECONNREFUSED;
      if (!expected && !is_poor(result)) {
        fail_msg("route %u, client %u: reason %d, code %d: %s", i, (unsigned)n, (int)result->reason, result->error.code,
                 result->error.text);
      }
    }
  }
}

static bool clients_are_over(const route_host *h)
{
  unsigned i = 0;
  while (i < h->client_count && h->clients[i].over) {
    i++;
  }
  return i == h->client_count && h->routes[0].open == 0 && h->routes[1].open == 0 && h->routes[3].open == 0;
}

/* Adds what is missing; then the clients come late. */
static void begin_again(route_host *h, route_story story)
{
  assert_int_equal(h->client_count, 0);
  if (h->routes[0].route != NULL) {
    assert_null(h->routes[1].route);
    return;
  }
  char listen[ROUTE_ADDRESS];
  (void)route_unix_address(h, "again", listen);
  assert_int_equal(route_add(h, 0, story == STORY_UNIX ? listen : "tcp://127.0.0.1:0", h->target_address, NULL), 0);
}

/* Returns whether there was such an allocation. */
static bool fail_allocation(route_story story, size_t n)
{
  route_host *h = route_host_new();
  h->r.fail_at = h->r.allocations + n;
  int code = route_host_open(h);
  if (code != 0) {
    assert_int_equal(code, UV_ENOMEM);
    assert_true(h->r.failed);
    assert_int_equal(route_host_open(h), 0);
  }
  code = story_begin(h, story);
  if (code != 0) {
    assert_int_equal(code, UV_ENOMEM);
    assert_true(h->r.failed);
    begin_again(h, story);
  }
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    h->routes[i].refuses = true;
  }
  ROUTE_WAIT(h, clients_are_over(h));
  check_results(h);
  bool failed = h->r.failed;
  h->r.fail_at = 0;
  check_later(h);
  ROUTE_WAIT(h, story_step(h));
  route_host_free(h);
  return failed;
}

static void test_no_memory(void **state)
{
  (void)state;
  for (route_story story = STORY_TCP; story < STORIES_HERE; story++) {
    size_t n = 0;
    while (fail_allocation(story, n + 1)) {
      n += RIG_STRIDE;
    }
    print_message("%u allocations\n", (unsigned)n);
    assert_in_range(n, 20, 1000);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_close),   cmocka_unit_test(test_stop),      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_remove),  cmocka_unit_test(test_leave),     cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_add),     cmocka_unit_test(test_detach),    cmocka_unit_test(test_callbacks),
      cmocka_unit_test(test_resumed), cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
