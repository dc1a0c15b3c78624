/* Pumps and sessions whose bytes move on threads, between streams that offer blocking calls: every end is
 * reported once and on the loop, a thread inside a stream keeps it from being closed, stopping is repeated until it is
 * heard, and nothing is touched after its end. Made for the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/pair.h"
#include "relay/pump.h"
#include "rig.h"

static bool no_thread; /* none can be started */

static int create_thread(uv_thread_t *thread, uv_thread_cb entry, void *user)
{
  return no_thread ? UV_EAGAIN : uv_thread_create(thread, entry, user);
}

#define uv_thread_create create_thread
#include "relay/pump_thread.c"
#undef uv_thread_create

enum { CHUNKS = 300, CHUNK_MAX = 3000, PATIENCE_MS = 20, WAIT_MS = RIG_SOON_MS };

/* A stream of blocking calls. All but the first lines is under the mutex, and never an assertion on a thread. */
typedef struct blocker {
  uvr_stream base;
  rig *r;
  unsigned seed;
  unsigned expected_seed;
  uv_timer_t timer; /* brings the close callback */
  unsigned shutdowns;
  bool closed;
  bool closed_inside; /* closed while a thread was inside: against the rules */
  uv_mutex_t mutex;
  uv_cond_t changed;
  unsigned chunks; /* to give, then `read_end`; UVR_DONE: it blocks */
  uvr_outcome read_end;
  unsigned writes; /* to take, then `write_end`; UVR_DONE: it blocks */
  uvr_outcome write_end;
  bool inside_read;
  bool inside_write;
  bool stop_read;
  bool stop_write;
  bool misused; /* entered after its close, or twice at once */
  bool spoilt;  /* other bytes than the test data's came */
  uint64_t given;
  uint64_t taken;
  bool entered; /* a call blocks */
} blocker;

static uvr_outcome ended(const blocker *b, uvr_outcome outcome, uvrelay_phase_t phase, uvrelay_error_t *error)
{
  if (outcome == UVR_GONE || outcome == UVR_FAILED) {
    (void)uvr_error_set(error, phase, outcome == UVR_GONE ? UV_EPIPE : UV_EIO, "%s: phase %d", b->base.name,
                        (int)phase);
  }
  return outcome;
}

/* Blocks until it is asked to stop, which a real pipe reports as a failure. */
static uvr_outcome block(blocker *b, const bool *stop, uvrelay_phase_t phase, uvrelay_error_t *error)
{
  b->entered = true;
  while (!*stop) {
    uv_cond_wait(&b->changed, &b->mutex);
  }
  b->entered = false;
  (void)uvr_error_set(error, phase, UV_ECANCELED, "stopped");
  return UVR_FAILED;
}

static uvr_outcome blocking_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error)
{
  blocker *b = (blocker *)stream;
  uvr_outcome outcome = UVR_DONE;
  uv_mutex_lock(&b->mutex);
  b->misused = b->misused || b->closed || b->inside_read;
  b->inside_read = true;
  b->stop_read = false; /* one that came too early is missed */
  if (b->chunks > 0) {
    size_t size = 1 + (b->chunks * 977U) % CHUNK_MAX;
    for (size_t i = 0; i < size; i++) {
      buffer->data[i] = rig_byte(b->seed, b->given + i);
    }
    b->chunks--;
    b->given += size;
    buffer->length = size;
  } else if (b->read_end == UVR_DONE) {
    outcome = block(b, &b->stop_read, UVRELAY_PHASE_READ, error);
  } else {
    outcome = ended(b, b->read_end, UVRELAY_PHASE_READ, error);
  }
  b->inside_read = false;
  uv_mutex_unlock(&b->mutex);
  return outcome;
}

static uvr_outcome blocking_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error)
{
  blocker *b = (blocker *)stream;
  uvr_outcome outcome = UVR_DONE;
  uv_mutex_lock(&b->mutex);
  b->misused = b->misused || b->closed || b->inside_write || b->shutdowns > 0;
  b->inside_write = true;
  b->stop_write = false;
  if (b->writes > 0) {
    for (size_t i = 0; i < length; i++) {
      b->spoilt = b->spoilt || data[i] != rig_byte(b->expected_seed, b->taken + i);
    }
    b->writes--;
    b->taken += length;
  } else if (b->write_end == UVR_DONE) {
    outcome = block(b, &b->stop_write, UVRELAY_PHASE_WRITE, error);
  } else {
    outcome = ended(b, b->write_end, UVRELAY_PHASE_WRITE, error);
  }
  b->inside_write = false;
  uv_mutex_unlock(&b->mutex);
  return outcome;
}

