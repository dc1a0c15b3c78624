/* The pump, over scripted streams: bytes arrive whole and in order whatever the timing, never more than two buffers
 * are held, each end is reported once and at its time, and a stopped pump does nothing more. Between two streams that
 * keep messages each arrives as one. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "relay/pump.h"

enum { STEPS_MAX = 40, TURNS_MAX = 60 };

/* Counts the bytes of the source's buffers, where the source has an context of its own. */
typedef struct meter {
  uvrelay_allocator_t inner;
  size_t bytes;
  size_t peak;
} meter;

typedef struct bench {
  rig r;
  uvr_context source_env;
  bool two_envs;
  meter meter;
  fake *source;
  fake *sink;
  uvr_pump pump; /* the bench is found from it */
  unsigned reports;
  uvr_pump_end end;
  uvrelay_error_t error;
  uint64_t taken_at_end;
  bool writing_at_end;
  fake_call source_call_at_end; /* which callback of the fakes the report came in */
  fake_call sink_call_at_end;
  bool close_at_end;
  unsigned closes;
} bench;

static void on_closed(void *user)
{
  ((bench *)user)->closes++;
}

static void close_both(bench *b)
{
  uvr_stream_close(b->source->stream, UVR_CLOSE_NOW, on_closed, b);
  uvr_stream_close(b->sink->stream, UVR_CLOSE_NOW, on_closed, b);
}

static void on_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  bench *b = (bench *)((char *)pump - offsetof(bench, pump));
  b->reports++;
  b->end = end;
  memset(&b->error, 0, sizeof(b->error));
  if (end != UVR_PUMP_SOURCE_ENDED) {
    b->error = *error;
  }
  b->taken_at_end = b->sink->taken;
  b->writing_at_end = b->sink->write.active;
  b->source_call_at_end = b->source->calling;
  b->sink_call_at_end = b->sink->calling;
  if (b->close_at_end) {
    close_both(b);
  }
}

static void bench_init(bench *b, const fake_script *source, const fake_script *sink)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->source = fake_new(&b->r, "source", 1, source);
  b->sink = fake_new(&b->r, "sink", 2, sink);
}

enum { METER_HEADER = 32 }; /* keeps malloc's alignment */

static void *meter_allocate(void *user, size_t size)
{
  meter *m = user;
  char *block = m->inner.allocate(m->inner.user, METER_HEADER + size);
  if (block == NULL) {
    return NULL;
  }
  memcpy(block, &size, sizeof(size));
  m->bytes += size;
  m->peak = m->bytes > m->peak ? m->bytes : m->peak;
  return block + METER_HEADER;
}

static void meter_release(void *user, void *memory)
{
  meter *m = user;
  char *block = (char *)memory - METER_HEADER;
  size_t size = 0;
  memcpy(&size, block, sizeof(size));
  m->bytes -= size;
  m->inner.release(m->inner.user, block);
}

/* Between two streams that keep messages, each with an context of its own. */
static void bench_init_messages(bench *b, const fake_script *source, const fake_script *sink, size_t message_size)
{
  fake_script from = *source;
  fake_script to = *sink;
  from.keeps_messages = true;
  to.keeps_messages = true;
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.message_size = message_size;
  b->two_envs = true;
  b->meter.inner = b->r.context.memory;
  const uvrelay_allocator_t metered = {.allocate = meter_allocate, .release = meter_release, .user = &b->meter};
  assert_int_equal(uvr_context_init(&b->source_env, &b->r.loop, &metered, &b->r.context.log), 0);
  b->source = fake_new_in(&b->r, &b->source_env, "source", 1, &from);
  b->sink = fake_new(&b->r, "sink", 2, &to);
}

/* Does what a pair does: stops the pump, closes both streams, then frees the buffers. */
static void bench_clear(bench *b)
{
  uvr_pump_stop(&b->pump);
  unsigned reports = b->reports;
  unsigned reads = b->source->reads;
  unsigned writes = b->sink->writes;
  if (!b->source->closing) {
    close_both(b);
  }
  rig_run(&b->r);
  assert_int_equal(b->closes, 2);
  assert_int_equal(b->reports, reports);
  assert_int_equal(b->source->reads, reads);
  assert_int_equal(b->sink->writes, writes);
  uvr_pump_clear(&b->pump);
  fake_free(b->source);
  fake_free(b->sink);
  if (b->two_envs) {
    assert_int_equal(b->r.context.buffers.small_count + b->r.context.buffers.large_count, 0); /* all are the source's */
    uvr_context_clear(&b->source_env);
    assert_int_equal(b->meter.bytes, 0);
  }
  rig_clear(&b->r);
}

