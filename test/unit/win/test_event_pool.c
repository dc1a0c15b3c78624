/* The event pool: last in first out, reset on return, a bounded number kept, no growth, many threads; and its user, the
 * end-of-input job, ten thousand times and hurried past a reader that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "npipe_server.h"
#include "rig.h"

#include <cmocka.h>

#include "base/event_pool_win.h"
#include "stream/eof_job_win.h"

enum { MANY = 10000, THREADS = 4, PER_THREAD = 1000, HANDLES_SLACK = 16, STEP_MS = 20 };

static bool is_set(HANDLE event)
{
  return WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
}

static void test_last_in_first_out(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  HANDLE events[UVR_EVENT_POOL_KEPT];
  for (unsigned i = 0; i < UVR_EVENT_POOL_KEPT; i++) {
    events[i] = uvr_event_pool_get(r.context.events);
    assert_non_null(events[i]);
    assert_false(is_set(events[i]));
    for (unsigned n = 0; n < i; n++) {
      assert_ptr_not_equal(events[i], events[n]);
    }
  }
  for (unsigned i = 0; i < UVR_EVENT_POOL_KEPT; i++) {
    uvr_event_pool_put(r.context.events, events[i]);
  }
  for (unsigned i = UVR_EVENT_POOL_KEPT; i-- > 0;) {
    assert_ptr_equal(uvr_event_pool_get(r.context.events), events[i]);
  }
  for (unsigned i = 0; i < UVR_EVENT_POOL_KEPT; i++) {
    uvr_event_pool_put(r.context.events, events[i]);
  }
  rig_clear(&r);
  for (unsigned i = 0; i < UVR_EVENT_POOL_KEPT; i++) {
    DWORD flags;
    assert_false(GetHandleInformation(events[i], &flags)); /* all closed with the pool */
  }
}

static void test_reset(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  HANDLE event = uvr_event_pool_get(r.context.events);
  assert_true(SetEvent(event));
  assert_true(is_set(event));
  assert_true(is_set(event)); /* manual-reset: seeing it does not reset it */
  uvr_event_pool_put(r.context.events, event);
  assert_ptr_equal(uvr_event_pool_get(r.context.events), event);
  assert_false(is_set(event));
  uvr_event_pool_put(r.context.events, event);
  rig_clear(&r);
}

static void test_kept(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  HANDLE events[2 * UVR_EVENT_POOL_KEPT];
  for (unsigned i = 0; i < 2 * UVR_EVENT_POOL_KEPT; i++) {
    events[i] = uvr_event_pool_get(r.context.events);
    assert_non_null(events[i]);
  }
  for (unsigned i = 0; i < 2 * UVR_EVENT_POOL_KEPT; i++) {
    uvr_event_pool_put(r.context.events, events[i]);
    DWORD flags;
    assert_int_equal(GetHandleInformation(events[i], &flags) != 0, i < UVR_EVENT_POOL_KEPT);
  }
  rig_clear(&r);
}

static void test_no_growth(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  uvr_event_pool_put(r.context.events, uvr_event_pool_get(r.context.events));
  size_t allocations = r.allocations;
  uintptr_t before = highest_new_handle();
  HANDLE first = uvr_event_pool_get(r.context.events);
  uvr_event_pool_put(r.context.events, first);
  for (unsigned i = 0; i < MANY; i++) {
    HANDLE event = uvr_event_pool_get(r.context.events);
    assert_ptr_equal(event, first);
    uvr_event_pool_put(r.context.events, event);
  }
  /* And with more out than are kept, so that some are closed each time. */
  for (unsigned i = 0; i < MANY / 10; i++) {
    HANDLE events[UVR_EVENT_POOL_KEPT + 4];
    for (unsigned n = 0; n < UVR_EVENT_POOL_KEPT + 4; n++) {
      events[n] = uvr_event_pool_get(r.context.events);
    }
    for (unsigned n = 0; n < UVR_EVENT_POOL_KEPT + 4; n++) {
      uvr_event_pool_put(r.context.events, events[n]);
    }
  }
  assert_int_equal(r.allocations, allocations);
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * HANDLES_SLACK);
  rig_clear(&r);
}

