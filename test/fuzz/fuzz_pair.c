/* A pair over two scripted streams.
 *
 * The input is the pair's options, then what each of the two streams does, then what happens meanwhile: turns of the
 * loop, time, the right side's connecting, a cancel. Whatever it is, what arrives is what was sent, from its start and
 * in order; it is all of it unless something failed; what is reported of the end fits; and nothing is left. The
 * scripted streams fail the run when the pair breaks the rules of streams. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_stream.h"
#include "fuzz.h"
#include "relay/pair.h"

enum { STEPS = 16, TURNS_MOST = 20000, WAITS_MOST = 100 };

typedef struct side {
  fake_script script;
  fake_step steps[STEPS + 1];
  fake *fake;
} side;

typedef struct game {
  rig r;
  fuzz_input in;
  uvr_pair_options options;
  uvr_pair *pair;
  side left;
  side right;
  uvrelay_result_t result;
  bool in_call;
  bool cancelled;
  bool no_memory;  /* an allocation fails */
  bool dial_fails; /* the right side cannot be connected */
  unsigned ends;
  unsigned closes;
} game;

/* What a side does. */

static unsigned turns_of(fuzz_input *in)
{
  unsigned turns = fuzz_byte(in);
  return turns == 255 ? FAKE_NEVER : turns < 128 ? turns % 4 : turns % 32;
}

static size_t size_of(fuzz_input *in)
{
  unsigned size = fuzz_byte(in);
  return size == 255 ? UVR_BUFFER_LARGE : size == 254 ? UVR_BUFFER_SMALL : size < 128 ? 1 + size : (size - 127) * 37;
}

static fake_step end_of(fuzz_input *in, bool reading)
{
  static const int codes[] = {0, 0, 0, 0, UV_ECONNRESET, UV_ECONNABORTED};
  unsigned what = fuzz_byte(in);
  fake_step step = {.turns = turns_of(in)};
  step.outcome = reading && what < 128 ? UVR_END_OF_INPUT : what < 192 ? UVR_GONE : UVR_FAILED;
  step.code = step.outcome == UVR_FAILED ? codes[what % 6] : 0;
  return step;
}

static void make_side(side *s, fuzz_input *in)
{
  unsigned traits = fuzz_byte(in);
  unsigned more = fuzz_byte(in);
  fake_script *script = &s->script;
  script->no_half_close = (traits & 1U) != 0;
  script->can_mark_end = (traits & 2U) != 0;
  script->ends_when_lost = (traits & 4U) != 0;
  script->keeps_messages = (traits & 8U) != 0;
  script->may_hide_leaving = (traits & 16U) != 0;
  script->npipe = (traits & 32U) != 0;
  script->holds_loop = (traits & 64U) != 0;
  script->never_sends = more % 32 == 31;
  script->never_takes = more % 32 == 30;
  script->random_turns = more % 32 == 29 ? 5 : 0;
  script->cancels_late = more % 4;
  script->cancel_turns = more / 64;
  script->write_turns = turns_of(in);
  if ((more & 32U) != 0) {
    script->writes_done = fuzz_byte(in) % 8;
    script->write_end = end_of(in, false);
  }
  if ((traits & 128U) != 0) {
    script->shutdown = end_of(in, false);
    script->shutdown.outcome = (more & 8U) != 0 ? UVR_DONE : script->shutdown.outcome;
    script->lost = end_of(in, false);
    script->lost.outcome = (more & 16U) != 0 ? UVR_DONE : script->lost.outcome;
    script->close_turns = fuzz_byte(in) % 8;
  }
  unsigned count = fuzz_byte(in) % (STEPS + 1);
  for (unsigned i = 0; i < count; i++) {
    unsigned what = fuzz_byte(in);
    fake_step *step = &s->steps[i];
    if (what < 40) {
      *step = end_of(in, true);
      /* After the end of input nothing is read. */
      break;
    }
    *step = (fake_step){.size = size_of(in), .turns = turns_of(in), .part = (what & 1U) != 0};
    step->after_written = what > 230 ? fuzz_byte(in) * 8U : 0;
  }
  script->reads = s->steps;
}

