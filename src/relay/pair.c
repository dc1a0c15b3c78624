/* A pair of streams.
 *
 * Happy path: when the right stream is there, both flows start. When one side ends, the other one is half-closed, and
 * when both flows are over, the pair ends. Flows and streams only report events; the pair decides what they mean.
 *
 * A stream that never sends, as a one-way pipe's may, is not read: its flow is over from the start, and that is not
 * passed on to the other stream, which may go on sending for as long as it likes. When it has ended, both flows are
 * over. What is sent to a stream that takes nothing fails there.
 *
 * Ways to end early: the right stream cannot be connected; the left side leaves while it is waited for; a stream fails;
 * the right side is gone, and what it has sent is written first; the left side is gone, and what it has sent is still
 * written, as long as this makes progress; an end of input that by the options ends the pair; one side has ended, the
 * end cannot be signalled to the other side, which is silent; both sides are silent for too long; the pair is
 * cancelled.
 *
 * All of these go through drop_and_close(), once. The pair is freed when both streams are closed and no thread uses
 * them. */
#include "relay/pair.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/list.h"
#include "relay/flow.h"

typedef enum pair_state { PAIR_CONNECTING, PAIR_RELAYING, PAIR_ENDING } pair_state;

struct uvr_pair {
  uvr_context *context;
  uvr_pair_options options;
  uvr_pair_events events;
  pair_state state;
  uvr_flow to_right;
  uvr_flow to_left;
  uvr_stream *left;
  uvr_stream *right;
  uvr_close_how left_how; /* how `left` is closed */
  uvr_close_how right_how;
  uvr_stream *closing_left; /* `left`, while it is being closed */
  uvr_stream *closing_right;
  unsigned streams;   /* how many are not closed yet; set when the pair ends */
  uvr_alarm silence;  /* checks the side that has not ended, or the last writes; while ending: tries again to close */
  uvr_alarm idle;     /* checks whether both sides are silent */
  uvr_alarm stall;    /* checks whether the left side is gone while nothing is read from it */
  uint64_t linger_ms; /* how long the side that has not ended may be silent */
  uint64_t stalled;   /* loop time since when the left side is gone and the right side accepts nothing, ms */
  uint64_t last_progress;  /* uvr_pump_progress of to_right at the last check */
  uint64_t started;        /* loop time, ms */
  uint64_t bytes_to_right; /* set when the pair ends */
  uint64_t bytes_to_left;
};

static void set_alarm(uvr_pair *pair, uvr_alarm *alarm, uvr_alarm_cb ring, uint64_t ms)
{
  uvr_alarm_set(pair->context->clock, alarm, ms, ring);
}

/* Ending. */

static void free_pair(uvr_pair *pair)
{
  uvr_pair_events events = pair->events;
  uvr_free(&pair->context->memory, pair);
  if (events.on_close != NULL) {
    events.on_close(events.user);
  }
}

static void close_streams(uvr_pair *pair);

static void on_stream_closed(uvr_pair *pair)
{
  pair->streams--;
  if (pair->streams == 0) {
    close_streams(pair);
  }
}

static void on_left_closed(void *user)
{
  uvr_pair *pair = user;
  pair->closing_left = NULL;
  on_stream_closed(pair);
}

static void on_right_closed(void *user)
{
  uvr_pair *pair = user;
  pair->closing_right = NULL;
  on_stream_closed(pair);
}

/* Returns false if a thread is still inside the stream, which cannot be closed then. */
static bool close_stream(uvr_pair *pair, uvr_stream **stream, uvr_close_how how, uvr_stream **closing,
                         uvr_close_cb on_closed)
{
  if (*stream != NULL) {
    if (uvr_pump_is_inside(&pair->to_right.pump, *stream) || uvr_pump_is_inside(&pair->to_left.pump, *stream)) {
      return false;
    }
    *closing = *stream;
    *stream = NULL;
    uvr_stream_close(*closing, how, on_closed, pair);
  }
  return true;
}

static void on_retry(uvr_alarm *alarm)
{
  close_streams(UVR_LISTED(alarm, uvr_pair, silence));
}

