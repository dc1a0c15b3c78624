/* Writing to the public named pipe handle, over a scripted stream: in order, each callback once and never from within a
 * call, what fails and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "npipe_user.h"

#define STEPS(...) ((const fake_step[]){__VA_ARGS__, {0}})

static void test_write(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 4; turns++) {
    npipe_user b;
    user_init_connected(&b, &(fake_script){.keeps_messages = true, .write_turns = turns, .holds_loop = true});
    assert_int_equal(uvrelay_npipe_write_queue_size(b.np), 0);
    for (unsigned parts = 1; parts <= 8; parts++) {
      assert_int_equal(user_write(&b, 100 * parts + 3, parts), 0);
      user_check_numbers(&b);
    }
    assert_int_equal(b.done, 0); /* even where the system has taken all */
    assert_true(uv_loop_alive(&b.r->loop));
    assert_int_equal(user_shut_down(&b), 0);
    assert_int_equal(user_write(&b, 1, 1), UV_EPIPE);
    assert_int_equal(user_try_write(&b, 1), UV_EPIPE);
    assert_int_equal(user_shut_down(&b), UV_EALREADY);
    rig_run(b.r);
    assert_int_equal(b.done, 9);
    for (unsigned i = 0; i < b.done; i++) {
      assert_int_equal(b.statuses[i], 0);
    }
    assert_int_equal(b.f->taken, b.offered);
    assert_int_equal(b.f->message_count, 8);
    assert_int_equal(b.f->shutdowns, 1);
    assert_int_equal(b.f->ended_with, b.offered);
    assert_int_equal(uvrelay_npipe_bytes_written(b.np), b.offered);
    assert_int_equal(uvrelay_npipe_write_queue_size(b.np), 0);
    assert_int_equal(user_shut_down(&b), UV_EALREADY);
    user_clear(&b);
  }
}

/* A callback is not required. */
static void test_write_without_callback(void **state)
{
  (void)state;
  npipe_user b;
  user_init_connected(&b, &(fake_script){.write_turns = 1, .shutdown = {.turns = 1}});
  uv_buf_t buf = uv_buf_init((char *)"abc", 3);
  assert_int_equal(uvrelay_npipe_write(b.np, &buf, 1, NULL, NULL), 0);
  assert_int_equal(uvrelay_npipe_shutdown(b.np, NULL, NULL), 0);
  rig_run(b.r);
  assert_int_equal(b.f->taken, 3);
  assert_int_equal(b.f->shutdowns, 1);
  assert_memory_equal(b.f->written, "abc", 3);
  b.f->taken = 0; /* it is not the test data */
  b.f->message_count = 0;
  user_clear(&b);
}

/* Writes at random, in and out of callbacks, with or without one; then the shutdown. */
static void test_random_writes(void **state)
{
  (void)state;
  for (unsigned seed = 1; seed <= 300; seed++) {
    rig dice = {.random = seed};
    npipe_user b;
    user_init_connected(&b, &(fake_script){.keeps_messages = rig_random(&dice, 2) == 0,
                                           .random_turns = rig_random(&dice, 4),
                                           .shutdown = {.turns = rig_random(&dice, 4)}});
    b.r->random = seed;
    b.more_writes = rig_random(&dice, 20);
    b.more_size = 1 + rig_random(&dice, 3000);
    for (unsigned turns = 0; turns < 40; turns++) {
      for (unsigned n = rig_random(&dice, 3); n > 0; n--) {
        assert_int_equal(user_write(&b, 1 + rig_random(&dice, 5000), 1 + rig_random(&dice, 4)), 0);
      }
      size_t size = 1 + rig_random(&dice, 2000);
      if (rig_random(&dice, 3) == 0) {
        int wanted = uvrelay_npipe_write_queue_size(b.np) > 0 ? UV_EAGAIN : (int)size;
        assert_int_equal(user_try_write(&b, size), wanted);
      }
      user_check_numbers(&b);
      rig_turns(b.r, 1);
      user_check_numbers(&b);
    }
    b.more_writes = 0;
    assert_int_equal(user_shut_down(&b), 0);
    rig_run(b.r);
    assert_int_equal(b.done, b.accepted);
    assert_int_equal(b.f->taken, b.offered);
    assert_int_equal(b.f->ended_with, b.offered);
    user_clear(&b);
  }
}

