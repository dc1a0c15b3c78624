/* Sessions of the public relay with a pair of descriptors, on Unix: readers that go away, and the standard
 * descriptors themselves. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "uvrelay.h"

typedef struct bench {
  rig r;
  uvrelay_t *relay;
  uv_pipe_t stream; /* the one side */
  int peer;         /* its other end */
  int feed;         /* what the other side's input reads from */
  int drain;        /* and its output writes to */
  bool given_back;
  bool done;
  bool closed;
  uvrelay_result_t result;
} bench;

static void on_given_back(uv_handle_t *handle)
{
  ((bench *)handle->data)->given_back = true;
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  bench *b = user;
  (void)session;
  assert_true(b->given_back);
  b->result = *result;
  b->done = true;
}

static void on_closed(uvrelay_t *relay)
{
  ((bench *)uvrelay_get_data(relay))->closed = true;
}

/* With the descriptors on the left or the right; `input` and `output` are to have the numbers given, or any if -1. */
static void bench_start(bench *b, bool left, int input, int output)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  const uvrelay_options_t options = {.size = sizeof(options), .allocator = b->r.context.memory};
  assert_int_equal(uvrelay_new(&b->relay, &b->r.loop, &options), 0);
  uvrelay_set_data(b->relay, b);
  int ends[2];
  int in[2];
  int out[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  if (input >= 0) {
    assert_int_equal(dup2(in[0], input), input);
    (void)close(in[0]);
    in[0] = input;
  }
  if (output >= 0) {
    assert_int_equal(dup2(out[1], output), output);
    (void)close(out[1]);
    out[1] = output;
  }
  b->peer = ends[0];
  b->feed = in[1];
  b->drain = out[0];
  assert_int_equal(uv_pipe_init(&b->r.loop, &b->stream, 0), 0);
  assert_int_equal(uv_pipe_open(&b->stream, ends[1]), 0);
  b->stream.data = b;
  uvrelay_endpoint_t stream = uvrelay_stream((uv_stream_t *)&b->stream, on_given_back);
  uvrelay_endpoint_t stdio = uvrelay_stdio(in[0], out[1]);
  assert_int_equal(uvrelay_start(b->relay, left ? &stdio : &stream, left ? &stream : &stdio, NULL, on_done, b, NULL),
                   0);
}

static void close_peer(int *fd)
{
  if (*fd >= 0) {
    (void)close(*fd);
    *fd = -1;
  }
}

static void bench_clear(bench *b)
{
  uvrelay_close(b->relay, on_closed);
  assert_true(rig_run_until(&b->r, &b->closed));
  close_peer(&b->peer);
  close_peer(&b->feed);
  close_peer(&b->drain);
  rig_clear(&b->r);
}

/* Bytes both ways, and an end that each side passes on. */
static void test_both_ways(void **state)
{
  (void)state;
  for (unsigned left = 0; left < 2; left++) {
    bench b;
    char got[16];
    bench_start(&b, left == 1, -1, -1);
    assert_int_equal(write(b.feed, "one", 3), 3);
    close_peer(&b.feed);
    assert_int_equal(write(b.peer, "three", 5), 5);
    assert_int_equal(shutdown(b.peer, SHUT_WR), 0);
    assert_true(rig_run_until(&b.r, &b.done));
    assert_int_equal(b.result.reason, UVRELAY_REASON_ENDED);
    assert_int_equal(read(b.peer, got, sizeof(got)), 3);
    assert_int_equal(read(b.peer, got, sizeof(got)), 0);
    assert_int_equal(read(b.drain, got, sizeof(got)), 5);
    assert_int_equal(read(b.drain, got, sizeof(got)), 0);
    bench_clear(&b);
  }
}

/* A reader of the output that goes away ends the session, whether anything is written to it or not, although the input
 * never ends. */
static void test_reader_gone(void **state)
{
  (void)state;
  for (unsigned left = 0; left < 2; left++) {
    for (unsigned writes = 0; writes < 2; writes++) {
      bench b;
      bench_start(&b, left == 1, -1, -1);
      rig_turns(&b.r, 5);
      close_peer(&b.drain);
      if (writes == 1) {
        assert_int_equal(write(b.peer, "lost", 4), 4);
      }
      assert_true(rig_run_until(&b.r, &b.done));
      assert_int_equal(b.result.reason, UVRELAY_REASON_GONE);
      assert_int_equal(b.result.side, left == 1 ? UVRELAY_LEFT : UVRELAY_RIGHT);
      assert_true(strlen(b.result.error.text) > 0);
      bench_clear(&b);
    }
  }
}

/* The numbers 0 and 1 stay open, so that no other file gets them, also where the session never begins. */
static void test_standard_descriptors(void **state)
{
  (void)state;
  for (unsigned cancelled = 0; cancelled < 2; cancelled++) {
    int kept_in = fcntl(0, F_DUPFD_CLOEXEC, 10);
    int kept_out = fcntl(1, F_DUPFD_CLOEXEC, 10);
    bench b;
    bench_start(&b, true, 0, 1);
    if (cancelled == 1) {
      assert_int_equal(uvrelay_stop(b.relay, 0, NULL), 0);
    } else {
      close_peer(&b.feed);
      (void)shutdown(b.peer, SHUT_WR);
    }
    bool done = rig_run_until(&b.r, &b.done);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char byte;
    ssize_t count = read(b.drain, &byte, 1);
    bool ended = count == 0; /* no process has what fed it open any longer */
    (void)close(next);
    (void)dup2(kept_in, 0);
    (void)dup2(kept_out, 1);
    (void)close(kept_in);
    (void)close(kept_out);
    assert_true(done && ended);
    assert_true(next > 2);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_both_ways),
      cmocka_unit_test(test_reader_gone),
      cmocka_unit_test(test_standard_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