static void start(bench *b)
{
  uvr_pump_start(&b->pump, &b->r.context, b->source->stream, b->sink->stream, on_end);
}

static const struct {
  uvr_outcome outcome;
  uvr_pump_end end;
  int code;
} source_ends[] = {{UVR_END_OF_INPUT, UVR_PUMP_SOURCE_ENDED, 0},
                   {UVR_GONE, UVR_PUMP_SOURCE_GONE, UV_EPIPE},
                   {UVR_FAILED, UVR_PUMP_SOURCE_FAILED, UV_EIO}},
  sink_ends[] = {{UVR_GONE, UVR_PUMP_SINK_GONE, UV_EPIPE}, {UVR_FAILED, UVR_PUMP_SINK_FAILED, UV_EIO}};

/* One run with chunks and timings that the seed decides. */
static void run_random(unsigned seed)
{
  rig dice = {.random = seed};
  fake_step reads[STEPS_MAX + 1];
  unsigned count = rig_random(&dice, STEPS_MAX);
  uint64_t total = 0;
  for (unsigned i = 0; i < count; i++) {
    size_t size = rig_random(&dice, 4) == 0 ? UVR_BUFFER_LARGE - rig_random(&dice, 3) : 1 + rig_random(&dice, 1500);
    reads[i] = (fake_step){.size = size};
    total += size;
  }
  unsigned which = rig_random(&dice, 3);
  reads[count] = (fake_step){.outcome = source_ends[which].outcome};
  fake_script source = {.reads = reads, .random_turns = 1 + rig_random(&dice, 4)};
  fake_script sink = {.random_turns = 1 + rig_random(&dice, 4), .close_turns = rig_random(&dice, 3)};
  bench b;
  bench_init(&b, &source, &sink);
  b.r.random = seed;
  b.close_at_end = rig_random(&dice, 2) == 0;
  start(&b);
  rig_run(&b.r);
  assert_int_equal(b.reports, 1);
  assert_int_equal(b.end, source_ends[which].end);
  assert_int_equal(b.error.code, source_ends[which].code);
  assert_int_equal(b.taken_at_end, total); /* reported only when all was written */
  assert_false(b.writing_at_end);
  assert_int_equal(b.pump.bytes, total);
  fake_assert_relayed(b.source, b.sink, total);
  assert_in_range(b.source->held_max, 1, 2);
  bench_clear(&b);
}

static void test_random(void **state)
{
  (void)state;
  for (unsigned seed = 1; seed <= 200; seed++) {
    run_random(seed);
  }
}

static void test_sink_that_stops(void **state)
{
  (void)state;
  fake_step reads[] = {{.size = 10}, {.size = 20}, {.size = 30}, {.size = 40}, {.outcome = UVR_END_OF_INPUT}};
  for (unsigned slower = 0; slower < 3; slower++) {
    bench b;
    bench_init(&b, &(fake_script){.reads = reads, .slower = slower}, &(fake_script){.write_turns = FAKE_NEVER});
    start(&b);
    rig_run(&b.r);
    for (unsigned done = 0; done < 4; done++) {
      /* One is being written and one waits: nothing is read beyond them. */
      assert_int_equal(b.source->reads, done + 2 <= 4 ? done + 2 : 5);
      assert_int_equal(b.sink->writes, done + 1);
      assert_in_range(rig_buffers_held(&b.r), 1, 2);
      assert_int_equal(b.reports, 0);
      fake_finish_write(b.sink, UVR_DONE);
      rig_run(&b.r);
    }
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.end, UVR_PUMP_SOURCE_ENDED);
    assert_int_equal(b.source->held_max, 2);
    fake_assert_relayed(b.source, b.sink, 100);
    bench_clear(&b);
  }
}