typedef struct ticker {
  uv_prepare_t prepare;
  unsigned turns;
  int again;
} ticker;

static void on_prepare(uv_prepare_t *prepare)
{
  ((ticker *)prepare)->turns++;
}

static void on_zero_timer(uv_timer_t *timer)
{
  ticker *t = timer->data;
  if (t->again-- > 0) {
    (void)uv_timer_start(timer, on_zero_timer, 0, 0);
  }
}

/* Older versions of libuv run a timer of 0 ms again and again before anything else. */
static bool zero_timers_starve_loop(void)
{
  rig r;
  uv_timer_t timer;
  ticker t = {.again = 20};
  rig_init(&r);
  assert_int_equal(uv_timer_init(&r.loop, &timer), 0);
  timer.data = &t;
  on_zero_timer(&timer);
  rig_turns(&r, 1);
  bool starve = t.again < 5;
  uv_close((uv_handle_t *)&timer, NULL);
  rig_clear(&r);
  return starve;
}

/* Each callback writes the next, and the system takes each at once: the stack does not grow, which `in_call` shows, and
 * the loop gets its turn in between. */
static void test_write_from_callback(void **state)
{
  (void)state;
  enum { MANY = 200 };
  npipe_user b;
  ticker t = {.turns = 0};
  user_init_connected(&b, &(fake_script){0});
  assert_int_equal(uv_prepare_init(&b.r->loop, &t.prepare), 0);
  assert_int_equal(uv_prepare_start(&t.prepare, on_prepare), 0);
  uv_unref((uv_handle_t *)&t.prepare);
  b.more_writes = MANY;
  b.more_size = 100;
  assert_int_equal(user_write(&b, 100, 1), 0);
  rig_run(b.r);
  assert_int_equal(b.done, MANY + 1);
  assert_in_range(t.turns, zero_timers_starve_loop() ? 1 : MANY / 2, 10 * MANY);
  uv_close((uv_handle_t *)&t.prepare, NULL);
  user_clear(&b);
}

static void test_write_fails(void **state)
{
  (void)state;
  static const struct {
    fake_step end;
    int status;
  } ends[] = {{{.outcome = UVR_GONE}, UV_EPIPE},
              {{.outcome = UVR_GONE, .code = UV_EOF}, UV_EPIPE}, /* 109, in libuv's terms */
              {{.outcome = UVR_FAILED}, UV_EIO},
              {{.outcome = UVR_FAILED, .code = UV_ECONNRESET}, UV_ECONNRESET}};
  for (unsigned e = 0; e < 4 * 3; e++) {
    for (unsigned good = 0; good < 6; good++) {
      fake_step end = ends[e / 3].end;
      end.turns = e % 3;
      npipe_user b;
      user_init_connected(&b, &(fake_script){.write_turns = e % 3, .writes_done = good, .write_end = end});
      unsigned accepted = 0;
      for (unsigned i = 0; i < 4; i++) {
        int code = user_write(&b, 50, 2);
        assert_true(code == 0 || (code == UV_EPIPE && e % 3 == 0 && i > good));
        accepted += code == 0 ? 1U : 0U;
      }
      int code = user_shut_down(&b);
      assert_true(code == 0 || (code == UV_EPIPE && e % 3 == 0 && good < 4));
      rig_run(b.r);
      assert_int_equal(b.done, b.accepted);
      for (unsigned i = 0; i < accepted; i++) {
        assert_int_equal(b.statuses[i], i < good ? 0 : ends[e / 3].status);
      }
      if (good < 4) {
        assert_true(code != 0 || b.statuses[accepted] == ends[e / 3].status);
        assert_int_equal(b.f->writes, good + 1); /* the later ones were not even tried */
        assert_int_equal(b.f->shutdowns, 0);
        assert_int_equal(user_write(&b, 1, 1), UV_EPIPE);
        assert_int_equal(user_try_write(&b, 1), UV_EPIPE);
        assert_int_equal(user_shut_down(&b), code == 0 ? UV_EALREADY : UV_EPIPE);
        assert_int_equal(uvrelay_npipe_error(b.np)->phase, UVRELAY_PHASE_WRITE);
        assert_int_equal(uvrelay_npipe_write_queue_size(b.np), 0);
      }
      assert_int_equal(uvrelay_npipe_bytes_written(b.np), b.f->taken);
      user_clear(&b);
    }
  }
}

