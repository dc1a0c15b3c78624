/* The public named pipe handle, over a scripted stream: the order of its events, reading that is stopped and started
 * anywhere without loss, every way in which it says no, closing after every turn and in every callback, every
 * allocation failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/os.h"
#include "npipe_user.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEPS(...)   ((const fake_step[]){__VA_ARGS__, {0}})
#define DATA(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes)                                                                                                    \
  }
#define LATE(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes), .turns = 4                                                                                        \
  }
#define PART(bytes)                                                                                                    \
  {                                                                                                                    \
    .size = (bytes), .part = true                                                                                      \
  }
#define END                                                                                                            \
  {                                                                                                                    \
    .outcome = UVR_END_OF_INPUT, .turns = 1                                                                            \
  }
#define GONE                                                                                                           \
  {                                                                                                                    \
    .outcome = UVR_GONE, .turns = 1                                                                                    \
  }
#define FAILURE                                                                                                        \
  {                                                                                                                    \
    .outcome = UVR_FAILED, .turns = 1                                                                                  \
  }

enum { TURNS_MAX = 80 };

/* Reading. */

/* Many reads that are all over at once. */
static void test_no_recursion(void **state)
{
  (void)state;
  enum { MANY = 100000 };
  fake_step *reads = calloc(MANY + 2, sizeof(*reads));
  assert_non_null(reads);
  for (unsigned i = 0; i < MANY; i++) {
    reads[i].size = 1;
  }
  reads[MANY].outcome = UVR_GONE;
  npipe_user b;
  user_init_connected(&b, &(fake_script){.reads = reads});
  assert_int_equal(user_start(&b), 0);
  rig_run(b.r);
  assert_int_equal(b.received, MANY);
  assert_int_equal(b.overs, 1);
  user_clear(&b);
  free(reads);
}

static const struct {
  const fake_step *reads;
  fake_step lost;
  unsigned events;
  uvrelay_npipe_event_t last;
  int status;
} endings[] = {
    {STEPS(PART(10), DATA(20), DATA(5), GONE), {0}, 4, UVRELAY_NPIPE_GONE, UV_EOF},
    {STEPS(PART(10), DATA(20), DATA(5), FAILURE), {0}, 4, UVRELAY_NPIPE_ERROR, UV_EIO},
    {STEPS(PART(10), DATA(20), DATA(5), END), GONE, 5, UVRELAY_NPIPE_GONE, UV_EOF},
    {STEPS(PART(10), DATA(20), DATA(5), END), FAILURE, 5, UVRELAY_NPIPE_ERROR, UV_EIO},
    {STEPS(PART(10), DATA(20), DATA(5), {.outcome = UVR_FAILED, .code = UV_ECANCELED}),
     {0},
     4,
     UVRELAY_NPIPE_ERROR,
     UV_ECANCELED}, /* which was not asked for */
};

static void test_events(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(endings) * 2; i++) {
    bool messages = i < COUNT(endings);
    size_t e = i % COUNT(endings);
    npipe_user b;
    user_init_connected(&b,
                        &(fake_script){.keeps_messages = messages, .reads = endings[e].reads, .lost = endings[e].lost});
    assert_int_equal(uvrelay_npipe_is_message_mode(b.np), messages);
    assert_int_equal(user_start(&b), 0);
    assert_int_equal(b.f->reads, 0); /* nothing happens in the call */
    assert_int_equal(user_start(&b), UV_EALREADY);
    rig_run(b.r);
    assert_int_equal(b.events, endings[e].events);
    static const size_t lengths[] = {10, 20, 5};
    for (unsigned n = 0; n < 3; n++) {
      assert_int_equal(b.event[n].event, UVRELAY_NPIPE_DATA);
      assert_int_equal(b.event[n].length, lengths[n]);
      assert_int_equal(b.event[n].end_of_message, messages && n > 0);
    }
    assert_int_equal(b.event[b.events - 1].event, endings[e].last);
    assert_int_equal(b.event[b.events - 1].status, endings[e].status);
    assert_int_equal(b.received, 35);
    assert_int_equal(user_start(&b), UV_EOF);
    user_stop(&b); /* harmless */
    assert_int_equal(user_start(&b), UV_EOF);
    rig_run(b.r);
    user_clear(&b);
  }
}

