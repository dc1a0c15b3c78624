/* A pair.
 *
 * Happy path: dial the right side, start both pumps, and when a side ends half-close the other; when both have ended,
 * the pair is done. Pumps and streams only report; what it means is decided here, and everything that ends a
 * pair goes through drop(), once. The last child's close callback frees it.
 *
 * Ways to end early: the dial fails; a stream fails (an error); the right side is gone (what it gave is written
 * first); the left side is gone (nobody is left to read, so the pair ends, but what it gave and we have read is
 * still written, for a moment); an end of input that the options make the end of all; silence of one side when the
 * other has ended and the silent one cannot be told. */
#include "relay/pair.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "relay/pump.h"

typedef enum pair_state { PAIR_DIALLING, PAIR_RELAYING, PAIR_ENDING } pair_state;

struct uvr_pair {
  uvr_context *context;
  uvr_pair_options options;
  uvr_pair_events events;
  pair_state state;
  uvr_stream *left;
  uvr_stream *right;
  uvr_stream *closing_left; /* they, while they close */
  uvr_stream *closing_right;
  uvr_close_how left_how; /* how they are closed */
  uvr_close_how right_how;
  uvr_dial *dial;
  uvr_pump up;        /* left to right */
  uvr_pump down;      /* right to left */
  bool left_ended;    /* its end of input has come */
  bool right_ended;   /* the same */
  bool up_ended;      /* nothing more goes to the right, not even the half-close */
  bool down_ended;    /* nothing more goes to the left */
  bool left_lost;     /* nobody reads what we would write to the left */
  bool left_vanished; /* the same, and there is nothing more to be read from it */
  bool right_lost;    /* or to the right */
  uv_timer_t timer;   /* for silence: linger_ms, last_writes_ms */
  uv_timer_t idle;
  uv_timer_t stall;    /* looks for a left side that is gone while nothing is read from it */
  uint64_t stalled;    /* loop time, ms: it is gone, and the right side takes nothing, since */
  uint64_t last_bytes; /* uvr_pump_progress of `up` when it was last looked at */
  uint64_t started;    /* loop time, ms */
  unsigned children;   /* whose close callback is to come */
  uvrelay_result_t result;
};

/* Ending. */

static void on_timer_closed(uv_handle_t *handle)
{
  uvr_pair *pair = handle->data;
  uvr_pair_events events = pair->events;
  uvr_free(&pair->context->memory, pair);
  if (events.on_close != NULL) {
    events.on_close(events.user);
  }
}

static void on_idle_closed(uv_handle_t *handle)
{
  uvr_pair *pair = handle->data;
  uv_close((uv_handle_t *)&pair->timer, on_timer_closed);
}

static void on_stall_closed(uv_handle_t *handle)
{
  uvr_pair *pair = handle->data;
  uv_close((uv_handle_t *)&pair->idle, on_idle_closed);
}

static void on_child_closed(void *user);

static void on_left_closed(void *user)
{
  ((uvr_pair *)user)->closing_left = NULL;
  on_child_closed(user);
}

static void on_right_closed(void *user)
{
  ((uvr_pair *)user)->closing_right = NULL;
  on_child_closed(user);
}

static void close_stream(uvr_pair *pair, uvr_stream **stream, uvr_stream **closing, uvr_close_how how,
                         uvr_close_cb on_closed)
{
  if (*stream != NULL && !uvr_pump_is_inside(&pair->up, *stream) && !uvr_pump_is_inside(&pair->down, *stream)) {
    *closing = *stream;
    *stream = NULL;
    uvr_stream_close(*closing, how, on_closed, pair);
  }
}

/* Closes what can be closed, and comes back until nothing is left. */
static void close_on(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  uvr_pump_stop(&pair->up);
  uvr_pump_stop(&pair->down);
  close_stream(pair, &pair->left, &pair->closing_left, pair->left_how, on_left_closed);
  close_stream(pair, &pair->right, &pair->closing_right, pair->right_how, on_right_closed);
  if (pair->children == 0 && uvr_pump_clear(&pair->up) && uvr_pump_clear(&pair->down)) {
    uv_close((uv_handle_t *)&pair->stall, on_stall_closed);
  } else if (pair->children == 0 || pair->left != NULL || pair->right != NULL) {
    (void)uv_timer_start(timer, close_on, pair->context->patience.thread_retry_ms, 0);
  }
}

