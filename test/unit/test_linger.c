/* The session's wait for silence, over scripted streams: one side has ended and the other, which cannot be told so,
 * ends the session when it has said nothing for long enough, counted from its last byte. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "session.h"

enum { LINGER_MS = 200, SAID_EVERY_MS = 50, SAID = 6, SLACK_MS = 2000 };

/* On which side the one is that cannot be told. */
static const uvrelay_side_t sides[] = {UVRELAY_RIGHT, UVRELAY_LEFT};

static const fake_step ends[] = {{.size = 10}, {.outcome = UVR_END_OF_INPUT}};

typedef struct bench {
  rig r;
  fake *quiet; /* cannot be told */
  fake *ended;
  uvrelay_side_t side; /* of the quiet one */
  uvr_session *session;
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

static void bench_init(bench *b, uvrelay_side_t side, unsigned write_turns, uint64_t linger_ms)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->side = side;
  b->quiet = fake_new(&b->r, "quiet", 1, &(fake_script){.no_half_close = true});
  b->ended = fake_new(&b->r, "ended", 2, &(fake_script){.reads = ends, .write_turns = write_turns});
  const fake *left = side == UVRELAY_RIGHT ? b->ended : b->quiet;
  const fake *right = side == UVRELAY_RIGHT ? b->quiet : b->ended;
  const uvr_session_options options = {.linger_ms = linger_ms};
  const uvr_session_events events = {.on_end = on_end, .on_close = on_close, .user = b};
  uv_update_time(&b->r.loop);
  assert_int_equal(uvr_session_start_connected(&b->r.env, left->stream, right->stream, &options, &events, &b->session),
                   0);
}

static void bench_clear(bench *b)
{
  rig_run(&b->r);
  assert_true(b->over && b->closed);
  fake_assert_relayed(b->ended, b->quiet, 10);
  fake_assert_relayed(b->quiet, b->ended, b->quiet->given);
  fake_free(b->quiet);
  fake_free(b->ended);
  rig_clear(&b->r);
}

/* Runs until the session has ended, which must be so long after `since`. */
static void assert_silent(bench *b, uint64_t since)
{
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_in_range(b->ended_at - since, LINGER_MS - 5, LINGER_MS + SLACK_MS); /* loop time is rounded */
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
    uvr_session_cancel(b.session);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_silence),
      cmocka_unit_test(test_last_byte),
      cmocka_unit_test(test_blocked),
      cmocka_unit_test(test_never),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