/* A thread that takes events, sets them, and puts them back: no other thread may hold the same one meanwhile. */
typedef struct worker {
  uvr_event_pool *pool;
  HANDLE thread;
  bool bad;
} worker;

static DWORD WINAPI work(void *argument)
{
  worker *w = argument;
  for (unsigned i = 0; i < PER_THREAD; i++) {
    HANDLE events[3];
    unsigned count = 1 + i % 3;
    for (unsigned n = 0; n < count; n++) {
      events[n] = uvr_event_pool_get(w->pool);
      w->bad = w->bad || events[n] == NULL || is_set(events[n]); /* set: another thread has it, or did not reset it */
      (void)SetEvent(events[n]);
    }
    for (unsigned n = 0; n < count; n++) {
      w->bad = w->bad || !is_set(events[n]);
      uvr_event_pool_put(w->pool, events[n]);
    }
  }
  return 0;
}

static void test_threads(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  worker workers[THREADS];
  uintptr_t before = highest_new_handle();
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (worker){.pool = r.context.events};
    workers[i].thread = CreateThread(NULL, 0, work, &workers[i], 0, NULL);
    assert_non_null(workers[i].thread);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    assert_int_equal(WaitForSingleObject(workers[i].thread, 4 * RIG_PATIENCE_MS), WAIT_OBJECT_0);
    (void)CloseHandle(workers[i].thread);
    assert_false(workers[i].bad);
  }
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * HANDLES_SLACK);
  rig_clear(&r);
}

static void test_no_memory(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  r.fail_at = r.allocations + 1;
  assert_null(uvr_event_pool_new(&r.context.memory));
  uvr_event_pool_free(NULL);
  rig_clear(&r);
}

/* End-of-input jobs. */

typedef struct bench {
  rig r;
  server s;
  HANDLE file;
  uvr_eof_job job;
  bool done;
  DWORD error;
  bool closed;
} bench;

static void on_done(uvr_eof_job *job, DWORD error)
{
  bench *b = job->user;
  assert_false(b->done);
  assert_false(job->running);
  b->done = true;
  b->error = error;
}

static void on_job_closed(uv_handle_t *handle)
{
  bench *b = ((uvr_eof_job *)handle->data)->user;
  b->closed = true;
}

static void job_init(bench *b)
{
  b->done = false;
  b->closed = false;
  uvr_eof_job_init(&b->job, &b->r.loop, b->file, b->r.context.events, on_done, b);
}

static void job_close(bench *b)
{
  uvr_eof_job_close(&b->job, on_job_closed);
  assert_true(rig_run_until(&b->r, &b->closed));
}

static void bench_init(bench *b, server_cb serve)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  server_start(&b->s, true, 4096, serve);
  b->file = CreateFileA(b->s.path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
  assert_true(b->file != INVALID_HANDLE_VALUE);
  /* As in use: a packet at the port would hit nothing that libuv knows. */
  assert_non_null(CreateIoCompletionPort(b->file, b->r.loop.iocp, 0, 0));
}

static void bench_clear(bench *b)
{
  (void)CloseHandle(b->file);
  server_join(&b->s);
  rig_clear(&b->r);
}

static void write_bytes(bench *b, size_t size)
{
  char data[1024];
  OVERLAPPED overlapped = {0};
  overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
  HANDLE event = overlapped.hEvent;
  overlapped.hEvent = (HANDLE)((uintptr_t)event | 1);
  for (size_t i = 0; i < size; i++) {
    data[i] = rig_byte(1, i);
  }
  assert_true(WriteFile(b->file, data, (DWORD)size, NULL, &overlapped)); /* it fits into the pipe's buffer */
  (void)CloseHandle(event);
}