static void on_child_closed(void *user)
{
  uvr_pair *pair = user;
  if (--pair->children == 0) {
    close_on(&pair->timer);
  }
}

/* What was written is to arrive, after a failure of the other side, too. */
static uvr_close_how how_to_close(uvrelay_reason_t reason, bool cut, uint64_t written)
{
  if (reason != UVRELAY_REASON_STOPPED && written > 0) {
    return cut ? UVR_CLOSE_CUT_AFTER_WRITES : UVR_CLOSE_GENTLY;
  }
  return cut ? UVR_CLOSE_CUT : UVR_CLOSE_NOW;
}

/* The one way to end. `error` NULL: in an orderly way. */
static void drop(uvr_pair *pair, uvrelay_reason_t reason, uvrelay_side_t side, const uvrelay_error_t *error,
                 const char *why)
{
  if (pair->state == PAIR_ENDING) {
    return;
  }
  pair->state = PAIR_ENDING;
  uvr_pump_stop(&pair->up);
  uvr_pump_stop(&pair->down);
  (void)uv_timer_stop(&pair->timer);
  (void)uv_timer_stop(&pair->idle);
  (void)uv_timer_stop(&pair->stall);
  pair->result.reason = reason;
  pair->result.side = side;
  pair->result.to_right = uvr_pump_bytes(&pair->up);
  pair->result.to_left = uvr_pump_bytes(&pair->down);
  if (error != NULL) {
    pair->result.error = *error;
  } else {
    (void)uvr_error_set(&pair->result.error, UVRELAY_PHASE_NONE, 0, "%s", why);
  }
  uvr_log_line(&pair->context->log,
               "ended after %" PRIu64 " ms: %s; %" PRIu64 " bytes sent, %" PRIu64 " bytes received",
               uv_now(pair->context->loop) - pair->started, why, pair->result.to_right, pair->result.to_left);

  bool cut = reason == UVRELAY_REASON_FAILED || reason == UVRELAY_REASON_STOPPED;
  pair->left_how = how_to_close(reason, cut, pair->result.to_left);
  cut = cut || (pair->left_vanished && !pair->left_ended);
  pair->right_how = how_to_close(reason, cut, pair->result.to_right);
  pair->children = 1U + (pair->right != NULL ? 1U : 0U) + (pair->dial != NULL ? 1U : 0U);
  if (pair->dial != NULL) {
    uvr_dial_close(pair->dial, on_child_closed, pair);
  }
  close_on(&pair->timer);
  if (pair->events.on_end != NULL) {
    pair->events.on_end(pair->events.user, &pair->result);
  }
}

static void drop_failed(uvr_pair *pair, uvrelay_side_t side, const uvrelay_error_t *error)
{
  drop(pair, UVRELAY_REASON_FAILED, side, error, error->text);
}

static void drop_lost_left(uvr_pair *pair)
{
  char why[UVRELAY_ERROR_TEXT_SIZE];
  pair->left_vanished = true;
  (void)snprintf(why, sizeof(why), "%s is gone", pair->left->name);
  drop(pair, UVRELAY_REASON_GONE, UVRELAY_LEFT, NULL,
       uvr_stream_watches_any_time(pair->left) ? "nobody reads the output any more" : why);
}

static void drop_if_both_ended(uvr_pair *pair, uvrelay_side_t last)
{
  if (!pair->up_ended || !pair->down_ended) {
    return;
  }
  if (pair->right_lost) {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, "the target is gone");
  } else {
    drop(pair, UVRELAY_REASON_ENDED, last, NULL, "both sides have ended");
  }
}

/* A target may be slow, and the system shows its progress in large steps; the program itself is to end soon. */
static uint64_t last_writes_ms(const uvr_pair *pair)
{
  return pair->options.left_is_client ? pair->context->patience.stall_ms : pair->context->patience.last_writes_ms;
}

/* They may take as long as they make progress. */
static void on_last_writes_timer(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  uint64_t progress = uvr_pump_progress(&pair->up);
  if (progress == pair->last_bytes) {
    drop_lost_left(pair);
    return;
  }
  pair->last_bytes = progress;
  (void)uv_timer_start(timer, on_last_writes_timer, last_writes_ms(pair), 0);
}

