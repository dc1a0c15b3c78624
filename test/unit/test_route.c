/* Routes through the public interface, from a TCP port to a TCP target: clients are relayed and reported, at most so
 * many at a time; routes are added, refused, removed and stopped. See route_rig.h for what is asserted of all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route_rig.h"

#define LISTEN "tcp://127.0.0.1:0"

enum { BYTES = 10, DEADLINE_MS = 200, OPEN_MS = 60, ROUNDING_MS = 5 };

static route_host *open_host(void)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  return h;
}

/* With one route, from any port to the target. */
static route_host *open_route(const uvrelay_route_options_t *options)
{
  route_host *h = open_host();
  assert_int_equal(route_add(h, 0, LISTEN, h->target_address, options), 0);
  return h;
}

static bool is_relayed(const route_client *c)
{
  return c->received == c->to_send && c->received > 0;
}

static route_client *relay_one(route_host *h, unsigned i)
{
  route_client *c = route_client_start(h, h->routes[i].address, BYTES, false);
  ROUTE_WAIT(h, is_relayed(c));
  return c;
}

static void wait_over(route_host *h, const route_client *c)
{
  ROUTE_WAIT(h, c->over);
}

static void assert_refused(route_host *h, const char *address)
{
  const route_client *c = route_client_start(h, address, 0, false);
  wait_over(h, c);
  assert_false(c->connected);
  assert_int_equal(c->code, UV_ECONNREFUSED);
}

/* Being relayed. */

static void test_relay(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  host_route *route = &h->routes[0];
  assert_int_equal(strncmp(route->address, "tcp://127.0.0.1:", 16), 0);
  assert_int_not_equal(atoi(route->address + 16), 0);
  assert_string_equal(uvrelay_route_get_target(route->route), h->target_address);
  assert_string_equal(uvrelay_route_get_name(route->route), "");
  route_client *c = relay_one(h, 0);
  assert_journal(h, 0, "O1 ");
  uvrelay_route_counters_t counters;
  uvrelay_route_get_counters(route->route, &counters, sizeof(counters));
  assert_int_equal(counters.open, 1);
  assert_int_equal(counters.total, 1);
  assert_int_equal(counters.to_target, BYTES);
  assert_int_equal(counters.to_client, BYTES);
  route_run_ms(h, OPEN_MS);
  route_client_send(c, 5);
  ROUTE_WAIT(h, is_relayed(c));
  route_client_end(c);
  wait_over(h, c);
  ROUTE_WAIT(h, route->open == 0);
  const uvrelay_result_t *result = &route->results[1];
  assert_int_equal(result->reason, UVRELAY_REASON_ENDED);
  assert_int_equal(result->side, UVRELAY_RIGHT);
  assert_int_equal(result->to_right, BYTES + 5);
  assert_int_equal(result->to_left, BYTES + 5);
  assert_in_range(result->duration_ms, OPEN_MS - ROUNDING_MS, RIG_SOON_MS);
  (void)route_client_start(h, route->address, BYTES, true);
  ROUTE_WAIT(h, strcmp(route->journal, "O1 C1 O2 C2 ") == 0);
  uvrelay_route_get_counters(route->route, &counters, sizeof(counters));
  assert_int_equal(counters.open, 0);
  assert_int_equal(counters.total, 2);
  assert_int_equal(counters.failed, 0);
  assert_int_equal(counters.to_target, 2 * BYTES + 5);
  assert_int_equal(uvrelay_route_error(route->route)->code, 0);
  uvrelay_counters_t all;
  uvrelay_get_counters(h->relay, &all, sizeof(all));
  assert_int_equal(all.started, 2);
  assert_int_equal(all.active, 0);
  route_host_free(h);
}

/* More than are taken in one turn of the loop would be too many for the target here, but all that wait are. */
static void test_all_at_once(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  for (unsigned i = 0; i < 12; i++) {
    (void)route_client_start(h, h->routes[0].address, BYTES, true);
  }
  for (unsigned i = 0; i < 12; i++) {
    wait_over(h, &h->clients[i]);
    assert_int_equal(h->clients[i].received, BYTES);
    assert_int_equal(h->clients[i].code, 0);
  }
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].opened, 12);
  route_host_free(h);
}

