/* Waiting until a stream can be written: not while it is full, at once when it is not, when its reader leaves; and it
 * may be closed meanwhile or from within the callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "stream/uv.h"

typedef struct bench {
  rig r;
  uvr_stream *stream;
  int peer; /* reads what the stream writes */
  bool writable;
  bool wrote;
  bool closed;
  uvr_outcome outcome;
} bench;

static char much[64 * 1024];

static void bench_init(bench *b)
{
  int fds[2];
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  assert_int_equal(pipe(fds), 0);
  b->peer = fds[0];
  assert_int_equal(uvr_stream_uv_new(&b->r.context, UV_NAMED_PIPE, "x", &b->stream), 0);
  assert_int_equal(uv_pipe_open((uv_pipe_t *)uvr_stream_uv_handle(b->stream), fds[1]), 0);
}

static void on_writable(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_int_equal(outcome, UVR_DONE);
  assert_null(error);
  b->writable = true;
}

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  (void)error;
  b->outcome = outcome;
  b->wrote = true;
}

static void on_closed(void *user)
{
  ((bench *)user)->closed = true;
}

static void bench_clear(bench *b)
{
  uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, b);
  assert_false(b->closed);
  assert_true(rig_run_until(&b->r, &b->closed));
  (void)close(b->peer);
  rig_clear(&b->r);
}

/* Writes as much as a pipe holds. */
static void fill(bench *b)
{
  b->wrote = false;
  uvr_stream_write(b->stream, much, sizeof(much), on_write, b);
  assert_true(b->wrote);
  assert_int_equal(b->outcome, UVR_DONE);
}

static void await(bench *b)
{
  b->writable = false;
  assert_true(uvr_stream_await_writable(b->stream, on_writable, b));
  assert_false(b->writable); /* never within the call */
}

static void test_waits(void **state)
{
  (void)state;
  static char read_again[sizeof(much)];
  bench b;
  bench_init(&b);
  await(&b);
  assert_true(rig_run_until(&b.r, &b.writable));
  for (unsigned i = 0; i < 3; i++) {
    fill(&b);
    await(&b);
    rig_turns(&b.r, 20);
    assert_false(b.writable);
    assert_int_equal(read(b.peer, read_again, sizeof(read_again)), sizeof(read_again));
    assert_true(rig_run_until(&b.r, &b.writable));
  }
  rig_turns(&b.r, 20);
  bench_clear(&b);
}

static void test_reader_leaves(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  fill(&b);
  await(&b);
  (void)close(b.peer);
  b.peer = -1;
  assert_true(rig_run_until(&b.r, &b.writable));
  b.wrote = false;
  uvr_stream_write(b.stream, much, 1, on_write, &b);
  assert_true(rig_run_until(&b.r, &b.wrote));
  assert_int_equal(b.outcome, UVR_GONE);
  bench_clear(&b);
}

static void test_closed_meanwhile(void **state)
{
  (void)state;
  static char read_again[sizeof(much)];
  bench b;
  bench_init(&b);
  fill(&b);
  await(&b);
  uvr_stream_close(b.stream, UVR_CLOSE_NOW, on_closed, &b);
  assert_int_equal(read(b.peer, read_again, sizeof(read_again)), sizeof(read_again));
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_false(b.writable);
  (void)close(b.peer);
  rig_clear(&b.r);
}

static void close_in_callback(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  on_writable(user, outcome, error);
  uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, b);
}

static void test_closed_in_the_callback(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  assert_true(uvr_stream_await_writable(b.stream, close_in_callback, &b));
  assert_true(rig_run_until(&b.r, &b.closed));
  assert_true(b.writable);
  (void)close(b.peer);
  rig_clear(&b.r);
}

/* Without memory it says so, calls nothing, and the stream is as before. */
static void test_no_memory(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  b.r.fail_at = b.r.allocations + 1;
  assert_false(uvr_stream_await_writable(b.stream, on_writable, &b));
  rig_turns(&b.r, 20);
  assert_false(b.writable);
  fill(&b);
  await(&b); /* with memory again */
  bench_clear(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_waits),
      cmocka_unit_test(test_reader_leaves),
      cmocka_unit_test(test_closed_meanwhile),
      cmocka_unit_test(test_closed_in_the_callback),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
