/* Named pipe handles that are given to a relay, over scripted streams, by the public functions only: what was held goes
 * on, nothing is lost, and the handle is closed before the session is done. Given at every moment of reading, and the
 * relay closed after every turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "npipe_user.h"
#include "tcp_peer.h"
#include "uvrelay.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEPS(...)   ((const fake_step[]){__VA_ARGS__, {0}})

enum { RIGHT_SEED = 9, TURNS_MAX = 60, LINGER_MS = 40 };

typedef struct scenario {
  const char *name;
  fake_script left;
  fake_script right;
  uvrelay_reason_t reason;
  uvrelay_side_t side;
  uint64_t to_right; /* what the left side's user has read before included */
  uint64_t to_left;
} scenario;

static const scenario scenarios[] = {
    {.name = "two pipes in message mode",
     .left = {.keeps_messages = true,
              .reads =
                  STEPS({.size = 10, .part = true, .turns = 1}, {.size = 20, .turns = 3}, {.size = 30},
                        {.size = 7, .part = true, .turns = 2}, {.size = 8}, {.outcome = UVR_END_OF_INPUT, .turns = 2})},
     .right = {.keeps_messages = true,
               .reads = STEPS({.size = 11, .turns = 2}, {.size = 5, .turns = 6},
                              {.outcome = UVR_END_OF_INPUT, .turns = 30})},
     .reason = UVRELAY_REASON_ENDED,
     .side = UVRELAY_RIGHT,
     .to_right = 75,
     .to_left = 16},
    {.name = "two pipes in byte mode, and the left one is gone",
     .left = {.no_half_close = true,
              .reads = STEPS({.size = 10, .turns = 2}, {.size = 20, .turns = 3}, {.outcome = UVR_GONE, .turns = 30})},
     .right = {.no_half_close = true, .reads = STEPS({.size = 33, .turns = 2})},
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .to_right = 30,
     .to_left = 33},
    {.name = "from message mode to byte mode, which cannot be told of the end",
     .left = {.keeps_messages = true,
              .reads = STEPS({.size = 10, .turns = 2}, {.outcome = UVR_END_OF_INPUT, .turns = 4})},
     .right = {.no_half_close = true, .reads = STEPS({.size = 33, .turns = 20})},
     .reason = UVRELAY_REASON_SILENT,
     .side = UVRELAY_RIGHT,
     .to_right = 10,
     .to_left = 33},
    {.name = "the left one has ended, and then it is gone",
     .left = {.keeps_messages = true,
              .reads = STEPS({.size = 10, .turns = 2}, {.outcome = UVR_END_OF_INPUT, .turns = 4}),
              .lost = {.outcome = UVR_GONE, .turns = 20}},
     .right = {.keeps_messages = true, .reads = STEPS({.size = 33, .turns = 2})},
     .reason = UVRELAY_REASON_GONE,
     .side = UVRELAY_LEFT,
     .to_right = 10,
     .to_left = 33},
    {.name = "reading fails",
     .left = {.reads = STEPS({.size = 10, .turns = 2}, {.outcome = UVR_FAILED, .turns = 20})},
     .right = {.reads = STEPS({.size = 33, .turns = 2})},
     .reason = UVRELAY_REASON_FAILED,
     .side = UVRELAY_LEFT,
     .to_right = 10,
     .to_left = 33},
};

typedef struct bench {
  rig r;
  npipe_user left;
  npipe_user right;
  uvrelay_t *relay;
  uvrelay_session_t *session;
  int code; /* of uvrelay_start */
  unsigned dones;
  uvrelay_result_t result;
  bool relay_closed;
  bool close_when_done;
  const uvrelay_session_options_t *options;
  /* With a socket as the right side. */
  peer server;
  uv_tcp_t *tcp;
  bool connected;
} bench;

static void on_npipe_closed(uvrelay_npipe_t *np)
{
  npipe_user *user = uvrelay_npipe_get_data(np);
  bench *b = user->data;
  assert_false(user->in_call);
  assert_true(user->f->closed);
  assert_int_equal(user->closes, 0);
  assert_int_equal(b->dones, 0);
  user->closes++;
  user->np = NULL;
}