static void test_target_absent(void **state)
{
  (void)state;
  route_host *h = open_host();
  assert_int_equal(route_add(h, 0, LISTEN, h->absent_address, NULL), 0);
  host_route *route = &h->routes[0];
  for (uint64_t n = 1; n <= 2; n++) {
    route_client *c = route_client_start(h, route->address, BYTES, false);
    wait_over(h, c);
    assert_true(c->connected);
    assert_int_equal(c->received, 0);
    ROUTE_WAIT(h, route->opened == n && route->open == 0);
    assert_int_equal(route->results[n].reason, UVRELAY_REASON_FAILED);
    assert_int_equal(route->results[n].side, UVRELAY_RIGHT);
    assert_int_equal(route->results[n].error.code, UV_ECONNREFUSED);
    assert_int_equal(route->results[n].error.phase, UVRELAY_PHASE_CONNECT);
    assert_non_null(strstr(route->results[n].error.text, h->absent_address));
  }
  uvrelay_route_counters_t counters;
  uvrelay_route_get_counters(route->route, &counters, sizeof(counters));
  assert_int_equal(counters.total, 2);
  assert_int_equal(counters.failed, 2);
  assert_int_equal(uvrelay_route_error(route->route)->code, UV_ECONNREFUSED);
  uvrelay_counters_t all;
  uvrelay_get_counters(h->relay, &all, sizeof(all));
  assert_int_equal(all.failed, 2);
  assert_journal(h, 0, "O1 C1 O2 C2 ");
  route_host_free(h);
}

/* A client that leaves takes its session with it, and its target's connection. */
static void test_client_gone(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  route_client *c = relay_one(h, 0);
  route_client_hang_up(c);
  ROUTE_WAIT(h, h->routes[0].open == 0 && !h->target.connections[0].open);
  assert_journal(h, 0, "O1 C1 ");
  route_host_free(h);
}

/* Of the caller's options that have not all members, and of his counters, no more is touched than there is. */
static void test_sizes(void **state)
{
  (void)state;
  route_host *h = open_host();
  uvrelay_route_t *route = NULL;
  uvrelay_route_options_t options = {.size = offsetof(uvrelay_route_options_t, event_cb),
                                     .event_cb = (uvrelay_event_cb)(uintptr_t)1};
  assert_int_equal(uvrelay_route_add(h->relay, LISTEN, h->target_address, &options, &route), 0);
  route_client *c = route_client_start(h, uvrelay_route_get_listen(route), BYTES, true);
  wait_over(h, c);
  assert_int_equal(c->received, BYTES);
  uvrelay_route_counters_t counters;
  memset(&counters, 0x5A, sizeof(counters));
  uvrelay_route_get_counters(route, &counters, offsetof(uvrelay_route_counters_t, failed));
  assert_int_equal(counters.total, 1);
  assert_int_equal(counters.failed, 0x5A5A5A5A5A5A5A5A);
  struct {
    uvrelay_route_counters_t known;
    uint64_t more;
  } newer;
  memset(&newer, 0x5A, sizeof(newer));
  uvrelay_route_get_counters(route, &newer.known, sizeof(newer));
  assert_int_equal(newer.known.total, 1);
  assert_int_equal(newer.more, 0);
  assert_int_equal(uvrelay_route_add(h->relay, LISTEN, h->target_address, NULL, NULL), 0); /* no way to name it */
  uvrelay_route_remove(route, 0, NULL, NULL);
  route_run_ms(h, 10);
  route_host_free(h);
}

static void test_query(void **state)
{
  (void)state;
  route_host *h = open_host();
  char target[ROUTE_ADDRESS + 32];
  const uvrelay_route_options_t options = {.size = sizeof(options), .max = 5, .idle_ms = 3600000};
  (void)snprintf(target, sizeof(target), "%s?idle=0.2&eof=none", h->target_address);
  assert_int_equal(route_add(h, 0, "tcp://localhost:0?max=1", target, &options), 0);
  assert_int_equal(strncmp(h->routes[0].address, "tcp://localhost:", 16), 0);
  assert_null(strchr(h->routes[0].address, '?'));
  assert_string_equal(uvrelay_route_get_target(h->routes[0].route), h->target_address);
  route_client *c = relay_one(h, 0);
  assert_journal(h, 0, "O1 P "); /* max */
  wait_over(h, c);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_SILENT); /* idle */
  assert_int_equal(h->routes[0].results[1].side, UVRELAY_SIDE_NONE);
  route_host_free(h);
}

