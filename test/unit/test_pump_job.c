/* The pump on a thread of the pool, and a session made of two such pumps: over streams that block until the test lets
 * them go. Bytes arrive whole and in order, each end is reported once, a stopped pump goes into no stream again, and no
 * stream is closed while a thread is inside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pump.h"
#include "rig.h"
#include "session.h"

enum { SEED = 7, CHUNK_MAX = 3000 };

/* A stream of blocking calls. It gives `size` bytes of test data in odd pieces and then ends with `read_end`, or blocks
 * there when that is UVR_DONE; it takes `room` bytes and then ends with `write_end`, or blocks. */
typedef struct gate {
  uvr_stream base;
  uv_timer_t close_timer;
  uv_mutex_t mutex;
  uv_cond_t changed;
  size_t size;
  uvr_outcome read_end;
  size_t room;
  uvr_outcome write_end;
  bool stoppable;
  /* Under the mutex. */
  size_t given;
  size_t taken;
  unsigned inside;
  bool blocked;
  bool released; /* what blocks may return, with UVR_FAILED */
  bool closed;
  bool wrong; /* other bytes than those expected */
  bool used_after_close;
} gate;

/* Waits until it is released, under the mutex. */
static uvr_outcome block(gate *g, uvr_error *error)
{
  g->blocked = true;
  while (!g->released) {
    uv_cond_wait(&g->changed, &g->mutex);
  }
  g->blocked = false;
  (void)uvr_error_set(error, UVR_PHASE_NONE, UV_ECANCELED, "released");
  return UVR_FAILED;
}

static uvr_outcome end(gate *g, uvr_outcome outcome, uvr_error *error)
{
  if (outcome == UVR_DONE) {
    return block(g, error);
  }
  (void)uvr_error_set(error, UVR_PHASE_READ, UV_EIO, "the end");
  return outcome;
}

static void go_in(gate *g)
{
  uv_mutex_lock(&g->mutex);
  g->inside++;
  g->used_after_close = g->used_after_close || g->closed;
}

static void go_out(gate *g)
{
  g->inside--;
  uv_mutex_unlock(&g->mutex);
}

static uvr_outcome gate_read(uvr_stream *stream, uvr_buffer *buffer, uvr_error *error)
{
  gate *g = (gate *)stream;
  uvr_outcome outcome = UVR_DONE;
  go_in(g);
  if (g->given == g->size) {
    outcome = end(g, g->read_end, error);
  } else {
    size_t left = g->size - g->given;
    size_t piece = 1 + (g->given * 7919) % CHUNK_MAX;
    buffer->length = piece < left ? piece : left;
    for (size_t i = 0; i < buffer->length; i++) {
      buffer->data[i] = rig_byte(SEED, g->given++);
    }
  }
  go_out(g);
  return outcome;
}

static uvr_outcome gate_write(uvr_stream *stream, const uvr_buffer *buffer, uvr_error *error)
{
  gate *g = (gate *)stream;
  uvr_outcome outcome = UVR_DONE;
  go_in(g);
  if (g->taken + buffer->length > g->room) {
    outcome = end(g, g->write_end, error);
  } else {
    for (size_t i = 0; i < buffer->length; i++) {
      g->wrong = g->wrong || buffer->data[i] != rig_byte(SEED, g->taken + i);
    }
    g->taken += buffer->length;
  }
  go_out(g);
  return outcome;
}

static void release(gate *g)
{
  uv_mutex_lock(&g->mutex);
  g->released = true;
  uv_cond_broadcast(&g->changed);
  uv_mutex_unlock(&g->mutex);
}

static void gate_stop(uvr_stream *stream)
{
  if (((gate *)stream)->stoppable) {
    release((gate *)stream);
  }
}

static void on_gate_closed(uv_handle_t *handle)
{
  gate *g = handle->data;
  g->base.on_close(g->base.close_user);
}

static void gate_close(uvr_stream *stream)
{
  gate *g = (gate *)stream;
  uv_mutex_lock(&g->mutex);
  assert_int_equal(g->inside, 0);
  assert_false(g->closed);
  g->closed = true;
  uv_mutex_unlock(&g->mutex);
  uv_close((uv_handle_t *)&g->close_timer, on_gate_closed);
}

static const uvr_blocking_ops blocking = {
    .read = gate_read, .write = gate_write, .stop_read = gate_stop, .stop_write = gate_stop};
static const uvr_stream_ops ops = {.close = gate_close};

static void gate_init(gate *g, rig *r)
{
  memset(g, 0, sizeof(*g));
  g->base = (uvr_stream){.ops = &ops,
                         .blocking = &blocking,
                         .reads_blocking = true,
                         .writes_blocking = true,
                         .env = &r->env,
                         .name = "gate",
                         .ends_when_lost = true};
  assert_int_equal(uv_mutex_init(&g->mutex), 0);
  assert_int_equal(uv_cond_init(&g->changed), 0);
  (void)uv_timer_init(&r->loop, &g->close_timer);
  g->close_timer.data = g;
  g->room = SIZE_MAX / 2;
  g->stoppable = true;
}

