/* Alarms: each rings once, in order of time, and not after it was cleared; what is set from within a ring waits for the
 * next turn of the loop; many cost little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

enum { MANY = 9000, MIXED = 300 };

typedef struct bell {
  uvr_alarm alarm; /* must be the first member */
  struct bench *b;
  uint64_t due; /* as the test reckons */
  unsigned rung;
} bell;

typedef struct bench {
  rig r;
  unsigned rung;
  bell *last;
} bench;

static void set(bench *b, bell *it, uint64_t ms, uvr_alarm_cb ring)
{
  it->b = b;
  it->due = uv_now(&b->r.loop) + ms;
  uvr_alarm_set(b->r.context.clock, &it->alarm, ms, ring);
}

static void on_ring(uvr_alarm *alarm)
{
  bell *it = (bell *)alarm;
  bench *b = it->b;
  assert_false(uvr_alarm_is_set(alarm));
  assert_true(uv_now(&b->r.loop) >= it->due);
  assert_true(b->last == NULL || b->last->due <= it->due);
  b->last = it;
  it->rung++;
  b->rung++;
}

static void test_nothing_set_needs_no_timer(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell one = {.rung = 0};
  rig_init(&b.r);
  uvr_alarm_clear(b.r.context.clock, &one.alarm);
  assert_false(uvr_alarm_is_set(&one.alarm));
  rig_clear(&b.r);
}

static void test_rings_in_order_of_time(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell bells[MIXED] = {{.rung = 0}};
  rig_init(&b.r);
  for (unsigned i = 0; i < MIXED; i++) {
    set(&b, &bells[i], rig_random(&b.r, 30), on_ring);
    assert_true(uvr_alarm_is_set(&bells[i].alarm));
  }
  rig_run(&b.r);
  assert_int_equal(b.rung, MIXED);
  rig_clear(&b.r);
}

static void on_ring_in_turn(uvr_alarm *alarm)
{
  bell *it = (bell *)alarm;
  assert_true(it->b->last == NULL || it->b->last + 1 == it);
  it->b->last = it;
}

static void test_those_due_together_ring_as_they_were_set(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell bells[64] = {{.rung = 0}};
  rig_init(&b.r);
  for (unsigned i = 0; i < 64; i++) {
    set(&b, &bells[i], 5, on_ring_in_turn);
  }
  rig_run(&b.r);
  assert_ptr_equal(b.last, &bells[63]);
  rig_clear(&b.r);
}

static void test_cleared_and_set_again(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell one = {.rung = 0};
  bell two = {.rung = 0};
  rig_init(&b.r);
  set(&b, &one, 1, on_ring);
  uvr_alarm_clear(b.r.context.clock, &one.alarm);
  assert_false(uvr_alarm_is_set(&one.alarm));
  rig_run(&b.r); /* ends, as no alarm is left */
  assert_int_equal(b.rung, 0);
  set(&b, &one, 60000, on_ring);
  set(&b, &two, 2, on_ring);
  set(&b, &one, 1, on_ring); /* earlier */
  rig_run(&b.r);
  assert_int_equal(b.rung, 2);
  set(&b, &one, 1, on_ring);
  set(&b, &one, 4, on_ring); /* later */
  rig_run(&b.r);
  assert_int_equal(one.rung, 2);
  rig_clear(&b.r);
}

static void test_the_longest_time_is_never(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell one = {.rung = 0};
  bell two = {.rung = 0};
  rig_init(&b.r);
  set(&b, &one, UINT64_MAX, on_ring);
  set(&b, &two, 1, on_ring);
  rig_run_ms(&b.r, 20);
  assert_int_equal(one.rung, 0);
  assert_int_equal(two.rung, 1);
  assert_true(uvr_alarm_is_set(&one.alarm));
  uvr_alarm_clear(b.r.context.clock, &one.alarm);
  rig_run(&b.r);
  rig_clear(&b.r);
}

static void on_ring_again(uvr_alarm *alarm)
{
  bell *it = (bell *)alarm;
  it->rung++;
  if (it->rung < 10) {
    set(it->b, it, 0, on_ring_again);
  }
}

enum { UV_VERSION_1_48 = 0x013000 };