static void test_ipv6(void **state)
{
  (void)state;
  route_host *h = open_host();
  int code = route_add(h, 0, "tcp://[::1]:0", h->target_address, NULL);
  if (code == UV_EADDRNOTAVAIL || code == UV_EAFNOSUPPORT) {
    route_host_free(h);
    skip(); /* there is no IPv6 here */
  }
  assert_int_equal(code, 0);
  assert_int_equal(strncmp(h->routes[0].address, "tcp://[::1]:", 12), 0);
  route_client *c = relay_one(h, 0);
  route_client_end(c);
  wait_over(h, c);
  route_host_free(h);
}

/* Pausing. */

static void test_max(void **state)
{
  (void)state;
  route_host *h = open_route(&(uvrelay_route_options_t){.size = sizeof(uvrelay_route_options_t), .max = 2});
  route_client *first = relay_one(h, 0);
  assert_journal(h, 0, "O1 ");
  route_client *second = relay_one(h, 0);
  assert_journal(h, 0, "O1 O2 P ");
  assert_int_equal(h->routes[0].error.code, UV_EAGAIN);
  assert_non_null(strstr(h->routes[0].error.text, h->routes[0].address));
  assert_non_null(strstr(h->routes[0].error.text, "max="));
  route_client *third = route_client_start(h, h->routes[0].address, BYTES, false);
  route_run_ms(h, OPEN_MS);
  assert_true(third->connected && third->open); /* it waits in the system */
  assert_int_equal(third->received, 0);
  assert_journal(h, 0, "O1 O2 P ");
  route_client_end(first);
  ROUTE_WAIT(h, is_relayed(third));
  assert_journal(h, 0, "O1 O2 P C1 O3 ");
  route_client_end(second);
  wait_over(h, second);
  route_client_end(third);
  wait_over(h, third);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].failed, 0);
  assert_journal(h, 0, "O1 O2 P C1 O3 C2 C3 ");
  ROUTE_WAIT(h, strcmp(h->routes[0].journal, "O1 O2 P C1 O3 C2 C3 R ") == 0); /* after a while */
  route_host_free(h);
}

/* Not each one that comes and goes is reported while there are about as many as may be. */
static void test_max_is_told_once(void **state)
{
  (void)state;
  route_host *h = open_route(&(uvrelay_route_options_t){.size = sizeof(uvrelay_route_options_t), .max = 8});
  for (unsigned i = 0; i < 8; i++) {
    (void)relay_one(h, 0);
  }
  assert_journal(h, 0, "O1 O2 O3 O4 O5 O6 O7 O8 P ");
  route_client_end(&h->clients[0]);
  ROUTE_WAIT(h, h->routes[0].open == 7);
  (void)relay_one(h, 0);
  route_run_ms(h, 10);
  assert_journal(h, 0, "O1 O2 O3 O4 O5 O6 O7 O8 P C1 O9 ");
  route_client_end(&h->clients[1]);
  ROUTE_WAIT(h, h->routes[0].open == 7);
  route_client_end(&h->clients[2]);
  ROUTE_WAIT(h, h->routes[0].open == 6);
  route_run_ms(h, 10);
  assert_journal(h, 0, "O1 O2 O3 O4 O5 O6 O7 O8 P C1 O9 C2 C3 ");
  ROUTE_WAIT(h, strcmp(h->routes[0].journal, "O1 O2 O3 O4 O5 O6 O7 O8 P C1 O9 C2 C3 R ") == 0);
  (void)relay_one(h, 0);
  (void)relay_one(h, 0);
  assert_journal(h, 0, "O1 O2 O3 O4 O5 O6 O7 O8 P C1 O9 C2 C3 R O10 O11 P ");
  route_host_free(h);
}

