/* How a pair waits for silence, over scripted streams: one side has ended, and the other one, to which that cannot be
 * signalled, ends the pair when it has been silent for long enough, counted from its last byte; or both sides are
 * silent. And to which sides it can be signalled, by the options and by their kind. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "relay/pair.h"

enum { LINGER_MS = 200, SHORT_MS = 60, SAID_EVERY_MS = 50, SAID = 6 };

/* On which side the one is to which the end cannot be signalled. */
static const uvrelay_side_t sides[] = {UVRELAY_RIGHT, UVRELAY_LEFT};

static const fake_step ends[] = {{.size = 10}, {.outcome = UVR_END_OF_INPUT}};

typedef struct bench {
  rig r;
  fake *quiet; /* the end cannot be signalled to it */
  fake *ended;
  uvrelay_side_t side; /* of the quiet one */
  uvr_pair *pair;
  bool over;
  bool closed;
  uint64_t ended_at; /* ms */
  uvrelay_result_t result;
} bench;

static uint64_t now_ms(void)
{
  return uv_hrtime() / 1000000;
}

static void on_end(void *user, const uvrelay_result_t *result)
{
  bench *b = user;
  assert_false(b->over);
  b->over = true;
  b->result = *result;
  b->ended_at = now_ms();
}

static void on_close(void *user)
{
  ((bench *)user)->closed = true;
}

static void bench_start(bench *b, uvrelay_side_t side, const fake_script *quiet, const fake_script *ended,
                        const uvr_pair_options *options)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->side = side;
  b->quiet = fake_new(&b->r, "quiet", 1, quiet);
  b->ended = fake_new(&b->r, "ended", 2, ended);
  const fake *left = side == UVRELAY_RIGHT ? b->ended : b->quiet;
  const fake *right = side == UVRELAY_RIGHT ? b->quiet : b->ended;
  const uvr_pair_events events = {.on_end = on_end, .on_close = on_close, .user = b};
  uv_update_time(&b->r.loop);
  assert_int_equal(uvr_pair_start(&b->r.context, left->stream, right->stream, options, &events, &b->pair), 0);
}

static void bench_init(bench *b, uvrelay_side_t side, unsigned write_turns, uint64_t linger_ms)
{
  bench_start(b, side, &(fake_script){.no_half_close = true}, &(fake_script){.reads = ends, .write_turns = write_turns},
              &(uvr_pair_options){.linger_ms = linger_ms, .left_linger_ms = linger_ms});
}

static void bench_clear(bench *b)
{
  rig_run(&b->r);
  assert_true(b->over && b->closed);
  fake_assert_relayed(b->ended, b->quiet, b->ended->given);
  fake_assert_relayed(b->quiet, b->ended, b->quiet->given);
  fake_free(b->quiet);
  fake_free(b->ended);
  rig_clear(&b->r);
}

/* Runs until the pair has ended, which must be so long after `since`. */
static void assert_silent(bench *b, uint64_t since)
{
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_in_range(b->ended_at - since, LINGER_MS - 5, RIG_SOON_MS); /* loop time is rounded */
  assert_int_equal(b->result.reason, UVRELAY_REASON_SILENT);
  assert_int_equal(b->result.side, b->side);
  assert_int_equal(b->result.error.code, 0);
  bench_clear(b);
}

static void test_silence(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    uint64_t since = now_ms();
    bench_init(&b, sides[i], 0, LINGER_MS);
    assert_silent(&b, since);
  }
}

/* Every byte begins the silence anew. (It may be over in between, on a busy machine.) */
static void test_last_byte(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, sides[i], 0, LINGER_MS);
    uint64_t since = now_ms();
    for (unsigned n = 0; n < SAID && !b.over; n++) {
      since = now_ms();
      uv_update_time(&b.r.loop);
      fake_finish_read(b.quiet, &(fake_step){.size = 1});
      rig_run_ms(&b.r, SAID_EVERY_MS);
    }
    assert_silent(&b, since);
  }
}