static void gate_clear(gate *g)
{
  assert_false(g->wrong);
  assert_false(g->used_after_close);
  uv_cond_destroy(&g->changed);
  uv_mutex_destroy(&g->mutex);
}

static bool is_blocked(gate *g)
{
  uv_mutex_lock(&g->mutex);
  bool blocked = g->blocked;
  uv_mutex_unlock(&g->mutex);
  return blocked;
}

static void wait_until_blocked(rig *r, gate *g)
{
  for (unsigned i = 0; i < 1000 && !is_blocked(g); i++) {
    rig_run_ms(r, 5);
  }
  assert_true(is_blocked(g));
}

/* A pump between two gates. */

typedef struct bench {
  rig r;
  gate source;
  gate sink;
  uvr_pump pump; /* the bench is found from it */
  unsigned reports;
  bool reported;
  uvr_pump_end end;
} bench;

static void on_end(uvr_pump *pump, uvr_pump_end pump_end, const uvr_error *error)
{
  bench *b = (bench *)((char *)pump - offsetof(bench, pump));
  (void)error;
  b->reports++;
  b->reported = true;
  b->end = pump_end;
}

static void bench_init(bench *b)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  gate_init(&b->source, &b->r);
  gate_init(&b->sink, &b->r);
}

static void on_closed(void *user)
{
  (*(unsigned *)user)++;
}

static void bench_clear(bench *b)
{
  unsigned closed = 0;
  for (unsigned i = 0; i < 1000 && !uvr_pump_clear(&b->pump, &b->r.env); i++) {
    rig_run_ms(&b->r, 5);
  }
  assert_true(uvr_pump_clear(&b->pump, &b->r.env));
  uvr_stream_close(&b->source.base, on_closed, &closed);
  uvr_stream_close(&b->sink.base, on_closed, &closed);
  rig_run(&b->r);
  assert_int_equal(closed, 2);
  gate_clear(&b->source);
  gate_clear(&b->sink);
  rig_clear(&b->r);
}

static void test_ends(void **state)
{
  static const struct {
    size_t size;
    uvr_outcome read_end;
    size_t room;
    uvr_outcome write_end;
    uvr_pump_end end;
  } cases[] = {
      {0, UVR_END_OF_INPUT, SIZE_MAX / 2, UVR_DONE, UVR_PUMP_SOURCE_ENDED},
      {1000000, UVR_END_OF_INPUT, SIZE_MAX / 2, UVR_DONE, UVR_PUMP_SOURCE_ENDED},
      {100000, UVR_GONE, SIZE_MAX / 2, UVR_DONE, UVR_PUMP_SOURCE_GONE},
      {100000, UVR_FAILED, SIZE_MAX / 2, UVR_DONE, UVR_PUMP_SOURCE_FAILED},
      {100000, UVR_END_OF_INPUT, 50000, UVR_GONE, UVR_PUMP_SINK_GONE},
      {100000, UVR_END_OF_INPUT, 0, UVR_FAILED, UVR_PUMP_SINK_FAILED},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bench b;
    bench_init(&b);
    b.source.size = cases[i].size;
    b.source.read_end = cases[i].read_end;
    b.sink.room = cases[i].room;
    b.sink.write_end = cases[i].write_end;
    uvr_pump_start(&b.pump, &b.source.base, &b.sink.base, on_end);
    assert_true(rig_run_until(&b.r, &b.reported));
    assert_int_equal(b.end, cases[i].end);
    assert_int_equal(uvr_pump_bytes(&b.pump), b.sink.taken);
    if (cases[i].end <= UVR_PUMP_SOURCE_FAILED) {
      assert_int_equal(b.sink.taken, cases[i].size);
    }
    bench_clear(&b);
    assert_int_equal(b.reports, 1);
  }
}

static void test_stop_while_reading(void **state)
{
  bench b;
  (void)state;
  bench_init(&b);
  b.source.size = 10000; /* then it blocks */
  uvr_pump_start(&b.pump, &b.source.base, &b.sink.base, on_end);
  wait_until_blocked(&b.r, &b.source);
  assert_true(uvr_pump_is_inside(&b.pump, &b.source.base));
  assert_false(uvr_pump_is_inside(&b.pump, &b.sink.base));
  assert_false(uvr_pump_is_finishing(&b.pump));
  uvr_pump_stop(&b.pump);
  bench_clear(&b);
  assert_int_equal(b.reports, 0);
  assert_int_equal(b.sink.taken, 10000);
}