/* A peer that breaks the rules after its end of input while there is no reader is reported when there is one. */
static void test_lost_while_stopped(void **state)
{
  (void)state;
  npipe_user b;
  user_init_connected(&b, &(fake_script){.reads = STEPS(DATA(10), END),
                                         .lost = {.outcome = UVR_FAILED, .turns = 30},
                                         .cancel_turns = 3,
                                         .cancels_late = 1});
  assert_int_equal(user_start(&b), 0);
  rig_turns(b.r, 10);
  assert_int_equal(b.input_ends, 1);
  user_stop(&b);
  rig_turns(b.r, 40);
  assert_int_equal(b.events, 2);
  assert_int_equal(user_start(&b), 0);
  rig_turns(b.r, 3); /* it does not come a second time */
  assert_int_equal(b.events, 3);
  assert_int_equal(b.event[2].event, UVRELAY_NPIPE_ERROR);
  assert_int_equal(b.event[2].status, UV_EIO);
  user_clear(&b);
}

static void random_steps(rig *dice, bool messages, fake_step steps[USER_EVENTS_MAX], npipe_user *expected)
{
  unsigned count = rig_random(dice, 30);
  memset(expected, 0, sizeof(*expected));
  for (unsigned i = 0; i < count; i++) {
    size_t size = rig_random(dice, 6) == 0 ? UVR_BUFFER_LARGE - rig_random(dice, 2) : 1 + rig_random(dice, 1500);
    steps[i] = (fake_step){.size = size, .part = rig_random(dice, 2) == 0};
    expected->received += size;
    if (messages && !steps[i].part) {
      expected->ends_of_messages[expected->messages++] = expected->received;
    }
  }
  unsigned which = rig_random(dice, 3);
  steps[count] = (fake_step){.outcome = which == 0 ? UVR_END_OF_INPUT : which == 1 ? UVR_GONE : UVR_FAILED};
  steps[count + 1] = (fake_step){0};
  expected->input_ends = which == 0 ? 1 : 0;
}

/* Stops and starts at random, outside and in callbacks, then reads to the end: all is there, once. */
static unsigned run_random_stops(unsigned seed)
{
  rig dice = {.random = seed};
  fake_step steps[USER_EVENTS_MAX];
  npipe_user expected;
  bool messages = rig_random(&dice, 2) == 0;
  random_steps(&dice, messages, steps, &expected);
  fake_step lost = {.outcome = rig_random(&dice, 2) == 0 ? UVR_GONE : UVR_FAILED, .turns = 1 + rig_random(&dice, 9)};
  npipe_user b;
  user_init_connected(&b, &(fake_script){.keeps_messages = messages,
                                         .reads = steps,
                                         .lost = lost,
                                         .random_turns = rig_random(&dice, 5),
                                         .cancel_turns = rig_random(&dice, 6),
                                         .cancels_late = rig_random(&dice, 3)});
  b.r->random = seed;
  b.dice.random = seed;
  unsigned often = 2 + rig_random(&dice, 8);
  for (unsigned turns = 0; turns < 150 && b.overs == 0; turns++) {
    unsigned what = rig_random(&dice, often);
    for (unsigned i = 0; i < 2 && what < 2; i++) {
      if ((what == 0) == (i == 0)) {
        user_stop(&b);
      } else {
        int code = b.reading ? UV_EALREADY : 0;
        assert_int_equal(user_start(&b), code);
      }
    }
    rig_turns(b.r, 1);
  }
  while (b.overs == 0) {
    assert_in_range(b.callbacks, 0, 1000);
    int code = b.reading ? UV_EALREADY : 0;
    assert_int_equal(user_start(&b), code);
    rig_turns(b.r, 1);
  }
  assert_int_equal(b.received, expected.received);
  assert_int_equal(b.messages, expected.messages);
  assert_memory_equal(b.ends_of_messages, expected.ends_of_messages, sizeof(b.ends_of_messages));
  assert_int_equal(b.input_ends, expected.input_ends);
  unsigned late = b.f->late_cancels;
  user_clear(&b);
  return late;
}

static void test_random_stops(void **state)
{
  (void)state;
  unsigned late = 0;
  for (unsigned seed = 1; seed <= 600; seed++) {
    late += run_random_stops(seed);
  }
  assert_in_range(late, 100, 100000); /* what came although it was no longer wanted */
}