/* Nobody reads what comes from the right. What the left side gave is still passed on, where it must end soon. */
static void lose_left(uvr_pair *pair)
{
  uvr_pump_stop(&pair->down);
  pair->down_ended = true;
  pair->left_lost = true;
  bool ends_soon = uvr_pump_is_finishing(&pair->up) || !pair->left->ends_when_lost;
  if (pair->up_ended || !ends_soon) {
    drop_lost_left(pair);
  } else {
    pair->last_bytes = uvr_pump_progress(&pair->up);
    (void)uv_timer_stop(&pair->stall); /* which looks at the same progress */
    (void)uv_timer_start(&pair->timer, on_last_writes_timer, last_writes_ms(pair), 0);
  }
}

/* One side has ended and the other one, which could not be told, may stay as long as it has something to say. */

static void on_linger_timer(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  bool left_ended = pair->up_ended;
  const uvr_pump *pump = left_ended ? &pair->down : &pair->up;
  uint64_t silent = uv_now(pair->context->loop) - pump->active;
  uint64_t linger = pair->options.linger_ms;
  if (uvr_pump_is_finishing(pump) || silent < linger) {
    (void)uv_timer_start(timer, on_linger_timer, silent < linger ? linger - silent : linger, 0);
    return;
  }
  if (pair->right_lost) {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, "the target is gone");
    return;
  }
  drop(pair, UVRELAY_REASON_SILENT, left_ended ? UVRELAY_RIGHT : UVRELAY_LEFT, NULL,
       "one side has ended, and the other one is silent");
}

static void linger(uvr_pair *pair, uvr_pump *rest)
{
  if (pair->state == PAIR_RELAYING && pair->options.linger_ms > 0 && !pair->left_lost) {
    rest->active = uv_now(pair->context->loop);
    (void)uv_timer_start(&pair->timer, on_linger_timer, pair->options.linger_ms, 0);
  }
}

/* Nothing comes from either. */
static void on_idle_timer(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  uint64_t last = pair->up.active > pair->down.active ? pair->up.active : pair->down.active;
  uint64_t silent = uv_now(pair->context->loop) - last;
  if (silent < pair->options.idle_ms) {
    (void)uv_timer_start(timer, on_idle_timer, pair->options.idle_ms - silent, 0);
    return;
  }
  drop(pair, UVRELAY_REASON_SILENT, UVRELAY_SIDE_NONE, NULL, "both sides were silent for too long");
}

/* While the right side takes nothing, nothing is read from the left one, so that its end does not show by itself. */

static void on_stall_timer(uv_timer_t *timer)
{
  uvr_pair *pair = timer->data;
  if (!uvr_pump_is_full(&pair->up)) {
    return;
  }
  uint64_t now = uv_now(pair->context->loop);
  uint64_t progress = uvr_pump_progress(&pair->up);
  if (progress != pair->last_bytes || !uvr_stream_is_lost(pair->left)) {
    pair->last_bytes = progress;
    pair->stalled = now;
  } else if (now - pair->stalled >= pair->context->patience.stall_ms) {
    drop_lost_left(pair);
    return;
  }
  (void)uv_timer_start(timer, on_stall_timer, pair->context->patience.stall_look_ms, 0);
}

static void on_up_full(uvr_pump *pump)
{
  uvr_pair *pair = (uvr_pair *)((char *)pump - offsetof(uvr_pair, up));
  if (!pair->left_lost && !uv_is_active((uv_handle_t *)&pair->stall)) {
    (void)uv_timer_start(&pair->stall, on_stall_timer, pair->context->patience.stall_look_ms, 0);
  }
}

/* Whether the end of the other side's input can be told. */
static bool passes_end(const uvr_stream *to, uvrelay_eof_t eof)
{
  return eof != UVRELAY_EOF_NONE && (to->can_half_close || (eof == UVRELAY_EOF_MARKER && uvr_stream_can_mark_end(to)));
}

/* Left to right. */

static void on_right_shut_down(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  pair->up_ended = true;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_RIGHT, error);
    return;
  }
  uvr_log_line(&pair->context->log, "%s: %s", pair->right->name,
               outcome == UVR_DONE ? "told that the input has ended" : error->text);
  drop_if_both_ended(pair, UVRELAY_LEFT);
}