static void stop(blocker *b, bool *flag)
{
  uv_mutex_lock(&b->mutex);
  *flag = true;
  uv_cond_broadcast(&b->changed);
  uv_mutex_unlock(&b->mutex);
}

static void stop_read(uvr_stream *stream)
{
  stop((blocker *)stream, &((blocker *)stream)->stop_read);
}

static void stop_write(uvr_stream *stream)
{
  stop((blocker *)stream, &((blocker *)stream)->stop_write);
}

static const uvr_blocking_ops blocking = {
    .read = blocking_read, .write = blocking_write, .stop_read = stop_read, .stop_write = stop_write};
static const uvr_blocking_ops unstoppable = {.read = blocking_read, .write = blocking_write};

/* The calls of the loop: only the fallback without memory reads and writes by them. */

static void stream_read(uvr_stream *stream)
{
  blocker *b = (blocker *)stream;
  uvr_buffer *buffer = uvr_buffer_get(&b->r->context.buffers, UVR_BUFFER_LARGE);
  uvrelay_error_t error;
  uvr_outcome outcome = blocking_read(stream, buffer, &error);
  if (outcome != UVR_DONE) {
    uvr_buffer_put(&b->r->context.buffers, buffer);
    buffer = NULL;
  }
  stream->on_read(stream->read_user, outcome, buffer, outcome >= UVR_GONE ? &error : NULL);
}

static void stream_write(uvr_stream *stream, const char *data, size_t length)
{
  uvrelay_error_t error;
  uvr_outcome outcome = blocking_write(stream, data, length, &error);
  stream->on_write(stream->write_user, outcome, outcome >= UVR_GONE ? &error : NULL);
}

static void stream_shutdown(uvr_stream *stream)
{
  ((blocker *)stream)->shutdowns++;
  stream->on_shutdown(stream->shutdown_user, UVR_DONE, NULL);
}

static void on_timer_closed(uv_handle_t *handle)
{
  blocker *b = handle->data;
  b->base.on_close(b->base.close_user);
}

static void stream_close(uvr_stream *stream, uvr_close_how how)
{
  blocker *b = (blocker *)stream;
  (void)how;
  uv_mutex_lock(&b->mutex);
  b->closed_inside = b->inside_read || b->inside_write;
  b->misused = b->misused || b->closed;
  b->closed = true;
  uv_mutex_unlock(&b->mutex);
  uv_close((uv_handle_t *)&b->timer, on_timer_closed);
}

static const uvr_stream_ops ops = {
    .read = stream_read, .write = stream_write, .shutdown = stream_shutdown, .close = stream_close};

static void blocker_init(blocker *b, rig *r, const char *name, unsigned seed, unsigned expected_seed)
{
  memset(b, 0, sizeof(*b));
  b->base = (uvr_stream){.ops = &ops,
                         .blocking = &blocking,
                         .reads_blocking = true,
                         .writes_blocking = true,
                         .context = &r->context,
                         .name = name,
                         .can_half_close = true};
  b->r = r;
  b->seed = seed;
  b->expected_seed = expected_seed;
  b->chunks = CHUNKS;
  b->read_end = UVR_END_OF_INPUT;
  b->writes = UINT32_MAX;
  assert_int_equal(uv_mutex_init(&b->mutex), 0);
  assert_int_equal(uv_cond_init(&b->changed), 0);
  assert_int_equal(uv_timer_init(&r->loop, &b->timer), 0);
  b->timer.data = b;
}

static void blocker_clear(blocker *b)
{
  assert_true(b->closed);
  assert_false(b->closed_inside);
  assert_false(b->misused);
  assert_false(b->spoilt);
  uv_cond_destroy(&b->changed);
  uv_mutex_destroy(&b->mutex);
}

static bool blocks(blocker *b)
{
  uv_mutex_lock(&b->mutex);
  bool entered = b->entered;
  uv_mutex_unlock(&b->mutex);
  return entered;
}