/* What try_write has taken has no callback: later writes report its failure. */
static void test_try_write_fails(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 3; turns++) {
    npipe_user b;
    user_init_connected(&b, &(fake_script){.write_end = {.outcome = UVR_FAILED, .turns = turns}});
    assert_int_equal(user_try_write(&b, 10), 10);
    int code = user_write(&b, 10, 1);
    assert_int_equal(code, turns == 0 ? UV_EPIPE : 0);
    rig_run(b.r);
    assert_true(turns == 0 || b.statuses[0] == UV_EIO);
    assert_int_equal(user_try_write(&b, 10), UV_EPIPE);
    assert_int_equal(uvrelay_npipe_error(b.np)->code, UV_EIO);
    user_clear(&b);
  }
}

static void test_shutdown_fails(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 6; i++) {
    npipe_user b;
    user_init_connected(&b,
                        &(fake_script){.shutdown = {.outcome = i % 2 == 0 ? UVR_FAILED : UVR_GONE, .turns = i / 2},
                                       .reads = STEPS({.size = 10, .turns = 12}, {.outcome = UVR_GONE, .turns = 1})});
    assert_int_equal(user_start(&b), 0);
    assert_int_equal(user_write(&b, 10, 1), 0);
    assert_int_equal(user_shut_down(&b), 0);
    rig_run(b.r);
    assert_int_equal(b.statuses[0], 0);
    assert_int_equal(b.statuses[1], i % 2 == 0 ? UV_EIO : UV_EPIPE);
    assert_int_equal(b.received, 10); /* reading goes on */
    assert_int_equal(user_write(&b, 10, 1), UV_EPIPE);
    user_clear(&b);
  }
}

static void test_try_write(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bool messages = i % 2 == 1;
    size_t room = i < 2 ? 2000 : UVR_BUFFER_LARGE; /* which is the default */
    npipe_user b;
    user_init(&b, NULL, i < 2 ? room : 0);
    assert_int_equal(user_try_write(&b, 10), user_no_stream());
    user_connect(&b, &(fake_script){.keeps_messages = messages, .write_turns = 3});
    assert_int_equal(user_try_write(&b, 0), UV_EINVAL);
    assert_int_equal(uvrelay_npipe_try_write(b.np, NULL, 0), UV_EINVAL);
    assert_int_equal(user_try_write(&b, room), room);
    assert_int_equal(uvrelay_npipe_write_queue_size(b.np), room);
    assert_int_equal(user_try_write(&b, 1), UV_EAGAIN);
    assert_int_equal(user_write(&b, 100, 1), 0); /* after it */
    rig_run(b.r);
    assert_int_equal(user_try_write(&b, room + 1), messages ? UV_EMSGSIZE : (int)room);
    assert_int_equal(user_try_write(&b, 1), messages ? 1 : UV_EAGAIN);
    rig_run(b.r);
    b.r->fail_at = b.r->allocations + 1;
    assert_int_equal(user_try_write(&b, 10), UV_ENOMEM);
    assert_int_equal(user_try_write(&b, 10), 10);
    rig_run(b.r);
    assert_int_equal(b.f->taken, b.offered);
    assert_int_equal(uvrelay_npipe_bytes_written(b.np), b.offered);
    user_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write),          cmocka_unit_test(test_write_without_callback),
      cmocka_unit_test(test_random_writes),  cmocka_unit_test(test_write_from_callback),
      cmocka_unit_test(test_write_fails),    cmocka_unit_test(test_try_write_fails),
      cmocka_unit_test(test_shutdown_fails), cmocka_unit_test(test_try_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