static void test_trouble(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  h->routes[0].refuses = true;
  h->no_memory = true;
  (void)route_client_start(h, h->routes[0].address, BYTES, true);
  ROUTE_WAIT(h, strcmp(h->routes[0].journal, "P ") == 0);
  assert_int_equal(h->routes[0].error.code, UV_ENOMEM);
  assert_non_null(strstr(h->routes[0].error.text, h->routes[0].address));
  route_run_ms(h, 3 * OPEN_MS); /* it is tried again, and not told again */
  assert_journal(h, 0, "P ");
  h->no_memory = false;
  const route_client *c = route_client_start(h, h->routes[0].address, BYTES, true);
  wait_over(h, c);
  assert_int_equal(c->received, BYTES);
  ROUTE_WAIT(h, strchr(h->routes[0].journal, 'R') != NULL);
  ROUTE_WAIT(h, h->routes[0].open == 0 && h->clients[0].over);
  assert_null(strchr(h->routes[0].journal + 1, 'P'));
  assert_ptr_equal(strchr(h->routes[0].journal, 'R'), strrchr(h->routes[0].journal, 'R'));
  route_host_free(h);
}

/* Removing. */

static void test_remove_at_once(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  route_client *c = relay_one(h, 0);
  char address[ROUTE_ADDRESS];
  (void)strcpy(address, h->routes[0].address);
  route_remove(h, 0, 0);
  assert_journal(h, 0, "O1 ");
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_STOPPED);
  assert_int_equal(h->routes[0].results[1].error.code, UV_ECANCELED);
  wait_over(h, c);
  assert_refused(h, address);
  assert_int_equal(route_add(h, 1, address, h->target_address, NULL), 0); /* the port is free again */
  (void)relay_one(h, 1);
  route_host_free(h);
}

static void test_remove_idle(void **state)
{
  (void)state;
  static const uint64_t timeouts[] = {0, 3600000, UINT64_MAX};
  for (size_t i = 0; i < 3; i++) {
    route_host *h = open_route(NULL);
    route_remove(h, 0, timeouts[i]);
    ROUTE_WAIT(h, h->routes[0].route == NULL);
    assert_journal(h, 0, "- ");
    route_host_free(h);
  }
}

static void test_remove_deadline(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  route_client *c = relay_one(h, 0);
  uint64_t since = route_now_ms();
  uv_update_time(&h->r.loop);
  route_remove(h, 0, DEADLINE_MS);
  route_run_ms(h, 10);
  assert_refused(h, h->routes[0].address);
  route_client_send(c, BYTES); /* what is open goes on */
  ROUTE_WAIT(h, is_relayed(c) || h->routes[0].route == NULL);
  bool late = route_now_ms() - since > DEADLINE_MS / 2;
  assert_true(late || is_relayed(c));
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_in_range(route_now_ms() - since, DEADLINE_MS - ROUNDING_MS, RIG_SOON_MS);
  assert_journal(h, 0, "O1 C1 - ");
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_STOPPED);
  route_host_free(h);
}

static void test_remove_waits(void **state)
{
  (void)state;
  static const uint64_t timeouts[] = {3600000, UINT64_MAX};
  for (size_t i = 0; i < 2; i++) {
    route_host *h = open_route(NULL);
    route_client *c = relay_one(h, 0);
    route_remove(h, 0, timeouts[i]);
    route_run_ms(h, OPEN_MS);
    assert_journal(h, 0, "O1 ");
    route_client_end(c);
    ROUTE_WAIT(h, h->routes[0].route == NULL);
    assert_journal(h, 0, "O1 C1 - ");
    assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
    wait_over(h, c);
    route_host_free(h);
  }
}

static void never_called(uvrelay_route_t *route, void *user)
{
  (void)route;
  (void)user;
  fail_msg("%s", "another callback has taken this one's place");
}

/* The last call counts, with its time and its callback. */
static void test_remove_again(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  (void)relay_one(h, 0);
  uvrelay_route_remove(h->routes[0].route, UINT64_MAX, never_called, NULL);
  route_run_ms(h, 10);
  route_remove(h, 0, 3600000);
  route_run_ms(h, 10);
  assert_journal(h, 0, "O1 ");
  route_remove(h, 0, 0);
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  route_host_free(h);
}

