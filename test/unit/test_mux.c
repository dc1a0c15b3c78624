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

typedef struct fixture {
  route_host *h;
  mux_pair p;
} fixture;

static fixture *open_fixture(const uvrelay_mux_options_t *near_options, const uvrelay_mux_options_t *far_options)
{
  static fixture f;
  memset(&f, 0, sizeof(f));
  f.h = route_host_new();
  assert_int_equal(route_host_open(f.h), 0);
  assert_int_equal(mux_pair_new(&f.p, f.h->relay, near_options, far_options), 0);
  return &f;
}

static void close_fixture(fixture *f)
{
  route_host_free(f->h);
}

/* Adds route `i` to a target that the far end is to connect to. */
static int add_via(fixture *f, unsigned i, const char *target)
{
  char address[ROUTE_ADDRESS];
  const uvrelay_route_options_t options = {.size = sizeof(options), .via = f->p.near.mux, .timeout_ms = 5000};
  (void)snprintf(address, sizeof(address), "via:%s", target);
  return route_add(f->h, i, "tcp://127.0.0.1:0", address, &options);
}

static void test_echo(void **state)
{
  (void)state;
  fixture *f = open_fixture(NULL, NULL);
  assert_int_equal(add_via(f, 0, f->h->target_address), 0);
  route_client *c = route_client_start(f->h, f->h->routes[0].address, 300000, true);
  ROUTE_WAIT(f->h, c->over);
  assert_int_equal(c->received, 300000);
  ROUTE_WAIT(f->h, f->p.far.closed == 1);
  assert_string_equal(f->p.near.journal, "N U ");
  assert_string_equal(f->p.far.journal, "U O C ");
  assert_string_equal(f->p.far.address, f->h->target_address);
  assert_int_equal(f->p.far.result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(f->p.far.result.to_right, 300000);
  close_fixture(f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
