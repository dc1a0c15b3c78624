/* A pair of streams.
 *
 * Happy path: the right stream comes, both flows start, and when a side ends the other one is half-closed; when both
 * flows are over, so is the pair. Flows and streams only report; what it means is decided here, and everything that
 * ends a pair goes through drop(), once. The last stream's close callback frees it.
 *
 * Ways to end early: the right stream cannot be connected; a stream fails (an error); the right side is gone (what it
 * sent is written first); the left side is gone (nobody is left to read, so the pair ends, but what it sent and we have
 * read is still written, for a moment); an end of input that the options make the end of all; silence of one side when
 * the other has ended and the silent one cannot be told. */
#include "relay/pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/flow.h"

typedef enum pair_state { PAIR_CONNECTING, PAIR_RELAYING, PAIR_ENDING } pair_state;

/* What the pair waits for. One timer serves them all, as an idle pair is to be small. */
typedef enum alarm_id {
  ALARM_SILENCE, /* of the side that has not ended (linger_ms), of the last writes; while ending: to close again */
  ALARM_IDLE,    /* of both sides */
  ALARM_STALL,   /* looks for a left side that is gone while nothing is read from it */
  ALARM_COUNT
} alarm_id;

typedef struct pair_alarm {
  void (*ring)(uvr_pair *pair); /* NULL: not set */
  uint64_t due;                 /* loop time, ms */
} pair_alarm;

struct uvr_pair {
  uvr_context *context;
  uvr_pair_options options;
  uvr_pair_events events;
  pair_state state;
  uvr_flow to_right;
  uvr_flow to_left;
  uvr_stream *left;
  uvr_stream *right;
  uvr_close_how left_how; /* how they are to be closed */
  uvr_close_how right_how;
  uvr_stream *closing_left; /* they, while they close */
  uvr_stream *closing_right;
  unsigned streams; /* that are not closed */
  uv_timer_t timer;
  pair_alarm alarms[ALARM_COUNT];
  uint64_t stalled;        /* loop time, ms: it is gone, and the right side takes nothing, since */
  uint64_t last_bytes;     /* uvr_pump_progress of to_right when it was last looked at */
  uint64_t started;        /* loop time, ms */
  uint64_t bytes_to_right; /* once it has ended */
  uint64_t bytes_to_left;
  uvr_closing closing; /* of the timer */
};

/* Alarms. */

static void on_timer(uv_timer_t *timer);

static void start_timer(uvr_pair *pair)
{
  uint64_t first = UINT64_MAX;
  for (unsigned i = 0; i < ALARM_COUNT; i++) {
    if (pair->alarms[i].ring != NULL && pair->alarms[i].due < first) {
      first = pair->alarms[i].due;
    }
  }
  if (uv_is_closing((uv_handle_t *)&pair->timer)) {
    return;
  }
  if (first == UINT64_MAX) {
    (void)uv_timer_stop(&pair->timer);
  } else {
    uint64_t now = uv_now(pair->context->loop);
    (void)uv_timer_start(&pair->timer, on_timer, first > now ? first - now : 0, 0);
  }
}

static void set_alarm(uvr_pair *pair, alarm_id id, void (*ring)(uvr_pair *pair), uint64_t ms)
{
  uint64_t now = uv_now(pair->context->loop);
  pair->alarms[id] = (pair_alarm){.ring = ring, .due = ms < UINT64_MAX - now ? now + ms : UINT64_MAX - 1};
  start_timer(pair);
}

static void clear_alarm(uvr_pair *pair, alarm_id id)
{
  pair->alarms[id].ring = NULL;
  start_timer(pair);
}

static void on_timer(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  uint64_t now = uv_now(pair->context->loop);
  for (unsigned i = 0; i < ALARM_COUNT; i++) {
    void (*ring)(uvr_pair *) = pair->alarms[i].ring;
    if (ring != NULL && pair->alarms[i].due <= now) {
      pair->alarms[i].ring = NULL;
      ring(pair);
    }
  }
  start_timer(pair);
}

