/* Room for clients: there is some far from the limit of descriptors, next to it, and where the unused ones lie between
 * others; there is none without six; and a limit that is lowered meanwhile counts. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "endpoint/room_unix.h"
#include "rig.h"

enum { LIMIT = 600, ENOUGH = 6, OF_A_LOOK = 16 };

typedef struct bench {
  rig r;
  struct rlimit before;
  int opened[LIMIT];
  int count;
} bench;

static void set_limit(bench *b, int limit)
{
  const struct rlimit most = {.rlim_cur = (rlim_t)limit, .rlim_max = b->before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
}

static void begin(bench *b, int limit)
{
  *b = (bench){.count = 0};
  rig_init(&b->r);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &b->before), 0);
  set_limit(b, limit);
}

/* Uses all descriptors. */
static void fill(bench *b)
{
  int fd;
  while ((fd = fcntl(uv_backend_fd(b->r.context.loop), F_DUPFD_CLOEXEC, 0)) >= 0) {
    b->opened[b->count++] = fd;
  }
}

/* Closes `count` of them, from the lowest or from the highest number on; with a step of 3, every third one. */
static void release(bench *b, int count, bool lowest, int step)
{
  for (int i = 0; i < b->count && count > 0; i += step) {
    int *fd = &b->opened[lowest ? i : b->count - 1 - i];
    if (*fd >= 0) {
      (void)close(*fd);
      *fd = -1;
      count--;
    }
  }
  assert_int_equal(count, 0);
}

static void end(bench *b)
{
  for (int i = 0; i < b->count; i++) {
    if (b->opened[i] >= 0) {
      (void)close(b->opened[i]);
    }
  }
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &b->before), 0);
  rig_run(&b->r);
  rig_clear(&b->r);
}

static void test_far_from_the_limit(void **state)
{
  (void)state;
  bench b;
  begin(&b, LIMIT);
  for (int i = 0; i < OF_A_LOOK; i++) {
    assert_true(uvr_room_take(&b.r.context, 0));
    assert_int_equal(b.r.context.room, OF_A_LOOK - 1 - i);
  }
  assert_true(uvr_room_take(&b.r.context, LIMIT - 1));
  assert_int_equal(b.r.context.room, OF_A_LOOK - 1);
  end(&b);
}

static void test_near_the_limit(void **state)
{
  (void)state;
  bench b;
  begin(&b, LIMIT);
  fill(&b);
  assert_false(uvr_room_take(&b.r.context, 0));
  release(&b, ENOUGH - 1, true, 1);
  assert_false(uvr_room_take(&b.r.context, 0));
  assert_false(uvr_room_take(&b.r.context, LIMIT - 1));
  release(&b, 1, false, 1);
  for (int i = 0; i < 3; i++) { /* it only looks */
    assert_true(uvr_room_take(&b.r.context, 0));
    assert_int_equal(b.r.context.room, 0);
  }
  end(&b);
}

/* A single look shows many unused numbers if they follow the given one or are at the end. Elsewhere they are found
 * one by one. */
static void test_holes(void **state)
{
  (void)state;
  static const struct {
    bool lowest;
    int step;
    int near_fd;
    bool many;
  } cases[] = {{true, 1, 20, true},
               {false, 1, 20, true},
               {false, 1, LIMIT - 1, true},
               {true, 1, 590, false},
               {true, 3, 20, false}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    bench b;
    begin(&b, LIMIT);
    fill(&b);
    release(&b, 190, cases[i].lowest, cases[i].step);
    assert_true(uvr_room_take(&b.r.context, cases[i].near_fd));
    assert_int_equal(b.r.context.room > 0, cases[i].many);
    end(&b);
  }
}

static void test_a_limit_that_changes(void **state)
{
  (void)state;
  bench b;
  begin(&b, LIMIT);
  assert_true(uvr_room_take(&b.r.context, 0));
  b.r.context.room = 0;
  set_limit(&b, 3);
  assert_false(uvr_room_take(&b.r.context, 0));
  assert_false(uvr_room_take(&b.r.context, 500));
  set_limit(&b, LIMIT);
  assert_true(uvr_room_take(&b.r.context, 0));
  assert_int_equal(b.r.context.room, OF_A_LOOK - 1);
  end(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_far_from_the_limit),
      cmocka_unit_test(test_near_the_limit),
      cmocka_unit_test(test_holes),
      cmocka_unit_test(test_a_limit_that_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