static void wait_until_blocked(rig *r, blocker *b)
{
  for (unsigned ms = 0; !blocks(b); ms += 2) {
    assert_in_range(ms, 0, WAIT_MS);
    rig_run_ms(r, 2);
  }
}

/* Pumps. */

typedef struct bench {
  rig r;
  blocker source;
  blocker sink;
  uvr_pump pump;
  bool done;
  unsigned reports;
  uvr_pump_end end;
  uvrelay_error_t error;
  uv_thread_t thread;
  unsigned closes;
} bench;

static void on_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  bench *b = (bench *)((char *)pump - offsetof(bench, pump));
  uv_thread_t self = uv_thread_self();
  assert_true(uv_thread_equal(&self, &b->thread));
  b->reports++;
  b->done = true;
  b->end = end;
  if (end != UVR_PUMP_SOURCE_ENDED) {
    b->error = *error;
  }
}

static void on_closed(void *user)
{
  (*(unsigned *)user)++;
}

static void bench_init(bench *b)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.threads = true;
  b->thread = uv_thread_self();
  blocker_init(&b->source, &b->r, "source", 1, 2);
  blocker_init(&b->sink, &b->r, "sink", 2, 1);
}

static void start(bench *b)
{
  uvr_pump_start(&b->pump, &b->r.context, &b->source.base, &b->sink.base, on_end);
}

/* As a session does it: stop until no thread is inside, close, clear once the thread has ended. */
static void bench_clear(bench *b)
{
  unsigned reports = b->reports;
  uvr_pump_stop(&b->pump);
  for (unsigned i = 0; uvr_pump_is_inside(&b->pump, &b->source.base) || uvr_pump_is_inside(&b->pump, &b->sink.base);
       i++) {
    assert_in_range(i, 0, WAIT_MS);
    rig_run_ms(&b->r, 1);
    uvr_pump_stop(&b->pump);
  }
  uvr_stream_close(&b->source.base, UVR_CLOSE_NOW, on_closed, &b->closes);
  uvr_stream_close(&b->sink.base, UVR_CLOSE_NOW, on_closed, &b->closes);
  rig_run(&b->r);
  assert_int_equal(b->closes, 2);
  assert_true(uvr_pump_clear(&b->pump));
  assert_true(uvr_pump_clear(&b->pump));
  assert_int_equal(b->reports, reports);
  /* Everything that used the context is closed. What the thread leaves to close must not use it again. */
  uvr_context context = b->r.context;
  memset(&b->r.context, 0, sizeof(context));
  rig_run(&b->r);
  b->r.context = context;
  blocker_clear(&b->source);
  blocker_clear(&b->sink);
  rig_clear(&b->r);
}

static void test_source_ends(void **state)
{
  (void)state;
  static const struct {
    uvr_outcome outcome;
    uvr_pump_end end;
    const char *text;
  } ends[] = {{UVR_END_OF_INPUT, UVR_PUMP_SOURCE_ENDED, ""},
              {UVR_GONE, UVR_PUMP_SOURCE_GONE, "source: phase 4"},
              {UVR_FAILED, UVR_PUMP_SOURCE_FAILED, "source: phase 4"}};
  for (unsigned i = 0; i < 6; i++) {
    bench b;
    bench_init(&b);
    b.source.read_end = ends[i / 2].outcome;
    b.source.chunks = i % 2 == 0 ? CHUNKS : 0;
    start(&b);
    assert_int_equal(b.reports, 0);
    assert_true(rig_run_until(&b.r, &b.done));
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.end, ends[i / 2].end);
    assert_string_equal(b.error.text, ends[i / 2].text);
    assert_int_equal(b.sink.taken, b.source.given);
    assert_int_equal(uvr_pump_bytes(&b.pump), b.source.given);
    assert_false(uvr_pump_is_inside(&b.pump, &b.source.base));
    bench_clear(&b);
  }
}

