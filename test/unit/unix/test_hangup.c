/* Noticing hang-ups: each is reported once, also where a report ends the watching of others; none after muting; a file
 * never hangs up; all that watch share one descriptor, which is closed after the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "stream/hangup.h"

enum { WATCHERS = 3 };

typedef struct watcher {
  uvr_hangup hangup;
  int ends[2]; /* watched, and its peer */
  unsigned reports;
  bool stopped;
  struct watcher *stops; /* when it reports */
} watcher;

static void on_stopped(void *user)
{
  ((watcher *)user)->stopped = true;
}

static void stop(watcher *w)
{
  if (!w->stopped) {
    uvr_hangup_stop(&w->hangup, on_stopped, w);
  }
}

static void on_hangup(void *user)
{
  watcher *w = user;
  w->reports++;
  if (w->stops != NULL) {
    stop(w->stops);
  }
}

static void start(rig *r, watcher *w)
{
  memset(w, 0, sizeof(*w));
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->ends), 0);
  assert_true(uvr_hangup_start(&w->hangup, &r->context, w->ends[0], on_hangup, w));
}

static void finish(watcher *w)
{
  stop(w);
  (void)close(w->ends[0]);
}

static void test_each_is_reported_once(void **state)
{
  (void)state;
  rig r;
  watcher all[WATCHERS];
  rig_init(&r);
  for (unsigned i = 0; i < WATCHERS; i++) {
    start(&r, &all[i]);
  }
  assert_int_equal(shutdown(all[0].ends[1], SHUT_WR), 0); /* a half-close is no hang-up */
  rig_turns(&r, 5);
  assert_int_equal(all[0].reports, 0);
  (void)close(all[0].ends[1]);
  rig_turns(&r, 5);
  assert_int_equal(all[0].reports, 1);
  assert_int_equal(all[1].reports, 0);
  uvr_hangup_mute(&all[1].hangup);
  (void)close(all[1].ends[1]);
  (void)close(all[2].ends[1]);
  rig_turns(&r, 5);
  assert_int_equal(all[1].reports, 0);
  assert_int_equal(all[2].reports, 1);
  for (unsigned i = 0; i < WATCHERS; i++) {
    assert_non_null(r.context.hangups);
    finish(&all[i]);
  }
  assert_null(r.context.hangups);
  rig_run(&r);
  assert_true(all[WATCHERS - 1].stopped);
  rig_clear(&r);
}

/* Both hang up at once; whichever is reported first stops itself and the other one, or only the other one. */
static void test_a_report_stops_others(void **state)
{
  (void)state;
  for (unsigned own = 0; own < 2; own++) {
    rig r;
    watcher all[2];
    rig_init(&r);
    start(&r, &all[0]);
    start(&r, &all[1]);
    all[0].stops = own ? &all[0] : &all[1];
    all[1].stops = own ? &all[1] : &all[0];
    (void)close(all[0].ends[1]);
    (void)close(all[1].ends[1]);
    rig_turns(&r, 5);
    assert_int_equal(all[0].reports + all[1].reports, own ? 2 : 1);
    finish(&all[0]);
    finish(&all[1]);
    rig_run(&r);
    assert_true(all[0].stopped && all[1].stopped);
    rig_clear(&r);
  }
}

static void test_what_never_hangs_up(void **state)
{
  (void)state;
  rig r;
  uvr_hangup hangup = {0};
  watcher w = {0};
  rig_init(&r);
  FILE *file = tmpfile();
  assert_non_null(file);
  assert_true(uvr_hangup_start(&hangup, &r.context, fileno(file), on_hangup, &w));
  rig_turns(&r, 5);
  uvr_hangup_stop(&hangup, on_stopped, &w);
  rig_run(&r);
  assert_true(w.stopped);
  assert_int_equal(w.reports, 0);
  (void)fclose(file);
  w.stopped = false;
  assert_false(uvr_hangup_start(&hangup, &r.context, -1, on_hangup, &w));
  uvr_hangup_stop(&hangup, on_stopped, &w);
  assert_true(w.stopped);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_is_reported_once),
      cmocka_unit_test(test_a_report_stops_others),
      cmocka_unit_test(test_what_never_hangs_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
