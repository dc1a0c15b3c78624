/* The scripted stream: see fake_stream.h. It counts turns of the loop with an idle handle, which is active only while
 * something is to come, so that a loop with nothing to come ends. */
#include "fake_stream.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fake_stream {
  uvr_stream base;
  uvr_npipe_ops ops;
  fake *fake;
  char name[32];
} fake_stream;

static fake *fake_of(uvr_stream *stream)
{
  return ((fake_stream *)stream)->fake;
}

#define RULE(f, condition)                                                                                             \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fail_msg("the fake stream %s was not used by the rules: !(%s)", (f)->name, #condition);                          \
    }                                                                                                                  \
  } while (false)

static uint64_t hash(const char *data, size_t length)
{
  uint64_t h = 14695981039346656037U + length;
  for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
    size_t left = length - i;
    uint64_t word = 0;
    memcpy(&word, data + i, left < sizeof(word) ? left : sizeof(word));
    h = (h ^ word) * 1099511628211U;
  }
  return h;
}

/* The buffer of a write is lent: until its end it must not be touched. */
static void check_outgoing(const fake *f)
{
  if (f->outgoing != NULL) {
    RULE(f, !rig_buffer_is_free(f->rig, f->outgoing));
    RULE(f, hash(f->outgoing, f->outgoing_length) == f->outgoing_hash);
  }
}

static void set_error(const fake *f, const fake_step *step, uvrelay_phase_t phase, uvrelay_error_t *error)
{
  int code = step->code != 0 ? step->code : step->outcome == UVR_GONE ? UV_EPIPE : UV_EIO;
  (void)uvr_error_set(error, phase, code, "%s: scripted %s, phase %d", f->name,
                      step->outcome == UVR_GONE ? "end" : "failure", (int)phase);
}

static uvr_buffer_pool *pool_of(const fake *f)
{
  return &f->stream->context->buffers;
}

/* Of a read that was cancelled no end counts but the end of input: what the script has for it is yet to come. */
static void note_end(fake *f, uvr_outcome outcome)
{
  f->input_ended = f->input_ended || outcome == UVR_END_OF_INPUT;
  f->read_ended = !f->cancelling || outcome == UVR_END_OF_INPUT;
  if (!f->read_ended && f->read_scripted) {
    f->next_read--;
  }
}

static void fire_read(fake *f)
{
  fake_step step = f->read.step;
  uvr_buffer *buffer = f->incoming;
  uvr_stream *stream = f->stream;
  f->read.active = false;
  f->incoming = NULL;
  fake_call before = f->calling;
  f->calling = FAKE_READ;
  if (step.outcome == UVR_DONE) {
    for (size_t i = 0; i < step.size; i++) {
      buffer->data[i] = step.data != NULL ? step.data[i] : rig_byte(f->seed, f->given + i);
    }
    buffer->length = step.size;
    buffer->end_of_message = f->script.keeps_messages && !step.part;
    f->given += step.size;
    f->cancelling = false;
    f->reads_nested++;
    f->reads_nested_max = f->reads_nested > f->reads_nested_max ? f->reads_nested : f->reads_nested_max;
    stream->on_read(stream->read_user, UVR_DONE, buffer, NULL);
    f->reads_nested--;
  } else {
    uvrelay_error_t error;
    set_error(f, &step, UVRELAY_PHASE_READ, &error);
    uvr_buffer_put(pool_of(f), buffer);
    note_end(f, step.outcome);
    f->cancelling = false;
    stream->on_read(stream->read_user, step.outcome, NULL, step.outcome == UVR_END_OF_INPUT ? NULL : &error);
    memset(&error, 0x5A, sizeof(error)); /* it lasts no longer than the call */
  }
  f->calling = before;
}

static void fire_done(fake *f, fake_pending *pending, uvrelay_phase_t phase, fake_call call, uvr_done_cb callback,
                      void *user)
{
  fake_step step = pending->step;
  pending->active = false;
  fake_call before = f->calling;
  f->calling = call;
  uvrelay_error_t error;
  set_error(f, &step, phase, &error);
  callback(user, step.outcome, step.outcome == UVR_DONE ? NULL : &error);
  memset(&error, 0x5A, sizeof(error));
  f->calling = before;
}

