/* Relays that are closed, stopped or cancelled after 0, 1, 2 ... turns of the loop, until all is over by itself. That
 * each callback comes once and in its order, and that all is given back, is asserted by the host (relay_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay_rig.h"

enum { TURNS_MAX = 100, STAY_TURNS = 12, BUSY_TURNS = 10 };

/* Acts after so many turns, each of which waits for something to happen or, if `busy`, does not. Returns whether it had
 * ended by itself before. */
static bool act_after(const relay_scenario *s, host_action action, unsigned turns, bool busy)
{
  host *h = host_new(s);
  assert_int_equal(host_open(h), 0);
  assert_int_equal(host_start_all(h), 0);
  for (unsigned i = 0; i < turns && !h->idle; i++) {
    if (busy) {
      rig_turns(&h->r, 1);
    } else {
      host_turn(h);
    }
  }
  bool over = h->idle;
  host_act(h, action);
  host_wait(h);
  host_check_disturbed(h, false);
  host_free(h);
  return over;
}

static void act_at_every_turn(const relay_scenario *s, host_action action)
{
  unsigned limit = s->stays ? STAY_TURNS : TURNS_MAX;
  unsigned turns = 0;
  while (turns < limit && !act_after(s, action, turns, false)) {
    turns += RIG_STRIDE;
  }
  assert_true(s->stays || turns < limit);
  for (unsigned busy = 1; busy < BUSY_TURNS; busy += RIG_STRIDE) {
    (void)act_after(s, action, busy, true);
  }
  print_message("%s: %u turns\n", s->name, turns);
}

static void test_every_turn(host_action action)
{
  for (size_t i = 0; i < relay_scenario_count; i++) {
    if (!relay_scenarios[i].large) {
      act_at_every_turn(&relay_scenarios[i], action);
    }
  }
}

static void test_close(void **state)
{
  (void)state;
  test_every_turn(ACTION_CLOSE);
}

static void test_cancel(void **state)
{
  (void)state;
  test_every_turn(ACTION_CANCEL);
}

static void test_stop(void **state)
{
  (void)state;
  test_every_turn(ACTION_STOP);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