/* Closes what can be closed, and is called again until nothing is left. */
static void close_streams(uvr_pair *pair)
{
  uvr_pump_stop(&pair->to_right.pump);
  uvr_pump_stop(&pair->to_left.pump);
  bool left = close_stream(pair, &pair->left, pair->left_how, &pair->closing_left, on_left_closed);
  bool right = close_stream(pair, &pair->right, pair->right_how, &pair->closing_right, on_right_closed);
  bool clear = pair->streams == 0 && uvr_pump_clear(&pair->to_right.pump) && uvr_pump_clear(&pair->to_left.pump);
  if (clear) {
    free_pair(pair);
  } else if (pair->streams == 0 || !left || !right) {
    set_alarm(pair, &pair->silence, on_retry, pair->context->patience.thread_retry_ms);
  }
}

/* What was written is given time to arrive, even after a failure of the other side. */
static uvr_close_how how_to_close(uvrelay_reason_t reason, bool cut, uint64_t written)
{
  bool gently = reason != UVRELAY_REASON_STOPPED && written > 0;
  return cut ? (gently ? UVR_CLOSE_CUT_AFTER_WRITES : UVR_CLOSE_CUT) : (gently ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW);
}

/* The only way to end. `result` has the reason, the side and the error or text. With `left_gone`, the left side has
 * left without having to end its input, so that the right side sees a cut unless the input had ended. */
static void drop_and_close(uvr_pair *pair, uvrelay_result_t *result, bool left_gone)
{
  const uvrelay_reason_t reason = result->reason;
  pair->state = PAIR_ENDING;
  uvr_pump_stop(&pair->to_right.pump);
  uvr_pump_stop(&pair->to_left.pump);
  uvr_alarm_clear(pair->context->clock, &pair->silence);
  uvr_alarm_clear(pair->context->clock, &pair->idle);
  uvr_alarm_clear(pair->context->clock, &pair->stall);
  result->to_right = pair->bytes_to_right = uvr_pump_bytes(&pair->to_right.pump);
  result->to_left = pair->bytes_to_left = uvr_pump_bytes(&pair->to_left.pump);
  result->duration_ms = uv_now(pair->context->loop) - pair->started;
  uvr_log_line(&pair->context->log,
               "ended after %" PRIu64 " ms: %s; %" PRIu64 " bytes sent, %" PRIu64 " bytes received",
               result->duration_ms, result->error.text, result->to_right, result->to_left);

  bool cut = reason == UVRELAY_REASON_FAILED || reason == UVRELAY_REASON_STOPPED;
  bool silent = reason == UVRELAY_REASON_SILENT; /* perhaps because it does not take what comes */
  bool cut_left = cut || (silent && uvr_pump_is_holding(&pair->to_left.pump));
  bool cut_right = cut || (silent && uvr_pump_is_holding(&pair->to_right.pump)) ||
                   (left_gone && !uvr_flow_source_has_ended(&pair->to_right));
  pair->left_how = how_to_close(reason, cut_left, result->to_left);
  pair->right_how = how_to_close(reason, cut_right, result->to_right);
  pair->streams = pair->right != NULL ? 2 : 1;
  close_streams(pair);
  if (pair->events.on_end != NULL) {
    pair->events.on_end(pair->events.user, result);
  }
}

/* An end with an error. */
static void drop_with(uvr_pair *pair, uvrelay_reason_t reason, uvrelay_side_t side, const uvrelay_error_t *error)
{
  if (pair->state != PAIR_ENDING) {
    uvrelay_result_t result = {.reason = reason, .side = side, .error = *error};
    drop_and_close(pair, &result, false);
  }
}

/* An orderly end. */
static void drop(uvr_pair *pair, uvrelay_reason_t reason, uvrelay_side_t side, const char *why)
{
  if (pair->state != PAIR_ENDING) {
    uvrelay_result_t result; /* large, and nearly all of it is unused */
    result.reason = reason;
    result.side = side;
    (void)uvr_error_say(&result.error, UVRELAY_PHASE_NONE, 0, why, "");
    drop_and_close(pair, &result, false);
  }
}

static void drop_left_gone(uvr_pair *pair)
{
  if (pair->state != PAIR_ENDING) {
    bool unread = uvr_stream_watches_any_time(pair->left);
    uvrelay_result_t result;
    result.reason = UVRELAY_REASON_GONE;
    result.side = UVRELAY_LEFT;
    (void)uvr_error_say(&result.error, UVRELAY_PHASE_NONE, 0, unread ? "the output" : pair->left->name,
                        unread ? " is no longer being read" : " is gone");
    drop_and_close(pair, &result, true);
  }
}