/* Stopped after each number of turns, and never started again: nothing comes, nothing more is read, and the loop has
 * nothing left to do. What was held goes with the handle. */
static void test_stop_for_ever(void **state)
{
  (void)state;
  const fake_step *reads = STEPS(LATE(10), DATA(20), LATE(30), END);
  unsigned held = 0;
  for (unsigned turns = 0; turns < 40; turns++) {
    for (unsigned how = 0; how < 4; how++) {
      npipe_user b;
      user_init_connected(&b, &(fake_script){.reads = reads,
                                             .lost = {.outcome = UVR_GONE, .turns = 9},
                                             .holds_loop = true,
                                             .cancel_turns = how / 2 * 3,
                                             .cancels_late = how % 2});
      assert_false(uv_loop_alive(&b.r->loop)); /* an idle handle */
      assert_int_equal(user_start(&b), 0);
      rig_turns(b.r, turns);
      user_stop(&b);
      unsigned events = b.events;
      rig_run(b.r);
      assert_int_equal(b.events, events);
      assert_false(uv_loop_alive(&b.r->loop));
      unsigned reads_begun = b.f->reads + b.f->watches;
      rig_turns(b.r, 5);
      assert_int_equal(b.f->reads + b.f->watches, reads_begun);
      held += b.f->stream->unread != NULL || b.f->stream->end_unread ? 1U : 0U;
      user_clear(&b);
    }
  }
  assert_in_range(held, 5, 100);
}

/* What is read keeps the loop running, also when it was stopped in between. */
static void test_reading_holds_loop(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    npipe_user b;
    user_init_connected(&b, &(fake_script){.holds_loop = true,
                                           .reads = i == 0 ? NULL : STEPS(END), /* a read, and a watch */
                                           .cancel_turns = 2});
    assert_int_equal(user_start(&b), 0);
    rig_turns(b.r, 5);
    assert_true(uv_loop_alive(&b.r->loop));
    user_stop(&b);
    assert_int_equal(user_start(&b), 0);
    user_stop(&b);
    assert_int_equal(user_start(&b), 0); /* the cancel is under way */
    rig_turns(b.r, 10);
    assert_true(uv_loop_alive(&b.r->loop));
    assert_int_equal(b.f->cancels, 1);
    assert_int_equal(b.input_ends, i);
    user_stop(&b);
    rig_run(b.r);
    assert_false(uv_loop_alive(&b.r->loop));
    assert_int_equal(b.f->cancels, 2);
    user_clear(&b);
  }
}

/* A stop from inside each callback, and the start some turns later. */
static void test_stop_in_each_callback(void **state)
{
  (void)state;
  const fake_step *reads = STEPS(DATA(10), LATE(20), DATA(30), END);
  for (unsigned pause = 0; pause < 4; pause++) {
    npipe_user b;
    user_init_connected(&b, &(fake_script){.reads = reads, .lost = {.outcome = UVR_GONE, .turns = 3}});
    b.stop_always = true;
    for (unsigned event = 1; b.overs == 0; event++) {
      assert_int_equal(user_start(&b), 0);
      rig_run(b.r);
      assert_int_equal(b.events, event);
      rig_turns(b.r, pause);
    }
    assert_int_equal(b.events, 5);
    assert_int_equal(b.f->cancels, 0); /* nothing was under way */
    user_clear(&b);
  }
}

/* Every way to say no. */