/* It is no silence while what was said is not yet written: it begins when that is over. */
static void test_blocked(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, sides[i], FAKE_NEVER, LINGER_MS);
    fake_finish_read(b.quiet, &(fake_step){.size = 5});
    rig_run_ms(&b.r, 2 * LINGER_MS + LINGER_MS / 2);
    assert_false(b.over);
    uint64_t since = now_ms();
    uv_update_time(&b.r.loop);
    fake_finish_write(b.ended, UVR_DONE);
    assert_silent(&b, since);
  }
}

static void test_never(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, sides[i], 0, 0);
    rig_run(&b.r); /* nothing is left to come */
    assert_false(b.over);
    uvr_pair_cancel(b.pair);
    bench_clear(&b);
  }
}

/* Each side has a time of its own. */
static void test_each_its_own(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    uint64_t since = now_ms();
    const uvr_pair_options options = {.linger_ms = sides[i] == UVRELAY_RIGHT ? LINGER_MS : 3600000,
                                      .left_linger_ms = sides[i] == UVRELAY_LEFT ? LINGER_MS : 3600000,
                                      .told_linger_ms = 3600000};
    bench_start(&b, sides[i], &(fake_script){.no_half_close = true}, &(fake_script){.reads = ends}, &options);
    assert_silent(&b, since);
  }
}

/* A left side that got a mark for the end, as pipes are, while the right side may be gone: it has its time, anew with
 * each byte; and without that doubt it may be silent forever. */
static void test_told_by_a_mark(void **state)
{
  (void)state;
  const uvr_pair_options options = {.linger_ms = 1, .left_linger_ms = 1, .told_linger_ms = LINGER_MS};
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bool mark = i % 2 == 0;
    bool hides = i / 2 == 0;
    bench_start(&b, UVRELAY_LEFT, &(fake_script){.can_mark_end = mark, .npipe = true},
                &(fake_script){.reads = ends, .may_hide_leaving = hides}, &options);
    uint64_t since = now_ms();
    for (unsigned n = 0; n < SAID && !b.over; n++) {
      since = now_ms();
      uv_update_time(&b.r.loop);
      fake_finish_read(b.quiet, &(fake_step){.size = 1});
      rig_run_ms(&b.r, SAID_EVERY_MS);
    }
    if (mark && hides) {
      assert_int_equal(b.quiet->shutdowns, 1);
      assert_silent(&b, since);
      continue;
    }
    rig_run_ms(&b.r, 2 * LINGER_MS);
    assert_false(b.over);
    uvr_pair_cancel(b.pair);
    bench_clear(&b);
  }
}

/* What both ends of an idle pair do: nothing by themselves. */
static void start_idle(bench *b, uint64_t idle_ms)
{
  bench_start(b, UVRELAY_RIGHT, &(fake_script){0}, &(fake_script){0}, &(uvr_pair_options){.idle_ms = idle_ms});
}

static void assert_idle(bench *b, uint64_t since)
{
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_in_range(b->ended_at - since, LINGER_MS - 5, RIG_SOON_MS);
  assert_int_equal(b->result.reason, UVRELAY_REASON_SILENT);
  assert_int_equal(b->result.side, UVRELAY_SIDE_NONE);
  assert_int_equal(b->result.error.code, 0);
  assert_true(b->result.error.text[0] != '\0');
  assert_int_equal(b->quiet->shutdowns + b->ended->shutdowns, 0);
  bench_clear(b);
}

static void test_idle(void **state)
{
  (void)state;
  bench b;
  uint64_t since = now_ms();
  start_idle(&b, LINGER_MS);
  assert_idle(&b, since);
}

