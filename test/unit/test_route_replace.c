/* Routes that are put in the place of others: the listener goes on, with a new target and new options. See route_rig.h
 * for what is asserted of all routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "route_rig.h"

#define LISTEN "tcp://127.0.0.1:0"

enum { BYTES = 10 };

/* With route 0, from any port to the target. */
static route_host *open_route(const uvrelay_route_options_t *options)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(route_add(h, 0, LISTEN, h->target_address, options), 0);
  return h;
}

static bool is_relayed(const route_client *c)
{
  return c->received == c->to_send && c->received > 0;
}

static route_client *relay_one(route_host *h, const char *address)
{
  route_client *c = route_client_start(h, address, BYTES, false);
  ROUTE_WAIT(h, is_relayed(c));
  return c;
}

/* The old route's session goes on, new clients are the new one's. */
static void test_replace(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  const uvrelay_route_options_t options = {.size = sizeof(options), .idle_ms = 3600000};
  route_client *old = relay_one(h, h->routes[0].address);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, &options, UINT64_MAX), 0);
  assert_string_equal(h->routes[1].address, h->routes[0].address);
  (void)relay_one(h, h->routes[1].address);
  assert_journal(h, 0, "O1 ");
  assert_journal(h, 1, "O1 ");
  route_client_send(old, BYTES);
  ROUTE_WAIT(h, is_relayed(old));
  route_client_end(old);
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  (void)relay_one(h, h->routes[1].address);
  assert_journal(h, 1, "O1 O2 ");
  route_host_free(h);
}

/* After its time limit the old route's session is cancelled, and the listener goes on all the same. */
static void test_replace_with_a_limit(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  (void)relay_one(h, h->routes[0].address);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, NULL, 0), 0);
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_STOPPED);
  (void)relay_one(h, h->routes[1].address);
  route_host_free(h);
}

/* A route that is full pauses its listener; its successor accepts who has waited, up to its own limit. */
static void test_replace_a_full_route(void **state)
{
  (void)state;
  const uvrelay_route_options_t one = {.size = sizeof(one), .max = 1};
  const uvrelay_route_options_t two = {.size = sizeof(two), .max = 2};
  route_host *h = open_route(&one);
  (void)relay_one(h, h->routes[0].address);
  route_client *waits = route_client_start(h, h->routes[0].address, BYTES, false);
  ROUTE_WAIT(h, waits->connected);
  route_run_ms(h, 10);
  assert_journal(h, 0, "O1 P ");
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, &two, UINT64_MAX), 0);
  ROUTE_WAIT(h, is_relayed(waits));
  assert_journal(h, 1, "O1 ");
  (void)relay_one(h, h->routes[1].address);
  assert_journal(h, 1, "O1 O2 P ");
  route_host_free(h);
}

static void test_replace_many_times(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  for (unsigned i = 0; i < 100; i++) {
    unsigned from = i % 2;
    assert_int_equal(route_replace(h, 1 - from, from, LISTEN, h->target_address, NULL, 0), 0);
    ROUTE_WAIT(h, h->routes[from].route == NULL);
  }
  (void)relay_one(h, h->routes[0].address);
  route_host_free(h);
}

/* The route goes on as it was. */
static void test_replace_is_refused(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  const uvrelay_route_options_t remote = {.size = sizeof(remote), .allow_remote = 1};
  assert_int_equal(route_replace(h, 1, 0, "tcp://127.0.0.2:0", h->target_address, NULL, 0), UV_ENOTSUP);
  assert_int_equal(route_replace(h, 1, 0, h->routes[0].address, h->target_address, NULL, 0), UV_ENOTSUP);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, &remote, 0), UV_ENOTSUP);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, "nonsense", NULL, 0), UV_EINVAL);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->routes[0].address, NULL, 0), UV_EINVAL); /* a ring */
  assert_string_equal(uvrelay_error(h->relay)->text + strlen(h->routes[0].address), " would be its own target");
  (void)relay_one(h, h->routes[0].address);
  assert_journal(h, 0, "O1 ");
  route_remove(h, 0, UINT64_MAX);
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, NULL, 0), UV_ENOTSUP);
  route_host_free(h);
}

/* Nothing is lost when there is no memory. */
static void test_replace_without_memory(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  h->no_memory = true;
  assert_int_equal(route_replace(h, 1, 0, LISTEN, h->target_address, NULL, 0), UV_ENOMEM);
  h->no_memory = false;
  (void)relay_one(h, h->routes[0].address);
  route_host_stop(h, 0);
  route_run_ms(h, 10);
  assert_int_equal(uvrelay_route_replace(h->routes[0].route, LISTEN, h->target_address, NULL, 0, NULL, NULL, NULL),
                   UV_ESHUTDOWN);
  route_host_free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_replace),
      cmocka_unit_test(test_replace_with_a_limit),
      cmocka_unit_test(test_replace_a_full_route),
      cmocka_unit_test(test_replace_many_times),
      cmocka_unit_test(test_replace_is_refused),
      cmocka_unit_test(test_replace_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