static void drop_right_gone(uvr_pair *pair)
{
  drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, "the target is gone");
}

static void drop_if_both_over(uvr_pair *pair, uvrelay_side_t last)
{
  if (!uvr_flow_is_over(&pair->to_right) || !uvr_flow_is_over(&pair->to_left)) {
    return;
  }
  if (pair->to_right.state == UVR_FLOW_LOST) {
    drop_right_gone(pair);
  } else if (pair->to_left.state == UVR_FLOW_LOST) {
    drop_left_gone(pair); /* what the right side still sends reaches no one */
  } else {
    drop(pair, UVRELAY_REASON_ENDED, last, "both sides have ended");
  }
}

/* When the left side is gone, nothing reads what comes from the right side. What the left side has sent is still
 * written if this will end soon. */

/* A target may be slow, and the system reports progress in large steps, so a client's last bytes get more time. Other
 * left sides get less, such as the program's own standard input and output, as the program should end soon. */
static uint64_t last_writes_ms(const uvr_pair *pair)
{
  const uvr_patience *patience = &pair->context->patience;
  return pair->options.left_is_client ? patience->stall_ms : patience->last_writes_ms;
}

/* The last writes may take as long as they make progress. */
static void check_last_writes(uvr_alarm *alarm)
{
  uvr_pair *pair = UVR_LISTED(alarm, uvr_pair, silence);
  uint64_t progress = uvr_pump_progress(&pair->to_right.pump);
  if (progress == pair->last_progress) {
    drop_left_gone(pair);
    return;
  }
  pair->last_progress = progress;
  set_alarm(pair, &pair->silence, check_last_writes, last_writes_ms(pair));
}

static void finish_without_left(uvr_pair *pair)
{
  uvr_flow_lose(&pair->to_left);
  bool ends_soon = uvr_pump_is_finishing(&pair->to_right.pump) || !pair->left->ends_when_lost;
  if (uvr_flow_is_over(&pair->to_right) || !ends_soon) {
    drop_left_gone(pair);
  } else {
    pair->last_progress = uvr_pump_progress(&pair->to_right.pump);
    uvr_alarm_clear(pair->context->clock, &pair->stall); /* it uses the same last_progress */
    set_alarm(pair, &pair->silence, check_last_writes, last_writes_ms(pair));
  }
}

/* When one side has ended and the end cannot be signalled to the other one, the other one may go on as long as it is
 * not silent. The same holds for a left side that got a zero-byte message, which many readers of pipes take for
 * nothing, if the right side may be gone: such a reader would wait for an end that never comes. One that knows the
 * message may still send. */

static void check_linger(uvr_alarm *alarm)
{
  uvr_pair *pair = UVR_LISTED(alarm, uvr_pair, silence);
  bool left_ended = uvr_flow_is_over(&pair->to_right);
  const uvr_pump *rest = left_ended ? &pair->to_left.pump : &pair->to_right.pump;
  uint64_t silent = uv_now(pair->context->loop) - rest->active;
  if (uvr_pump_is_finishing(rest) || silent < pair->linger_ms) {
    set_alarm(pair, &pair->silence, check_linger,
              silent < pair->linger_ms ? pair->linger_ms - silent : pair->linger_ms);
  } else if (pair->to_right.state == UVR_FLOW_LOST) {
    drop_right_gone(pair);
  } else {
    drop(pair, UVRELAY_REASON_SILENT, left_ended ? UVRELAY_RIGHT : UVRELAY_LEFT,
         "one side has ended, and the other is silent");
  }
}

static void linger(uvr_pair *pair, uvr_flow *rest, uint64_t ms)
{
  bool left_lost = pair->to_left.state == UVR_FLOW_LOST;
  if (pair->state == PAIR_RELAYING && ms > 0 && !left_lost) {
    pair->linger_ms = ms;
    rest->pump.active = uv_now(pair->context->loop);
    set_alarm(pair, &pair->silence, check_linger, ms);
  }
}