static void on_relay_closed(uvrelay_t *relay)
{
  bench *b = uvrelay_get_data(relay);
  assert_false(b->relay_closed);
  assert_int_equal(b->dones, b->code == 0 ? 1 : 0);
  b->relay_closed = true;
}

static void close_relay(bench *b)
{
  uvrelay_close(b->relay, on_relay_closed);
  assert_false(b->relay_closed);
}

static void on_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  bench *b = user;
  assert_ptr_equal(session, b->session);
  assert_int_equal(b->dones, 0);
  assert_int_equal(b->left.closes, 1);
  assert_true(b->right.r == NULL || b->right.closes == 1);
  assert_true(b->tcp == NULL || !b->connected);
  assert_false(b->relay_closed);
  b->dones++;
  b->result = *result;
  if (b->close_when_done) {
    close_relay(b);
  }
}

static void init(bench *b, const fake_script *left)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  uvrelay_options_t options = {.size = sizeof(options), .allocator = b->r.context.memory};
  assert_int_equal(uvrelay_new(&b->relay, &b->r.loop, &options), 0);
  uvrelay_set_data(b->relay, b);
  user_init(&b->left, &b->r, 0);
  user_connect(&b->left, left);
  b->left.data = b;
}

static void bench_init(bench *b, const scenario *s)
{
  init(b, &s->left);
  user_init(&b->right, &b->r, 1024); /* another size of buffers than the relay's and the left one's */
  user_connect(&b->right, &s->right);
  b->right.f->seed = RIGHT_SEED;
  b->right.data = b;
}

static const uvrelay_session_options_t short_linger = {.size = sizeof(short_linger), .linger_ms = LINGER_MS};

static int give(bench *b)
{
  uvrelay_endpoint_t left = uvrelay_npipe(b->left.np, on_npipe_closed);
  uvrelay_endpoint_t right = uvrelay_npipe(b->right.np, on_npipe_closed);
  b->code = uvrelay_start(b->relay, &left, &right, &short_linger, on_done, b, &b->session);
  assert_int_equal(uvrelay_error(b->relay)->code, b->code);
  assert_int_equal(uvrelay_npipe_is_closing(b->left.np), b->code == 0);
  b->left.reading = b->left.reading && b->code != 0;
  return b->code;
}

/* What is left to the user is closed by it. */
static void clear_user(npipe_user *user)
{
  if (user->r == NULL) {
    return;
  }
  if (user->closes == 0) {
    user->f->taken = 0; /* nothing of ours */
    user->f->message_count = 0;
    user_clear(user);
  } else {
    fake_free(user->f);
  }
}

static void bench_clear(bench *b)
{
  if (b->dones == 0 || !b->close_when_done) {
    close_relay(b);
  }
  assert_true(rig_run_until(&b->r, &b->relay_closed));
  assert_int_equal(b->dones, b->code == 0 ? 1 : 0);
  clear_user(&b->left);
  clear_user(&b->right);
  rig_run(&b->r);
  rig_clear(&b->r);
}

/* Turns, and time as well while a cancel is waited for. */
static void turns(bench *b, unsigned count)
{
  for (unsigned i = 0; i < count; i++) {
    rig_turns(&b->r, 1);
    if (b->session != NULL && (b->left.f->cancelling || b->right.f->cancelling)) {
      uv_sleep(2);
    }
  }
}

/* The data of `source` from its byte `from` on, and where messages are kept with their ends where they were. */
static void assert_relayed(const npipe_user *source, const npipe_user *sink, uint64_t from)
{
  const fake *out = sink->f;
  for (uint64_t i = 0; i < out->taken; i++) {
    if (out->written[i] != rig_byte(source->f->seed, from + i)) {
      fail_msg("byte %u was changed on its way", (unsigned)i);
    }
  }
  if (!source->f->script.keeps_messages || !out->script.keeps_messages || source == sink) {
    return;
  }
  const fake_step *step = source->f->script.reads;
  uint64_t end = 0;
  uint64_t at = from;
  for (size_t i = 0; i < out->message_count; i++) {
    at += out->messages[i];
    while (end < at || step[-1].part) {
      end += step++->size;
    }
    assert_int_equal(at, end);
  }
}