static void on_left_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_LEFT, error);
  } else if (pair->right_ended && !uvr_stream_watches_any_time(pair->left)) {
    pair->down_ended = true; /* as in on_right_lost */
    drop_if_both_ended(pair, UVRELAY_LEFT);
  } else if (!pair->left_lost && pair->state != PAIR_ENDING) {
    uvr_log_line(&pair->context->log, "%s", error->text);
    lose_left(pair);
  }
}

static void on_left_ended(uvr_pair *pair)
{
  pair->left_ended = true;
  uvr_log_line(&pair->context->log, "%s: end of input after %" PRIu64 " bytes", pair->left->name,
               uvr_pump_bytes(&pair->up));
  if (pair->options.end_after_left) {
    drop(pair, UVRELAY_REASON_ENDED, UVRELAY_LEFT, NULL, "the input has ended");
    return;
  }
  if (pair->left_lost) {
    drop_lost_left(pair);
    return;
  }
  if (!uvr_stream_watches_any_time(pair->left)) {
    uvr_stream_watch(pair->left, on_left_lost, pair);
  }
  if (passes_end(pair->right, pair->options.eof_to_right)) {
    uvr_stream_shutdown(pair->right, on_right_shut_down, pair);
  } else {
    pair->up_ended = true;
    drop_if_both_ended(pair, UVRELAY_LEFT);
    linger(pair, &pair->down);
  }
}

static void on_up_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  uvr_pair *pair = (uvr_pair *)((char *)pump - offsetof(uvr_pair, up));
  switch (end) {
  case UVR_PUMP_SOURCE_ENDED:
    on_left_ended(pair);
    break;
  case UVR_PUMP_SINK_GONE:
    /* It may have left something to read, and then its end: the other direction goes on until then. */
    uvr_log_line(&pair->context->log, "%s", error->text);
    pair->up_ended = true;
    pair->right_lost = true;
    if (pair->right->ends_when_lost) {
      drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
    }
    drop_if_both_ended(pair, UVRELAY_RIGHT);
    linger(pair, &pair->down);
    break;
  case UVR_PUMP_SOURCE_GONE:
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_LEFT, NULL, error->text);
    break;
  case UVR_PUMP_SOURCE_FAILED:
    if (pair->options.left_is_client && (error->code == UV_ECONNRESET || error->code == UV_ECONNABORTED)) {
      drop_lost_left(pair);
    } else {
      drop_failed(pair, UVRELAY_LEFT, error);
    }
    break;
  case UVR_PUMP_SINK_FAILED:
    drop_failed(pair, UVRELAY_RIGHT, error);
    break;
  }
}

/* Right to left. */

static void on_left_shut_down(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  pair->down_ended = true;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_LEFT, error);
    return;
  }
  drop_if_both_ended(pair, UVRELAY_RIGHT);
}

static void on_right_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (outcome == UVR_FAILED) {
    drop_failed(pair, UVRELAY_RIGHT, error);
  } else if (pair->left_ended) {
    /* It knows of our end and need not wait, although we may not have heard yet that the half-close is done. */
    pair->up_ended = true;
    drop_if_both_ended(pair, UVRELAY_RIGHT);
  } else {
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
  }
}

static void on_right_ended(uvr_pair *pair)
{
  pair->right_ended = true;
  uvr_log_line(&pair->context->log, "%s: end of input after %" PRIu64 " bytes", pair->right->name,
               uvr_pump_bytes(&pair->down));
  if (pair->options.end_after_right) {
    drop(pair, UVRELAY_REASON_ENDED, UVRELAY_RIGHT, NULL, "the target's output has ended");
    return;
  }
  if (!uvr_stream_watches_any_time(pair->right)) {
    uvr_stream_watch(pair->right, on_right_lost, pair);
  }
  if (passes_end(pair->left, pair->options.eof_to_left)) {
    uvr_stream_shutdown(pair->left, on_left_shut_down, pair);
  } else {
    pair->down_ended = true;
    drop_if_both_ended(pair, UVRELAY_RIGHT);
    linger(pair, &pair->up);
  }
}

static void on_down_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  uvr_pair *pair = (uvr_pair *)((char *)pump - offsetof(uvr_pair, down));
  switch (end) {
  case UVR_PUMP_SOURCE_ENDED:
    on_right_ended(pair);
    break;
  case UVR_PUMP_SOURCE_GONE:
    drop(pair, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
    break;
  case UVR_PUMP_SINK_GONE:
    uvr_log_line(&pair->context->log, "%s", error->text);
    lose_left(pair);
    break;
  case UVR_PUMP_SOURCE_FAILED:
    drop_failed(pair, UVRELAY_RIGHT, error);
    break;
  case UVR_PUMP_SINK_FAILED:
    drop_failed(pair, UVRELAY_LEFT, error);
    break;
  }
}