/* Both sides may be silent for idle_ms. */
static void check_idle(uvr_alarm *alarm)
{
  uvr_pair *pair = UVR_LISTED(alarm, uvr_pair, idle);
  uint64_t to_right = pair->to_right.pump.active;
  uint64_t to_left = pair->to_left.pump.active;
  uint64_t silent = uv_now(pair->context->loop) - (to_right > to_left ? to_right : to_left);
  if (silent < pair->options.idle_ms) {
    set_alarm(pair, &pair->idle, check_idle, pair->options.idle_ms - silent);
    return;
  }
  drop(pair, UVRELAY_REASON_SILENT, UVRELAY_SIDE_NONE, "both sides were silent for too long");
}

/* While the right side accepts nothing, nothing is read from the left side, so that no read shows that it is gone. */

static void check_stall(uvr_alarm *alarm)
{
  uvr_pair *pair = UVR_LISTED(alarm, uvr_pair, stall);
  const uvr_patience *patience = &pair->context->patience;
  if (!uvr_pump_is_full(&pair->to_right.pump)) {
    return;
  }
  uint64_t now = uv_now(pair->context->loop);
  uint64_t progress = uvr_pump_progress(&pair->to_right.pump);
  if (progress != pair->last_progress || !uvr_stream_is_lost(pair->left)) {
    pair->last_progress = progress;
    pair->stalled = now;
  } else if (now - pair->stalled >= patience->stall_ms) {
    drop_left_gone(pair);
    return;
  }
  set_alarm(pair, &pair->stall, check_stall, patience->stall_look_ms);
}

/* While the right side is being connected, nothing is read from the left side either. */
static void check_waiting(uvr_alarm *alarm)
{
  uvr_pair *pair = UVR_LISTED(alarm, uvr_pair, stall);
  if (pair->options.left_may_leave && uvr_stream_is_lost(pair->left)) {
    drop_left_gone(pair);
  } else if (pair->options.end_after_left && uvr_stream_input_state(pair->left) == UVR_INPUT_OVER) {
    drop(pair, UVRELAY_REASON_ENDED, UVRELAY_LEFT, "the input has ended");
  } else {
    set_alarm(pair, &pair->stall, check_waiting, pair->context->patience.watch_ms);
  }
}

/* Events of streams that are being watched. */

static void on_left_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_with(pair, UVRELAY_REASON_FAILED, UVRELAY_LEFT, error);
  } else if (uvr_flow_source_has_ended(&pair->to_left) && !uvr_stream_watches_any_time(pair->left)) {
    uvr_flow_end(&pair->to_left); /* for the same reason as in on_right_lost */
    drop_if_both_over(pair, UVRELAY_LEFT);
  } else if (pair->to_left.state == UVR_FLOW_ENDED && pair->right != NULL && uvr_stream_never_sends(pair->right)) {
    return; /* nothing would ever have been written there */
  } else if (pair->to_left.state != UVR_FLOW_LOST && pair->state != PAIR_ENDING) {
    uvr_log_line(&pair->context->log, "%s", error->text);
    finish_without_left(pair);
  }
}

static void on_right_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_with(pair, UVRELAY_REASON_FAILED, UVRELAY_RIGHT, error);
  } else if (uvr_flow_source_has_ended(&pair->to_right)) {
    /* The right side has seen the end of its input and left, even if our half-close was not reported as done yet. */
    uvr_flow_end(&pair->to_right);
    drop_if_both_over(pair, UVRELAY_RIGHT);
  } else {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, error->text);
  }
}

/* Events of the flows. */

static bool comes_from_left(const uvr_flow *flow)
{
  const uvr_pair *pair = flow->user;
  return flow == &pair->to_right;
}

static uvrelay_side_t source_side(const uvr_flow *flow)
{
  return comes_from_left(flow) ? UVRELAY_LEFT : UVRELAY_RIGHT;
}

static uvrelay_side_t sink_side(const uvr_flow *flow)
{
  return comes_from_left(flow) ? UVRELAY_RIGHT : UVRELAY_LEFT;
}