/* Ending. */

static void on_timer_closed(void *user)
{
  uvr_pair *pair = user;
  uvr_pair_events events = pair->events;
  uvr_free(&pair->context->memory, pair);
  if (events.on_close != NULL) {
    events.on_close(events.user);
  }
}

static void close_on(uvr_pair *pair);

static void on_stream_closed(uvr_pair *pair)
{
  pair->streams--;
  if (pair->streams == 0) {
    close_on(pair);
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

/* False: a thread is still inside the stream. */
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

/* Closes what can be closed, and comes back until nothing is left. */
static void close_on(uvr_pair *pair)
{
  uvr_pump_stop(&pair->to_right.pump);
  uvr_pump_stop(&pair->to_left.pump);
  bool left = close_stream(pair, &pair->left, pair->left_how, &pair->closing_left, on_left_closed);
  bool right = close_stream(pair, &pair->right, pair->right_how, &pair->closing_right, on_right_closed);
  bool clear = pair->streams == 0 && uvr_pump_clear(&pair->to_right.pump) && uvr_pump_clear(&pair->to_left.pump);
  if (clear) {
    uvr_closing_begin(&pair->closing, on_timer_closed, pair);
    uvr_closing_handle(&pair->closing, (uv_handle_t *)&pair->timer);
    uvr_closing_end(&pair->closing);
  } else if (pair->streams == 0 || !left || !right) {
    set_alarm(pair, ALARM_SILENCE, close_on, pair->context->patience.thread_retry_ms);
  }
}

/* What was written is to arrive, after a failure of the other side, too. */
static uvr_close_how how_to_close(uvrelay_reason_t reason, bool cut, uint64_t written)
{
  bool gently = reason != UVRELAY_REASON_STOPPED && written > 0;
  return cut ? (gently ? UVR_CLOSE_CUT_AFTER_WRITES : UVR_CLOSE_CUT) : (gently ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW);
}

/* The one way to end. `error` NULL: in an orderly way. `left_vanished`: the left side will never end its input. */
static void drop_how(uvr_pair *pair, uvrelay_reason_t reason, uvrelay_side_t side, const uvrelay_error_t *error,
                     const char *why, bool left_vanished)
{
  if (pair->state == PAIR_ENDING) {
    return;
  }
  pair->state = PAIR_ENDING;
  uvr_pump_stop(&pair->to_right.pump);
  uvr_pump_stop(&pair->to_left.pump);
  memset(pair->alarms, 0, sizeof(pair->alarms));
  start_timer(pair);
  pair->bytes_to_right = uvr_pump_bytes(&pair->to_right.pump);
  pair->bytes_to_left = uvr_pump_bytes(&pair->to_left.pump);
  uvrelay_result_t result = {
      .reason = reason, .side = side, .to_right = pair->bytes_to_right, .to_left = pair->bytes_to_left};
  if (error != NULL) {
    result.error = *error;
  } else {
    (void)uvr_error_set(&result.error, UVRELAY_PHASE_NONE, 0, "%s", why);
  }
  uvr_log_line(&pair->context->log,
               "ended after %" PRIu64 " ms: %s; %" PRIu64 " bytes sent, %" PRIu64 " bytes received",
               uv_now(pair->context->loop) - pair->started, why, result.to_right, result.to_left);

  bool cut = reason == UVRELAY_REASON_FAILED || reason == UVRELAY_REASON_STOPPED;
  bool cut_right = cut || (left_vanished && !uvr_flow_source_has_ended(&pair->to_right));
  pair->left_how = how_to_close(reason, cut, result.to_left);
  pair->right_how = how_to_close(reason, cut_right, result.to_right);
  pair->streams = pair->right != NULL ? 2 : 1;
  close_on(pair);
  if (pair->events.on_end != NULL) {
    pair->events.on_end(pair->events.user, &result);
  }
}

static void drop(uvr_pair *pair, uvrelay_reason_t reason, uvrelay_side_t side, const uvrelay_error_t *error,
                 const char *why)
{
  drop_how(pair, reason, side, error, why, false);
}

static void drop_failed(uvr_pair *pair, uvrelay_side_t side, const uvrelay_error_t *error)
{
  drop(pair, UVRELAY_REASON_FAILED, side, error, error->text);
}

static void drop_lost_left(uvr_pair *pair)
{
  char why[UVRELAY_ERROR_TEXT_SIZE];
  (void)snprintf(why, sizeof(why), "%s is gone", pair->left->name);
  drop_how(pair, UVRELAY_REASON_GONE, UVRELAY_LEFT, NULL,
           uvr_stream_watches_any_time(pair->left) ? "nobody reads the output any more" : why, true);
}

static void drop_lost_right(uvr_pair *pair)
{
  drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, "the target is gone");
}

static void drop_if_both_over(uvr_pair *pair, uvrelay_side_t last)
{
  if (!uvr_flow_is_over(&pair->to_right) || !uvr_flow_is_over(&pair->to_left)) {
    return;
  }
  if (pair->to_right.state == UVR_FLOW_LOST) {
    drop_lost_right(pair);
  } else {
    drop(pair, UVRELAY_REASON_ENDED, last, NULL, "both sides have ended");
  }
}

/* A left side that is gone: nobody reads what comes from the right, but what it sent is still passed on, where it must
 * end soon. */

/* A target may be slow, and the system shows its progress in large steps; the program itself is to end soon. */
static uint64_t last_writes_ms(const uvr_pair *pair)
{
  const uvr_patience *patience = &pair->context->patience;
  return pair->options.left_is_client ? patience->stall_ms : patience->last_writes_ms;
}

/* They may take as long as they make progress. */
static void look_at_last_writes(uvr_pair *pair)
{
  uint64_t progress = uvr_pump_progress(&pair->to_right.pump);
  if (progress == pair->last_bytes) {
    drop_lost_left(pair);
    return;
  }
  pair->last_bytes = progress;
  set_alarm(pair, ALARM_SILENCE, look_at_last_writes, last_writes_ms(pair));
}

static void lose_left(uvr_pair *pair)
{
  uvr_flow_lose(&pair->to_left);
  bool ends_soon = uvr_pump_is_finishing(&pair->to_right.pump) || !pair->left->ends_when_lost;
  if (uvr_flow_is_over(&pair->to_right) || !ends_soon) {
    drop_lost_left(pair);
  } else {
    pair->last_bytes = uvr_pump_progress(&pair->to_right.pump);
    clear_alarm(pair, ALARM_STALL); /* which looks at the same progress */
    set_alarm(pair, ALARM_SILENCE, look_at_last_writes, last_writes_ms(pair));
  }
}

/* One side has ended and the other one, which could not be told, may stay as long as it has something to say. */

static void look_at_linger(uvr_pair *pair)
{
  bool left_ended = uvr_flow_is_over(&pair->to_right);
  const uvr_pump *rest = left_ended ? &pair->to_left.pump : &pair->to_right.pump;
  uint64_t silent = uv_now(pair->context->loop) - rest->active;
  uint64_t linger = pair->options.linger_ms;
  if (uvr_pump_is_finishing(rest) || silent < linger) {
    set_alarm(pair, ALARM_SILENCE, look_at_linger, silent < linger ? linger - silent : linger);
  } else if (pair->to_right.state == UVR_FLOW_LOST) {
    drop_lost_right(pair);
  } else {
    drop(pair, UVRELAY_REASON_SILENT, left_ended ? UVRELAY_RIGHT : UVRELAY_LEFT, NULL,
         "one side has ended, and the other one is silent");
  }
}

static void linger(uvr_pair *pair, uvr_flow *rest)
{
  bool left_lost = pair->to_left.state == UVR_FLOW_LOST;
  if (pair->state == PAIR_RELAYING && pair->options.linger_ms > 0 && !left_lost) {
    rest->pump.active = uv_now(pair->context->loop);
    set_alarm(pair, ALARM_SILENCE, look_at_linger, pair->options.linger_ms);
  }
}

/* Nothing comes from either. */
static void look_at_idle(uvr_pair *pair)
{
  uint64_t to_right = pair->to_right.pump.active;
  uint64_t to_left = pair->to_left.pump.active;
  uint64_t silent = uv_now(pair->context->loop) - (to_right > to_left ? to_right : to_left);
  if (silent < pair->options.idle_ms) {
    set_alarm(pair, ALARM_IDLE, look_at_idle, pair->options.idle_ms - silent);
    return;
  }
  drop(pair, UVRELAY_REASON_SILENT, UVRELAY_SIDE_NONE, NULL, "both sides were silent for too long");
}

/* While the right side takes nothing, nothing is read from the left one, so that its end does not show by itself. */

static void look_at_stall(uvr_pair *pair)
{
  const uvr_patience *patience = &pair->context->patience;
  if (!uvr_pump_is_full(&pair->to_right.pump)) {
    return;
  }
  uint64_t now = uv_now(pair->context->loop);
  uint64_t progress = uvr_pump_progress(&pair->to_right.pump);
  if (progress != pair->last_bytes || !uvr_stream_is_lost(pair->left)) {
    pair->last_bytes = progress;
    pair->stalled = now;
  } else if (now - pair->stalled >= patience->stall_ms) {
    drop_lost_left(pair);
    return;
  }
  set_alarm(pair, ALARM_STALL, look_at_stall, patience->stall_look_ms);
}

static void on_to_right_full(uvr_flow *flow)
{
  uvr_pair *pair = flow->user;
  bool left_lost = pair->to_left.state == UVR_FLOW_LOST;
  if (pair->state == PAIR_RELAYING && !left_lost && pair->alarms[ALARM_STALL].ring == NULL) {
    set_alarm(pair, ALARM_STALL, look_at_stall, pair->context->patience.stall_look_ms);
  }
}

/* What the streams say while they are watched. */

static void on_left_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_LEFT, error);
  } else if (uvr_flow_source_has_ended(&pair->to_left) && !uvr_stream_watches_any_time(pair->left)) {
    uvr_flow_end(&pair->to_left); /* as in on_right_lost */
    drop_if_both_over(pair, UVRELAY_LEFT);
  } else if (pair->to_left.state != UVR_FLOW_LOST && pair->state != PAIR_ENDING) {
    uvr_log_line(&pair->context->log, "%s", error->text);
    lose_left(pair);
  }
}

