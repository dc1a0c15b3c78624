/* Operations through the loop's port, on a real pipe, with and without FILE_SKIP_COMPLETION_PORT_ON_SUCCESS: results at
 * once and later, delayed ones, ERROR_MORE_DATA, failures, cancelling; each operation finishes exactly once, and keeps
 * the loop alive only while it is pending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "npipe_server.h"
#include "rig.h"

#include <cmocka.h>

#include "stream/iocp_op_win.h"

enum { MANY = 3000, TURNS = 20 };

typedef struct bench {
  rig r;
  server s;
  HANDLE file;
  uvr_iocp_op op;
  char bytes[256];
  unsigned results;
  bool done;
  bool inside; /* a call that may finish at once is under way */
  bool at_once;
  DWORD error;
  DWORD count;
  unsigned again; /* reads to begin from the callback */
  bool packet;    /* the next read, which returns ERROR_MORE_DATA at once, sends a packet nevertheless */
  bool closed;
} bench;

static void read_some(bench *b, DWORD size, bool defer);

static void on_done(uvr_iocp_op *op, DWORD error, DWORD bytes)
{
  bench *b = op->user;
  assert_false(b->done); /* once */
  assert_false(op->pending);
  b->results++;
  b->done = true;
  b->at_once = b->inside;
  b->error = error;
  b->count = bytes;
  if (b->again > 0) {
    b->again--;
    read_some(b, 1, true);
  }
}

static void read_some(bench *b, DWORD size, bool defer)
{
  b->done = false;
  b->inside = true;
  memset(b->bytes, 0, sizeof(b->bytes));
  OVERLAPPED *overlapped = uvr_iocp_op_begin(&b->op);
  BOOL ok = ReadFile(b->file, b->bytes, size, NULL, overlapped);
  if (b->packet) {
    assert_true(!ok && GetLastError() == ERROR_MORE_DATA);
    assert_true(PostQueuedCompletionStatus(b->r.loop.iocp, 0, 0, overlapped));
    SetLastError(ERROR_MORE_DATA);
    b->packet = false;
  }
  uvr_iocp_op_issued(&b->op, ok, defer);
  b->inside = false;
}

static void write_some(bench *b, DWORD size, bool defer)
{
  b->done = false;
  b->inside = true;
  BOOL ok = WriteFile(b->file, b->bytes, size, NULL, uvr_iocp_op_begin(&b->op));
  uvr_iocp_op_issued(&b->op, ok, defer);
  b->inside = false;
}

/* Waits until the server has written so much. */
static void wait_for_bytes(const bench *b, DWORD count)
{
  DWORD there = 0;
  for (unsigned i = 0; there < count && i < RIG_SOON_MS; i++) {
    assert_true(PeekNamedPipe(b->file, NULL, 0, NULL, &there, NULL));
    uv_sleep(1);
  }
  assert_true(there >= count);
}

static void wait_for_end(const bench *b)
{
  unsigned i = 0;
  for (; PeekNamedPipe(b->file, NULL, 0, NULL, NULL, NULL) && i < RIG_SOON_MS; i++) {
    uv_sleep(1);
  }
  assert_true(i < RIG_SOON_MS);
}

static void finish(bench *b)
{
  assert_true(rig_run_until(&b->r, &b->done));
}

static void on_op_closed(uv_handle_t *handle)
{
  bench *b = ((uvr_iocp_op *)handle->data)->user;
  assert_false(b->closed);
  b->closed = true;
}

static void bench_init(bench *b, bool skips, server_cb serve)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  server_start(&b->s, true, 65536, serve);
  b->file = CreateFileA(b->s.path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
  assert_true(b->file != INVALID_HANDLE_VALUE);
  DWORD mode = PIPE_READMODE_MESSAGE;
  assert_true(SetNamedPipeHandleState(b->file, &mode, NULL, NULL));
  assert_int_equal(uvr_iocp_op_attach(&b->r.loop, b->file), 0);
  if (skips) {
    assert_true(SetFileCompletionNotificationModes(b->file, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS));
  }
  uvr_iocp_op_init(&b->op, &b->r.loop, b->file, skips, on_done, b);
}

