/* The public mux: both ends in one relay, over a pair of pipes, with routes that go through it. What must hold of
 * routes and memory whatever happens is asserted by the host (route_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mux_pair.h"
#include "route_rig.h"

static route_host *open_host(const uvrelay_mux_options_t *near_options, const uvrelay_mux_options_t *far_options)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(route_host_open_muxes(h, near_options, far_options), 0);
  return h;
}

/* Adds route `i` to a target that the far end is to connect to. */
static int add_via(route_host *h, unsigned i, const char *target)
{
  char address[ROUTE_ADDRESS];
  const uvrelay_route_options_t options = {.size = sizeof(options), .via = h->muxes.near_end.mux, .timeout_ms = 5000};
  (void)snprintf(address, sizeof(address), "via:%s", target);
  return route_add(h, i, "tcp://127.0.0.1:0", address, &options);
}

static void test_echo(void **state)
{
  (void)state;
  route_host *h = open_host(NULL, NULL);
  assert_int_equal(add_via(h, 0, h->target_address), 0);
  route_client *c = route_client_start(h, h->routes[0].address, 300000, true);
  ROUTE_WAIT(h, c->over);
  assert_int_equal(c->received, 300000);
  ROUTE_WAIT(h, h->muxes.far_end.closed == 1);
  assert_string_equal(h->muxes.near_end.journal, "N U ");
  assert_string_equal(h->muxes.far_end.journal, "U O C ");
  assert_string_equal(h->muxes.far_end.address, h->target_address);
  assert_int_equal(h->muxes.far_end.result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->muxes.far_end.result.to_right, 300000);
  route_host_free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
