/* What a pair does while it waits: for its right side to be connected, when its input may have ended already; and for
 * the end of its left side, when that has got the end of the right one; and for its right side to be closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "relay/pair.h"

enum { LOOK_MS = 20, LOOKS_MS = 200 };

typedef struct bench {
  rig r;
  fake *left;
  fake *right;
  uvr_pair *pair;
  uvrelay_result_t result;
  unsigned told;
  bool told_after_end;
  bool ended;
  bool closed;
} bench;

static void on_left_told(void *user)
{
  bench *b = user;
  b->told++;
  b->told_after_end = b->told_after_end || b->ended;
}

static void on_end(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  b->ended = true;
  b->result = *result;
}

static void on_close(void *user)
{
  ((bench *)user)->closed = true;
}

/* With `right` NULL, that side stays away. */
static void start(bench *b, const fake_script *left, const fake_script *right, const uvr_pair_options *options)
{
  const uvr_pair_events events = {.on_end = on_end, .on_left_told = on_left_told, .on_close = on_close, .user = b};
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.patience.watch_ms = LOOK_MS;
  b->left = fake_new(&b->r, "left", 1, left);
  b->right = right != NULL ? fake_new(&b->r, "right", 2, right) : NULL;
  assert_int_equal(uvr_pair_start(&b->r.context, b->left->stream, right != NULL ? b->right->stream : NULL, options,
                                  &events, &b->pair),
                   0);
}

static void finish(bench *b)
{
  rig_run(&b->r);
  assert_true(b->closed && !b->told_after_end);
  fake_free(b->left);
  if (b->right != NULL) {
    fake_free(b->right);
  }
  rig_clear(&b->r);
}

static void on_time(uv_timer_t *timer)
{
  *(bool *)timer->data = true;
  uv_close((uv_handle_t *)timer, NULL);
}

/* Runs the loop for the time of several looks. */
static void wait_some_looks(bench *b)
{
  bool over = false;
  uv_timer_t timer;
  assert_int_equal(uv_timer_init(&b->r.loop, &timer), 0);
  timer.data = &over;
  assert_int_equal(uv_timer_start(&timer, on_time, LOOKS_MS, 0), 0);
  assert_true(rig_run_until(&b->r, &over));
  rig_turns(&b->r, 1); /* the timer is closed */
}

static void test_input_that_is_over_ends_the_waiting(void **state)
{
  (void)state;
  bench b;
  start(&b, &(fake_script){.input_state = UVR_INPUT_OVER}, NULL, &(uvr_pair_options){.end_after_left = true});
  assert_false(b.ended); /* not before the call has returned */
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_int_equal(b.result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(b.result.side, UVRELAY_LEFT);
  assert_int_equal(b.result.error.code, 0);
  assert_string_equal(b.result.error.text, "the input has ended");
  finish(&b);
}

/* Without that option, somebody may still want what comes from the right side; and with input, that is to arrive. */
static void test_otherwise_it_goes_on_waiting(void **state)
{
  (void)state;
  const struct {
    uvr_input_state input;
    uvr_pair_options options;
  } cases[] = {{UVR_INPUT_OVER, {0}},
               {UVR_INPUT_OVER, {.end_after_right = true}},
               {UVR_INPUT_LAST, {.end_after_left = true}},
               {UVR_INPUT_OPEN, {.end_after_left = true}}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bench b;
    start(&b, &(fake_script){.input_state = cases[i].input}, NULL, &cases[i].options);
    wait_some_looks(&b);
    assert_false(b.ended);
    uvr_pair_cancel(b.pair);
    finish(&b);
  }
}

static void test_told_once_when_it_goes_on(void **state)
{
  (void)state;
  bench b;
  const fake_step right[] = {{.size = 10}, {.outcome = UVR_END_OF_INPUT}, {0}};
  start(&b, &(fake_script){0}, &(fake_script){.reads = right}, &(uvr_pair_options){0});
  rig_turns(&b.r, 50);
  assert_int_equal(b.told, 1);
  assert_int_equal(b.left->shutdowns, 1);
  assert_false(b.ended);
  uvr_pair_cancel(b.pair);
  finish(&b);
}

/* It ends with that, because of an option or as the left side has ended already; or the end cannot be signalled to the
 * left side. */
static void test_not_told(void **state)
{
  (void)state;
  const fake_step end[] = {{.outcome = UVR_END_OF_INPUT}, {0}};
  const fake_step late_end[] = {{.outcome = UVR_END_OF_INPUT, .turns = 5}, {0}};
  const fake_step gone[] = {{.outcome = UVR_GONE}, {0}};
  const struct {
    const fake_step *left;
    const fake_step *right;
    bool no_half_close;
    uvr_pair_options options;
  } cases[] = {{NULL, end, false, {.end_after_right = true}},
               {NULL, gone, false, {0}},
               {end, late_end, false, {.eof_to_right = UVRELAY_EOF_NONE}},
               {NULL, end, true, {0}}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bench b;
    start(&b, &(fake_script){.reads = cases[i].left, .no_half_close = cases[i].no_half_close},
          &(fake_script){.reads = cases[i].right}, &cases[i].options);
    rig_turns(&b.r, 50);
    assert_int_equal(b.told, 0);
    assert_int_equal(b.ended, i != 3);
    if (!b.ended) {
      uvr_pair_cancel(b.pair);
    }
    finish(&b);
  }
}

/* The right side may take long to close. */
static void test_left_is_closed_before_the_pair(void **state)
{
  (void)state;
  bench b;
  const fake_step end[] = {{.outcome = UVR_END_OF_INPUT}, {0}};
  start(&b, &(fake_script){.reads = end, .close_turns = 2}, &(fake_script){.close_turns = 20},
        &(uvr_pair_options){.end_after_left = true});
  assert_ptr_equal(uvr_pair_left(b.pair), b.left->stream);
  assert_true(rig_run_until(&b.r, &b.ended));
  assert_ptr_equal(uvr_pair_left(b.pair), b.left->stream);
  rig_turns(&b.r, 10);
  assert_false(b.closed);
  assert_null(uvr_pair_left(b.pair));
  finish(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_input_that_is_over_ends_the_waiting), cmocka_unit_test(test_otherwise_it_goes_on_waiting),
      cmocka_unit_test(test_told_once_when_it_goes_on),           cmocka_unit_test(test_not_told),
      cmocka_unit_test(test_left_is_closed_before_the_pair),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