static void test_sink_ends(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bench_init(&b);
    b.sink.writes = i % 2 == 0 ? 0 : 7;
    b.sink.write_end = i / 2 == 0 ? UVR_GONE : UVR_FAILED;
    start(&b);
    assert_true(rig_run_until(&b.r, &b.done));
    assert_int_equal(b.end, i / 2 == 0 ? UVR_PUMP_SINK_GONE : UVR_PUMP_SINK_FAILED);
    assert_int_equal(b.error.code, i / 2 == 0 ? UV_EPIPE : UV_EIO);
    assert_int_equal(uvr_pump_bytes(&b.pump), b.sink.taken); /* of what was lost nothing counts */
    bench_clear(&b);
  }
}

/* Where the thread is, and what that means for a session that loses its left side. */
static void test_inside(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bool in_sink = i == 1;
    bench b;
    bench_init(&b);
    b.source.read_end = UVR_DONE;
    b.sink.writes = in_sink ? 3 : UINT32_MAX;
    start(&b);
    wait_until_blocked(&b.r, in_sink ? &b.sink : &b.source);
    assert_int_equal(uvr_pump_is_inside(&b.pump, &b.sink.base), in_sink);
    assert_int_equal(uvr_pump_is_inside(&b.pump, &b.source.base), !in_sink);
    assert_int_equal(uvr_pump_is_finishing(&b.pump), in_sink);
    assert_false(uvr_pump_clear(&b.pump)); /* a thread is at work */
    assert_int_equal(uvr_pump_bytes(&b.pump), b.sink.taken);
    assert_int_equal(b.reports, 0);
    bench_clear(&b);
  }
}

/* Stopped at any moment: never reported. */
static void test_stop(void **state)
{
  (void)state;
  unsigned early = 0;
  for (unsigned i = 0; i < 60; i++) {
    bench b;
    bench_init(&b);
    b.source.read_end = i % 3 == 0 ? UVR_DONE : UVR_END_OF_INPUT;
    start(&b);
    for (volatile unsigned n = 0; n < i * i * 100; n++) {
    }
    rig_turns(&b.r, i % 4);
    early += b.reports == 0 ? 1U : 0U;
    bench_clear(&b);
  }
  assert_in_range(early, 10, 60);
}

/* Without memory for the thread the bytes pass through the loop. */
static void test_no_memory(void **state)
{
  (void)state;
  for (size_t n = 1; n <= 2; n++) {
    bench b;
    bench_init(&b);
    b.r.fail_at = b.r.allocations + n;
    start(&b);
    assert_true(b.r.failed);
    assert_null(b.pump.thread);
    assert_true(rig_run_until(&b.r, &b.done) || b.done);
    assert_int_equal(b.end, UVR_PUMP_SOURCE_ENDED);
    assert_int_equal(b.sink.taken, b.source.given);
    bench_clear(&b);
  }
}

/* Without a thread, too. */
static void test_no_thread(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  no_thread = true;
  start(&b);
  no_thread = false;
  assert_null(b.pump.thread);
  assert_true(rig_run_until(&b.r, &b.done) || b.done);
  assert_int_equal(b.end, UVR_PUMP_SOURCE_ENDED);
  assert_int_equal(b.sink.taken, b.source.given);
  bench_clear(&b);
}

/* Only where both streams allow it. */
static void test_one_side_only(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b);
    b.source.base.reads_blocking = i == 0;
    b.sink.base.writes_blocking = i == 1;
    start(&b);
    assert_null(b.pump.thread);
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.sink.taken, b.source.given);
    bench_clear(&b);
  }
}

/* Sessions. */

typedef struct relay {
  rig r;
  blocker left;
  blocker right;
  uvr_pair *session;
  uvrelay_result_t result;
  bool ended;
  bool closed;
} relay;

static void on_session_end(void *user, const uvrelay_result_t *result)
{
  relay *s = user;
  assert_false(s->ended);
  s->ended = true;
  s->result = *result;
}

static void on_session_close(void *user)
{
  relay *s = user;
  assert_true(s->ended);
  assert_false(s->closed);
  assert_true(s->left.closed && s->right.closed);
  s->closed = true;
}

static void relay_init(relay *s)
{
  memset(s, 0, sizeof(*s));
  rig_init(&s->r);
  s->r.context.threads = true;
  blocker_init(&s->left, &s->r, "left", 1, 2);
  blocker_init(&s->right, &s->r, "right", 2, 1);
}