/* The source's end waits for the write, and when that fails it is the sink's end that counts. */
static void test_source_ends_while_writing(void **state)
{
  (void)state;
  static const uvr_outcome outcomes[] = {UVR_DONE, UVR_GONE, UVR_FAILED};
  for (unsigned s = 0; s < 3; s++) {
    for (unsigned o = 0; o < 3; o++) {
      fake_step reads[] = {{.size = 10}, {.size = 5}, {.outcome = source_ends[s].outcome}};
      bench b;
      bench_init(&b, &(fake_script){.reads = reads}, &(fake_script){.write_turns = FAKE_NEVER});
      start(&b);
      rig_run(&b.r);
      fake_finish_write(b.sink, UVR_DONE);
      rig_run(&b.r);
      assert_true(b.source->read_ended);
      assert_int_equal(b.reports, 0);
      fake_finish_write(b.sink, outcomes[o]);
      assert_int_equal(b.reports, 1);
      assert_int_equal(b.end, o == 0 ? source_ends[s].end : sink_ends[o - 1].end);
      assert_int_equal(b.error.code, o == 0 ? source_ends[s].code : sink_ends[o - 1].code);
      assert_int_equal(b.pump.bytes, o == 0 ? 15 : 10);
      bench_clear(&b);
    }
  }
}

/* Reported from within the failing write's own callback, whatever the source does meanwhile. */
static void test_sink_ends(void **state)
{
  (void)state;
  static const unsigned read_turns[] = {0, 1, 3, FAKE_NEVER};
  for (unsigned o = 0; o < 2; o++) {
    for (unsigned done = 0; done < 3; done++) {
      for (unsigned write_turns = 0; write_turns < 3; write_turns++) {
        for (unsigned t = 0; t < 4; t++) {
          fake_step reads[] = {{.size = 7}, {.size = 7}, {.size = 7}, {.size = 7, .turns = read_turns[t]}, {0}};
          fake_script sink = {.write_turns = write_turns,
                              .writes_done = done,
                              .write_end = {.outcome = sink_ends[o].outcome, .turns = write_turns}};
          bench b;
          bench_init(&b, &(fake_script){.reads = reads}, &sink);
          b.close_at_end = t % 2 == 0;
          start(&b);
          rig_run(&b.r);
          assert_int_equal(b.reports, 1);
          assert_int_equal(b.end, sink_ends[o].end);
          assert_int_equal(b.error.code, sink_ends[o].code);
          assert_string_equal(b.error.text, o == 0 ? "sink: scripted end, phase 5" : "sink: scripted failure, phase 5");
          assert_int_equal(b.sink_call_at_end, FAKE_WRITE);
          assert_int_equal(b.sink->writes, done + 1);
          assert_int_equal(b.pump.bytes, 7 * done);
          bench_clear(&b);
        }
      }
    }
  }
}

static void test_source_ends_at_once(void **state)
{
  (void)state;
  for (unsigned s = 0; s < 3; s++) {
    fake_step reads[] = {{.outcome = source_ends[s].outcome}};
    bench b;
    bench_init(&b, &(fake_script){.reads = reads}, &(fake_script){0});
    b.close_at_end = true;
    start(&b);
    assert_int_equal(b.reports, 1); /* before uvr_pump_start returned */
    assert_int_equal(b.end, source_ends[s].end);
    assert_string_equal(b.error.text, s == 0   ? ""
                                      : s == 1 ? "source: scripted end, phase 4"
                                               : "source: scripted failure, phase 4");
    assert_int_equal(b.sink->writes, 0);
    bench_clear(&b);
  }
}

/* Reads and writes that all finish at once are not nested in one another: many would leave no stack. */
static void test_no_recursion(void **state)
{
  (void)state;
  enum { MANY = 3000 };
  fake_step *reads = calloc(MANY + 1, sizeof(*reads));
  assert_non_null(reads);
  for (unsigned i = 0; i < MANY; i++) {
    reads[i].size = 1;
  }
  reads[MANY].outcome = UVR_END_OF_INPUT;
  bench b;
  bench_init(&b, &(fake_script){.reads = reads}, &(fake_script){0});
  start(&b);
  assert_int_equal(b.reports, 1);
  fake_assert_relayed(b.source, b.sink, MANY);
  assert_in_range(b.source->reads_nested_max, 1, 4);
  bench_clear(&b);
  free(reads);
}