static void fire_write(fake *f)
{
  check_outgoing(f);
  const char *data = f->outgoing;
  size_t length = f->outgoing_length;
  f->outgoing = NULL;
  f->writes_finished++;
  if (f->write.step.outcome == UVR_DONE) {
    f->written = realloc(f->written, f->taken + length);
    f->messages = realloc(f->messages, (f->message_count + 1) * sizeof(*f->messages));
    assert_true(f->written != NULL && f->messages != NULL);
    memcpy(f->written + f->taken, data, length);
    f->taken += length;
    f->messages[f->message_count++] = length;
  }
  fire_done(f, &f->write, UVRELAY_PHASE_WRITE, FAKE_WRITE, f->stream->on_write, f->stream->write_user);
}

static void on_handle_closed(uv_handle_t *handle)
{
  fake *f = handle->data;
  if (--f->handles > 0) {
    return;
  }
  uvr_stream *stream = f->stream;
  check_outgoing(f); /* what was under way may use its buffer until now */
  uvr_buffer_put(pool_of(f), f->incoming);
  f->incoming = NULL;
  f->outgoing = NULL;
  f->closed = true;
  f->stream = NULL;
  uvr_close_cb on_close = stream->on_close;
  void *user = stream->close_user;
  memset(stream, 0x5A, sizeof(fake_stream));
  free(stream);
  on_close(user);
}

static bool counts(const fake_pending *pending)
{
  return pending->active && pending->counting && pending->turns != FAKE_NEVER;
}

static void on_idle(uv_idle_t *idle);

static void on_hold(uv_prepare_t *hold)
{
  (void)hold;
}

static void update_idle(fake *f)
{
  bool busy = f->read.active || f->write.active || f->shutdown.active || f->watching || f->close.active;
  if (f->script.holds_loop && busy) {
    (void)uv_prepare_start(&f->hold, on_hold);
  } else {
    (void)uv_prepare_stop(&f->hold);
  }
  if (f->read.active && !f->read.counting && f->taken >= f->read.step.after_written) {
    f->read.counting = true;
  }
  if (!counts(&f->read) && !counts(&f->write) && !counts(&f->shutdown) && !counts(&f->lost) && !counts(&f->close)) {
    (void)uv_idle_stop(&f->idle);
  } else {
    (void)uv_idle_start(&f->idle, on_idle);
  }
}

static bool due(fake_pending *pending)
{
  return counts(pending) && --pending->turns == 0;
}

static void fire_lost(fake *f)
{
  f->watching = false;
  f->cancelling = false;
  fire_done(f, &f->lost, UVRELAY_PHASE_WRITE, FAKE_LOST, f->stream->on_lost, f->stream->lost_user);
}

static void on_idle(uv_idle_t *idle)
{
  fake *f = idle->data;
  /* Decided before any callback: what begins in this turn does not count it. */
  bool close = due(&f->close);
  bool read = due(&f->read);
  bool write = due(&f->write);
  bool shutdown = due(&f->shutdown);
  bool lost = due(&f->lost);
  if (close) {
    uv_close((uv_handle_t *)&f->idle, on_handle_closed);
    uv_close((uv_handle_t *)&f->hold, on_handle_closed);
    return;
  }
  if (read && !f->closing) {
    fire_read(f);
  }
  if (write && !f->closing) {
    fire_write(f);
  }
  if (shutdown && !f->closing) {
    fire_done(f, &f->shutdown, UVRELAY_PHASE_SHUTDOWN, FAKE_SHUTDOWN, f->stream->on_shutdown, f->stream->shutdown_user);
  }
  if (lost && !f->closing) {
    fire_lost(f);
  }
  update_idle(f);
}

/* Whether the operation finishes before the call returns. */
static bool begin(fake *f, fake_pending *pending, const fake_step *step)
{
  unsigned turns = step->turns;
  if (turns != FAKE_NEVER) {
    turns += f->script.slower;
    turns += turns == 0 && f->script.random_turns > 0 ? rig_random(f->rig, f->script.random_turns) : 0;
  }
  bool counting = f->taken >= step->after_written;
  *pending = (fake_pending){.active = true, .counting = counting, .turns = turns, .step = *step};
  if (turns == 0 && !counting) {
    pending->turns = 1;
  }
  return turns == 0 && counting;
}

