/* Relays that are closed, stopped or cancelled from inside every call of every function that the relay calls, those
 * for memory included. That each callback comes once and in its order, and that all is given back, is asserted by the
 * host (relay_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay_rig.h"

/* Whether that event came so often. */
static bool act_at(const relay_scenario *s, host_action action, host_event event, size_t number)
{
  host *h = host_new(s);
  assert_int_equal(host_open(h), 0);
  h->action = action;
  h->act_event = event;
  h->act_at = h->events[event] + number;
  int code = host_start_all(h);
  assert_true(code == 0 || (code == UV_ESHUTDOWN && h->acted));
  if (event == EVENT_STOPPED) {
    host_act(h, ACTION_STOP);
  }
  host_wait(h);
  rig_turns(&h->r, 2);
  host_check_disturbed(h, false);
  bool acted = h->acted;
  host_free(h);
  return acted;
}

static void test_event(host_event event, host_action first, host_action last)
{
  size_t acts = 0;
  for (size_t i = 0; i < relay_scenario_count; i++) {
    const relay_scenario *s = &relay_scenarios[i];
    for (host_action action = first; action <= last && !s->large; action++) {
      for (size_t n = 1; act_at(s, action, event, n); n += RIG_STRIDE) {
        acts++;
      }
    }
  }
  print_message("%u times\n", (unsigned)acts);
  assert_in_range(acts, 20 / RIG_STRIDE, SIZE_MAX);
}

static void test_done(void **state)
{
  (void)state;
  test_event(EVENT_DONE, ACTION_CLOSE, ACTION_STOP);
}

static void test_stopped(void **state)
{
  (void)state;
  test_event(EVENT_STOPPED, ACTION_CLOSE, ACTION_STOP);
}

static void test_stream_closed(void **state)
{
  (void)state;
  test_event(EVENT_STREAM_CLOSED, ACTION_CLOSE, ACTION_STOP);
}

static void test_log(void **state)
{
  (void)state;
  test_event(EVENT_LOG, ACTION_CLOSE, ACTION_STOP);
}

static void test_allocate(void **state)
{
  (void)state;
  test_event(EVENT_ALLOCATE, ACTION_CLOSE, ACTION_CLOSE);
}

static void test_release(void **state)
{
  (void)state;
  test_event(EVENT_RELEASE, ACTION_CLOSE, ACTION_CLOSE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_done), cmocka_unit_test(test_stopped),  cmocka_unit_test(test_stream_closed),
      cmocka_unit_test(test_log),  cmocka_unit_test(test_allocate), cmocka_unit_test(test_release),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