/* Each scenario; the left handle's user reads some turns before. */
static void run(const scenario *s, unsigned before, unsigned how, bench *b)
{
  scenario own = *s;
  own.left.cancel_turns = how / 2 * 4;
  own.left.cancels_late = how % 2;
  bench_init(b, &own);
  if (before > 0 || how > 3) {
    assert_int_equal(user_start(&b->left), 0);
    turns(b, before);
    if (how % 3 == 0) {
      user_stop(&b->left);
    }
  }
  int code = b->left.input_ends + b->left.overs > 0 ? UV_EOF : 0;
  assert_int_equal(give(b), code);
}

static void test_give(void **state)
{
  (void)state;
  unsigned held = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    const scenario *s = &scenarios[i];
    for (unsigned before = 0; before < 14; before++) {
      for (unsigned how = 0; how < 6; how++) {
        bench b;
        run(s, before, how, &b);
        uint64_t read = b.left.received;
        rig_run(&b.r);
        held += b.left.f->late_cancels;
        if (b.code == 0) {
          assert_int_equal(b.dones, 1);
          assert_int_equal(b.result.reason, s->reason);
          assert_int_equal(b.result.side, s->side);
          assert_int_equal(b.result.error.code, s->reason == UVRELAY_REASON_FAILED ? UV_EIO : 0);
          assert_int_equal(b.left.received, read); /* the user gets nothing more */
          assert_int_equal(read + b.result.to_right, s->to_right);
          assert_int_equal(b.result.to_right, b.right.f->taken);
          /* On a busy machine the silence may have begun before they came. */
          assert_in_range(b.result.to_left, s->reason == UVRELAY_REASON_SILENT ? 0 : s->to_left, s->to_left);
          assert_int_equal(b.result.to_left, b.left.f->taken);
          assert_relayed(&b.left, &b.right, read);
          assert_relayed(&b.right, &b.left, 0);
          uvrelay_counters_t counters;
          uvrelay_get_counters(b.relay, &counters, sizeof(counters));
          assert_true(counters.active == 0 && counters.started == 1);
          assert_int_equal(counters.to_right, b.result.to_right);
          assert_int_equal(counters.to_left, b.result.to_left);
        }
        bench_clear(&b);
      }
    }
  }
  assert_in_range(held, 30, 1000); /* a read that came too late for its user was the relay's */
}

static void give_in_read(npipe_user *user)
{
  bench *b = user->data;
  if (user->events == 1) {
    assert_int_equal(give(b), 0);
  }
}

static void test_give_in_callback(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bench b;
    bench_init(&b, &scenarios[i]);
    b.left.in_read = give_in_read;
    b.close_when_done = true;
    assert_int_equal(user_start(&b.left), 0);
    rig_run(&b.r);
    assert_int_equal(b.dones, 1);
    assert_int_equal(b.left.events, 1);
    assert_int_equal(b.left.received + b.result.to_right, scenarios[i].to_right);
    assert_relayed(&b.left, &b.right, b.left.received);
    bench_clear(&b);
  }
}

/* The relay is closed, or the session cancelled, after every turn. */
static void test_close_at_every_turn(void **state)
{
  (void)state;
  unsigned stopped = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    for (unsigned how = 0; how < 6; how++) {
      for (unsigned t = 0; t < TURNS_MAX; t++) {
        bench b;
        run(&scenarios[i], t % 4, how, &b);
        assert_int_equal(b.code, 0);
        turns(&b, t);
        if (t % 3 == 0 && b.dones == 0) {
          uvrelay_session_cancel(b.session);
          uvrelay_session_cancel(b.session);
          b.close_when_done = t % 2 == 0;
          rig_run(&b.r);
          assert_int_equal(b.dones, 1);
        }
        bench_clear(&b);
        bool over = b.result.reason == UVRELAY_REASON_STOPPED;
        assert_int_equal(b.result.error.code, over                                       ? UV_ECANCELED
                                              : b.result.reason == UVRELAY_REASON_FAILED ? UV_EIO
                                                                                         : 0);
        assert_true(!over || b.result.side == UVRELAY_SIDE_NONE);
        stopped += over ? 1U : 0U;
      }
    }
  }
  assert_in_range(stopped, 300, 10000);
}

