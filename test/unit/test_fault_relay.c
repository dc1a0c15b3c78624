/* Relays of which each call fails once, in each way that it can: the relay is not made, the session is not started, or
 * it fails and says why, or nothing is noticed and every byte arrives. Whatever it is, all is given back, as the host
 * asserts (relay_rig.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault.h"
#include "relay_rig.h"

enum { FAULTS_MIN = 2 };

static bool is_stdio(const relay_side *side)
{
  return side->kind == PIPES || side->kind == ASYNC_PIPES || side->kind == STANDARD;
}

/* A standard input whose writer has left, in whatever way, has ended. */
static bool is_end(const host_session *s)
{
  return fault_code() == ECONNRESET && (is_stdio(&s->left) || is_stdio(&s->right));
}

/* How a relay may end when one of its calls has failed: it says so; or a peer seems to have left, as after EPIPE; or as
 * if nothing had been, with all bytes. */
static void check_session(const host_session *s)
{
  const relay_scenario *expected = s->h->s;
  const uvrelay_result_t *result = &s->result;
  if (!s->taken) {
    return;
  }
  bool says_so = result->reason == UVRELAY_REASON_FAILED || result->reason == UVRELAY_REASON_GONE ||
                 result->reason == UVRELAY_REASON_STOPPED;
  bool has_all = result->to_right == expected->to_right && result->to_left == expected->to_left;
  if (!says_so && !has_all && !is_end(s)) {
    fail_msg("%s: reason %d, %u and %u bytes: some were lost, and nobody is told", expected->name, (int)result->reason,
             (unsigned)result->to_right, (unsigned)result->to_left);
  }
}

static void run(void *user)
{
  const relay_scenario *s = user;
  host *h = host_new(s);
  fault_arm();
  int code = host_open(h);
  if (code != 0) {
    assert_true(fault_fired() && !fault_is_harmless());
    assert_int_equal(host_open(h), 0);
  }
  code = host_start_all(h);
  if (code != 0) {
    assert_true(fault_fired() && !fault_is_harmless());
    for (unsigned i = 0; i < h->begun; i++) {
      if (!h->sessions[i].taken) { /* nothing has happened to its endpoints, so that it can be tried again */
        assert_int_equal(host_start(h, i), 0);
      }
    }
  }
  host_wait(h);
  fault_disarm();
  if (!fault_fired() || fault_is_harmless()) {
    host_check(h);
  } else {
    for (unsigned i = 0; i < h->count; i++) {
      check_session(&h->sessions[i]);
    }
  }
  host_free(h);
}

static void test_calls(void **state)
{
  (void)state;
  for (size_t i = 0; i < relay_scenario_count; i++) {
    if (!relay_scenarios[i].large) {
      unsigned runs = fault_each(run, (void *)&relay_scenarios[i]);
      print_message("%s: %u faults\n", relay_scenarios[i].name, runs);
      bool calls_nothing = relay_scenarios[i].left == LACKING || relay_scenarios[i].right == LACKING;
      assert_in_range(runs, calls_nothing ? 0 : FAULTS_MIN, 10000);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_calls, fault_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
