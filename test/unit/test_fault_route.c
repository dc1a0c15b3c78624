/* Routes of which each call fails once, in each way that it can, also with a mux between client and target, and on Unix
 * sockets: the relay or the route is not made, and says why; or a client is lost, or must wait, and that is reported;
 * or nothing is noticed. Afterwards the routes work as before. Whatever it is, all is given back, as the host asserts
 * (route_rig.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fault_route.h"

#ifdef _WIN32
enum { FAULTS_MIN = 15 };
static const char taking[] = "uv_accept";
#else
enum { FAULTS_MIN = 80 };
static const char taking[] = "uv_tcp_open";
#endif

/* Adds what is missing; then the clients come late. */
static void begin_again(route_host *h, route_story story)
{
  char listen[ROUTE_ADDRESS];
  assert_true(fault_fired() && !fault_is_harmless());
  assert_int_equal(h->client_count, 0);
  if (h->routes[0].route == NULL) {
    (void)route_unix_address(h, "again", listen);
    assert_int_equal(route_add(h, 0, story == STORY_UNIX ? listen : "tcp://127.0.0.1:0", h->target_address, NULL), 0);
  }
}

static void run(void *user)
{
  const route_story story = *(const route_story *)user;
  route_host *h = route_host_new();
  fault_arm();
  int code = route_host_open(h);
  if (code != 0) {
    assert_true(fault_fired() && !fault_is_harmless());
    assert_int_equal(route_host_open(h), 0);
  }
  fault_route_hurry(h);
  if (story_begin(h, story) != 0) {
    begin_again(h, story);
  }
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    h->routes[i].refuses = true;
  }
  ROUTE_WAIT(h, fault_route_clients_over(h));
  fault_disarm();
  fault_route_check(h);
  fault_route_check_later(h);
  ROUTE_WAIT(h, story_step(h));
  route_host_free(h);
}

static void test_story(route_story story)
{
  unsigned runs = fault_each(run, &story);
  print_message("%u faults\n", runs);
  assert_in_range(runs, FAULTS_MIN, 10000);
}

static void test_tcp(void **state)
{
  (void)state;
  test_story(STORY_TCP);
}

static void test_via(void **state)
{
  (void)state;
  test_story(STORY_VIA);
}

/* A client that cannot be taken is closed, and does not "have to wait". */
static void test_client_is_lost(void **state)
{
  (void)state;
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(route_add(h, 0, "tcp://127.0.0.1:0", h->target_address, NULL), 0);
  h->routes[0].refuses = true;
  size_t lines = h->calls[CALL_LOG];
  fault_plan_is((fault_plan){.at = 1, .only = taking});
  fault_arm();
  const route_client *c = route_client_start(h, h->routes[0].address, FAULT_ROUTE_BYTES, true);
  ROUTE_WAIT(h, c->over);
  fault_disarm();
  assert_true(fault_fired());
  assert_int_equal(c->received, 0);
  assert_int_equal(h->calls[CALL_LOG], lines + 1);
  assert_journal(h, 0, "");
  assert_non_null(strstr(uvrelay_route_error(h->routes[0].route)->text, "was closed"));
  fault_route_check_later(h);
  route_host_free(h);
}

#ifndef _WIN32

static void test_unix(void **state)
{
  (void)state;
  test_story(STORY_UNIX);
}

/* A socket's file that cannot be removed is reported. */
static void test_file_is_left(void **state)
{
  (void)state;
  static const char *const calls[] = {"fstat", "fstatat", "unlinkat"};
  char address[ROUTE_ADDRESS];
  for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    route_host *h = route_host_new();
    assert_int_equal(route_host_open(h), 0);
    assert_int_equal(route_add(h, 0, route_unix_address(h, "left", address), h->target_address, NULL), 0);
    size_t lines = h->calls[CALL_LOG];
    fault_plan_is((fault_plan){.at = 1, .only = calls[i]});
    fault_arm();
    route_remove(h, 0, 0);
    ROUTE_WAIT(h, h->routes[0].removed);
    fault_disarm();
    assert_true(fault_fired());
    assert_int_equal(h->calls[CALL_LOG], lines + 1);
    h->leaves_files = true;
    route_host_free(h);
  }
}
#endif

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_tcp, fault_teardown),
      cmocka_unit_test_teardown(test_via, fault_teardown),
      cmocka_unit_test_teardown(test_client_is_lost, fault_teardown),
#ifndef _WIN32
      cmocka_unit_test_teardown(test_unix, fault_teardown),
      cmocka_unit_test_teardown(test_file_is_left, fault_teardown),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
