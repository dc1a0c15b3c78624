/* The handshake of libassuan's socket files, over scripted servers: plain, and Cygwin's with 8 and with 12 bytes of
 * credentials, cut into pieces everywhere; wrong answers, ends and failures at each stage; stopped after every turn;
 * without memory. Afterwards nothing is under way on the stream, bytes after the handshake are kept, and the nonce is
 * neither in a message nor left in memory. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint/assuan_handshake.h"
#include "fake_stream.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
  NONCE = UVR_ASSUAN_NONCE_SIZE,
  BRIEF = 8,
  FULL = UVR_ASSUAN_CREDENTIALS_SIZE,
  SENT_BRIEF = NONCE + BRIEF,
  SENT_FULL = NONCE + FULL,
  PATIENCE_MS = 60,
  STEPS_MAX = 8,
  TURNS_MAX = 60
};

static const char nonce[NONCE + 1] = "\x01nOnCe\x80\xffSecret!\x02";
static const char answer[] = "abcdefghijklREST";

typedef struct bench {
  rig r;
  fake *server;
  uv_timer_t timer;
  uvr_assuan file;
  uvr_handshake handshake;
  unsigned results;
  bool done;
  uvrelay_error_t error;
  char rest[64];
  size_t rest_size;
  uint64_t started;
  uint64_t ms;
} bench;

static void on_done(void *user, uvr_buffer *rest, const uvrelay_error_t *error)
{
  bench *b = user;
  b->results++;
  b->done = true;
  b->ms = (uv_hrtime() - b->started) / 1000000;
  assert_false(uv_is_active((const uv_handle_t *)&b->timer));
  if (error != NULL) {
    assert_null(rest);
    assert_int_not_equal(error->code, 0);
    b->error = *error;
    return;
  }
  /* The stream goes to somebody else now. */
  assert_false(b->server->read.active);
  assert_false(b->server->write.active);
  if (rest != NULL) {
    assert_in_range(rest->length, 1, sizeof(b->rest));
    b->rest_size = rest->length;
    memcpy(b->rest, rest->data, rest->length);
    uvr_buffer_put(&b->r.context.buffers, rest);
  }
}

static void bench_init(bench *b, bool cygwin, const fake_script *script)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.patience.credentials_ms = PATIENCE_MS;
  b->server = fake_new(&b->r, "assuan:///x/S.gpg-agent", 1, script);
  assert_int_equal(uv_timer_init(&b->r.loop, &b->timer), 0);
  b->timer.data = &b->handshake;
  b->file = (uvr_assuan){.cygwin = cygwin, .port = 1};
  memcpy(b->file.nonce, nonce, NONCE);
}

static void start(bench *b)
{
  uv_update_time(&b->r.loop);
  b->started = uv_hrtime();
  uvr_handshake_start(&b->handshake, b->server->stream, &b->timer, &b->file, on_done, b);
}

static bool contains_nonce(const void *memory, size_t size)
{
  for (size_t i = 0; i + NONCE <= size; i++) {
    if (memcmp((const char *)memory + i, nonce, NONCE) == 0) {
      return true;
    }
  }
  return false;
}

static bool nonce_in_pool(const bench *b)
{
  for (const uvr_buffer *free = b->r.context.buffers.small_free; free != NULL; free = free->next) {
    if (contains_nonce(free->data, free->capacity)) {
      return true;
    }
  }
  return false;
}

static void bench_clear(bench *b)
{
  (void)uv_timer_stop(&b->timer); /* as its owner does */
  if (!b->server->closing) {
    fake_close(b->server);
  }
  unsigned results = b->results;
  uvr_handshake_stop(&b->handshake);
  uvr_handshake_stop(&b->handshake);
  assert_false(contains_nonce(&b->handshake, sizeof(b->handshake)));
  assert_false(nonce_in_pool(b));
  assert_null(strstr(b->error.text, "nOnCe"));
  assert_null(strstr(b->error.text, "Secret"));
  uv_close((uv_handle_t *)&b->timer, NULL);
  rig_run(&b->r);
  assert_int_equal(b->results, results);
  fake_free(b->server);
  rig_clear(&b->r);
}

static void run(bench *b)
{
  start(b);
  (void)rig_run_until(&b->r, &b->done);
  rig_run(&b->r);
  assert_int_equal(b->results, 1);
}

static uint32_t word(const char *bytes)
{
  uint32_t value = 0;
  for (unsigned i = 0; i < 4; i++) {
    value |= (uint32_t)(unsigned char)bytes[i] << (8 * i);
  }
  return value;
}

static void test_plain(void **state)
{
  (void)state;
  for (unsigned slower = 0; slower < 3; slower++) {
    bench b;
    bench_init(&b, false, &(fake_script){.slower = slower});
    run(&b);
    assert_int_equal(b.error.code, 0);
    assert_int_equal(b.server->taken, NONCE);
    assert_memory_equal(b.server->written, nonce, NONCE);
    assert_int_equal(b.server->reads, 0); /* nothing comes back, so nothing is waited for */
    assert_int_equal(b.rest_size, 0);
    bench_clear(&b);
  }
}