static void test_no_memory(void **state)
{
  (void)state;
  unsigned refused = 0;
  unsigned failures = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
      bench b;
      bench_init(&b, &scenarios[i]);
      assert_int_equal(user_start(&b.left), 0);
      turns(&b, 1);
      b.r.fail_at = b.r.allocations + n;
      if (give(&b) != 0) {
        assert_int_equal(b.code, UV_ENOMEM);
        refused++;
      }
      rig_run(&b.r);
      if (b.code == 0 && b.result.reason == UVRELAY_REASON_SILENT && b.result.to_left < scenarios[i].to_left) {
        bench_clear(&b); /* on a busy machine, linger expired before all had come: once more */
        n--;
        continue;
      }
      failed = b.r.failed;
      failures += failed ? 1U : 0U;
      /* Without memory for its wording alone the result is as it would have been. */
      bool unworded = strstr(b.result.error.text, "not enough memory to say why") != NULL;
      bool tells = b.result.reason == UVRELAY_REASON_FAILED || b.result.reason == UVRELAY_REASON_GONE || unworded;
      if (failed && b.code == 0 && !tells) {
        fail_msg("%s, without allocation %zu: reason %d, \"%s\"", scenarios[i].name, n, (int)b.result.reason,
                 b.result.error.text);
      }
      bench_clear(&b);
    }
  }
  assert_int_equal(refused, 2 * COUNT(scenarios)); /* the session, and what it is given */
  assert_in_range(failures, 3 * COUNT(scenarios), 100);
}

/* Refused, it is still its user's, who goes on as if nothing had been. */

static int offer(bench *b, uvrelay_npipe_t *left, uvrelay_npipe_t *right)
{
  uvrelay_endpoint_t one = uvrelay_npipe(left, on_npipe_closed);
  uvrelay_endpoint_t other = uvrelay_npipe(right, on_npipe_closed);
  b->code = uvrelay_start(b->relay, &one, &other, NULL, on_done, b, &b->session);
  assert_int_equal(uvrelay_error(b->relay)->code, b->code);
  assert_true(uvrelay_error(b->relay)->text[0] != '\0');
  return b->code;
}

static void test_refused(void **state)
{
  (void)state;
  const scenario s = {.left = {.reads = STEPS({.size = 10}), .write_turns = 2}, .right = {.write_turns = 1}};
  bench b;
  bench_init(&b, &s);
  assert_int_equal(offer(&b, b.left.np, b.left.np), UV_EINVAL);
  assert_int_equal(offer(&b, b.left.np, NULL), UV_EINVAL);

  uvrelay_npipe_t *unconnected = NULL;
  assert_int_equal(uvrelay_npipe_new(&unconnected, &b.r.loop, NULL), 0);
  assert_int_equal(offer(&b, b.left.np, unconnected), UV_ENOTCONN);
  assert_int_equal(offer(&b, unconnected, b.left.np), UV_ENOTCONN);
  uvrelay_npipe_close(unconnected, NULL);
  assert_int_equal(offer(&b, b.left.np, unconnected), UV_EBUSY);

  npipe_user elsewhere;
  user_init_connected(&elsewhere, &(fake_script){0});
  assert_int_equal(offer(&b, b.left.np, elsewhere.np), UV_EINVAL);
  user_clear(&elsewhere);

  assert_int_equal(user_write(&b.right, 10, 1), 0);
  assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EBUSY);
  rig_run(&b.r);
  assert_int_equal(b.right.done, 1);
  assert_int_equal(user_shut_down(&b.right), 0);
  assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EBUSY);
  rig_run(&b.r);
  assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EPIPE);

  assert_int_equal(uvrelay_npipe_is_closing(b.left.np), 0);
  assert_int_equal(user_start(&b.left), 0); /* it works as ever */
  assert_int_equal(user_write(&b.left, 10, 1), 0);
  rig_run(&b.r);
  assert_int_equal(b.left.received, 10);
  assert_int_equal(b.left.done, 1);
  bench_clear(&b);

  for (unsigned i = 0; i < 2; i++) {
    bench_init(&b, &(const scenario){
                       .left = {.reads = i == 0 ? STEPS({.outcome = UVR_GONE}) : STEPS({.outcome = UVR_FAILED})}});
    assert_int_equal(user_start(&b.left), 0);
    rig_run(&b.r);
    assert_int_equal(b.left.overs, 1);
    assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EOF);
    bench_clear(&b);
  }

  bench_init(&b, &(const scenario){.right = {.write_end = {.outcome = UVR_GONE}}});
  assert_int_equal(user_write(&b.right, 10, 1), 0);
  rig_run(&b.r);
  assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EPIPE);
  bench_clear(&b);
}

