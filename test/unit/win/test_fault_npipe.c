/* Routes over a named pipe of which each call fails once: both ends of the pipe are the relay's. What must come of it
 * is as in test_fault_route.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fault_route.h"
#include "npipe_server.h"
#include "stream/npipe_open_win.h"
#include "stream/npipe_win.h"

enum { FAULTS_MIN = 100 };

/* Two clients of a port, whose target is a named pipe of the same relay. */
static int begin_pipes(route_host *h, const char *mode)
{
  static unsigned number;
  char listen[ROUTE_ADDRESS];
  char target[64];
  const uvrelay_route_options_t options = {.size = sizeof(options), .linger_ms = 20};
  (void)snprintf(target, sizeof(target), "//./pipe/uvrelay-test-%u-%u", (unsigned)uv_os_getpid(), number++);
  (void)snprintf(listen, sizeof(listen), "%s?mode=%s", target, mode);
  int code = route_add(h, 3, listen, h->target_address, &options);
  code = code != 0 ? code : route_add(h, 0, "tcp://127.0.0.1:0", target, &options);
  for (unsigned i = 0; i < 2 && code == 0; i++) {
    (void)route_client_start(h, h->routes[0].address, FAULT_ROUTE_BYTES, true);
  }
  return code;
}

static void run_pipes(void *user)
{
  route_host *h = route_host_new();
  assert_int_equal(route_host_open(h), 0);
  fault_route_hurry(h);
  fault_arm();
  if (begin_pipes(h, user) == 0) {
    h->routes[0].refuses = true;
    h->routes[3].refuses = true;
    ROUTE_WAIT(h, fault_route_clients_over(h));
    fault_disarm();
    fault_route_check(h);
    fault_route_check_later(h);
  } else {
    assert_true(fault_fired() && !fault_is_harmless());
  }
  fault_disarm();
  route_host_free(h);
}

static void test_message_pipes(void **state)
{
  (void)state;
  unsigned runs = fault_each(run_pipes, "message");
  print_message("%u faults\n", runs);
  assert_in_range(runs, FAULTS_MIN, 10000);
}

static void test_byte_pipes(void **state)
{
  (void)state;
  unsigned runs = fault_each(run_pipes, "byte");
  print_message("%u faults\n", runs);
  assert_in_range(runs, FAULTS_MIN, 10000);
}

/* The job that ends the output. */

typedef struct job {
  rig r;
  server s;
  uvr_stream *stream;
  bool wrote;
  bool shut;
  bool closed;
  uvr_outcome outcome;
} job;

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  (void)error;
  assert_int_equal(outcome, UVR_DONE);
  ((job *)user)->wrote = true;
}

static void on_shutdown(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  job *j = user;
  (void)error;
  j->outcome = outcome;
  j->shut = true;
}

static void on_closed(void *user)
{
  ((job *)user)->closed = true;
}

/* It waits for the reader, in a thread that can only be interrupted by a handle of it. Without one it must not begin.
 */
static void test_thread_without_handle(void **state)
{
  (void)state;
  job j = {.stream = NULL};
  uv_os_fd_t file;
  uvrelay_error_t error;
  rig_init(&j.r);
  j.r.context.patience.flush_ms = 20;
  server_start(&j.s, true, 4096, server_wait); /* it does not read */
  assert_int_equal(uvr_npipe_open(j.s.path, j.s.name, UVRELAY_IMPERSONATION_ANONYMOUS, false, &file, &error), 0);
  assert_int_equal(uvr_npipe_stream(&j.r.context, file, j.s.name, &j.stream, &error), 0);
  uvr_stream_write(j.stream, "x", 1, on_write, &j);
  assert_true(rig_run_until(&j.r, &j.wrote));
  fault_plan_is((fault_plan){.at = 1, .only = "DuplicateHandle"});
  fault_arm();
  uvr_stream_shutdown(j.stream, on_shutdown, &j);
  bool shut = rig_run_until(&j.r, &j.shut);
  fault_disarm();
  server_release(&j.s);
  assert_true(shut && fault_fired());
  assert_int_equal(j.outcome, UVR_FAILED);
  uvr_stream_close(j.stream, UVR_CLOSE_NOW, on_closed, &j);
  assert_true(rig_run_until(&j.r, &j.closed));
  server_join(&j.s);
  rig_clear(&j.r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_message_pipes, fault_teardown),
      cmocka_unit_test_teardown(test_byte_pipes, fault_teardown),
      cmocka_unit_test_teardown(test_thread_without_handle, fault_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
