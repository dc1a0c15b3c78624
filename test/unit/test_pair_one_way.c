/* A pair in which a stream never sends or never takes, over scripted streams: the direction that there is, its end, and
 * what happens to bytes for the other one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "relay/pair.h"

static const fake_step ends[] = {{.size = 10}, {.outcome = UVR_END_OF_INPUT}};
static const fake_step ended[] = {{.outcome = UVR_END_OF_INPUT}};
static const fake_step goes[] = {{.size = 10}, {.outcome = UVR_GONE}};

typedef struct bench {
  rig r;
  fake *left;
  fake *right;
  uvr_pair *pair;
  bool over;
  bool closed;
  uvrelay_result_t result;
} bench;

static void on_end(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  assert_false(b->over);
  b->over = true;
  b->result = *result;
}

static void on_close(void *user)
{
  ((bench *)user)->closed = true;
}

static void start(bench *b, const fake_script *left, const fake_script *right, const uvr_pair_options *options)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->left = fake_new(&b->r, "left", 1, left);
  b->right = fake_new(&b->r, "right", 2, right);
  const uvr_pair_events events = {.on_end = on_end, .on_close = on_close, .user = b};
  assert_int_equal(uvr_pair_start(&b->r.context, b->left->stream, b->right->stream, options, &events, &b->pair), 0);
}

static void finish(bench *b, uvrelay_reason_t reason, uvrelay_side_t side)
{
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_int_equal(b->result.reason, reason);
  assert_int_equal(b->result.side, side);
  rig_run(&b->r);
  fake_free(b->left);
  fake_free(b->right);
  rig_clear(&b->r);
}

/* All bytes come before the end; a side that could send more learns nothing in between. */
static void test_target_never_sends(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bool half_close = i % 2 == 1;
    start(&b, &(fake_script){.npipe = true, .reads = i < 2 ? ends : ended},
          &(fake_script){.never_sends = true, .no_half_close = !half_close, .write_turns = 5},
          &(uvr_pair_options){.end_after_right = true, .linger_ms = 60000});
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.right->taken, i < 2 ? 10 : 0);
    assert_int_equal(b.right->shutdowns, half_close ? 1 : 0);
    assert_int_equal(b.left->shutdowns, 0);
    assert_int_equal(b.right->reads, 0);
    finish(&b, UVRELAY_REASON_ENDED, UVRELAY_LEFT);
  }
}

/* That it is gone is noticed without a read, or by a write. */
static void test_target_that_never_sends_goes(void **state)
{
  (void)state;
  bench b;
  start(&b, &(fake_script){.npipe = true},
        &(fake_script){.never_sends = true, .lost = {.outcome = UVR_GONE, .turns = 3}}, &(uvr_pair_options){0});
  finish(&b, UVRELAY_REASON_GONE, UVRELAY_RIGHT);

  start(&b, &(fake_script){.npipe = true, .reads = ends},
        &(fake_script){.never_sends = true, .write_end = {.outcome = UVR_GONE, .turns = 2}}, &(uvr_pair_options){0});
  finish(&b, UVRELAY_REASON_GONE, UVRELAY_RIGHT);
}

/* As with standard output: it would never be written to. */
static void test_nothing_for_the_left(void **state)
{
  (void)state;
  bench b;
  start(&b, &(fake_script){.lost = {.outcome = UVR_GONE, .turns = 2}, .ends_when_lost = true},
        &(fake_script){.never_sends = true}, &(uvr_pair_options){0});
  rig_turns(&b.r, 20);
  assert_false(b.over);
  fake_finish_read(b.left, &(fake_step){.size = 5});
  fake_finish_read(b.left, &(fake_step){.outcome = UVR_END_OF_INPUT});
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_int_equal(b.right->taken, 5);
  finish(&b, UVRELAY_REASON_ENDED, UVRELAY_LEFT);
}

static void test_target_never_takes(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    bench b;
    const fake_step *left = i == 0 ? ends : i == 1 ? ended : NULL;
    start(&b, &(fake_script){.npipe = true, .reads = left},
          &(fake_script){.never_takes = true, .no_half_close = true, .reads = i > 0 ? goes : NULL},
          &(uvr_pair_options){0});
    if (i > 0) {
      assert_true(rig_run_until(&b.r, &b.closed));
      fake_assert_relayed(b.right, b.left, 10);
      finish(&b, UVRELAY_REASON_GONE, UVRELAY_RIGHT);
      continue;
    }
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.result.error.code, UV_EPERM);
    finish(&b, UVRELAY_REASON_FAILED, UVRELAY_RIGHT);
  }
}

/* From one that only sends to one that only takes. */
static void test_one_direction_in_all(void **state)
{
  (void)state;
  bench b;
  start(&b, &(fake_script){.npipe = true, .never_takes = true, .no_half_close = true, .reads = ends},
        &(fake_script){.never_sends = true}, &(uvr_pair_options){0});
  assert_true(rig_run_until(&b.r, &b.closed));
  fake_assert_relayed(b.left, b.right, 10);
  finish(&b, UVRELAY_REASON_ENDED, UVRELAY_LEFT);

  start(&b, &(fake_script){.never_sends = true},
        &(fake_script){.npipe = true, .never_takes = true, .no_half_close = true, .reads = ends},
        &(uvr_pair_options){0});
  assert_true(rig_run_until(&b.r, &b.closed));
  fake_assert_relayed(b.right, b.left, 10);
  finish(&b, UVRELAY_REASON_ENDED, UVRELAY_RIGHT);
}

static void test_no_direction(void **state)
{
  (void)state;
  bench b;
  start(&b, &(fake_script){.never_sends = true}, &(fake_script){.never_sends = true}, &(uvr_pair_options){0});
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_int_equal(b.result.error.code, UV_EPERM);
  finish(&b, UVRELAY_REASON_FAILED, UVRELAY_SIDE_NONE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_target_never_sends),   cmocka_unit_test(test_target_that_never_sends_goes),
      cmocka_unit_test(test_nothing_for_the_left), cmocka_unit_test(test_target_never_takes),
      cmocka_unit_test(test_one_direction_in_all), cmocka_unit_test(test_no_direction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