/* A write that fails after the stop is not reported either. */
static void test_stop_then_fail(void **state)
{
  (void)state;
  fake_step reads[] = {{.size = 10}, {.size = 20}, {.size = 30, .turns = FAKE_NEVER}, {0}};
  for (unsigned o = 0; o < 2; o++) {
    bench b;
    bench_init(&b, &(fake_script){.reads = reads}, &(fake_script){.write_turns = FAKE_NEVER});
    start(&b);
    uvr_pump_stop(&b.pump);
    fake_finish_write(b.sink, sink_ends[o].outcome);
    rig_run(&b.r);
    assert_int_equal(b.reports, 0);
    assert_int_equal(b.sink->writes, 1);
    bench_clear(&b);
  }
}

/* Told to stop after each number of turns; bench_clear asserts that nothing comes or begins after that. */
static void test_stop(void **state)
{
  (void)state;
  fake_step reads[] = {{.size = 10, .turns = 1},
                       {.size = 20},
                       {.size = 30, .turns = 2},
                       {.size = 40},
                       {.size = 50},
                       {.outcome = UVR_END_OF_INPUT, .turns = 1}};
  bool ended = false;
  unsigned stopped = 0;
  for (unsigned write_turns = 0; write_turns < 4; write_turns++) {
    ended = false;
    for (unsigned turns = 0; turns < TURNS_MAX && !ended; turns++) {
      bench b;
      bench_init(&b, &(fake_script){.reads = reads}, &(fake_script){.write_turns = write_turns});
      start(&b);
      rig_turns(&b.r, turns);
      ended = b.reports > 0;
      stopped += ended ? 0U : 1U;
      /* Everything that is under way finishes after the stop, and is not reported. */
      uvr_pump_stop(&b.pump);
      unsigned reads_begun = b.source->reads;
      unsigned writes_begun = b.sink->writes;
      rig_run(&b.r);
      assert_int_equal(b.reports, ended ? 1 : 0);
      assert_int_equal(b.source->reads, reads_begun);
      assert_int_equal(b.sink->writes, writes_begun);
      bench_clear(&b);
    }
    assert_true(ended);
  }
  assert_in_range(stopped, 20, TURNS_MAX * 4);
}

static void test_no_memory(void **state)
{
  (void)state;
  fake_step reads[] = {{.size = 10}, {.size = 5000}, {.size = 30}, {.outcome = UVR_END_OF_INPUT}};
  unsigned failures = 0;
  for (size_t n = 1; n < 20; n++) {
    bench b;
    bench_init(&b, &(fake_script){.reads = reads, .slower = 1}, &(fake_script){.write_turns = 3});
    b.r.fail_at = b.r.allocations + n;
    start(&b);
    rig_run(&b.r);
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.end, b.r.failed ? UVR_PUMP_SOURCE_FAILED : UVR_PUMP_SOURCE_ENDED);
    assert_int_equal(b.error.code, b.r.failed ? UV_ENOMEM : 0);
    assert_int_equal(b.taken_at_end, b.source->given); /* what came before it is written all the same */
    failures += b.r.failed ? 1U : 0U;
    bench_clear(&b);
  }
  assert_in_range(failures, 2, 10);
}

/* Messages. */

/* What must come of a script: the sizes of its whole messages. */
typedef struct messages {
  size_t sizes[STEPS_MAX];
  unsigned count;
  uint64_t total;
  size_t rest; /* bytes of a last one without an end */
  size_t largest;
} messages;

static messages messages_of(const fake_step *steps)
{
  messages m = {.count = 0};
  for (; steps->outcome == UVR_DONE && steps->size > 0; steps++) {
    m.rest += steps->size;
    m.largest = m.rest > m.largest ? m.rest : m.largest;
    if (!steps->part) {
      m.sizes[m.count++] = m.rest;
      m.total += m.rest;
      m.rest = 0;
    }
  }
  return m;
}

static void assert_messages(const bench *b, const messages *m)
{
  fake_assert_relayed(b->source, b->sink, m->total);
  assert_int_equal(b->sink->message_count, m->count);
  for (unsigned i = 0; i < m->count; i++) {
    assert_int_equal(b->sink->messages[i], m->sizes[i]);
  }
}