/* A byte from either side begins it anew. */
static void test_idle_last_byte(void **state)
{
  (void)state;
  bench b;
  start_idle(&b, LINGER_MS);
  uint64_t since = now_ms();
  for (unsigned n = 0; n < SAID && !b.over; n++) {
    since = now_ms();
    uv_update_time(&b.r.loop);
    fake_finish_read(n % 2 == 0 ? b.quiet : b.ended, &(fake_step){.size = 1});
    rig_run_ms(&b.r, SAID_EVERY_MS);
  }
  assert_idle(&b, since);
}

/* One that takes nothing is as good as one that says nothing. */
static void test_idle_blocked(void **state)
{
  (void)state;
  bench b;
  uint64_t since = now_ms();
  bench_start(&b, UVRELAY_RIGHT, &(fake_script){0}, &(fake_script){.write_turns = FAKE_NEVER},
              &(uvr_pair_options){.idle_ms = LINGER_MS});
  fake_finish_read(b.quiet, &(fake_step){.size = 1});
  b.quiet->given = 0; /* it is not to arrive */
  assert_idle(&b, since);
}

/* It still counts when one side has ended and the other one got that end. */
static void test_idle_half_closed(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    uint64_t since = now_ms();
    bench_start(&b, sides[i], &(fake_script){0}, &(fake_script){.reads = ends},
                &(uvr_pair_options){.idle_ms = LINGER_MS, .linger_ms = SHORT_MS});
    rig_run_ms(&b.r, 1);
    assert_int_equal(b.quiet->shutdowns, 1);
    b.quiet->shutdowns = 0;
    assert_idle(&b, since);
  }
}

static void test_idle_never(void **state)
{
  (void)state;
  bench b;
  start_idle(&b, 0);
  rig_run(&b.r); /* nothing is left to come */
  assert_false(b.over);
  uvr_pair_cancel(b.pair);
  bench_clear(&b);
}

/* A pair that ends by itself does not wait for its timer. */
static void test_idle_ended(void **state)
{
  (void)state;
  bench b;
  bench_start(&b, UVRELAY_RIGHT, &(fake_script){.reads = ends}, &(fake_script){.reads = ends},
              &(uvr_pair_options){.idle_ms = 3600000});
  rig_run(&b.r);
  assert_true(b.closed);
  assert_int_equal(b.result.reason, UVRELAY_REASON_ENDED);
  bench_clear(&b);
}

/* Which side gets the other one's end. */

typedef struct telling {
  uvrelay_eof_t eof;
  bool half_close;
  bool mark;
  bool told;
} telling;

static const telling tellings[] = {
    {UVRELAY_EOF_AUTO, true, false, true},   {UVRELAY_EOF_AUTO, false, true, false},
    {UVRELAY_EOF_AUTO, false, false, false}, {UVRELAY_EOF_MARKER, true, false, true},
    {UVRELAY_EOF_MARKER, false, true, true}, {UVRELAY_EOF_MARKER, false, false, false},
    {UVRELAY_EOF_NONE, true, false, false},  {UVRELAY_EOF_NONE, false, true, false},
    {UVRELAY_EOF_NONE, false, false, false},
};

/* `eof` for the one that has not ended, another for the one that has. */
static uvr_pair_options telling_options(uvrelay_side_t side, uvrelay_eof_t eof, uint64_t linger_ms)
{
  uvrelay_eof_t other = eof == UVRELAY_EOF_NONE ? UVRELAY_EOF_AUTO : UVRELAY_EOF_NONE;
  return (uvr_pair_options){.linger_ms = linger_ms,
                            .left_linger_ms = linger_ms,
                            .eof_to_left = side == UVRELAY_LEFT ? eof : other,
                            .eof_to_right = side == UVRELAY_LEFT ? other : eof};
}

static void start_telling(bench *b, const telling *t, uvrelay_side_t side, uint64_t linger_ms)
{
  uvr_pair_options options = telling_options(side, t->eof, linger_ms);
  bench_start(b, side, &(fake_script){.no_half_close = !t->half_close, .can_mark_end = t->mark},
              &(fake_script){.reads = ends}, &options);
}