static void relay_start(relay *s, const uvr_pair_options *options)
{
  uvr_pair_events events = {.on_end = on_session_end, .on_close = on_session_close, .user = s};
  assert_int_equal(uvr_pair_start(&s->r.context, &s->left.base, &s->right.base, options, &events, &s->session), 0);
}

static void relay_clear(relay *s)
{
  assert_true(s->closed);
  rig_run(&s->r);
  blocker_clear(&s->left);
  blocker_clear(&s->right);
  rig_clear(&s->r);
}

static void test_session(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    relay s;
    relay_init(&s);
    uvr_pair_options options = {.end_after_left = i == 1, .end_after_right = i == 2};
    s.right.read_end = i == 1 ? UVR_DONE : i == 3 ? UVR_GONE : UVR_END_OF_INPUT; /* UVR_DONE: it blocks */
    s.left.read_end = i >= 2 ? UVR_DONE : UVR_END_OF_INPUT;
    relay_start(&s, &options);
    assert_true(rig_run_until(&s.r, &s.closed));
    assert_int_equal(s.result.error.code, 0);
    if (i < 2) {
      assert_int_equal(s.right.taken, s.left.given);
      assert_int_equal(s.result.to_right, s.left.given);
    }
    if (i != 1) {
      assert_int_equal(s.left.taken, s.right.given);
      assert_int_equal(s.result.to_left, s.right.given);
    }
    assert_int_equal(s.right.shutdowns, i == 0 ? 1 : 0);
    relay_clear(&s);
  }
}

static void test_session_fails(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    relay s;
    relay_init(&s);
    s.left.read_end = i == 0 ? UVR_FAILED : UVR_DONE;
    s.right.read_end = i == 1 ? UVR_FAILED : UVR_DONE;
    if (i >= 2) {
      blocker *bad = i == 2 ? &s.left : &s.right;
      bad->writes = 20;
      bad->write_end = UVR_FAILED;
    }
    relay_start(&s, &(uvr_pair_options){0});
    assert_true(rig_run_until(&s.r, &s.closed));
    assert_int_equal(s.result.error.code, UV_EIO);
    relay_clear(&s);
  }
}

static void test_session_cancel(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 40; i++) {
    relay s;
    relay_init(&s);
    s.left.read_end = UVR_DONE;
    s.right.read_end = UVR_DONE;
    s.right.writes = i % 3 == 0 ? 5 : UINT32_MAX;
    relay_start(&s, &(uvr_pair_options){0});
    rig_turns(&s.r, i % 5);
    if (i % 4 == 0) {
      rig_run_ms(&s.r, 5);
    }
    uvr_pair_cancel(s.session);
    assert_true(s.ended);
    assert_false(s.closed);
    assert_true(rig_run_until(&s.r, &s.closed));
    assert_int_equal(s.result.error.code, UV_ECANCELED);
    relay_clear(&s);
  }
}

/* A read that no system can take back, such as standard input's: the end is reported at once, the close when it
 * returns. */
static void test_session_waits_for_thread(void **state)
{
  (void)state;
  relay s;
  relay_init(&s);
  s.left.base.blocking = &unstoppable;
  s.left.read_end = UVR_DONE;
  s.right.read_end = UVR_DONE;
  relay_start(&s, &(uvr_pair_options){0});
  wait_until_blocked(&s.r, &s.left);
  wait_until_blocked(&s.r, &s.right);
  uvr_pair_cancel(s.session);
  assert_true(s.ended);
  rig_run_ms(&s.r, 3 * PATIENCE_MS);
  assert_false(s.closed);
  assert_false(s.left.closed);
  stop_read(&s.left.base); /* as if a line came */
  assert_true(rig_run_until(&s.r, &s.closed));
  assert_int_equal(s.result.error.code, UV_ECANCELED);
  assert_int_equal(s.result.to_left, s.right.given);
  assert_int_equal(s.result.to_right, s.left.given);
  relay_clear(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_source_ends),
      cmocka_unit_test(test_sink_ends),
      cmocka_unit_test(test_inside),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_no_thread),
      cmocka_unit_test(test_one_side_only),
      cmocka_unit_test(test_session),
      cmocka_unit_test(test_session_fails),
      cmocka_unit_test(test_session_cancel),
      cmocka_unit_test(test_session_waits_for_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