static void test_refusals(void **state)
{
  (void)state;
  npipe_user b;
  user_init(&b, NULL, 0);
  assert_int_equal(user_start(&b), user_no_stream());
  user_stop(&b);
  assert_int_equal(user_write(&b, 10, 1), user_no_stream());
  assert_int_equal(user_shut_down(&b), user_no_stream());
  assert_int_equal(uvrelay_npipe_is_message_mode(b.np), UV_ENOTCONN);
  assert_int_equal(uvrelay_npipe_is_closing(b.np), 0);
  assert_int_equal(uvrelay_npipe_error(b.np)->code, 0);
  assert_ptr_equal(uvrelay_npipe_get_loop(b.np), &b.r->loop);

  user_connect(&b, &(fake_script){.no_half_close = true});
  assert_int_equal(uvrelay_npipe_connect(b.np, "//./pipe/x", NULL), uvr_os_has_npipes() ? UV_EBUSY : UV_ENOTSUP);
  assert_int_equal(uvrelay_npipe_listen(b.np, "//./pipe/x", 1, NULL), uvr_os_has_npipes() ? UV_EBUSY : UV_ENOTSUP);
  assert_int_equal(user_shut_down(&b), UV_ENOTSUP);
  assert_int_equal(user_shut_down(&b), UV_ENOTSUP); /* not UV_EALREADY */
  assert_int_equal(user_write(&b, 0, 1), UV_EINVAL);
  assert_int_equal(user_write(&b, 0, 4), UV_EINVAL);
  assert_int_equal(uvrelay_npipe_write(b.np, NULL, 0, NULL, NULL), UV_EINVAL);
  uv_buf_t large[2] = {uv_buf_init((char *)&b, 0x80000000U), uv_buf_init((char *)&b, 1)};
  assert_int_equal(uvrelay_npipe_write(b.np, large, 1, NULL, NULL), UV_EINVAL);
  large[0].len = 0x7fffffffU;
  assert_int_equal(uvrelay_npipe_write(b.np, large, 2, NULL, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_npipe_try_write(b.np, large, 2), UV_EINVAL);
  b.r->fail_at = b.r->allocations + 1;
  assert_int_equal(user_write(&b, 10, 1), UV_ENOMEM);
  assert_int_equal(b.f->writes, 0);
  assert_int_equal(user_write(&b, 10, 1), 0);
  user_clear(&b);

  user_init_connected(&b, &(fake_script){0});
  b.r->fail_at = b.r->allocations + 1;
  assert_int_equal(user_shut_down(&b), UV_ENOMEM);
  assert_int_equal(user_shut_down(&b), 0); /* that one did not count */
  user_clear(&b);
}

static void test_new(void **state)
{
  (void)state;
  npipe_user b;
  memset(&b, 0, sizeof(b));
  b.r = &b.own;
  rig_init(b.r);
  const uvrelay_npipe_options_t good = {.size = sizeof(good), .allocator = b.r->context.memory};
  const struct {
    uvrelay_npipe_options_t options;
    int code;
  } all[] = {{{.size = 0}, UV_EINVAL},
             {{.size = sizeof(good), .buffer_size = 1023}, UV_EINVAL},
             {{.size = sizeof(good), .buffer_size = 1024}, 0},
             {{.size = sizeof(good), .buffer_size = 16777216}, 0},
             {{.size = sizeof(good), .buffer_size = 16777217}, UV_EINVAL},
             {{.size = sizeof(good), .allocator = {.allocate = good.allocator.allocate}}, UV_EINVAL},
             {{.size = sizeof(good), .allocator = {.release = good.allocator.release}}, UV_EINVAL},
             {{.size = sizeof(good), .impersonation = UVRELAY_IMPERSONATION_DELEGATION}, 0},
             {{.size = sizeof(good), .impersonation = (uvrelay_impersonation_t)4}, UV_EINVAL},
             {{.size = sizeof(good), .owner = "user,S-1-5-18"}, 0},
             {{.size = sizeof(good), .owner = "root"}, UV_EINVAL}, /* no user on Windows */
             {{.size = sizeof(good), .owner = "user,"}, UV_EINVAL},
             {{.size = sizeof(good), .impersonation = (uvrelay_impersonation_t)-1}, UV_EINVAL},
             {{.size = sizeof(good), .retry = UVRELAY_RETRY_ALL}, 0},
             {{.size = sizeof(good), .retry = 4}, UV_EINVAL},
             {{.size = sizeof(good), .mode = UVRELAY_NPIPE_MESSAGE}, 0},
             {{.size = sizeof(good), .mode = (uvrelay_npipe_mode_t)2}, UV_EINVAL}};
  for (size_t i = 0; i < COUNT(all); i++) {
    b.np = (uvrelay_npipe_t *)&b;
    assert_int_equal(uvrelay_npipe_new(&b.np, &b.r->loop, &all[i].options), all[i].code);
    assert_true((b.np != NULL) == (all[i].code == 0));
    if (b.np != NULL) {
      uvrelay_npipe_close(b.np, NULL); /* undone at once */
    }
  }
  assert_int_equal(uvrelay_npipe_new(&b.np, &b.r->loop, NULL), 0);
  uvrelay_npipe_close(b.np, NULL);
  rig_run(b.r);

  int code = UV_ENOMEM;
  for (size_t n = 1; code == UV_ENOMEM; n++) {
    b.r->fail_at = b.r->allocations + n;
    code = user_new_handle(&b, 0);
    assert_true((code == 0) == (b.np != NULL));
    assert_in_range(n, 1, 10);
  }
  assert_int_equal(code, 0);
  uvrelay_npipe_set_data(b.np, &b);
  assert_ptr_equal(uvrelay_npipe_get_data(b.np), &b);
  user_clear(&b);
}

/* Closing. */

typedef struct scenario {
  const char *name;
  fake_script script;
  bool reads;
  unsigned stop_at; /* turn; 0: not */
  unsigned start_at;
  unsigned writes;
  unsigned parts;
  unsigned more_writes; /* from callbacks */
  bool tries;           /* a try_write before the writes */
  bool shuts;
} scenario;

static const scenario scenarios[] = {
    {.name = "an idle handle"},
    {.name = "reading", .reads = true, .script = {.reads = STEPS(DATA(10), LATE(20), LATE(30), GONE)}},
    {.name = "reading that fails", .reads = true, .script = {.reads = STEPS(LATE(10), LATE(2000), FAILURE)}},
    {.name = "reading for ever", .reads = true},
    {.name = "the end of input, and the watch",
     .reads = true,
     .script = {.reads = STEPS(LATE(10), END), .lost = {.outcome = UVR_GONE, .turns = 6}}},
    {.name = "reading that is stopped, with a slow cancel",
     .reads = true,
     .stop_at = 3,
     .script = {.reads = STEPS(DATA(10), {.size = 20, .turns = 30}), .cancel_turns = 5}},
    {.name = "reading that is stopped, with bytes that are held",
     .reads = true,
     .stop_at = 3,
     .script = {.reads = STEPS(DATA(10), {.size = 20, .turns = 30}), .cancel_turns = 5, .cancels_late = 1}},
    {.name = "reading that is stopped, with an end of input that is held",
     .reads = true,
     .stop_at = 3,
     .script = {.reads = STEPS(DATA(10), {.outcome = UVR_END_OF_INPUT, .turns = 30}), .cancels_late = 1}},
    {.name = "reading that is stopped and started while the cancel is under way",
     .reads = true,
     .stop_at = 3,
     .start_at = 5,
     .script = {.reads = STEPS(DATA(10), {.size = 20, .turns = 7}, GONE), .cancel_turns = 4}},
    {.name = "writing", .writes = 4, .parts = 3, .script = {.write_turns = 2}},
    {.name = "writing that is done at once", .writes = 4, .parts = 1, .script = {.keeps_messages = true}},
    {.name = "writing that never ends", .writes = 3, .parts = 1, .shuts = true, .script = {.write_turns = FAKE_NEVER}},
    {.name = "writing from callbacks", .writes = 1, .parts = 1, .more_writes = 6},
    {.name = "writing that fails",
     .writes = 4,
     .parts = 2,
     .shuts = true,
     .script = {.write_turns = 2, .writes_done = 2, .write_end = {.outcome = UVR_FAILED, .turns = 2}}},
    {.name = "writing without a callback", .tries = true, .script = {.write_turns = 4}},
    {.name = "reads and writes that are over in the same turn",
     .reads = true,
     .writes = 6,
     .parts = 1,
     .script = {.reads = STEPS({.size = 10, .turns = 1}, {.size = 10, .turns = 2}, {.size = 10, .turns = 1}),
                .write_turns = 2}},
    {.name = "writing and the shutdown",
     .tries = true,
     .writes = 2,
     .parts = 2,
     .shuts = true,
     .script = {.write_turns = 1, .shutdown = {.turns = 5}}},
    {.name = "a shutdown that never ends", .shuts = true, .script = {.shutdown = {.turns = FAKE_NEVER}}},
    {.name = "all at once",
     .reads = true,
     .stop_at = 6,
     .start_at = 9,
     .writes = 3,
     .parts = 2,
     .more_writes = 4,
     .script = {.keeps_messages = true,
                .reads = STEPS(PART(10), LATE(20), LATE(30), PART(5), END),
                .lost = {.outcome = UVR_FAILED, .turns = 5},
                .write_turns = 2,
                .cancel_turns = 2,
                .close_turns = 4}},
};

/* Begins what the scenario says, as far as memory and callbacks that close allow. */
static void begin(npipe_user *b, const scenario *s)
{
  b->more_writes = s->more_writes;
  b->more_size = 70;
  if (s->reads) {
    assert_int_equal(user_start(b), 0);
  }
  if (s->tries) {
    int code = user_try_write(b, 80);
    assert_true(code == 80 || (code == UV_ENOMEM && b->r->failed));
  }
  for (unsigned i = 0; i < s->writes; i++) {
    int code = user_write(b, 90, s->parts);
    assert_true(code == 0 || (code == UV_ENOMEM && b->r->failed));
  }
  if (s->shuts) {
    int code = user_shut_down(b);
    assert_true(code == 0 || (code == UV_ENOMEM && b->r->failed));
  }
}

static void play(npipe_user *b, const scenario *s, unsigned turns)
{
  begin(b, s);
  for (unsigned turn = 1; turn <= turns && !b->closing; turn++) {
    rig_turns(b->r, 1);
    if (turn == s->stop_at && !b->closing) {
      user_stop(b);
    }
    if (turn == s->start_at && !b->closing && b->overs == 0) {
      assert_int_equal(user_start(b), 0);
    }
  }
}

/* Each write that is over by then has its own status, and the others are cancelled. */
static unsigned check_statuses(const npipe_user *b)
{
  bool cancelled = false;
  unsigned count = 0;
  for (unsigned i = 0; i < b->done; i++) {
    int status = b->statuses[i];
    cancelled = cancelled || status == UV_ECANCELED;
    assert_true(status == 0 || status == UV_EIO || status == UV_ECANCELED);
    assert_true(!cancelled || status == UV_ECANCELED);
    count += cancelled ? 1U : 0U;
  }
  return count;
}

static void test_close_at_every_turn(void **state)
{
  (void)state;
  unsigned cancelled = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    for (unsigned turns = 0; turns < TURNS_MAX / 2; turns++) {
      npipe_user b;
      user_init_connected(&b, &scenarios[i].script);
      play(&b, &scenarios[i], turns);
      unsigned finished = b.done;
      user_close(&b);
      assert_int_equal(b.done, finished); /* not from within the call */
      rig_run(b.r);
      cancelled += check_statuses(&b);
      user_clear(&b);
    }
  }
  assert_in_range(cancelled, 100, 10000);
}