static void test_stop_while_writing(void **state)
{
  bench b;
  (void)state;
  bench_init(&b);
  b.source.size = 10000;
  b.source.read_end = UVR_END_OF_INPUT;
  b.sink.room = 5000; /* then it blocks */
  uvr_pump_start(&b.pump, &b.source.base, &b.sink.base, on_end);
  wait_until_blocked(&b.r, &b.sink);
  assert_true(uvr_pump_is_inside(&b.pump, &b.sink.base));
  assert_true(uvr_pump_is_finishing(&b.pump));
  uvr_pump_stop(&b.pump);
  bench_clear(&b);
  assert_int_equal(b.reports, 0);
}

/* Standard input may block for ever: the pump stays, and touches nothing else when it comes back. */
static void test_stop_what_cannot_be_stopped(void **state)
{
  bench b;
  (void)state;
  bench_init(&b);
  b.source.stoppable = false;
  uvr_pump_start(&b.pump, &b.source.base, &b.sink.base, on_end);
  wait_until_blocked(&b.r, &b.source);
  uvr_pump_stop(&b.pump);
  rig_run_ms(&b.r, 50);
  assert_true(uvr_pump_is_inside(&b.pump, &b.source.base));
  assert_false(uvr_pump_clear(&b.pump, &b.r.env));
  release(&b.source);
  bench_clear(&b);
  assert_int_equal(b.reports, 0);
  assert_int_equal(b.sink.taken, 0);
}

/* A session of two pumps. */

typedef struct meeting {
  rig r;
  gate left;
  gate right;
  unsigned ends;
  bool ended;
  bool closed;
  uvr_session_result result;
} meeting;

static void on_session_end(void *user, const uvr_session_result *result)
{
  meeting *m = user;
  m->ends++;
  m->ended = true;
  m->result = *result;
}

static void on_session_closed(void *user)
{
  ((meeting *)user)->closed = true;
}

static uvr_session *meet(meeting *m, const uvr_session_options *options)
{
  const uvr_session_events events = {.on_end = on_session_end, .on_close = on_session_closed, .user = m};
  uvr_session *session = NULL;
  assert_int_equal(uvr_session_start_connected(&m->r.env, &m->left.base, &m->right.base, options, &events, &session),
                   0);
  return session;
}

static void meeting_init(meeting *m)
{
  memset(m, 0, sizeof(*m));
  rig_init(&m->r);
  gate_init(&m->left, &m->r);
  gate_init(&m->right, &m->r);
}

static void meeting_clear(meeting *m)
{
  assert_true(m->closed || rig_run_until(&m->r, &m->closed));
  rig_run(&m->r);
  assert_int_equal(m->ends, 1);
  gate_clear(&m->left);
  gate_clear(&m->right);
  rig_clear(&m->r);
}

/* As with -ei: the input ends, the answer never comes, and a thread waits for it inside the right side. */
static void test_session_ends_inside_a_read(void **state)
{
  meeting m;
  (void)state;
  meeting_init(&m);
  m.left.size = 200000;
  m.left.read_end = UVR_END_OF_INPUT;
  (void)meet(&m, &(uvr_session_options){.end_after_left = true});
  assert_true(rig_run_until(&m.r, &m.ended));
  assert_int_equal(m.result.error.code, 0);
  assert_int_equal(m.result.to_right, 200000);
  assert_int_equal(m.right.taken, 200000);
  meeting_clear(&m);
}

/* The pipe goes while standard input stays open and silent: the end is told at once and the pipe is closed, the rest
 * follows when the input lets go. */
static void test_session_with_a_stuck_input(void **state)
{
  meeting m;
  (void)state;
  meeting_init(&m);
  m.left.stoppable = false;
  m.right.size = 100000;
  m.right.read_end = UVR_GONE;
  (void)meet(&m, &(uvr_session_options){0});
  assert_true(rig_run_until(&m.r, &m.ended));
  assert_int_equal(m.left.taken, 100000);
  assert_int_equal(m.result.from_right, 100000);
  rig_run_ms(&m.r, 50);
  assert_true(m.right.closed);
  assert_false(m.left.closed);
  assert_false(m.closed);
  release(&m.left);
  meeting_clear(&m);
}

static void test_session_cancelled_at_any_time(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 40; turns++) {
    meeting m;
    meeting_init(&m);
    m.left.size = 300000;
    m.right.size = 300000;
    uvr_session *session = meet(&m, &(uvr_session_options){0});
    rig_turns(&m.r, turns);
    uvr_session_cancel(session);
    meeting_clear(&m);
    assert_int_equal(m.result.error.code, UV_ECANCELED);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_stop_while_reading),
      cmocka_unit_test(test_stop_while_writing),
      cmocka_unit_test(test_stop_what_cannot_be_stopped),
      cmocka_unit_test(test_session_ends_inside_a_read),
      cmocka_unit_test(test_session_with_a_stuck_input),
      cmocka_unit_test(test_session_cancelled_at_any_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
