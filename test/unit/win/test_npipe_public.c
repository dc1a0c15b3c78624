/* The public API over real named pipes: a client, a server and what it accepts, on one loop, alone and with a relay
 * between two pipes; each conversation run to its end, closed after every number of loop turns, closed from inside
 * every callback, and with every allocation failing once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "npipe_server.h"
#include "rig.h"
#include "uvrelay.h"

#define FRONT "//./pipe/uvrelay-test-public-front"
#define BACK  "//./pipe/uvrelay-test-public-back"

enum { MESSAGES = 4, ALL_BYTES = 1 + 100 + 200000 + 7, REPLY_BYTES = 70000, HANDLES = 6, NEVER = 1 << 30 };

static const size_t sizes[MESSAGES] = {1, 100, 200000, 7};

typedef struct scenario {
  bool message;
  bool relay; /* the client speaks to FRONT, whose clients a relay takes to BACK */
} scenario;

static const scenario scenarios[] = {{true, false}, {false, false}, {true, true}, {false, true}};

typedef struct bench {
  rig r;
  const scenario *s;
  uvrelay_t *relay;
  uvrelay_npipe_t *handles[HANDLES]; /* open ones, for closing at any time */
  uvrelay_npipe_t *client;
  uvrelay_npipe_t *worker; /* the server's side of the conversation */
  char *out;               /* the client's messages */
  char *reply;
  size_t received; /* by the worker */
  size_t replied;  /* to the client */
  unsigned boundaries;
  unsigned failures; /* statuses that are neither 0 nor UV_ECANCELED */
  unsigned writes_begun;
  unsigned writes_done;
  unsigned opened;
  unsigned closed;
  unsigned given;
  unsigned given_closed;
  unsigned started;
  unsigned done;
  unsigned relays_closed;
  unsigned callbacks; /* so far */
  unsigned close_at;  /* which callback closes everything */
  bool closing;
  bool wrong; /* something came that must not */
  bool worker_ended;
  bool client_gone;
  uvrelay_result_t result;
} bench;

static void close_all(bench *b);

/* First in every callback. */
static void tick(bench *b)
{
  if (++b->callbacks == b->close_at) {
    close_all(b);
  }
}

static void on_closed(uvrelay_npipe_t *np)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->closed++;
  tick(b);
}

static void forget(bench *b, const uvrelay_npipe_t *np)
{
  for (unsigned i = 0; i < HANDLES; i++) {
    if (b->handles[i] == np) {
      b->handles[i] = NULL;
    }
  }
}

static void shut(bench *b, uvrelay_npipe_t *np)
{
  for (unsigned i = 0; i < HANDLES; i++) {
    if (b->handles[i] == np) {
      b->handles[i] = NULL;
      uvrelay_npipe_close(np, on_closed);
      return;
    }
  }
}

static void on_relay_closed(uvrelay_t *relay)
{
  bench *b = uvrelay_get_data(relay);
  b->wrong = b->wrong || b->done != b->started;
  b->relays_closed++;
  tick(b);
}

static void close_all(bench *b)
{
  b->closing = true;
  for (unsigned i = 0; i < HANDLES; i++) {
    if (b->handles[i] != NULL) {
      shut(b, b->handles[i]);
    }
  }
  if (b->relay != NULL) {
    uvrelay_t *relay = b->relay;
    b->relay = NULL;
    uvrelay_close(relay, on_relay_closed);
  }
}

static void give_up(bench *b)
{
  b->failures++;
  close_all(b);
}

static uvrelay_npipe_t *open_handle(bench *b)
{
  const uvrelay_npipe_options_t options = {.size = sizeof(options),
                                           .allocator = b->r.context.memory,
                                           .mode = b->s->message ? UVRELAY_NPIPE_MESSAGE : UVRELAY_NPIPE_BYTE,
                                           .buffer_size = 65536,
                                           .retry = UVRELAY_RETRY_BUSY,
                                           .timeout_ms = 5000};
  uvrelay_npipe_t *np;
  if (uvrelay_npipe_new(&np, &b->r.loop, &options) != 0) {
    assert_null(np);
    return NULL;
  }
  uvrelay_npipe_set_data(np, b);
  b->opened++;
  for (unsigned i = 0; i < HANDLES; i++) {
    if (b->handles[i] == NULL) {
      b->handles[i] = np;
      return np;
    }
  }
  fail_msg("%s", "too many handles");
  return NULL;
}