static void bench_clear(bench *b)
{
  unsigned results = b->results;
  rig_run(&b->r); /* ends at once, as nothing is pending; and nothing more comes */
  assert_int_equal(b->results, results);
  (void)CloseHandle(b->file);
  uvr_iocp_op_close(&b->op, on_op_closed);
  assert_false(b->closed);
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_int_equal(b->results, results);
  server_join(&b->s);
  rig_clear(&b->r);
}

static void greet(server *s)
{
  server_write(s, "hello", 5);
  server_wait(s);
}

static void wait_and_greet(server *s)
{
  server_wait(s);
  server_write(s, "hello", 5);
  (void)FlushFileBuffers(s->pipe);
}

static void greet_twice(server *s)
{
  server_write(s, "hello", 5);
  server_wait(s);
  server_write(s, "again", 5);
  (void)FlushFileBuffers(s->pipe);
}

static void test_later(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bench_init(&b, i % 2 == 1, wait_and_greet);
    read_some(&b, sizeof(b.bytes), i / 2 == 1);
    rig_turns(&b.r, TURNS);
    assert_int_equal(b.results, 0);
    assert_true(b.op.pending);
    server_release(&b.s);
    finish(&b);
    assert_false(b.at_once);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 5);
    assert_memory_equal(b.bytes, "hello", 5);
    bench_clear(&b);
  }
}

/* The bytes are there before they are asked for. */
static void test_at_once(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bool skips = i % 2 == 1;
    bool defer = i / 2 == 1;
    bench b;
    bench_init(&b, skips, greet);
    wait_for_bytes(&b, 5);
    read_some(&b, sizeof(b.bytes), defer);
    assert_int_equal(b.results, skips && !defer ? 1 : 0);
    finish(&b);
    assert_int_equal(b.at_once, skips && !defer);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 5);
    assert_memory_equal(b.bytes, "hello", 5);
    bench_clear(&b);
  }
}

/* A message that does not fit, in pieces: the count is right, though ReadFile's own says 0, and the next operation may
 * begin in the callback. */
static void test_more_data(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 8; i++) {
    bool waiting = i / 4 == 1; /* the read waits for the message */
    bench b;
    bench_init(&b, i % 2 == 1, waiting ? wait_and_greet : greet);
    if (!waiting) {
      wait_for_bytes(&b, 5);
    }
    read_some(&b, 2, i / 2 % 2 == 1);
    server_release(&b.s);
    finish(&b);
    assert_int_equal(b.error, ERROR_MORE_DATA);
    assert_int_equal(b.count, 2);
    assert_memory_equal(b.bytes, "he", 2);
    read_some(&b, 1, false);
    finish(&b);
    assert_int_equal(b.error, ERROR_MORE_DATA);
    assert_int_equal(b.count, 1);
    assert_memory_equal(b.bytes, "l", 1);
    read_some(&b, 2, true);
    finish(&b);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 2);
    assert_memory_equal(b.bytes, "lo", 2);
    bench_clear(&b);
  }
}

static void send_nothing(server *s)
{
  server_write(s, "", 0);
  server_wait(s);
}

static void on_other(uv_async_t *async)
{
  *(bool *)async->data = true;
}

/* Windows may send a packet for an ERROR_MORE_DATA at once, though the file skips the port; Wine does not. libuv keeps
 * the requests of the packets that it has taken from the port in a list, through a field of the request: one that is in
 * there twice cuts off those in between. */
static void test_more_data_with_a_packet(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    uv_async_t other;
    bool other_came = false;
    bench_init(&b, true, greet_twice);
    assert_int_equal(uv_async_init(&b.r.loop, &other, on_other), 0);
    other.data = &other_came;
    wait_for_bytes(&b, 5);
    b.packet = true;
    read_some(&b, 4, i == 1);
    finish(&b);
    assert_int_equal(b.error, ERROR_MORE_DATA);
    assert_int_equal(b.count, 4);
    read_some(&b, 1, false);
    finish(&b);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 1);
    read_some(&b, sizeof(b.bytes), false);
    assert_int_equal(uv_async_send(&other), 0);
    server_release(&b.s);
    for (unsigned ms = 0; !HasOverlappedIoCompleted(&b.op.async.async_req.u.io.overlapped); ms++) {
      assert_true(ms < RIG_SOON_MS);
      uv_sleep(1);
    }
    finish(&b);
    assert_int_equal(b.error, 0);
    assert_memory_equal(b.bytes, "again", 5);
    assert_true(rig_run_until(&b.r, &other_came));
    assert_int_equal(b.results, 3);
    uv_close((uv_handle_t *)&other, NULL);
    bench_clear(&b);
  }
}