static void test_close_in_every_callback(void **state)
{
  (void)state;
  unsigned closed = 0;
  unsigned cancelled = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bool within = true;
    for (unsigned at = 1; within; at++) {
      npipe_user b;
      user_init_connected(&b, &scenarios[i].script);
      b.close_at = at;
      play(&b, &scenarios[i], TURNS_MAX);
      within = b.closing;
      closed += within ? 1U : 0U;
      rig_run(b.r);
      cancelled += check_statuses(&b);
      user_clear(&b);
    }
  }
  assert_in_range(closed, 40, 1000);
  assert_in_range(cancelled, 20, 1000);
}

/* Each allocation of each scenario fails: a write that is refused, or an error on reading. */
static void test_no_memory(void **state)
{
  (void)state;
  unsigned failures = 0;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
      npipe_user b;
      user_init_connected(&b, &scenarios[i].script);
      b.r->fail_at = b.r->allocations + n;
      scenario s = scenarios[i];
      s.more_writes = 0; /* these would have to succeed */
      play(&b, &s, TURNS_MAX);
      failed = b.r->failed;
      failures += failed ? 1U : 0U;
      assert_true(!failed || b.overs == 0 || uvrelay_npipe_error(b.np)->code != 0);
      user_clear(&b);
    }
  }
  assert_in_range(failures, 25, 1000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_lost_while_stopped),
      cmocka_unit_test(test_no_recursion),
      cmocka_unit_test(test_random_stops),
      cmocka_unit_test(test_stop_for_ever),
      cmocka_unit_test(test_reading_holds_loop),
      cmocka_unit_test(test_stop_in_each_callback),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_new),
      cmocka_unit_test(test_close_at_every_turn),
      cmocka_unit_test(test_close_in_every_callback),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