static void stream_read(uvr_stream *stream)
{
  fake *f = fake_of(stream);
  RULE(f, !f->closing);
  RULE(f, !f->read.active);
  RULE(f, !f->read_ended);
  RULE(f, !f->script.npipe || !f->watching);
  RULE(f, !f->script.never_sends);
  static const fake_step nothing = {.turns = FAKE_NEVER};
  const fake_step *step = f->next_read;
  f->read_scripted = step != NULL && (step->outcome != UVR_DONE || step->size > 0);
  if (f->read_scripted) {
    f->next_read++;
  } else {
    step = &nothing;
  }
  f->reads++;
  f->incoming = uvr_buffer_get(pool_of(f), step->size > UVR_BUFFER_SMALL ? UVR_BUFFER_LARGE : UVR_BUFFER_SMALL);
  RULE(f, f->incoming == NULL || step->size <= f->incoming->capacity); /* the script's own rule */
  size_t held = rig_buffers_held(f->rig);
  f->held_max = held > f->held_max ? held : f->held_max;
  fake_step no_memory = {.outcome = UVR_FAILED, .turns = step->turns, .code = UV_ENOMEM};
  if (begin(f, &f->read, f->incoming == NULL ? &no_memory : step)) {
    fire_read(f);
  }
  update_idle(f);
}

static void stream_write(uvr_stream *stream, const char *data, size_t length)
{
  fake *f = fake_of(stream);
  RULE(f, !f->closing);
  RULE(f, !f->write.active);
  RULE(f, f->shutdowns == 0);
  RULE(f, length > 0);
  f->outgoing = data;
  f->outgoing_length = length;
  f->outgoing_hash = hash(data, length);
  check_outgoing(f);
  fake_step done = {.turns = f->script.write_turns};
  bool last = f->script.write_end.outcome != UVR_DONE && f->writes >= f->script.writes_done;
  fake_step refused = {.outcome = UVR_FAILED, .code = UV_EPERM};
  const fake_step *step = f->script.never_takes ? &refused : last ? &f->script.write_end : &done;
  f->writes++;
  if (begin(f, &f->write, step)) {
    fire_write(f);
  }
  update_idle(f);
}

static void stream_shutdown(uvr_stream *stream)
{
  fake *f = fake_of(stream);
  RULE(f, !f->closing);
  RULE(f, !f->write.active);
  RULE(f, f->shutdowns == 0);
  RULE(f, !f->script.no_half_close || f->script.can_mark_end);
  f->shutdowns++;
  f->ended_with = f->taken;
  if (begin(f, &f->shutdown, &f->script.shutdown)) {
    fire_done(f, &f->shutdown, UVRELAY_PHASE_SHUTDOWN, FAKE_SHUTDOWN, stream->on_shutdown, stream->shutdown_user);
  }
  update_idle(f);
}

static void stream_watch(uvr_stream *stream)
{
  fake *f = fake_of(stream);
  RULE(f, !f->closing);
  RULE(f, !f->watching);
  RULE(f, f->watches == 0 || f->script.npipe);
  RULE(f, !f->script.npipe || (f->input_ended && !f->read.active));
  f->watches++;
  f->watching = true;
  if (f->script.lost.outcome != UVR_DONE && begin(f, &f->lost, &f->script.lost)) {
    f->lost.turns = 1; /* never before the call returns */
  }
  update_idle(f);
}

/* Whether it comes too late. */
static bool cancel(fake *f, fake_pending *pending)
{
  unsigned turns = f->script.cancel_turns > 0 ? f->script.cancel_turns : 1;
  if (counts(pending) && pending->turns <= turns) {
    return true; /* it is over by itself before that */
  }
  bool scripted = pending->active && pending->turns != FAKE_NEVER && pending->counting;
  bool late = scripted && f->script.cancels_late > 0 && rig_random(f->rig, f->script.cancels_late) == 0;
  if (!late) {
    pending->step = (fake_step){.outcome = UVR_FAILED, .code = UV_ECANCELED};
  }
  pending->active = true;
  pending->counting = true;
  pending->turns = turns;
  return late;
}