/* The conversation. */

static void on_written(uvrelay_npipe_t *np, int status, void *user)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->wrong = b->wrong || user != b;
  b->writes_done++;
  tick(b);
  if (status != 0 && !b->closing) {
    give_up(b);
  }
}

static void on_last_written(uvrelay_npipe_t *np, int status, void *user)
{
  bench *b = uvrelay_npipe_get_data(np);
  on_written(np, status, user);
  if (!b->closing) {
    shut(b, np); /* the client reads the rest, then sees the pipe go */
  }
}

static void begin(bench *b, int code)
{
  if (code == 0) {
    b->writes_begun++;
  } else {
    give_up(b);
  }
}

static void reply(bench *b)
{
  uv_buf_t buf = uv_buf_init(b->reply, REPLY_BYTES);
  begin(b, uvrelay_npipe_write(b->worker, &buf, 1, on_last_written, b));
}

static void on_worker_read(uvrelay_npipe_t *np, const uvrelay_npipe_read_t *read)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->wrong = b->wrong || b->closing || b->worker_ended;
  if (read->event == UVRELAY_NPIPE_DATA) {
    for (size_t i = 0; i < read->length; i++) {
      b->wrong = b->wrong || read->data[i] != rig_byte(1, b->received + i);
    }
    b->received += read->length;
    b->boundaries += read->end_of_message != 0;
  }
  tick(b);
  if (b->closing) {
    return;
  }
  bool ended = b->s->message ? read->event == UVRELAY_NPIPE_END_OF_INPUT : b->received == ALL_BYTES;
  if (ended) {
    b->worker_ended = true;
    uvrelay_npipe_read_stop(np);
    reply(b);
  } else if (read->event != UVRELAY_NPIPE_DATA) {
    give_up(b);
  }
}

static void on_client_read(uvrelay_npipe_t *np, const uvrelay_npipe_read_t *read)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->wrong = b->wrong || b->closing || b->client_gone;
  for (size_t i = 0; i < read->length; i++) {
    b->wrong = b->wrong || read->data[i] != rig_byte(2, b->replied + i);
  }
  b->replied += read->length;
  tick(b);
  if (b->closing || read->event == UVRELAY_NPIPE_DATA) {
    return;
  }
  /* Through a relay the end may be passed on as an end of input, before the pipe goes. */
  if (read->event == UVRELAY_NPIPE_GONE) {
    b->client_gone = true;
    close_all(b);
  } else if (read->event == UVRELAY_NPIPE_ERROR) {
    give_up(b);
  }
}

static void on_connected(uvrelay_npipe_t *np, int status)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->wrong = b->wrong || b->closing;
  tick(b);
  if (b->closing) {
    return;
  }
  if (status != 0) {
    give_up(b);
    return;
  }
  size_t done = 0;
  for (unsigned i = 0; i < MESSAGES && !b->closing; i++) {
    /* The long one in two parts, which are one message. */
    size_t first = sizes[i] / 2;
    uv_buf_t bufs[2] = {uv_buf_init(b->out + done, (unsigned)first),
                        uv_buf_init(b->out + done + first, (unsigned)(sizes[i] - first))};
    begin(b, uvrelay_npipe_write(np, bufs, 2, on_written, b));
    done += sizes[i];
  }
  if (b->s->message && !b->closing) {
    begin(b, uvrelay_npipe_shutdown(np, on_written, b));
  }
  if (!b->closing && uvrelay_npipe_read_start(np, on_client_read) != 0) {
    give_up(b);
  }
}

static void on_worker_client(uvrelay_npipe_t *listener, int status)
{
  bench *b = uvrelay_npipe_get_data(listener);
  b->wrong = b->wrong || b->closing || status != 0 || b->worker != NULL;
  tick(b);
  if (b->closing) {
    return;
  }
  b->worker = open_handle(b);
  if (b->worker == NULL || uvrelay_npipe_accept(listener, b->worker) != 0 ||
      uvrelay_npipe_read_start(b->worker, on_worker_read) != 0) {
    give_up(b);
  }
}