static void test_nothing(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bench_init(&b, i % 2 == 1, send_nothing);
    read_some(&b, sizeof(b.bytes), i / 2 == 1);
    finish(&b);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 0);
    bench_clear(&b);
  }
}

static void leave(server *s)
{
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void test_failure_at_once(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bool defer = i / 2 == 1;
    bench b;
    bench_init(&b, i % 2 == 1, leave);
    wait_for_end(&b);
    read_some(&b, sizeof(b.bytes), defer);
    assert_int_equal(b.results, defer ? 0 : 1); /* no packet comes for it */
    finish(&b);
    assert_int_equal(b.error, ERROR_BROKEN_PIPE);
    assert_int_equal(b.count, 0);
    bench_clear(&b);
  }
}

static void wait_and_leave(server *s)
{
  server_wait(s);
  leave(s);
}

static void test_failure_later(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, i == 1, wait_and_leave);
    read_some(&b, sizeof(b.bytes), false);
    rig_turns(&b.r, TURNS);
    assert_true(b.op.pending);
    server_release(&b.s);
    finish(&b);
    assert_int_equal(b.error, ERROR_BROKEN_PIPE);
    bench_clear(&b);
  }
}

static void test_cancel(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned turns = 0; turns < 3; turns++) {
      bench b;
      bench_init(&b, i == 1, server_wait);
      read_some(&b, sizeof(b.bytes), false);
      rig_turns(&b.r, turns);
      uvr_iocp_op_cancel(&b.op);
      assert_int_equal(b.results, 0);
      uvr_iocp_op_cancel(&b.op); /* again, while its packet is on its way */
      finish(&b);
      assert_int_equal(b.error, ERROR_OPERATION_ABORTED);
      uvr_iocp_op_cancel(&b.op); /* and with nothing pending */
      bench_clear(&b);
    }
  }
}

/* A delayed result can't be cancelled, and comes. */
static void test_cancel_delayed(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, greet);
  wait_for_bytes(&b, 5);
  read_some(&b, sizeof(b.bytes), true);
  assert_true(b.op.pending);
  uvr_iocp_op_cancel(&b.op);
  finish(&b);
  assert_int_equal(b.error, 0);
  assert_int_equal(b.count, 5);
  bench_clear(&b);
}

static void read_first(server *s)
{
  (void)server_read_once(s);
  server_wait(s);
}

static void test_write(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bench_init(&b, i % 2 == 1, read_first);
    for (unsigned n = 0; n < 100; n++) {
      b.bytes[n] = rig_byte(1, n);
    }
    write_some(&b, 100, i / 2 == 1);
    finish(&b);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.count, 100);
    bench_clear(&b);
    assert_int_equal(b.s.received, 100);
    assert_false(b.s.changed);
  }
}

static void send_many(server *s)
{
  for (unsigned i = 0; i <= MANY && s->error == 0; i++) {
    server_write(s, "xyz", i % 3 == 0 ? 3 : 1); /* each third in three reads */
  }
  server_wait(s);
}

/* Thousands in a row, from the callback, delayed, at once and pending, as it comes: libuv's list of requests must stay
 * whole. */
static void test_many(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, i == 1, send_many);
    b.again = MANY;
    read_some(&b, 1, false);
    finish(&b); /* the last one */
    assert_int_equal(b.results, MANY + 1);
    assert_int_equal(b.count, 1);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_later),          cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_more_data),      cmocka_unit_test(test_more_data_with_a_packet),
      cmocka_unit_test(test_nothing),        cmocka_unit_test(test_failure_at_once),
      cmocka_unit_test(test_failure_later),  cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_cancel_delayed), cmocka_unit_test(test_write),
      cmocka_unit_test(test_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