/* Makes a server that sends `echo` and, after it was sent `credentials` bytes, `size` bytes of `answer`, each cut in
 * two at a place of its own. */
static void make_server(fake_step reads[STEPS_MAX], const char *echo, size_t echo_cut, size_t credentials, size_t size,
                        size_t answer_cut)
{
  fake_step *step = reads;
  memset(reads, 0, STEPS_MAX * sizeof(*reads));
  if (echo_cut > 0) {
    *step++ = (fake_step){.data = echo, .size = echo_cut, .after_written = NONCE};
  }
  *step++ = (fake_step){.data = echo + echo_cut, .size = NONCE - echo_cut, .after_written = NONCE};
  if (answer_cut > 0) {
    *step++ = (fake_step){.data = answer, .size = answer_cut, .after_written = credentials};
  }
  *step++ = (fake_step){.data = answer + answer_cut, .size = size - answer_cut, .after_written = credentials};
}

static void assert_cygwin(const bench *b, size_t sent, size_t rest)
{
  assert_int_equal(b->error.code, 0);
  assert_int_equal(b->server->taken, sent);
  assert_memory_equal(b->server->written, nonce, NONCE);
  assert_int_equal(word(b->server->written + NONCE), (uint32_t)uv_os_getpid());
  assert_int_equal(b->rest_size, rest);
}

static void test_cygwin_short(void **state)
{
  (void)state;
  for (size_t cut = 0; cut < NONCE; cut++) {
    for (size_t rest = 0; rest <= 8; rest += 4) {
      fake_step reads[STEPS_MAX];
      make_server(reads, nonce, cut, SENT_BRIEF, BRIEF + rest, cut % BRIEF);
      bench b;
      bench_init(&b, true, &(fake_script){.reads = reads, .slower = (unsigned)cut % 3});
      b.r.context.patience.credentials_ms = RIG_PATIENCE_MS;
      run(&b);
      assert_cygwin(&b, SENT_BRIEF, rest);
      assert_memory_equal(b.rest, answer + BRIEF, rest);
      assert_in_range(b.ms, 0, RIG_SOON_MS); /* it answered: nothing to wait for */
      bench_clear(&b);
    }
  }
}

static void test_cygwin_long(void **state)
{
  (void)state;
  for (size_t cut = 0; cut < FULL; cut += 5) {
    fake_step reads[STEPS_MAX];
    make_server(reads, nonce, cut, SENT_FULL, FULL + (cut > 0 ? 4 : 0), cut);
    bench b;
    bench_init(&b, true, &(fake_script){.reads = reads});
    run(&b);
    assert_cygwin(&b, SENT_FULL, cut > 0 ? 4 : 0);
    assert_memory_equal(b.rest, "REST", b.rest_size);
    assert_in_range(b.ms, PATIENCE_MS * 9 / 10, RIG_SOON_MS);
    bench_clear(&b);
  }
}

/* A server that has begun to answer wants no more, however slowly it goes on. */
static void test_slow_short_answer(void **state)
{
  (void)state;
  fake_step reads[] = {{.data = nonce, .size = NONCE, .after_written = NONCE},
                       {.data = answer, .size = 3, .after_written = SENT_BRIEF},
                       {.turns = FAKE_NEVER, .data = answer, .size = 1},
                       {0}};
  bench b;
  bench_init(&b, true, &(fake_script){.reads = reads});
  start(&b);
  rig_run_ms(&b.r, PATIENCE_MS * 3 / 2);
  assert_int_equal(b.results, 0);
  assert_int_equal(b.server->taken, SENT_BRIEF);
  fake_finish_read(b.server, &(fake_step){.data = answer + 3, .size = 5});
  assert_int_equal(b.results, 1);
  assert_cygwin(&b, SENT_BRIEF, 0);
  bench_clear(&b);
}

/* The long answer comes while the write of the rest of our credentials is still under way. The next owner of the stream
 * may write, so the handshake must not be over before the write is. */
static void test_answer_before_write_is_done(void **state)
{
  (void)state;
  fake_step reads[] = {
      {.data = nonce, .size = NONCE, .after_written = NONCE}, {.turns = FAKE_NEVER, .data = answer, .size = 1}, {0}};
  bench b;
  bench_init(
      &b, true,
      &(fake_script){.reads = reads, .writes_done = 2, .write_end = {.outcome = UVR_FAILED, .turns = FAKE_NEVER}});
  start(&b);
  rig_run_ms(&b.r, PATIENCE_MS * 3 / 2);
  assert_int_equal(b.server->writes, 3);
  assert_true(b.server->write.active);
  fake_finish_read(b.server, &(fake_step){.data = answer, .size = FULL}); /* on_done asserts */
  fake_finish_write(b.server, UVR_DONE);
  assert_int_equal(b.results, 1);
  bench_clear(&b);
}

