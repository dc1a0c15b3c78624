/* Relays whose memory fails at every allocation in turn: the relay is not made, the session is not started, or it ends
 * for lack of memory; or nothing is noticed. Whatever it is, all is given back, as the host asserts (relay_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay_rig.h"

/* Returns whether there was such an allocation. */
static bool fail_allocation(const relay_scenario *s, size_t n)
{
  host *h = host_new(s);
  h->r.fail_at = h->r.allocations + n;
  int code = host_open(h);
  if (code != 0) {
    assert_int_equal(code, UV_ENOMEM);
    assert_true(h->r.failed);
    assert_int_equal(host_open(h), 0);
  }
  bool at_start = h->r.failed;
  code = host_start_all(h);
  if (code != 0) {
    assert_int_equal(code, UV_ENOMEM);
    assert_true(h->r.failed && !at_start);
    for (unsigned i = 0; i < h->begun; i++) {
      if (!h->sessions[i].taken) { /* nothing has happened to its endpoints, so that it can be tried again */
        assert_int_equal(host_start(h, i), 0);
      }
    }
    at_start = true;
  }
  host_wait(h);
  if (at_start || !h->r.failed) {
    host_check(h);
  } else {
    host_check_disturbed(h, true);
  }
  bool failed = h->r.failed;
  host_free(h);
  return failed;
}

static void test_no_memory(void **state)
{
  (void)state;
  for (size_t i = 0; i < relay_scenario_count; i++) {
    size_t n = 0;
    while (!relay_scenarios[i].large && fail_allocation(&relay_scenarios[i], n + 1)) {
      n++;
    }
    print_message("%s: %u allocations\n", relay_scenarios[i].name, (unsigned)n);
    assert_in_range(n, relay_scenarios[i].large ? 0 : 4, 1000);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