/* Others are not touched. */
static void test_remove_one_of_three(void **state)
{
  (void)state;
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    route_host *h = open_host();
    for (unsigned n = 0; n < ROUTE_COUNT; n++) {
      assert_int_equal(route_add(h, n, LISTEN, h->target_address, NULL), 0);
      (void)relay_one(h, n);
    }
    route_remove(h, i, 0);
    ROUTE_WAIT(h, h->routes[i].route == NULL);
    for (unsigned n = 0; n < ROUTE_COUNT; n++) {
      if (n != i) {
        (void)relay_one(h, n);
        assert_journal(h, n, "O1 O2 ");
      }
    }
    assert_int_equal(route_add(h, i, LISTEN, h->target_address, NULL), 0);
    (void)relay_one(h, i);
    route_host_free(h);
  }
}

/* Stopping. */

static void test_stop(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  route_client *c = relay_one(h, 0);
  uint64_t since = route_now_ms();
  uv_update_time(&h->r.loop);
  route_host_stop(h, DEADLINE_MS);
  assert_int_equal(route_add(h, 1, LISTEN, h->target_address, NULL), UV_ESHUTDOWN);
  route_run_ms(h, 10);
  assert_refused(h, h->routes[0].address);
  ROUTE_WAIT(h, h->stopped);
  assert_in_range(route_now_ms() - since, DEADLINE_MS - ROUNDING_MS, RIG_SOON_MS);
  assert_journal(h, 0, "O1 C1 ");
  wait_over(h, c);
  peer_close(&h->target);
  rig_run(&h->r); /* a route that does not listen does not keep the loop alive, but can be asked */
  assert_string_equal(uvrelay_route_get_listen(h->routes[0].route), h->routes[0].address);
  check_route_counters(&h->routes[0]);
  route_remove(h, 0, 0);
  ROUTE_WAIT(h, h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  assert_int_equal(route_add(h, 0, LISTEN, h->target_address, NULL), UV_ESHUTDOWN);
  route_host_free(h);
}

static void test_stop_drains(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  route_client *c = relay_one(h, 0);
  route_host_stop(h, UINT64_MAX);
  route_run_ms(h, OPEN_MS);
  assert_false(h->stopped);
  assert_journal(h, 0, "O1 ");
  route_client_end(c);
  ROUTE_WAIT(h, h->stopped);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  wait_over(h, c);
  route_host_free(h);
}

static void test_stop_idle(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  peer_close(&h->target);
  route_run_ms(h, 10);
  assert_true(uv_loop_alive(&h->r.loop)); /* as long as it listens */
  assert_int_equal(route_add(h, 1, LISTEN, h->target_address, NULL), 0);
  route_host_stop(h, UINT64_MAX);
  assert_false(h->stopped);
  ROUTE_WAIT(h, h->stopped);
  assert_refused(h, h->routes[0].address);
  assert_refused(h, h->routes[1].address);
  route_host_free(h);
}

static void test_removed_and_stopped(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  (void)relay_one(h, 0);
  route_remove(h, 0, UINT64_MAX);
  route_run_ms(h, 5);
  route_host_stop(h, 0);
  ROUTE_WAIT(h, h->stopped && h->routes[0].route == NULL);
  assert_journal(h, 0, "O1 C1 - ");
  route_host_free(h);
}

/* From callbacks. */

static void test_added_by_callback(void **state)
{
  (void)state;
  static const route_call calls[] = {CALL_OPENED, CALL_CLOSED, CALL_REMOVED};
  for (size_t i = 0; i < 3; i++) {
    route_host *h = open_route(NULL);
    h->action = ROUTE_ADDS;
    h->act_call = calls[i];
    h->act_at = 1;
    route_client *c = route_client_start(h, h->routes[0].address, BYTES, true);
    wait_over(h, c);
    if (calls[i] == CALL_REMOVED) {
      route_remove(h, 0, UINT64_MAX);
    }
    ROUTE_WAIT(h, h->acted);
    (void)relay_one(h, 2);
    assert_journal(h, 2, "O1 ");
    route_host_free(h);
  }
}

static void test_cancelled_by_callback(void **state)
{
  (void)state;
  route_host *h = open_route(NULL);
  h->action = ROUTE_CANCELS;
  h->act_call = CALL_OPENED;
  h->act_at = 1;
  route_client *c = route_client_start(h, h->routes[0].address, BYTES, false);
  wait_over(h, c);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(c->received, 0);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_STOPPED);
  assert_int_equal(h->routes[0].results[1].error.code, UV_ECANCELED);
  assert_int_equal(h->routes[0].failed, 0);
  (void)relay_one(h, 0);
  assert_journal(h, 0, "O1 C1 O2 ");
  route_host_free(h);
}