static uint64_t time_of(fuzz_input *in)
{
  unsigned ms = fuzz_byte(in);
  return ms < 100 ? 0 : (ms - 99) * 10;
}

static void make_options(uvr_pair_options *o, fuzz_input *in)
{
  unsigned bits = fuzz_byte(in);
  unsigned eof = fuzz_byte(in);
  o->end_after_left = (bits & 3U) == 3;
  o->end_after_right = (bits & 12U) == 12;
  o->left_may_leave = (bits & 16U) != 0;
  o->left_is_client = (bits & 32U) != 0;
  o->eof_to_left = (uvrelay_eof_t)(eof % 3);
  o->eof_to_right = (uvrelay_eof_t)(eof / 3 % 3);
  if ((bits & 64U) != 0) {
    o->linger_ms = time_of(in);
    o->left_linger_ms = time_of(in);
    o->told_linger_ms = time_of(in);
    o->idle_ms = time_of(in);
  }
}

/* What the pair tells. */

static void on_end(void *user, const uvrelay_result_t *result)
{
  game *g = user;
  CHECK(g->ends == 0 && g->closes == 0, "the end is told twice");
  CHECK(g->left.fake->closing, "the left side is not being closed");
  CHECK(g->right.fake->stream == NULL || g->right.fake->closing || g->right.fake->reads + g->right.fake->writes == 0,
        "the right side is not being closed");
  g->ends++;
  g->result = *result;
}

static void on_close(void *user)
{
  game *g = user;
  CHECK(g->ends == 1 && g->closes == 0, "the close is told at the wrong time");
  CHECK(!g->in_call, "the close is told from within a call");
  CHECK(g->left.fake->closed, "the left side is not closed");
  g->closes++;
  g->pair = NULL;
}

/* What arrived. */

/* What was written is the beginning of what was read, and messages are whole where both sides keep them. */
static void check_bytes(const side *source, const side *sink, uint64_t told)
{
  const fake *from = source->fake;
  const fake *to = sink->fake;
  CHECK(told == to->taken, "%u bytes were written to the %s side, %u are told", (unsigned)to->taken, to->name,
        (unsigned)told);
  CHECK(to->taken <= from->given, "%u bytes were written to the %s side, %u were sent", (unsigned)to->taken, to->name,
        (unsigned)from->given);
  for (uint64_t i = 0; i < to->taken; i++) {
    CHECK(to->written[i] == rig_byte(from->seed, i), "byte %u to the %s side is another", (unsigned)i, to->name);
  }
  CHECK(to->shutdowns == 0 || to->ended_with == to->taken, "bytes come behind the end of the %s side's input",
        to->name);
  CHECK(to->shutdowns == 0 || from->input_ended, "the %s side is told of an end that has not come", to->name);
  CHECK(to->shutdowns == 0 || to->ended_with == from->given, "the %s side is told of the end after %u of %u bytes",
        to->name, (unsigned)to->ended_with, (unsigned)from->given);
  CHECK(to->held_max <= 4, "%u buffers were held", (unsigned)to->held_max);
  if (!source->script.keeps_messages || !sink->script.keeps_messages) {
    return;
  }
  size_t message = 0;
  unsigned next = 0;
  for (size_t i = 0; i < to->message_count; i++) {
    for (message = 0; next < STEPS && source->steps[next].size > 0; message += source->steps[next++].size) {
      if (!source->steps[next].part) {
        message += source->steps[next++].size;
        break;
      }
    }
    CHECK(to->messages[i] == message, "message %u to the %s side has %u bytes, not %u", (unsigned)i, to->name,
          (unsigned)to->messages[i], (unsigned)message);
  }
}