/* Given, it is no longer its user's. */
static void test_given(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, &(const scenario){0});
  assert_int_equal(give(&b), 0);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(uvrelay_npipe_is_closing(b.left.np), 1);
    assert_int_equal(user_start(&b.left), user_no_stream());
    assert_int_equal(user_write(&b.left, 1, 1), user_no_stream());
    assert_int_equal(user_try_write(&b.left, 1), user_no_stream());
    assert_int_equal(user_shut_down(&b.left), user_no_stream());
    user_stop(&b.left);
    assert_int_equal(offer(&b, b.left.np, b.right.np), UV_EBUSY);
    b.code = 0; /* of the first */
    rig_turns(&b.r, 3);
  }
  bench_clear(&b);
  assert_int_equal(b.result.reason, UVRELAY_REASON_STOPPED);
}

/* A socket on the other side, to a server that echoes. */

static void on_connected(uv_connect_t *request, int code)
{
  assert_int_equal(code, 0);
  *(bool *)request->data = true;
}

static void on_tcp_closed(uv_handle_t *handle)
{
  bench *b = handle->data; /* it is as it was */
  assert_ptr_equal(handle, b->tcp);
  assert_int_equal(b->dones, 0);
  b->connected = false;
  memset(handle, 0x5A, sizeof(uv_tcp_t)); /* ours again */
}

static void connect_socket(bench *b, uv_tcp_t *tcp)
{
  uv_connect_t request = {.data = &b->connected};
  struct sockaddr_in address;
  b->server.echo = true;
  b->tcp = tcp;
  peer_listen(&b->r, &b->server, 0);
  assert_int_equal(uv_tcp_init(&b->r.loop, tcp), 0);
  assert_int_equal(uv_ip4_addr("127.0.0.1", (int)b->server.port, &address), 0);
  assert_int_equal(uv_tcp_connect(&request, tcp, (struct sockaddr *)&address, on_connected), 0);
  assert_true(rig_run_until(&b->r, &b->connected));
  tcp->data = b;
}

static void run_socket(unsigned before, bool late, bool swap)
{
  const fake_step reads[] = {{.size = 10, .turns = 2},
                             {.size = 60000, .turns = 2},
                             {.size = 5, .turns = 1},
                             {.outcome = UVR_END_OF_INPUT, .turns = 20},
                             {0}};
  enum { TOTAL = 60015 };
  bench b;
  uv_tcp_t tcp;
  init(&b, &(fake_script){.keeps_messages = swap, .reads = reads, .cancels_late = late});
  connect_socket(&b, &tcp);
  if (before > 0) {
    assert_int_equal(user_start(&b.left), 0);
    rig_turns(&b.r, before);
  }
  uint64_t read = b.left.received;
  uvrelay_endpoint_t one = uvrelay_npipe(b.left.np, on_npipe_closed);
  uvrelay_endpoint_t other = uvrelay_stream((uv_stream_t *)&tcp, on_tcp_closed);
  b.code = uvrelay_start(b.relay, swap ? &other : &one, swap ? &one : &other, NULL, on_done, &b, &b.session);
  assert_int_equal(b.code, 0);
  b.left.reading = false;
  for (unsigned i = 0; i < 5000 && b.dones == 0; i++) {
    rig_turns(&b.r, 1);
    uv_sleep(i < 100 ? 0 : 1);
  }
  assert_int_equal(b.dones, 1);
  assert_int_equal(b.result.error.code, 0);
  assert_int_equal(b.result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(b.result.to_left, TOTAL - read);
  assert_int_equal(b.result.to_right, TOTAL - read);
  assert_int_equal(b.left.f->taken, TOTAL - read);
  assert_relayed(&b.left, &b.left, read);
  peer_close(&b.server);
  bench_clear(&b);
}

static void test_socket(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 8 * 4; i++) {
    run_socket(i / 4, i % 2 == 1, i % 4 / 2 == 1);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_give),
      cmocka_unit_test(test_give_in_callback),
      cmocka_unit_test(test_close_at_every_turn),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_given),
      cmocka_unit_test(test_socket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