/* The relay. */

static void on_given_closed(uvrelay_npipe_t *np)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->wrong = b->wrong || b->done == b->started;
  b->given_closed++;
  tick(b);
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  bench *b = user;
  (void)session;
  b->done++;
  b->wrong = b->wrong || b->given_closed != b->given;
  b->result = *result;
  tick(b);
  if (result->reason == UVRELAY_REASON_FAILED && !b->closing) {
    give_up(b);
  }
}

static void on_front_client(uvrelay_npipe_t *listener, int status)
{
  bench *b = uvrelay_npipe_get_data(listener);
  b->wrong = b->wrong || b->closing || status != 0;
  tick(b);
  if (b->closing) {
    return;
  }
  uvrelay_npipe_t *np = open_handle(b);
  if (np == NULL || uvrelay_npipe_accept(listener, np) != 0) {
    give_up(b);
    return;
  }
  uvrelay_endpoint_t left = uvrelay_npipe(np, on_given_closed);
  uvrelay_endpoint_t right = uvrelay_address(BACK);
  if (uvrelay_start(b->relay, &left, &right, NULL, on_done, b, NULL) != 0) {
    give_up(b);
    return;
  }
  b->started++;
  b->given++;
  b->opened--;
  forget(b, np);
}

/* Runs. */

static void *filled(unsigned seed, size_t size)
{
  char *bytes = malloc(size);
  assert_non_null(bytes);
  for (size_t i = 0; i < size; i++) {
    bytes[i] = rig_byte(seed, i);
  }
  return bytes;
}

static bool listen_on(bench *b, const char *name, uvrelay_npipe_connection_cb cb)
{
  uvrelay_npipe_t *listener = open_handle(b);
  return listener != NULL && uvrelay_npipe_listen(listener, name, 2, cb) == 0;
}

static bool start_relay(bench *b)
{
  const uvrelay_options_t options = {.size = sizeof(options), .allocator = b->r.context.memory};
  if (uvrelay_new(&b->relay, &b->r.loop, &options) != 0) {
    return false;
  }
  uvrelay_set_data(b->relay, b);
  return listen_on(b, FRONT, on_front_client);
}

static void bench_init(bench *b, const scenario *s)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->s = s;
  b->out = filled(1, ALL_BYTES);
  b->reply = filled(2, REPLY_BYTES);
}

static void start(bench *b)
{
  bool ok = listen_on(b, b->s->relay ? BACK : FRONT, on_worker_client) && (!b->s->relay || start_relay(b));
  b->client = ok ? open_handle(b) : NULL;
  if (b->client == NULL || uvrelay_npipe_connect(b->client, FRONT, on_connected) != 0) {
    give_up(b);
  }
}

/* Nothing is left open, and every callback has come once. */
static void bench_clear(bench *b)
{
  rig_run(&b->r);
  assert_false(b->wrong);
  assert_int_equal(b->closed, b->opened);
  assert_int_equal(b->given_closed, b->given);
  assert_int_equal(b->done, b->started);
  assert_int_equal(b->writes_done, b->writes_begun);
  rig_clear(&b->r);
  free(b->out);
  free(b->reply);
}

static void assert_complete(const bench *b)
{
  assert_int_equal(b->failures, 0);
  assert_int_equal(b->received, ALL_BYTES);
  assert_int_equal(b->replied, REPLY_BYTES);
  assert_int_equal(b->boundaries, b->s->message ? MESSAGES : 0);
  assert_true(b->client_gone);
}

/* Runs turns of the loop until nothing is left, or `turns`; returns how many there were. */
static unsigned turn(bench *b, unsigned turns)
{
  unsigned n = 0;
  uint64_t start_time = uv_hrtime();
  while (n < turns && uv_run(&b->r.loop, UV_RUN_ONCE) != 0) {
    n++;
    assert_true(uv_hrtime() - start_time < RIG_PATIENCE_MS * UINT64_C(1000000));
  }
  return n;
}