/* All bytes, or all messages that were whole. */
static void check_whole(const side *source, const side *sink)
{
  uint64_t given = 0;
  uint64_t whole = source->fake->given;
  if (source->script.keeps_messages && sink->script.keeps_messages) {
    whole = 0;
    for (unsigned i = 0; given < source->fake->given; i++) {
      given += source->steps[i].size;
      whole = source->steps[i].part ? whole : given;
    }
  }
  CHECK(sink->fake->taken == whole, "%u of %u bytes have reached the %s side", (unsigned)sink->fake->taken,
        (unsigned)whole, sink->fake->name);
}

static bool has_failure(const side *s)
{
  bool reading = false;
  for (unsigned i = 0; i < STEPS; i++) {
    reading = reading || s->steps[i].outcome == UVR_FAILED;
  }
  return reading || s->script.write_end.outcome == UVR_FAILED || s->script.shutdown.outcome == UVR_FAILED ||
         s->script.lost.outcome == UVR_FAILED || s->script.never_takes || s->script.never_sends;
}

/* What is reported fits what has happened. */
static void check_result(const game *g)
{
  const uvrelay_result_t *result = &g->result;
  const side *left = &g->left;
  const side *right = &g->right;
  bool failed = result->reason == UVRELAY_REASON_FAILED || result->reason == UVRELAY_REASON_STOPPED;
  CHECK((result->error.code != 0) == failed, "the reason is %d with the code %d", (int)result->reason,
        result->error.code);
  fuzz_check_error(&result->error, result->error.code);
  switch (result->reason) {
  case UVRELAY_REASON_STOPPED:
    CHECK(g->cancelled && result->side == UVRELAY_SIDE_NONE, "it says that it was stopped");
    break;
  case UVRELAY_REASON_FAILED:
    if (result->error.code == UV_EPROTO) {
      CHECK(left->script.keeps_messages || right->script.keeps_messages, "it says: %s", result->error.text);
      break; /* a message has no end */
    }
    CHECK(g->no_memory || g->dial_fails || has_failure(left) || has_failure(right), "it says that it failed: %s",
          result->error.text);
    if (result->error.phase == UVRELAY_PHASE_READ && !g->no_memory && result->error.code != UV_EPERM) {
      check_whole(result->side == UVRELAY_LEFT ? left : right, result->side == UVRELAY_LEFT ? right : left);
    }
    break;
  case UVRELAY_REASON_ENDED:
    CHECK(left->fake->input_ended || right->fake->input_ended || left->script.never_sends || right->script.never_sends,
          "it says that the sides have ended");
    if (result->side == UVRELAY_LEFT || !g->options.end_after_right) {
      check_whole(left, right);
    }
    if (result->side == UVRELAY_RIGHT || !g->options.end_after_left) {
      check_whole(right, left);
    }
    break;
  case UVRELAY_REASON_GONE:
    /* What the side had sent that is gone is passed on first, unless it is only a watch that says so. */
    if (result->side == UVRELAY_RIGHT && right->script.lost.outcome == UVR_DONE &&
        right->script.write_end.outcome != UVR_GONE && left->script.write_end.outcome != UVR_GONE &&
        left->script.lost.outcome == UVR_DONE && right->script.shutdown.outcome == UVR_DONE) {
      check_whole(right, left);
    }
    break;
  case UVRELAY_REASON_SILENT:
    CHECK(g->options.linger_ms + g->options.left_linger_ms + g->options.told_linger_ms + g->options.idle_ms > 0,
          "it says that a side was silent");
    break;
  }
}

/* Playing. */

static void cancel(game *g)
{
  if (g->pair != NULL) {
    g->cancelled = true;
    g->in_call = true;
    uvr_pair_cancel(g->pair);
    g->in_call = false;
    CHECK(g->ends == 1, "a cancelled pair has not ended");
  }
}