/* Answers that are not those of the file's server. */
static void test_wrong_answers(void **state)
{
  (void)state;
  char wrong[NONCE + 1];
  for (unsigned i = 0; i <= NONCE; i++) {
    memcpy(wrong, nonce, NONCE);
    wrong[NONCE] = 'x'; /* one byte too many is wrong, too: nothing may come before our credentials */
    wrong[i] = (char)(wrong[i] ^ (i < NONCE ? 1 : 0));
    fake_step reads[] = {{.data = wrong, .size = i < NONCE ? NONCE : NONCE + 1, .after_written = NONCE}, {0}};
    bench b;
    bench_init(&b, true, &(fake_script){.reads = reads});
    run(&b);
    assert_int_equal(b.error.code, UV_EPROTO);
    assert_int_equal(b.error.phase, UVRELAY_PHASE_HANDSHAKE);
    assert_non_null(strstr(b.error.text, "assuan:///x/S.gpg-agent"));
    assert_int_equal(b.server->taken, NONCE); /* it learned nothing more of us */
    bench_clear(&b);
  }
}

/* At each read of the handshake: the end of input, gone, reset, another failure. */
static void test_reads_end(void **state)
{
  (void)state;
  static const struct {
    uvr_outcome outcome;
    int code;
    int wanted;
  } ends[] = {{UVR_END_OF_INPUT, 0, UV_EPROTO},
              {UVR_GONE, 0, UV_EPROTO},
              {UVR_FAILED, UV_ECONNRESET, UV_EPROTO},
              {UVR_FAILED, UV_EIO, UV_EIO}};
  for (unsigned stage = 0; stage < 4; stage++) {
    for (size_t i = 0; i < COUNT(ends); i++) {
      fake_step reads[STEPS_MAX];
      make_server(reads, nonce, 5, SENT_BRIEF, BRIEF, 3);
      reads[stage].outcome = ends[i].outcome;
      reads[stage].code = ends[i].code;
      bench b;
      bench_init(&b, true, &(fake_script){.reads = reads, .slower = stage % 2});
      run(&b);
      assert_int_equal(b.error.code, ends[i].wanted);
      assert_int_equal(b.error.phase, ends[i].wanted == UV_EPROTO ? UVRELAY_PHASE_HANDSHAKE : UVRELAY_PHASE_READ);
      bench_clear(&b);
    }
  }
}

static void test_writes_end(void **state)
{
  (void)state;
  fake_step reads[STEPS_MAX];
  make_server(reads, nonce, 0, SENT_FULL, FULL, 0);
  for (unsigned cygwin = 0; cygwin < 2; cygwin++) {
    for (unsigned done = 0; done < (cygwin ? 3 : 1); done++) {
      for (unsigned slower = 0; slower < 2; slower++) {
        bench b;
        bench_init(&b, cygwin == 1,
                   &(fake_script){.reads = reads,
                                  .writes_done = done,
                                  .write_end = {.outcome = slower ? UVR_GONE : UVR_FAILED},
                                  .slower = slower});
        run(&b);
        assert_int_equal(b.error.code, slower ? UV_EPIPE : UV_EIO);
        assert_int_equal(b.error.phase, UVRELAY_PHASE_WRITE);
        bench_clear(&b);
      }
    }
  }
}

/* Closed and stopped after every number of turns: bench_clear asserts that nothing comes later. */
static void test_stop(void **state)
{
  (void)state;
  fake_step reads[STEPS_MAX];
  make_server(reads, nonce, 3, SENT_BRIEF, BRIEF, 2);
  bool over = false;
  unsigned turns;
  for (turns = 0; turns < TURNS_MAX && !over; turns++) {
    bench b;
    bench_init(&b, true, &(fake_script){.reads = reads, .slower = 2});
    start(&b);
    rig_turns(&b.r, turns);
    over = b.results > 0;
    bench_clear(&b);
  }
  assert_true(over);
  assert_in_range(turns, 8, TURNS_MAX);
}

static void test_no_memory(void **state)
{
  (void)state;
  fake_step reads[STEPS_MAX];
  make_server(reads, nonce, 3, SENT_BRIEF, BRIEF, 2);
  unsigned failures = 0;
  for (size_t n = 1; n < 8; n++) {
    bench b;
    bench_init(&b, true, &(fake_script){.reads = reads, .slower = (unsigned)n % 2});
    b.r.fail_at = b.r.allocations + n;
    run(&b);
    assert_int_equal(b.error.code, b.r.failed ? UV_ENOMEM : 0);
    failures += b.r.failed ? 1U : 0U;
    bench_clear(&b);
  }
  assert_in_range(failures, 2, 6);
}

static void test_stop_of_nothing(void **state)
{
  (void)state;
  uvr_handshake handshake = {0};
  uvr_handshake_stop(&handshake);
  uvr_handshake_stop(&handshake);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_cygwin_short),
      cmocka_unit_test(test_cygwin_long),
      cmocka_unit_test(test_slow_short_answer),
      cmocka_unit_test(test_answer_before_write_is_done),
      cmocka_unit_test(test_wrong_answers),
      cmocka_unit_test(test_reads_end),
      cmocka_unit_test(test_writes_end),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_stop_of_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