/* Refusals. */

static const struct {
  const char *listen;
  const char *target;
  int code;
  const char *text; /* a part of it */
} refusals[] = {
    {"", "tcp://127.0.0.1:9", UV_EINVAL, "empty"},
    {"x", "tcp://127.0.0.1:9", UV_EINVAL, "\"x\""},
    {LISTEN, "", UV_EINVAL, "empty"},
    {LISTEN, "x", UV_EINVAL, "\"x\""},
    {LISTEN, "tcp://127.0.0.1:0", UV_EINVAL, "port"},
    {LISTEN, "fd://3", UV_EINVAL, "only be listened on"},
    {LISTEN "?max=0", "tcp://127.0.0.1:9", UV_EINVAL, "max"},
    {LISTEN "?max=1", "tcp://127.0.0.1:9?max=1", UV_EINVAL, "twice"},
    {LISTEN "?perm=0600", "tcp://127.0.0.1:9", UV_EINVAL, "perm"},
    {"tcp://127.0.0.1:9", "tcp://127.0.0.1:9", UV_EINVAL, "its own target"},
    {"tcp://127.0.0.1:9?max=2", "TCP://127.0.0.1:9?idle=1", UV_EINVAL, "its own target"},
    {"tcp://localhost:9", "tcp://127.0.0.1:9", UV_EINVAL, "its own target"},
    {"tcp://127.0.0.1:9", "tcp://LocalHost:9", UV_EINVAL, "its own target"},
    {"tcp://[::1]:9", "tcp://[::1]:9", UV_EINVAL, "its own target"},
    {"tcp://example.org:0", "tcp://127.0.0.1:9", UV_EINVAL, "localhost"},
    {"tcp://0.0.0.0:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"tcp://192.0.2.1:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"tcp://128.0.0.1:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"tcp://[::]:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"tcp://[2001:db8::1]:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"tcp://[::ffff:192.0.2.1]:0", "tcp://127.0.0.1:9", UV_EACCES, "other computers"},
    {"assuan:///x", "tcp://127.0.0.1:9", UV_ENOTSUP, "socket file"},
#ifdef _WIN32
    {"unix:///x", "tcp://127.0.0.1:9", UV_ENOTSUP, "Unix sockets"},
    {"fd://3", "tcp://127.0.0.1:9", UV_ENOTSUP, "Windows"},
    {LISTEN, "unix:///x", UV_ENOTSUP, "Unix sockets"},
#else
    {"npipe:x", "tcp://127.0.0.1:9", UV_ENOTSUP, "Windows"},
    {LISTEN, "npipe:x", UV_ENOTSUP, "Windows"},
    {"fd://99", "tcp://127.0.0.1:9", UV_EBADF, "LISTEN_FDS"},
#endif
};

static void test_refusals(void **state)
{
  (void)state;
  route_host *h = open_host();
  for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
    int code = route_add(h, 0, refusals[i].listen, refusals[i].target, NULL);
    const char *text = uvrelay_error(h->relay)->text;
    if (code != refusals[i].code || strstr(text, refusals[i].text) == NULL) {
      fail_msg("%s=%s: %d: %s", refusals[i].listen, refusals[i].target, code, code != 0 ? text : "");
    }
  }
  assert_int_equal(uvrelay_route_add(h->relay, NULL, LISTEN, NULL, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_route_add(h->relay, LISTEN, NULL, NULL, NULL), UV_EINVAL);
  assert_int_equal(route_add(h, 0, LISTEN, h->target_address, NULL), 0);
  assert_int_equal(route_add(h, 1, h->routes[0].address, h->target_address, NULL), UV_EADDRINUSE);
  assert_non_null(strstr(uvrelay_error(h->relay)->text, h->routes[0].address));
  assert_non_null(strstr(uvrelay_error(h->relay)->text, "another port"));
  (void)relay_one(h, 0);
  route_host_free(h);
}

static void test_bad_options(void **state)
{
  (void)state;
  const size_t size = sizeof(uvrelay_route_options_t);
  const uvrelay_route_options_t bad[] = {
      {.size = 0},
      {.size = sizeof(size_t) - 1},
      {.size = size, .permissions = 01000},
      {.size = size, .impersonation = (uvrelay_impersonation_t)4},
      {.size = size, .eof_to_client = (uvrelay_eof_t)3},
      {.size = size, .eof_to_target = (uvrelay_eof_t)3},
  };
  route_host *h = open_host();
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_int_equal(route_add(h, 0, LISTEN, h->target_address, &bad[i]), UV_EINVAL);
  }
  struct {
    uvrelay_route_options_t known;
    uint64_t more;
  } newer = {.known = {.size = sizeof(newer)}, .more = 1};
  assert_int_equal(uvrelay_route_add(h->relay, LISTEN, h->target_address, &newer.known, NULL), UV_EINVAL);
  newer.more = 0;
  assert_int_equal(uvrelay_route_add(h->relay, LISTEN, h->target_address, &newer.known, NULL), 0);
  /* What may be, without being needed here. */
  const uvrelay_route_options_t good = {.size = size,
                                        .timeout_ms = UINT64_MAX,
                                        .linger_ms = UINT64_MAX,
                                        .max = UINT32_MAX,
                                        .permissions = 0777,
                                        .message_mode = 1,
                                        .impersonation = UVRELAY_IMPERSONATION_DELEGATION,
                                        .eof_to_client = UVRELAY_EOF_NONE,
                                        .eof_to_target = UVRELAY_EOF_MARKER,
                                        .allow_remote = 1};
  assert_int_equal(route_add(h, 0, LISTEN, h->target_address, &good), 0);
  (void)relay_one(h, 0);
  route_host_free(h);
}