/* Until nothing is to come. Some pairs wait forever: for a write that never ends, looking again and again. */
static void run(game *g)
{
  unsigned turns = 0;
  unsigned waits = 0;
  bool more = true;
  while (more) {
    waits += uv_backend_timeout(&g->r.loop) > 0 ? 1U : 0U;
    if (waits == WAITS_MOST) {
      cancel(g);
    }
    more = fuzz_turn(&g->r.loop);
    CHECK(++turns < TURNS_MOST, "it goes on for ever");
  }
}

static void check_counters(const game *g)
{
  if (g->pair != NULL && g->ends == 0) {
    uint64_t to_right = 0;
    uint64_t to_left = 0;
    uvr_pair_bytes(g->pair, &to_right, &to_left);
    CHECK(to_right == g->right.fake->taken && to_left == g->left.fake->taken, "the counters are %u and %u",
          (unsigned)to_right, (unsigned)to_left);
  }
}

static void connect_right(game *g, bool *connected)
{
  unsigned how = fuzz_byte(&g->in);
  if (*connected || g->pair == NULL || g->ends > 0) {
    return;
  }
  *connected = true;
  g->in_call = true;
  if (how == 255) {
    const uvrelay_error_t error = {.code = UV_ECONNREFUSED, .phase = UVRELAY_PHASE_CONNECT, .text = "refused"};
    g->dial_fails = true;
    *connected = false;
    uvr_pair_fail(g->pair, &error);
  } else {
    uvr_pair_connect(g->pair, g->right.fake->stream);
  }
  g->in_call = false;
}

static void play(game *g, bool *connected)
{
  while (g->in.size > 0 && g->closes == 0) {
    unsigned what = fuzz_byte(&g->in);
    if (what < 160) {
      for (unsigned i = 0; i < 1 + what % 16; i++) {
        (void)uv_run(&g->r.loop, UV_RUN_NOWAIT);
        check_counters(g);
      }
    } else if (what < 200) {
      fuzz_clock_advance((what - 160) * 40U);
    } else if (what < 240) {
      connect_right(g, connected);
    } else if (what < 246) {
      g->r.fail_at = g->r.allocations + 1 + what % 6;
      g->no_memory = true;
    } else if (what == 255) {
      cancel(g);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  game *g = calloc(1, sizeof(*g));
  CHECK(g != NULL, "there is no memory");
  g->in = (fuzz_input){data, size};
  fuzz_clock_stop();
  rig_init(&g->r);
  make_options(&g->options, &g->in);
  make_side(&g->left, &g->in);
  make_side(&g->right, &g->in);
  unsigned start = fuzz_byte(&g->in);
  g->r.random = start;
  g->left.fake = fake_new(&g->r, "left", 1, &g->left.script);
  g->right.fake = fake_new(&g->r, "right", 2, &g->right.script);
  if (start >= 250) {
    g->no_memory = true;
    g->r.fail_at = g->r.allocations + start - 249;
  }
  const uvr_pair_events events = {.on_end = on_end, .on_close = on_close, .user = g};
  bool connected = (start & 3U) != 0;
  g->in_call = true;
  int code = uvr_pair_start(&g->r.context, g->left.fake->stream, connected ? g->right.fake->stream : NULL, &g->options,
                            &events, &g->pair);
  g->in_call = false;
  if (code != 0) {
    CHECK(code == UV_ENOMEM && g->no_memory && g->ends == 0, "the start fails with %d", code);
    connected = false;
    fake_close(g->left.fake);
  } else {
    play(g, &connected);
    run(g);
    cancel(g);
    run(g);
    CHECK(g->ends == 1 && g->closes == 1, "%u ends and %u closes are told", g->ends, g->closes);
    check_bytes(&g->left, &g->right, g->result.to_right);
    check_bytes(&g->right, &g->left, g->result.to_left);
    check_result(g);
  }
  if (!connected) {
    fake_close(g->right.fake);
  }
  fake_free(g->left.fake);
  fake_free(g->right.fake);
  rig_clear(&g->r);
  free(g);
  return 0;
}