static void test_to_the_end(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    bench b;
    bench_init(&b, &scenarios[i]);
    start(&b);
    (void)turn(&b, NEVER);
    assert_complete(&b);
    if (b.s->relay) {
      assert_int_equal(b.done, 1);
      assert_int_equal(b.result.to_right, ALL_BYTES);
      assert_int_equal(b.result.to_left, REPLY_BYTES);
    }
    bench_clear(&b);
  }
}

static void test_close_at_every_turn(void **state)
{
  (void)state;
  uintptr_t before = highest_new_handle();
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    bool over = false;
    for (unsigned n = 0; !over; n += n < 60 ? 1 : 13) {
      bench b;
      bench_init(&b, &scenarios[i]);
      start(&b);
      over = turn(&b, n) < n;
      if (over) {
        assert_complete(&b);
      } else {
        close_all(&b);
      }
      bench_clear(&b);
    }
  }
  assert_true(highest_new_handle() <= before + 64);
}

static void test_close_in_every_callback(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    bool over = false;
    for (unsigned n = 1; !over; n++) {
      bench b;
      bench_init(&b, &scenarios[i]);
      b.close_at = n;
      start(&b);
      (void)turn(&b, NEVER);
      over = b.callbacks < n;
      bench_clear(&b);
    }
  }
}

static void test_no_memory(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
      bench b;
      bench_init(&b, &scenarios[i]);
      b.r.fail_at = b.r.allocations + n;
      start(&b);
      (void)turn(&b, NEVER);
      failed = b.r.failed;
      assert_true(failed || b.failures == 0);
      assert_true(b.failures > 0 || b.client_gone); /* a clean error, or done without */
      bench_clear(&b);
    }
  }
}

/* A pipe that is connected or whose reading was stopped does not keep the loop alive; one that reads or listens does.
 */
static void test_loop_alive(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, &scenarios[0]);
  assert_true(listen_on(&b, FRONT, on_worker_client));
  rig_turns(&b.r, 5);
  assert_int_not_equal(uv_loop_alive(&b.r.loop), 0);
  close_all(&b);
  bench_clear(&b);

  server s;
  server_start(&s, true, 4096, server_wait);
  bench_init(&b, &scenarios[0]);
  uvrelay_npipe_t *np = open_handle(&b);
  assert_int_equal(uvrelay_npipe_connect(np, s.name, NULL), 0);
  (void)turn(&b, NEVER); /* ends by itself */
  assert_int_equal(uvrelay_npipe_is_message_mode(np), 1);
  assert_int_equal(uvrelay_npipe_read_start(np, on_client_read), 0);
  rig_turns(&b.r, 5);
  assert_int_not_equal(uv_loop_alive(&b.r.loop), 0);
  uvrelay_npipe_read_stop(np);
  (void)turn(&b, NEVER);
  close_all(&b);
  bench_clear(&b);
  server_join(&s);
}

static void on_refused(uvrelay_npipe_t *np, int status)
{
  bench *b = uvrelay_npipe_get_data(np);
  b->failures += status < 0 ? 1U : 0U;
  close_all(b);
}

/* A pipe of another computer is opened on a thread. The handle may be closed before the answer has come. */
static void test_other_computer(void **state)
{
  (void)state;
  for (int closes_first = 0; closes_first < 2; closes_first++) {
    bench b;
    bench_init(&b, &scenarios[0]);
    uvrelay_npipe_t *np = open_handle(&b);
    assert_int_equal(uvrelay_npipe_connect(np, "//127.0.0.1/pipe/uvrelay-test-none", on_refused), 0);
    if (closes_first) {
      rig_turns(&b.r, 1);
      close_all(&b);
    }
    rig_run(&b.r);
    assert_true(closes_first || b.failures == 1);
    assert_int_equal(b.closed, 1);
    bench_clear(&b);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_to_the_end),
      cmocka_unit_test(test_close_at_every_turn),
      cmocka_unit_test(test_close_in_every_callback),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_loop_alive),
      cmocka_unit_test(test_other_computer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