static void on_right_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_RIGHT, error);
  } else if (uvr_flow_source_has_ended(&pair->to_right)) {
    /* It knows of our end and need not wait, although we may not have heard yet that the half-close is done. */
    uvr_flow_end(&pair->to_right);
    drop_if_both_over(pair, UVRELAY_RIGHT);
  } else {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
  }
}

/* What the flows say. */

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
    drop(pair, UVRELAY_REASON_ENDED, source_side(flow), NULL,
         from_left ? "the input has ended" : "the target's output has ended");
    return;
  }
  if (from_left && pair->to_left.state == UVR_FLOW_LOST) {
    drop_lost_left(pair);
    return;
  }
  if (!uvr_stream_watches_any_time(source)) {
    uvr_stream_watch(source, from_left ? on_left_lost : on_right_lost, pair);
  }
  uvr_flow_pass_end(flow);
}

static void on_ended(uvr_flow *flow, bool told)
{
  uvr_pair *pair = flow->user;
  drop_if_both_over(pair, source_side(flow));
  if (!told) {
    linger(pair, comes_from_left(flow) ? &pair->to_left : &pair->to_right);
  }
}

static void on_source_gone(uvr_flow *flow, const uvrelay_error_t *error)
{
  drop(flow->user, UVRELAY_REASON_GONE, source_side(flow), NULL, error->text);
}