static void run_random_messages(unsigned seed)
{
  rig dice = {.random = seed};
  fake_step reads[STEPS_MAX + 1];
  unsigned count = rig_random(&dice, STEPS_MAX);
  for (unsigned i = 0; i < count; i++) {
    size_t size = rig_random(&dice, 4) == 0 ? UVR_BUFFER_LARGE - rig_random(&dice, 3) : 1 + rig_random(&dice, 1500);
    reads[i] = (fake_step){.size = size, .part = rig_random(&dice, 4) > 0};
  }
  unsigned which = rig_random(&dice, 3);
  reads[count] = (fake_step){.outcome = source_ends[which].outcome};
  messages m = messages_of(reads);
  size_t limit = m.largest > 0 ? m.largest : 1;
  fake_script source = {.random_turns = 1 + rig_random(&dice, 4), .reads = reads};
  fake_script sink = {.random_turns = 1 + rig_random(&dice, 4), .close_turns = rig_random(&dice, 3)};
  bench b;
  bench_init_messages(&b, &source, &sink, limit);
  b.r.random = seed;
  start(&b);
  rig_run(&b.r);
  assert_int_equal(b.reports, 1);
  bool broken = m.rest > 0 && source_ends[which].outcome != UVR_FAILED;
  assert_int_equal(b.end, broken ? UVR_PUMP_SOURCE_FAILED : source_ends[which].end);
  assert_int_equal(b.error.code, broken ? UV_EPROTO : source_ends[which].code);
  assert_int_equal(b.taken_at_end, m.total);
  assert_messages(&b, &m);
  bench_clear(&b);
}

static void test_random_messages(void **state)
{
  (void)state;
  for (unsigned seed = 1; seed <= 200; seed++) {
    run_random_messages(seed);
  }
}

/* The longest message that is kept whole, and one byte more: in one read and in several. What came before it is
 * written, and it is the source's error. */
static void test_message_size(void **state)
{
  (void)state;
  static const size_t limits[] = {1, 999, 1000, 1024, 5000, UVR_BUFFER_LARGE, 100000};
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    for (unsigned more = 0; more < 2; more++) {
      for (unsigned parts = 1; parts <= 3; parts++) {
        size_t size = limits[i] + more;
        if (size < parts || size / parts > UVR_BUFFER_LARGE - 3) {
          continue;
        }
        fake_step reads[6] = {{.size = 1}};
        for (unsigned part = 1; part <= parts; part++) {
          size_t rest = size - (part - 1) * (size / parts);
          reads[part] = (fake_step){.size = part < parts ? size / parts : rest, .part = part < parts};
        }
        reads[parts + 1] = (fake_step){.size = 1};
        reads[parts + 2] = (fake_step){.outcome = UVR_END_OF_INPUT};
        bench b;
        bench_init_messages(&b, &(fake_script){.reads = reads}, &(fake_script){.write_turns = 2}, limits[i]);
        start(&b);
        rig_run(&b.r);
        assert_int_equal(b.end, more == 1 ? UVR_PUMP_SOURCE_FAILED : UVR_PUMP_SOURCE_ENDED);
        assert_int_equal(b.error.code, more == 1 ? UV_EMSGSIZE : 0);
        assert_int_equal(b.error.phase, more == 1 ? UVRELAY_PHASE_READ : UVRELAY_PHASE_NONE);
        assert_true(more == 0 || strstr(b.error.text, "source") != NULL);
        assert_int_equal(b.taken_at_end, more == 1 ? 1 : 2 + size);
        assert_int_equal(b.sink->message_count, more == 1 ? 1 : 3);
        bench_clear(&b);
      }
    }
  }
}

/* Long messages and a slow sink: one is being written and one is collected, which for a moment lies there twice when it
 * moves to a larger place. */
static void test_message_memory(void **state)
{
  (void)state;
  enum { PARTS = 40, EACH = UVR_BUFFER_LARGE, LIMIT = PARTS * EACH };
  fake_step reads[3 * PARTS + 1];
  for (unsigned i = 0; i < 3 * PARTS; i++) {
    reads[i] = (fake_step){.size = EACH, .part = i % PARTS != PARTS - 1};
  }
  reads[3 * PARTS] = (fake_step){.outcome = UVR_END_OF_INPUT};
  bench b;
  bench_init_messages(&b, &(fake_script){.reads = reads}, &(fake_script){.write_turns = 50, .slower = 1}, LIMIT);
  size_t before = b.meter.bytes;
  start(&b);
  rig_run(&b.r);
  assert_int_equal(b.end, UVR_PUMP_SOURCE_ENDED);
  assert_int_equal(b.sink->message_count, 3);
  fake_assert_relayed(b.source, b.sink, 3 * (uint64_t)LIMIT);
  assert_in_range(b.meter.peak - before, LIMIT, 3 * (size_t)LIMIT + 4 * EACH);
  bench_clear(&b);
}

