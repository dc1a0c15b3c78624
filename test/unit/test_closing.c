/* Counting what is being closed: the callback comes once, after the last thing, and not before all were added. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/closing.h"

static void count(void *user)
{
  (*(int *)user)++;
}

static void test_nothing_to_close(void **state)
{
  (void)state;
  int called = 0;
  uvr_closing closing = {.open = 0};
  uvr_closing_begin(&closing, count, &called);
  assert_int_equal(called, 0);
  uvr_closing_end(&closing);
  assert_int_equal(called, 1);
}

static void test_last_thing_calls_back(void **state)
{
  (void)state;
  int called = 0;
  uvr_closing closing = {.open = 0};
  uvr_close_cb early = uvr_closing_add(&closing);
  early(&closing); /* before there is a callback */
  uvr_close_cb first = uvr_closing_add(&closing);
  uvr_closing_begin(&closing, count, &called);
  uvr_close_cb second = uvr_closing_add(&closing);
  first(&closing);
  uvr_closing_end(&closing);
  assert_int_equal(called, 0);
  second(&closing);
  assert_int_equal(called, 1);
}

static void test_closed_before_the_end_of_adding(void **state)
{
  (void)state;
  int called = 0;
  uvr_closing closing = {.open = 0};
  uvr_closing_begin(&closing, count, &called);
  uvr_closing_add (&closing)(&closing);
  uvr_closing_add (&closing)(&closing);
  assert_int_equal(called, 0);
  uvr_closing_end(&closing);
  assert_int_equal(called, 1);
}

static void test_handles(void **state)
{
  (void)state;
  int called = 0;
  uv_loop_t loop;
  uv_timer_t timers[3];
  uvr_closing closing = {.open = 0};
  assert_int_equal(uv_loop_init(&loop), 0);
  uvr_closing_begin(&closing, count, &called);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(uv_timer_init(&loop, &timers[i]), 0);
    uvr_closing_handle(&closing, (uv_handle_t *)&timers[i]);
  }
  uvr_closing_end(&closing);
  assert_int_equal(called, 0); /* from the loop only */
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(called, 1);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_to_close),
      cmocka_unit_test(test_last_thing_calls_back),
      cmocka_unit_test(test_closed_before_the_end_of_adding),
      cmocka_unit_test(test_handles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