static void on_source_failed(uvr_flow *flow, const uvrelay_error_t *error)
{
  uvr_pair *pair = flow->user;
  bool reset = error->code == UV_ECONNRESET || error->code == UV_ECONNABORTED;
  if (reset && comes_from_left(flow) && pair->options.left_is_client) {
    drop_lost_left(pair);
  } else {
    drop_failed(pair, source_side(flow), error);
  }
}

static void on_sink_gone(uvr_flow *flow, const uvrelay_error_t *error)
{
  uvr_pair *pair = flow->user;
  if (!comes_from_left(flow)) {
    lose_left(pair);
    return;
  }
  /* It may have left something to read, and then its end: the other direction goes on until then. */
  if (pair->right->ends_when_lost) {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
  }
  drop_if_both_over(pair, UVRELAY_RIGHT);
  linger(pair, &pair->to_left);
}

static void on_sink_failed(uvr_flow *flow, const uvrelay_error_t *error)
{
  drop_failed(flow->user, sink_side(flow), error);
}

static const uvr_flow_events to_right_events = {.on_source_end = on_source_end,
                                                .on_source_gone = on_source_gone,
                                                .on_source_failed = on_source_failed,
                                                .on_sink_gone = on_sink_gone,
                                                .on_sink_failed = on_sink_failed,
                                                .on_ended = on_ended,
                                                .on_full = on_to_right_full};