/* It is closed, and that is reported, although there is no event. */
static void test_no_memory_for_a_client(void **state)
{
  (void)state;
  enum { STREAM = 1, SESSION, CLIENTS = 3 }; /* the allocations when one comes; the first failure lets it wait */
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  assert_int_equal(route_add(h, 0, "tcp://127.0.0.1:0", h->target_address, NULL), 0);
  h->routes[0].refuses = true;
  for (size_t i = 0; i < CLIENTS; i++) {
    size_t lines = h->calls[CALL_LOG];
    h->r.failed = false;
    h->r.fail_at = h->r.allocations + SESSION;
    const route_client *c = route_client_start(h, h->routes[0].address, 10, true);
    ROUTE_WAIT(h, c->over);
    assert_true(h->r.failed);
    assert_int_equal(h->calls[CALL_LOG], lines + 1);
    assert_int_equal(uvrelay_route_error(h->routes[0].route)->code, UV_ENOMEM);
  }
  assert_journal(h, 0, "");
  route_host_free(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relay),
      cmocka_unit_test(test_all_at_once),
      cmocka_unit_test(test_target_absent),
      cmocka_unit_test(test_client_gone),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_query),
      cmocka_unit_test(test_ipv6),
      cmocka_unit_test(test_max),
      cmocka_unit_test(test_max_is_told_once),
      cmocka_unit_test(test_trouble),
      cmocka_unit_test(test_remove_at_once),
      cmocka_unit_test(test_remove_idle),
      cmocka_unit_test(test_remove_deadline),
      cmocka_unit_test(test_remove_waits),
      cmocka_unit_test(test_remove_again),
      cmocka_unit_test(test_remove_one_of_three),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_stop_drains),
      cmocka_unit_test(test_stop_idle),
      cmocka_unit_test(test_removed_and_stopped),
      cmocka_unit_test(test_added_by_callback),
      cmocka_unit_test(test_cancelled_by_callback),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_bad_options),
      cmocka_unit_test(test_no_memory_for_a_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