/* Starting. */

static void start_relaying(uvr_pair *pair, uvr_stream *right)
{
  pair->state = PAIR_RELAYING;
  pair->right = right;
  if (uvr_stream_watches_any_time(right)) {
    uvr_stream_watch(right, on_right_lost, pair);
  }
  if (!pair->left_lost) {
    uvr_pump_start(&pair->down, pair->context, pair->right, pair->left, on_down_end);
  }
  if (pair->state == PAIR_RELAYING) {
    uvr_pump_start(&pair->up, pair->context, pair->left, pair->right, on_up_end);
    pair->up.on_full = on_up_full;
  }
  if (pair->state == PAIR_RELAYING && uvr_pump_is_full(&pair->up)) {
    on_up_full(&pair->up);
  }
  if (pair->state == PAIR_RELAYING && pair->options.idle_ms > 0) {
    (void)uv_timer_start(&pair->idle, on_idle_timer, pair->options.idle_ms, 0);
  }
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvr_pair *pair = user;
  if (stream == NULL) {
    drop_failed(pair, UVRELAY_RIGHT, error);
    return;
  }
  uvr_log_line(&pair->context->log, "connected to %s after %" PRIu64 " ms", stream->name,
               uv_now(pair->context->loop) - pair->started);
  start_relaying(pair, stream);
}

static void init(uvr_pair *pair, uvr_context *context, uvr_stream *left, const uvr_pair_options *options,
                 const uvr_pair_events *events)
{
  pair->context = context;
  pair->options = *options;
  pair->events = *events;
  pair->left = left;
  pair->started = uv_now(context->loop);
  (void)uv_timer_init(context->loop, &pair->timer);
  pair->timer.data = pair;
  (void)uv_timer_init(context->loop, &pair->idle);
  pair->idle.data = pair;
  (void)uv_timer_init(context->loop, &pair->stall);
  pair->stall.data = pair;
  if (uvr_stream_watches_any_time(left)) {
    uvr_stream_watch(left, on_left_lost, pair);
  }
}

int uvr_pair_start(uvr_context *context, uvr_stream *left, const uvr_address *address, const uvr_pair_options *options,
                   const uvr_pair_events *events, uvr_pair **out)
{
  uvr_pair *pair = uvr_alloc(&context->memory, sizeof(*pair));
  if (pair == NULL) {
    return UV_ENOMEM;
  }
  pair->dial = uvr_dial_start(context, address, &options->dial, on_dialled, pair);
  if (pair->dial == NULL) {
    uvr_free(&context->memory, pair);
    return UV_ENOMEM;
  }
  init(pair, context, left, options, events);
  uvr_log_line(&context->log, "connecting to %s", address->canonical);
  *out = pair;
  return 0;
}

int uvr_pair_start_connected(uvr_context *context, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options,
                             const uvr_pair_events *events, uvr_pair **out)
{
  uvr_pair *pair = uvr_alloc(&context->memory, sizeof(*pair));
  if (pair == NULL) {
    return UV_ENOMEM;
  }
  init(pair, context, left, options, events);
  *out = pair;
  start_relaying(pair, right);
  return 0;
}

void uvr_pair_bytes(const uvr_pair *pair, uint64_t *to_right, uint64_t *to_left)
{
  bool ending = pair->state == PAIR_ENDING; /* a pump may be cleared by now */
  *to_right = ending ? pair->result.to_right : uvr_pump_bytes(&pair->up);
  *to_left = ending ? pair->result.to_left : uvr_pump_bytes(&pair->down);
}

static void hurry(uvr_pair *pair)
{
  if (pair->closing_left != NULL) {
    uvr_stream_hurry(pair->closing_left);
  }
  if (pair->closing_right != NULL) {
    uvr_stream_hurry(pair->closing_right);
  }
}

void uvr_pair_cancel(uvr_pair *pair)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  drop(pair, UVRELAY_REASON_STOPPED, UVRELAY_SIDE_NONE, &error, error.text);
  hurry(pair);
}