static const uvr_flow_events to_left_events = {.on_source_end = on_source_end,
                                               .on_source_gone = on_source_gone,
                                               .on_source_failed = on_source_failed,
                                               .on_sink_gone = on_sink_gone,
                                               .on_sink_failed = on_sink_failed,
                                               .on_ended = on_ended};

/* Starting. */

static void relay(uvr_pair *pair, uvr_stream *right)
{
  pair->state = PAIR_RELAYING;
  pair->right = right;
  if (uvr_stream_watches_any_time(right)) {
    uvr_stream_watch(right, on_right_lost, pair);
  }
  if (pair->to_left.state != UVR_FLOW_LOST) {
    uvr_flow_start(&pair->to_left, pair->context, right, pair->left);
  }
  if (pair->state == PAIR_RELAYING) {
    uvr_flow_start(&pair->to_right, pair->context, pair->left, right);
  }
  if (pair->state == PAIR_RELAYING && pair->options.idle_ms > 0) {
    set_alarm(pair, ALARM_IDLE, look_at_idle, pair->options.idle_ms);
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
      .events = &to_right_events, .user = pair, .eof = options->eof_to_right, .told = "told that the input has ended"};
  pair->to_left = (uvr_flow){.events = &to_left_events, .user = pair, .eof = options->eof_to_left};
  pair->left = left;
  pair->started = uv_now(context->loop);
  (void)uv_timer_init(context->loop, &pair->timer);
  pair->timer.data = pair;
  if (uvr_stream_watches_any_time(left)) {
    uvr_stream_watch(left, on_left_lost, pair);
  }
  if (right != NULL) {
    relay(pair, right);
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
  drop_failed(pair, UVRELAY_RIGHT, error);
}

void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left)
{
  bool ending = pair->state == PAIR_ENDING; /* a pump may be cleared by now */
  *to_right = ending ? pair->bytes_to_right : uvr_pump_bytes(&pair->to_right.pump);
  *to_left = ending ? pair->bytes_to_left : uvr_pump_bytes(&pair->to_left.pump);
}

void uvr_pair_cancel(uvr_pair *pair)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  drop(pair, UVRELAY_REASON_STOPPED, UVRELAY_SIDE_NONE, &error, error.text);
  if (pair->closing_left != NULL) {
    uvr_stream_hurry(pair->closing_left);
  }
  if (pair->closing_right != NULL) {
    uvr_stream_hurry(pair->closing_right);
  }
}