static void test_many_jobs(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, server_read_all);
  uintptr_t before = 0;
  for (unsigned i = 0; i < MANY; i++) {
    if (i == 100) {
      before = highest_new_handle();
    }
    job_init(&b);
    assert_int_equal(uvr_eof_job_start(&b.job), 0);
    assert_true(rig_run_until(&b.r, &b.done));
    assert_int_equal(b.error, 0);
    job_close(&b);
  }
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * HANDLES_SLACK);
  (void)CloseHandle(b.file);
  b.file = NULL;
  server_join(&b.s);
  assert_int_equal(b.s.ends, MANY);
  assert_int_equal(b.s.received, 0);
  rig_clear(&b.r);
}

static void wait_then_read(server *s)
{
  server_wait(s);
  server_read_all(s);
}

/* The flush waits for the reader; hurried, the job sends the zero-byte message all the same, after the bytes. */
static void test_hurry(void **state)
{
  (void)state;
  for (unsigned early = 0; early < 2; early++) {
    bench b;
    bench_init(&b, wait_then_read);
    write_bytes(&b, 1000);
    job_init(&b);
    assert_int_equal(uvr_eof_job_start(&b.job), 0);
    if (early == 0) {
      rig_run_ms(&b.r, 150);
      assert_false(b.done); /* still waiting */
    }
    uint64_t before = uv_hrtime();
    while (!b.done && (uv_hrtime() - before) / 1000000 < RIG_PATIENCE_MS) {
      uvr_eof_job_hurry(&b.job);
      rig_run_ms(&b.r, STEP_MS);
    }
    assert_true(b.done);
    assert_in_range((uv_hrtime() - before) / 1000000, 0, RIG_SOON_MS);
    assert_int_equal(b.error, 0);
    server_release(&b.s);
    job_close(&b);
    uv_sleep(100); /* the server reads both before the pipe is closed */
    (void)CloseHandle(b.file);
    b.file = NULL;
    server_join(&b.s);
    assert_int_equal(b.s.received, 1000);
    assert_int_equal(b.s.messages, 1);
    assert_int_equal(b.s.ends, 1);
    assert_false(b.s.changed);
    rig_clear(&b.r);
  }
}

static void test_cancel(void **state)
{
  (void)state;
  for (unsigned ms = 0; ms < 60; ms += 6) {
    bench b;
    bench_init(&b, wait_then_read);
    write_bytes(&b, 1000);
    job_init(&b);
    assert_int_equal(uvr_eof_job_start(&b.job), 0);
    if (ms > 0) {
      rig_run_ms(&b.r, ms);
    }
    uint64_t before = uv_hrtime();
    while (!b.done && (uv_hrtime() - before) / 1000000 < RIG_PATIENCE_MS) {
      uvr_eof_job_cancel(&b.job);
      rig_run_ms(&b.r, STEP_MS);
    }
    assert_true(b.done);
    assert_in_range((uv_hrtime() - before) / 1000000, 0, RIG_SOON_MS);
    assert_int_equal(b.error, ERROR_OPERATION_ABORTED);
    job_close(&b);
    (void)CloseHandle(b.file);
    b.file = NULL;
    server_join(&b.s);
    assert_int_equal(b.s.ends, 0);
    rig_clear(&b.r);
  }
}

static void leave(server *s)
{
  server_wait(s);
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

/* The reader goes while the flush waits for it. */
static void test_peer_gone(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, leave);
  write_bytes(&b, 1000);
  job_init(&b);
  assert_int_equal(uvr_eof_job_start(&b.job), 0);
  rig_run_ms(&b.r, 50);
  assert_false(b.done);
  server_release(&b.s);
  assert_true(rig_run_until(&b.r, &b.done));
  assert_true(b.error == ERROR_BROKEN_PIPE || b.error == ERROR_NO_DATA || b.error == ERROR_PIPE_NOT_CONNECTED);
  job_close(&b);
  bench_clear(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_last_in_first_out), cmocka_unit_test(test_reset),   cmocka_unit_test(test_kept),
      cmocka_unit_test(test_no_growth),         cmocka_unit_test(test_threads), cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_many_jobs),         cmocka_unit_test(test_hurry),   cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_peer_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