/* Where one of the two keeps no messages they are bytes, which go on as they come, and need no end. */
static void test_no_messages(void **state)
{
  (void)state;
  const fake_step reads[] = {{.size = 10, .part = true}, {.size = 2000, .part = true}, {.outcome = UVR_GONE}};
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b, &(fake_script){.reads = reads, .keeps_messages = i == 0}, &(fake_script){.keeps_messages = i == 1});
    b.r.context.message_size = 100;
    start(&b);
    assert_int_equal(b.end, UVR_PUMP_SOURCE_GONE);
    assert_int_equal(b.sink->message_count, 2);
    fake_assert_relayed(b.source, b.sink, 2010);
    bench_clear(&b);
  }
}

static const fake_step in_parts[] = {{.size = 10},
                                     {.size = 10, .part = true, .turns = 1},
                                     {.size = 10, .part = true},
                                     {.size = 500, .part = true, .turns = 2},
                                     {.size = 3000, .part = true},
                                     {.size = 60000, .part = true},
                                     {.size = 60000},
                                     {.size = 20},
                                     {.size = 10, .part = true, .turns = 1},
                                     {.size = 10},
                                     {.outcome = UVR_END_OF_INPUT}};

static void test_messages_no_memory(void **state)
{
  (void)state;
  const messages m = messages_of(in_parts);
  unsigned failures = 0;
  bool failed = true;
  for (size_t n = 1; failed; n++) {
    bench b;
    bench_init_messages(&b, &(fake_script){.reads = in_parts}, &(fake_script){.write_turns = 3}, 1000000);
    b.r.fail_at = b.r.allocations + n;
    start(&b);
    rig_run(&b.r);
    failed = b.r.failed;
    failures += failed ? 1U : 0U;
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.end, failed ? UVR_PUMP_SOURCE_FAILED : UVR_PUMP_SOURCE_ENDED);
    assert_int_equal(b.error.code, failed ? UV_ENOMEM : 0);
    for (size_t i = 0; i < b.sink->message_count; i++) {
      assert_int_equal(b.sink->messages[i], m.sizes[i]); /* none is sent in part */
    }
    fake_assert_relayed(b.source, b.sink, b.sink->taken);
    bench_clear(&b);
  }
  assert_in_range(failures, 6, 20);
}

/* Stopped after each number of turns, with parts held: bench_clear looks for them. */
static void test_messages_stop(void **state)
{
  (void)state;
  unsigned held = 0;
  bool ended = false;
  for (unsigned turns = 0; turns < TURNS_MAX && !ended; turns++) {
    bench b;
    bench_init_messages(&b, &(fake_script){.reads = in_parts, .slower = 1}, &(fake_script){.write_turns = 2}, 1000000);
    start(&b);
    rig_turns(&b.r, turns);
    ended = b.reports > 0;
    held += b.pump.message != NULL ? 1U : 0U;
    assert_true(b.pump.message == NULL || uvr_pump_is_finishing(&b.pump));
    bench_clear(&b);
  }
  assert_true(ended);
  assert_in_range(held, 5, TURNS_MAX);
}

/* A pump that never started, as in a pair whose dial failed. */
static void test_clear_of_nothing(void **state)
{
  (void)state;
  rig r;
  rig_init(&r);
  uvr_pump pump = {0};
  uvr_pump_stop(&pump);
  uvr_pump_clear(&pump);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_sink_that_stops),
      cmocka_unit_test(test_source_ends_while_writing),
      cmocka_unit_test(test_sink_ends),
      cmocka_unit_test(test_source_ends_at_once),
      cmocka_unit_test(test_no_recursion),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_stop_then_fail),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_random_messages),
      cmocka_unit_test(test_message_size),
      cmocka_unit_test(test_message_memory),
      cmocka_unit_test(test_no_messages),
      cmocka_unit_test(test_messages_no_memory),
      cmocka_unit_test(test_messages_stop),
      cmocka_unit_test(test_clear_of_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