static void on_source_end(uvr_flow *flow)
{
  uvr_pair *pair = flow->user;
  uvr_stream *source = flow->pump.source;
  bool from_left = comes_from_left(flow);
  if (from_left ? pair->options.end_after_left : pair->options.end_after_right) {
    drop(pair, UVRELAY_REASON_ENDED, source_side(flow),
         from_left ? "the input has ended" : "the target's output has ended");
    return;
  }
  bool right_ended = uvr_flow_source_has_ended(&pair->to_left);
  if (from_left && !right_ended && (pair->to_left.state == UVR_FLOW_LOST || uvr_flow_source_has_left(flow))) {
    drop_left_gone(pair);
    return;
  }
  uvr_flow_pass_end(flow, (from_left ? &pair->to_left : &pair->to_right)->state == UVR_FLOW_ENDED);
  if (pair->state == PAIR_RELAYING && !uvr_stream_watches_any_time(source)) {
    uvr_stream_watch(source, from_left ? on_left_lost : on_right_lost, pair);
  }
}

static void on_ended(uvr_flow *flow, bool passed)
{
  uvr_pair *pair = flow->user;
  drop_if_both_over(pair, source_side(flow));
  if (pair->state != PAIR_RELAYING) {
    return;
  }
  if (comes_from_left(flow)) {
    linger(pair, &pair->to_left, passed ? 0 : pair->options.linger_ms);
  } else if (!passed) {
    linger(pair, &pair->to_right, pair->options.left_linger_ms);
  } else {
    if (pair->events.on_left_told != NULL) {
      pair->events.on_left_told(pair->events.user);
    }
    if (uvr_stream_can_mark_end(pair->left) && pair->right->may_hide_leaving) {
      linger(pair, &pair->to_right, pair->options.told_linger_ms);
    }
  }
}

static void on_source_gone(uvr_flow *flow, const uvrelay_error_t *error)
{
  drop(flow->user, UVRELAY_REASON_GONE, source_side(flow), error->text);
}

static void on_source_failed(uvr_flow *flow, const uvrelay_error_t *error)
{
  uvr_pair *pair = flow->user;
  bool reset = error->code == UV_ECONNRESET || error->code == UV_ECONNABORTED;
  bool is_socket = uvr_stream_watches_any_time(pair->left) && !pair->left->ends_when_lost; /* as standard input */
  if (reset && comes_from_left(flow) && (pair->options.left_is_client || is_socket)) {
    drop_left_gone(pair);
  } else {
    drop_with(pair, UVRELAY_REASON_FAILED, source_side(flow), error);
  }
}

static void on_sink_gone(uvr_flow *flow, const uvrelay_error_t *error)
{
  uvr_pair *pair = flow->user;
  if (!comes_from_left(flow)) {
    finish_without_left(pair);
    return;
  }
  /* The right side may have left something to read, so that the other direction goes on until its end. */
  if (pair->right->ends_when_lost) {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, error->text);
  }
  drop_if_both_over(pair, UVRELAY_RIGHT);
  linger(pair, &pair->to_left, pair->options.linger_ms);
}

static void on_sink_failed(uvr_flow *flow, const uvrelay_error_t *error)
{
  drop_with(flow->user, UVRELAY_REASON_FAILED, sink_side(flow), error);
}

static void on_full(uvr_flow *flow)
{
  uvr_pair *pair = flow->user;
  bool left_lost = pair->to_left.state == UVR_FLOW_LOST;
  if (comes_from_left(flow) && pair->state == PAIR_RELAYING && !left_lost && !uvr_alarm_is_set(&pair->stall)) {
    set_alarm(pair, &pair->stall, check_stall, pair->context->patience.stall_look_ms);
  }
}

static const uvr_flow_events flow_events = {.on_source_end = on_source_end,
                                            .on_source_gone = on_source_gone,
                                            .on_source_failed = on_source_failed,
                                            .on_sink_gone = on_sink_gone,
                                            .on_sink_failed = on_sink_failed,
                                            .on_ended = on_ended,
                                            .on_full = on_full};

/* Starting. */

static void skip_if_silent(uvr_flow *flow, const uvr_stream *source)
{
  if (flow->state == UVR_FLOW_OPEN && uvr_stream_never_sends(source)) {
    uvr_log_line(&source->context->log, "%s is a one-way pipe that sends nothing", source->name);
    uvr_flow_skip(flow);
  }
}