static void stream_cancel_read(uvr_stream *stream)
{
  fake *f = fake_of(stream);
  RULE(f, !f->closing);
  RULE(f, !f->cancelling);
  RULE(f, f->read.active || f->watching);
  f->cancelling = true;
  f->cancels++;
  f->late_cancels += cancel(f, f->read.active ? &f->read : &f->lost) ? 1U : 0U;
  update_idle(f);
}

static void stream_close(uvr_stream *stream, uvr_close_how how)
{
  fake *f = fake_of(stream);
  (void)how;
  RULE(f, !f->closing);
  f->closing = true;
  f->read.active = false;
  f->write.active = false;
  f->shutdown.active = false;
  f->lost.active = false;
  f->close = (fake_pending){.active = true, .counting = true, .turns = f->script.close_turns + 1};
  update_idle(f);
}

static uvr_input_state stream_input_state(uvr_stream *stream)
{
  fake *f = fake_of(stream);
  RULE(f, f->reads == 0); /* it may be asked before the first read only */
  return f->script.input_state;
}

/* A script has traits of its own. */
static void set_ops(fake_stream *s, const fake_script *script)
{
  s->ops = (uvr_npipe_ops){.stream = {.read = stream_read,
                                      .write = stream_write,
                                      .shutdown = stream_shutdown,
                                      .watch = stream_watch,
                                      .close = stream_close,
                                      .input_state = stream_input_state,
                                      .watches_any_time = !script->npipe,
                                      .never_sends = script->never_sends,
                                      .never_takes = script->never_takes,
                                      .can_mark_end = script->can_mark_end},
                           .cancel_read = script->npipe ? stream_cancel_read : NULL};
  s->base.ops = &s->ops.stream;
}

fake *fake_new(rig *r, const char *name, unsigned seed, const fake_script *script)
{
  return fake_new_in(r, &r->context, name, seed, script);
}

fake *fake_new_in(rig *r, uvr_context *context, const char *name, unsigned seed, const fake_script *script)
{
  fake *f = calloc(1, sizeof(*f));
  fake_stream *s = calloc(1, sizeof(*s));
  assert_non_null(f);
  assert_non_null(s);
  f->rig = r;
  f->name = name;
  f->seed = seed;
  f->script = *script;
  f->next_read = script->reads;
  f->stream = &s->base;
  assert_int_equal(uv_idle_init(&r->loop, &f->idle), 0);
  assert_int_equal(uv_prepare_init(&r->loop, &f->hold), 0);
  f->idle.data = f;
  f->hold.data = f;
  f->handles = 2;
  s->fake = f;
  (void)strncpy(s->name, name, sizeof(s->name) - 1);
  set_ops(s, script);
  s->base.context = context;
  s->base.name = s->name;
  s->base.can_half_close = !script->no_half_close;
  s->base.closing_ends = script->closing_ends;
  s->base.keeps_messages = script->keeps_messages;
  s->base.may_hide_leaving = script->may_hide_leaving;
  s->base.ends_when_lost = script->ends_when_lost;
  return f;
}

void fake_free(fake *f)
{
  if (!f->closed) {
    fail_msg("the fake stream %s was not closed", f->name);
  }
  free(f->written);
  free(f->messages);
  free(f);
}

void fake_finish_write(fake *f, uvr_outcome outcome)
{
  assert_true(f->write.active);
  f->write.step.outcome = outcome;
  fire_write(f);
  update_idle(f);
}

void fake_finish_read(fake *f, const fake_step *step)
{
  assert_true(f->read.active);
  assert_true(step->size <= f->incoming->capacity);
  f->read.step = *step;
  fire_read(f);
  update_idle(f);
}

void fake_assert_relayed(const fake *source, const fake *sink, uint64_t size)
{
  assert_int_equal(sink->taken, size);
  for (uint64_t i = 0; i < size; i++) {
    if (sink->written[i] != rig_byte(source->seed, i)) {
      fail_msg("byte %u of %u was changed on its way", (unsigned)i, (unsigned)size);
    }
  }
}

static void on_fake_closed(void *user)
{
  *(bool *)user = true;
}

void fake_close(fake *f)
{
  bool closed = false;
  uvr_stream_close(f->stream, UVR_CLOSE_NOW, on_fake_closed, &closed);
  assert_false(closed);
  assert_true(rig_run_until(f->rig, &closed));
}