static void test_one_set_by_a_ring_waits_for_the_next_turn(void **state)
{
  (void)state;
  if (uv_version() < UV_VERSION_1_48) {
    skip(); /* such a libuv runs a timer of 0 ms in the turn in which a timer has started it */
  }
  bench b = {.rung = 0};
  bell one = {.rung = 0};
  rig_init(&b.r);
  set(&b, &one, 0, on_ring_again);
  assert_int_equal(one.rung, 0);
  for (unsigned before = 0; one.rung < 10; before = one.rung) {
    rig_turns(&b.r, 1);
    assert_in_range(one.rung, before, before + 2); /* libuv runs timers before and after it waits */
  }
  rig_run(&b.r);
  assert_int_equal(one.rung, 10);
  rig_clear(&b.r);
}

static bell *others;

static void on_ring_clears_others(uvr_alarm *alarm)
{
  bell *it = (bell *)alarm;
  it->rung++;
  for (unsigned i = 0; i < 8; i++) {
    uvr_alarm_clear(it->b->r.context.clock, &others[i].alarm);
  }
}

static void test_a_ring_clears_what_is_due_with_it(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell bells[8] = {{.rung = 0}};
  rig_init(&b.r);
  others = bells;
  for (unsigned i = 0; i < 8; i++) {
    set(&b, &bells[i], 3, on_ring_clears_others);
  }
  rig_run(&b.r);
  for (unsigned i = 0; i < 8; i++) {
    assert_int_equal(bells[i].rung, i == 0 ? 1 : 0);
  }
  rig_clear(&b.r);
}

/* Sets, moves and clears at random, and frees what has rung, as the owners of alarms do. */
static void test_random_uses(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  rig_init(&b.r);
  bell *bells[MIXED];
  unsigned expected = 0;
  for (unsigned i = 0; i < MIXED; i++) {
    bells[i] = calloc(1, sizeof(bell));
    assert_non_null(bells[i]);
  }
  for (unsigned round = 0; round < 40; round++) {
    for (unsigned i = 0; i < MIXED; i++) {
      bell *it = bells[rig_random(&b.r, MIXED)];
      if (rig_random(&b.r, 3) == 0) {
        uvr_alarm_clear(b.r.context.clock, &it->alarm);
        assert_false(uvr_alarm_is_set(&it->alarm));
      } else {
        set(&b, it, rig_random(&b.r, 20), on_ring);
      }
    }
    rig_turns(&b.r, 1);
    b.last = NULL; /* a turn rings twice */
  }
  for (unsigned i = 0; i < MIXED; i++) {
    expected += uvr_alarm_is_set(&bells[i]->alarm) ? 1 : 0;
  }
  b.rung = 0;
  rig_run(&b.r);
  assert_int_equal(b.rung, expected);
  for (unsigned i = 0; i < MIXED; i++) {
    free(bells[i]);
  }
  rig_clear(&b.r);
}

/* As connections with idle= do: all are set to later again and again, in any order. */
static void test_many(void **state)
{
  (void)state;
  bench b = {.rung = 0};
  bell *bells = calloc(MANY, sizeof(bell));
  assert_non_null(bells);
  rig_init(&b.r);
  for (unsigned round = 0; round < 10; round++) {
    for (unsigned i = 0; i < MANY; i++) {
      set(&b, &bells[rig_random(&b.r, MANY)], 600000 + rig_random(&b.r, 60000), on_ring);
    }
  }
  for (unsigned i = 0; i < MANY; i++) {
    set(&b, &bells[i], 1, on_ring);
  }
  rig_run(&b.r);
  assert_int_equal(b.rung, MANY);
  rig_clear(&b.r);
  free(bells);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_set_needs_no_timer),
      cmocka_unit_test(test_rings_in_order_of_time),
      cmocka_unit_test(test_those_due_together_ring_as_they_were_set),
      cmocka_unit_test(test_cleared_and_set_again),
      cmocka_unit_test(test_the_longest_time_is_never),
      cmocka_unit_test(test_one_set_by_a_ring_waits_for_the_next_turn),
      cmocka_unit_test(test_a_ring_clears_what_is_due_with_it),
      cmocka_unit_test(test_random_uses),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