static void start_flow(uvr_pair *pair, uvr_flow *flow, uvr_stream *source, uvr_stream *sink)
{
  if (pair->state == PAIR_RELAYING && flow->state == UVR_FLOW_OPEN) {
    uvr_flow_start(flow, pair->context, source, sink);
  }
}

static void refuse_deaf_pair(uvr_pair *pair)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_READ, UV_EPERM, "neither %s nor %s sends anything: both are one-way pipes",
                      pair->left->name, pair->right->name);
  drop_with(pair, UVRELAY_REASON_FAILED, UVRELAY_SIDE_NONE, &error);
}

static void relay(uvr_pair *pair, uvr_stream *right)
{
  pair->state = PAIR_RELAYING;
  pair->right = right;
  uvr_stream_arm(right);
  uvr_alarm_clear(pair->context->clock, &pair->stall); /* of check_waiting */
  if (uvr_stream_never_sends(pair->left) && uvr_stream_never_sends(right)) {
    refuse_deaf_pair(pair);
    return;
  }
  if (uvr_stream_watches_any_time(right)) {
    uvr_stream_watch(right, on_right_lost, pair);
  }
  skip_if_silent(&pair->to_left, right);
  skip_if_silent(&pair->to_right, pair->left);
  start_flow(pair, &pair->to_left, right, pair->left);
  start_flow(pair, &pair->to_right, pair->left, right);
  if (pair->state == PAIR_RELAYING && pair->options.idle_ms > 0) {
    set_alarm(pair, &pair->idle, check_idle, pair->options.idle_ms);
  }
}

int uvr_pair_start(uvr_context *context, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options,
                   const uvr_pair_events *events, uvr_pair **out)
{
  uvr_pair *pair = uvr_alloc(&context->memory, sizeof(*pair));
  if (pair == NULL) {
    return UV_ENOMEM;
  }
  *out = pair;
  pair->context = context;
  pair->options = *options;
  pair->events = *events;
  pair->to_right = (uvr_flow){
      .events = &flow_events, .user = pair, .eof = options->eof_to_right, .end_note = "the end of input was passed on"};
  pair->to_left = (uvr_flow){.events = &flow_events, .user = pair, .eof = options->eof_to_left};
  pair->left = left;
  pair->started = uv_now(context->loop);
  uvr_stream_arm(left);
  if (uvr_stream_watches_any_time(left)) {
    uvr_stream_watch(left, on_left_lost, pair);
  }
  if (right != NULL) {
    relay(pair, right);
  } else if (options->left_may_leave || options->end_after_left) {
    set_alarm(pair, &pair->stall, check_waiting, context->patience.watch_ms);
  }
  return 0;
}

void uvr_pair_connect(uvr_pair *pair, uvr_stream *right)
{
  uvr_log_line(&pair->context->log, "connected to %s after %" PRIu64 " ms", right->name,
               uv_now(pair->context->loop) - pair->started);
  relay(pair, right);
}

void uvr_pair_fail(uvr_pair *pair, const uvrelay_error_t *error)
{
  drop_with(pair, UVRELAY_REASON_FAILED, UVRELAY_RIGHT, error);
}

uvr_stream *uvr_pair_left(const uvr_pair *pair)
{
  return pair->left != NULL ? pair->left : pair->closing_left;
}

void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left)
{
  bool ending = pair->state == PAIR_ENDING; /* the pumps may be cleared then */
  *to_right = ending ? pair->bytes_to_right : uvr_pump_bytes(&pair->to_right.pump);
  *to_left = ending ? pair->bytes_to_left : uvr_pump_bytes(&pair->to_left.pump);
}

bool uvr_pair_has_delivered(const uvr_pair *pair)
{
  return (pair->closing_left == NULL || uvr_stream_has_delivered(pair->closing_left)) &&
         (pair->closing_right == NULL || uvr_stream_has_delivered(pair->closing_right));
}

void uvr_pair_cancel(uvr_pair *pair)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  drop_with(pair, UVRELAY_REASON_STOPPED, UVRELAY_SIDE_NONE, &error);
  if (pair->closing_left != NULL) {
    uvr_stream_hurry(pair->closing_left);
  }
  if (pair->closing_right != NULL) {
    uvr_stream_hurry(pair->closing_right);
  }
}