static void test_told(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2 * sizeof(tellings) / sizeof(tellings[0]); i++) {
    const telling *t = &tellings[i / 2];
    bench b;
    uint64_t since = now_ms();
    start_telling(&b, t, sides[i % 2], SHORT_MS);
    if (t->told) {
      rig_run_ms(&b.r, SHORT_MS + SHORT_MS / 2); /* it may take its time */
      assert_false(b.over);
      assert_int_equal(b.quiet->ended_with, 10);
      fake_finish_read(b.quiet, &(fake_step){.size = 3});
      fake_finish_read(b.quiet, &(fake_step){.outcome = UVR_END_OF_INPUT});
    }
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.quiet->shutdowns, t->told ? 1 : 0);
    assert_int_equal(b.result.reason, t->told ? UVRELAY_REASON_ENDED : UVRELAY_REASON_SILENT);
    assert_int_equal(b.result.side, sides[i % 2]);
    assert_int_equal(b.result.error.code, 0);
    if (!t->told) {
      assert_in_range(b.ended_at - since, SHORT_MS - 5, RIG_SOON_MS);
    }
    bench_clear(&b);
  }
}

/* A side that does not get the end, and may be silent forever, still ends the pair by its own end. */
static void test_untold_ends(void **state)
{
  (void)state;
  for (size_t i = 0; i < 2 * sizeof(tellings) / sizeof(tellings[0]); i++) {
    bench b;
    if (!tellings[i / 2].told) {
      start_telling(&b, &tellings[i / 2], sides[i % 2], 0);
      rig_run(&b.r);
      assert_false(b.over);
      fake_finish_read(b.quiet, &(fake_step){.size = 3});
      fake_finish_read(b.quiet, &(fake_step){.outcome = UVR_END_OF_INPUT});
      assert_true(rig_run_until(&b.r, &b.closed));
      assert_int_equal(b.quiet->shutdowns, 0);
      assert_int_equal(b.result.reason, UVRELAY_REASON_ENDED);
      bench_clear(&b);
    }
  }
}

/* The marker is a write like others. */
static void test_marker_fails(void **state)
{
  (void)state;
  static const fake_step endings[] = {{.outcome = UVR_FAILED, .turns = 1}, {.outcome = UVR_GONE}};
  for (size_t i = 0; i < 4; i++) {
    bench b;
    const fake_step *ending = &endings[i / 2];
    uvr_pair_options options = telling_options(sides[i % 2], UVRELAY_EOF_MARKER, SHORT_MS);
    bench_start(&b, sides[i % 2], &(fake_script){.no_half_close = true, .can_mark_end = true, .shutdown = *ending},
                &(fake_script){.reads = ends}, &options);
    if (ending->outcome == UVR_GONE) {
      rig_turns(&b.r, 3);
      assert_false(b.over); /* what it has sent may still be read */
      fake_finish_read(b.quiet, &(fake_step){.outcome = UVR_END_OF_INPUT});
    }
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.quiet->shutdowns, 1);
    assert_int_equal(b.result.reason, ending->outcome == UVR_GONE ? UVRELAY_REASON_ENDED : UVRELAY_REASON_FAILED);
    assert_int_equal(b.result.side, sides[i % 2]);
    assert_int_equal(b.result.error.code, ending->outcome == UVR_GONE ? 0 : UV_EIO);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_silence),      cmocka_unit_test(test_last_byte),
      cmocka_unit_test(test_each_its_own), cmocka_unit_test(test_told_by_a_mark),
      cmocka_unit_test(test_blocked),      cmocka_unit_test(test_never),
      cmocka_unit_test(test_idle),         cmocka_unit_test(test_idle_last_byte),
      cmocka_unit_test(test_idle_blocked), cmocka_unit_test(test_idle_half_closed),
      cmocka_unit_test(test_idle_never),   cmocka_unit_test(test_idle_ended),
      cmocka_unit_test(test_told),         cmocka_unit_test(test_untold_ends),
      cmocka_unit_test(test_marker_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
