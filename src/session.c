/* A session.
 *
 * Happy path: dial the right side, start both pumps, and when a side ends half-close the other; when both have ended,
 * the session is done. Pumps and streams only report; what it means is decided here, and everything that ends a
 * session goes through drop(), once. The last child's close callback frees it.
 *
 * Ways to end early: the dial fails; a stream fails (an error); the right side is gone (what it gave is written
 * first); the left side is gone (nobody is left to read, so the session ends, but what it gave and we have read is
 * still written, for a moment); an end of input that the options make the end of all; silence of one side when the
 * other has ended and the silent one cannot be told. */
#include "session.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "pump.h"

enum {
  LAST_WRITES_MS = 1000, /* without progress, for what the left side gave before it went */
  STALL_LOOK_MS = 1000,
  STALL_MS = 10000,   /* the same, if the right side takes nothing at all */
  CLOSE_RETRY_MS = 10 /* while a pump's thread is still inside a stream */
};

typedef enum session_state { SESSION_DIALLING, SESSION_RELAYING, SESSION_ENDING } session_state;

struct uvr_session {
  uvr_env *env;
  uvr_session_options options;
  uvr_session_events events;
  session_state state;
  uvr_stream *left;
  uvr_stream *right;
  uvr_stream *closing_left; /* they, while they close */
  uvr_stream *closing_right;
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
  uv_timer_t timer;   /* for silence: linger_ms, LAST_WRITES_MS */
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
  uvr_session *session = handle->data;
  uvr_session_events events = session->events;
  uvr_free(&session->env->memory, session);
  if (events.on_close != NULL) {
    events.on_close(events.user);
  }
}

static void on_idle_closed(uv_handle_t *handle)
{
  uvr_session *session = handle->data;
  uv_close((uv_handle_t *)&session->timer, on_timer_closed);
}

static void on_stall_closed(uv_handle_t *handle)
{
  uvr_session *session = handle->data;
  uv_close((uv_handle_t *)&session->idle, on_idle_closed);
}

static void on_child_closed(void *user);

static void on_left_closed(void *user)
{
  ((uvr_session *)user)->closing_left = NULL;
  on_child_closed(user);
}

static void on_right_closed(void *user)
{
  ((uvr_session *)user)->closing_right = NULL;
  on_child_closed(user);
}

static void close_stream(uvr_session *session, uvr_stream **stream, uvr_stream **closing, uvr_close_cb on_closed)
{
  if (*stream != NULL && !uvr_pump_is_inside(&session->up, *stream) && !uvr_pump_is_inside(&session->down, *stream)) {
    *closing = *stream;
    *stream = NULL;
    uvr_stream_close(*closing, on_closed, session);
  }
}

/* Closes what can be closed, and comes back until nothing is left. */
static void close_on(uv_timer_t *timer)
{
  uvr_session *session = timer->data;
  uvr_pump_stop(&session->up);
  uvr_pump_stop(&session->down);
  close_stream(session, &session->left, &session->closing_left, on_left_closed);
  close_stream(session, &session->right, &session->closing_right, on_right_closed);
  if (session->children == 0 && uvr_pump_clear(&session->up) && uvr_pump_clear(&session->down)) {
    uv_close((uv_handle_t *)&session->stall, on_stall_closed);
  } else if (session->children == 0 || session->left != NULL || session->right != NULL) {
    (void)uv_timer_start(timer, close_on, CLOSE_RETRY_MS, 0);
  }
}

static void on_child_closed(void *user)
{
  uvr_session *session = user;
  if (--session->children == 0) {
    close_on(&session->timer);
  }
}

/* The one way to end. `error` NULL: in an orderly way. */
static void drop(uvr_session *session, uvrelay_reason_t reason, uvrelay_side_t side, const uvrelay_error_t *error,
                 const char *why)
{
  if (session->state == SESSION_ENDING) {
    return;
  }
  session->state = SESSION_ENDING;
  uvr_pump_stop(&session->up);
  uvr_pump_stop(&session->down);
  (void)uv_timer_stop(&session->timer);
  (void)uv_timer_stop(&session->idle);
  (void)uv_timer_stop(&session->stall);
  session->result.reason = reason;
  session->result.side = side;
  session->result.to_right = uvr_pump_bytes(&session->up);
  session->result.to_left = uvr_pump_bytes(&session->down);
  if (error != NULL) {
    session->result.error = *error;
  } else {
    (void)uvr_error_set(&session->result.error, UVRELAY_PHASE_NONE, 0, "%s", why);
  }
  uvr_log_line(&session->env->log, "ended after %" PRIu64 " ms: %s; %" PRIu64 " bytes sent, %" PRIu64 " bytes received",
               uv_now(session->env->loop) - session->started, why, session->result.to_right, session->result.to_left);

  /* What was written is to arrive, after a failure of the other side, too. */
  session->left->closes_gently = reason != UVRELAY_REASON_STOPPED && session->result.to_left > 0;
  session->left->cut = reason == UVRELAY_REASON_FAILED || reason == UVRELAY_REASON_STOPPED;
  if (session->right != NULL) {
    session->right->closes_gently = reason != UVRELAY_REASON_STOPPED && session->result.to_right > 0;
    session->right->cut = session->left->cut || (session->left_vanished && !session->left_ended);
  }
  session->children = 1U + (session->right != NULL ? 1U : 0U) + (session->dial != NULL ? 1U : 0U);
  if (session->dial != NULL) {
    uvr_dial_close(session->dial, on_child_closed, session);
  }
  close_on(&session->timer);
  if (session->events.on_end != NULL) {
    session->events.on_end(session->events.user, &session->result);
  }
}

static void drop_failed(uvr_session *session, uvrelay_side_t side, const uvrelay_error_t *error)
{
  drop(session, UVRELAY_REASON_FAILED, side, error, error->text);
}

static void drop_lost_left(uvr_session *session)
{
  char why[UVRELAY_ERROR_TEXT_SIZE];
  session->left_vanished = true;
  (void)snprintf(why, sizeof(why), "%s is gone", session->left->name);
  drop(session, UVRELAY_REASON_GONE, UVRELAY_LEFT, NULL,
       session->left->watches_any_time ? "nobody reads the output any more" : why);
}

static void drop_if_both_ended(uvr_session *session, uvrelay_side_t last)
{
  if (!session->up_ended || !session->down_ended) {
    return;
  }
  if (session->right_lost) {
    drop(session, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, "the target is gone");
  } else {
    drop(session, UVRELAY_REASON_ENDED, last, NULL, "both sides have ended");
  }
}

/* A target may be slow, and the system shows its progress in large steps; the program itself is to end soon. */
static uint64_t last_writes_ms(const uvr_session *session)
{
  return session->options.left_may_leave ? STALL_MS : LAST_WRITES_MS;
}

/* They may take as long as they make progress. */
static void on_last_writes_timer(uv_timer_t *timer)
{
  uvr_session *session = timer->data;
  uint64_t progress = uvr_pump_progress(&session->up);
  if (progress == session->last_bytes) {
    drop_lost_left(session);
    return;
  }
  session->last_bytes = progress;
  (void)uv_timer_start(timer, on_last_writes_timer, last_writes_ms(session), 0);
}

/* Nobody reads what comes from the right. What the left side gave is still passed on, where it must end soon. */
static void lose_left(uvr_session *session)
{
  uvr_pump_stop(&session->down);
  session->down_ended = true;
  session->left_lost = true;
  bool ends_soon = uvr_pump_is_finishing(&session->up) || !session->left->ends_when_lost;
  if (session->up_ended || !ends_soon) {
    drop_lost_left(session);
  } else {
    session->last_bytes = uvr_pump_progress(&session->up);
    (void)uv_timer_stop(&session->stall); /* which looks at the same progress */
    (void)uv_timer_start(&session->timer, on_last_writes_timer, last_writes_ms(session), 0);
  }
}

/* One side has ended and the other one, which could not be told, may stay as long as it has something to say. */

static void on_linger_timer(uv_timer_t *timer)
{
  uvr_session *session = timer->data;
  bool left_ended = session->up_ended;
  const uvr_pump *pump = left_ended ? &session->down : &session->up;
  uint64_t silent = uv_now(session->env->loop) - pump->active;
  uint64_t linger = session->options.linger_ms;
  if (uvr_pump_is_finishing(pump) || silent < linger) {
    (void)uv_timer_start(timer, on_linger_timer, silent < linger ? linger - silent : linger, 0);
    return;
  }
  if (session->right_lost) {
    drop(session, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, "the target is gone");
    return;
  }
  drop(session, UVRELAY_REASON_SILENT, left_ended ? UVRELAY_RIGHT : UVRELAY_LEFT, NULL,
       "one side has ended, and the other one is silent");
}

static void linger(uvr_session *session, uvr_pump *rest)
{
  if (session->state == SESSION_RELAYING && session->options.linger_ms > 0 && !session->left_lost) {
    rest->active = uv_now(session->env->loop);
    (void)uv_timer_start(&session->timer, on_linger_timer, session->options.linger_ms, 0);
  }
}

/* Nothing comes from either. */
static void on_idle_timer(uv_timer_t *timer)
{
  uvr_session *session = timer->data;
  uint64_t last = session->up.active > session->down.active ? session->up.active : session->down.active;
  uint64_t silent = uv_now(session->env->loop) - last;
  if (silent < session->options.idle_ms) {
    (void)uv_timer_start(timer, on_idle_timer, session->options.idle_ms - silent, 0);
    return;
  }
  drop(session, UVRELAY_REASON_SILENT, UVRELAY_SIDE_NONE, NULL, "both sides were silent for too long");
}

/* While the right side takes nothing, nothing is read from the left one, so that its end does not show by itself. */

static void on_stall_timer(uv_timer_t *timer)
{
  uvr_session *session = timer->data;
  if (!uvr_pump_is_full(&session->up)) {
    return;
  }
  uint64_t now = uv_now(session->env->loop);
  uint64_t progress = uvr_pump_progress(&session->up);
  if (progress != session->last_bytes || !uvr_stream_is_lost(session->left)) {
    session->last_bytes = progress;
    session->stalled = now;
  } else if (now - session->stalled >= STALL_MS) {
    drop_lost_left(session);
    return;
  }
  (void)uv_timer_start(timer, on_stall_timer, STALL_LOOK_MS, 0);
}

static void on_up_full(uvr_pump *pump)
{
  uvr_session *session = (uvr_session *)((char *)pump - offsetof(uvr_session, up));
  if (!session->left_lost && !uv_is_active((uv_handle_t *)&session->stall)) {
    (void)uv_timer_start(&session->stall, on_stall_timer, STALL_LOOK_MS, 0);
  }
}

/* Whether the end of the other side's input can be told. */
static bool passes_end(const uvr_stream *to, uvrelay_eof_t eof)
{
  return eof != UVRELAY_EOF_NONE && (to->can_half_close || (eof == UVRELAY_EOF_MARKER && to->can_mark_end));
}

/* Left to right. */

static void on_right_shut_down(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_session *session = user;
  session->up_ended = true;
  if (outcome == UVR_FAILED) {
    drop_failed(session, UVRELAY_RIGHT, error);
    return;
  }
  uvr_log_line(&session->env->log, "%s: %s", session->right->name,
               outcome == UVR_DONE ? "told that the input has ended" : error->text);
  drop_if_both_ended(session, UVRELAY_LEFT);
}

static void on_left_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_session *session = user;
  if (outcome == UVR_FAILED) {
    drop_failed(session, UVRELAY_LEFT, error);
  } else if (session->right_ended && !session->left->watches_any_time) {
    session->down_ended = true; /* as in on_right_lost */
    drop_if_both_ended(session, UVRELAY_LEFT);
  } else if (!session->left_lost && session->state != SESSION_ENDING) {
    uvr_log_line(&session->env->log, "%s", error->text);
    lose_left(session);
  }
}

static void on_left_ended(uvr_session *session)
{
  session->left_ended = true;
  uvr_log_line(&session->env->log, "%s: end of input after %" PRIu64 " bytes", session->left->name,
               uvr_pump_bytes(&session->up));
  if (session->options.end_after_left) {
    drop(session, UVRELAY_REASON_ENDED, UVRELAY_LEFT, NULL, "the input has ended");
    return;
  }
  if (session->left_lost) {
    drop_lost_left(session);
    return;
  }
  if (!session->left->watches_any_time) {
    uvr_stream_watch(session->left, on_left_lost, session);
  }
  if (passes_end(session->right, session->options.eof_to_right)) {
    uvr_stream_shutdown(session->right, on_right_shut_down, session);
  } else {
    session->up_ended = true;
    drop_if_both_ended(session, UVRELAY_LEFT);
    linger(session, &session->down);
  }
}

static void on_up_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  uvr_session *session = (uvr_session *)((char *)pump - offsetof(uvr_session, up));
  switch (end) {
  case UVR_PUMP_SOURCE_ENDED:
    on_left_ended(session);
    break;
  case UVR_PUMP_SINK_GONE:
    /* It may have left something to read, and then its end: the other direction goes on until then. */
    uvr_log_line(&session->env->log, "%s", error->text);
    session->up_ended = true;
    session->right_lost = true;
    if (session->right->ends_when_lost) {
      drop(session, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
    }
    drop_if_both_ended(session, UVRELAY_RIGHT);
    linger(session, &session->down);
    break;
  case UVR_PUMP_SOURCE_GONE:
    drop(session, UVRELAY_REASON_GONE, UVRELAY_LEFT, NULL, error->text);
    break;
  case UVR_PUMP_SOURCE_FAILED:
    if (session->options.left_may_leave && (error->code == UV_ECONNRESET || error->code == UV_ECONNABORTED)) {
      drop_lost_left(session);
    } else {
      drop_failed(session, UVRELAY_LEFT, error);
    }
    break;
  case UVR_PUMP_SINK_FAILED:
    drop_failed(session, UVRELAY_RIGHT, error);
    break;
  }
}

/* Right to left. */

static void on_left_shut_down(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_session *session = user;
  session->down_ended = true;
  if (outcome == UVR_FAILED) {
    drop_failed(session, UVRELAY_LEFT, error);
    return;
  }
  drop_if_both_ended(session, UVRELAY_RIGHT);
}

static void on_right_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_session *session = user;
  if (outcome == UVR_FAILED) {
    drop_failed(session, UVRELAY_RIGHT, error);
  } else if (session->left_ended) {
    /* It knows of our end and need not wait, although we may not have heard yet that the half-close is done. */
    session->up_ended = true;
    drop_if_both_ended(session, UVRELAY_RIGHT);
  } else {
    drop(session, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
  }
}

static void on_right_ended(uvr_session *session)
{
  session->right_ended = true;
  uvr_log_line(&session->env->log, "%s: end of input after %" PRIu64 " bytes", session->right->name,
               uvr_pump_bytes(&session->down));
  if (session->options.end_after_right) {
    drop(session, UVRELAY_REASON_ENDED, UVRELAY_RIGHT, NULL, "the target's output has ended");
    return;
  }
  if (!session->right->watches_any_time) {
    uvr_stream_watch(session->right, on_right_lost, session);
  }
  if (passes_end(session->left, session->options.eof_to_left)) {
    uvr_stream_shutdown(session->left, on_left_shut_down, session);
  } else {
    session->down_ended = true;
    drop_if_both_ended(session, UVRELAY_RIGHT);
    linger(session, &session->up);
  }
}

static void on_down_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  uvr_session *session = (uvr_session *)((char *)pump - offsetof(uvr_session, down));
  switch (end) {
  case UVR_PUMP_SOURCE_ENDED:
    on_right_ended(session);
    break;
  case UVR_PUMP_SOURCE_GONE:
    drop(session, UVRELAY_REASON_GONE, UVRELAY_RIGHT, NULL, error->text);
    break;
  case UVR_PUMP_SINK_GONE:
    uvr_log_line(&session->env->log, "%s", error->text);
    lose_left(session);
    break;
  case UVR_PUMP_SOURCE_FAILED:
    drop_failed(session, UVRELAY_RIGHT, error);
    break;
  case UVR_PUMP_SINK_FAILED:
    drop_failed(session, UVRELAY_LEFT, error);
    break;
  }
}

/* Starting. */

static void start_relaying(uvr_session *session, uvr_stream *right)
{
  session->state = SESSION_RELAYING;
  session->right = right;
  if (right->watches_any_time) {
    uvr_stream_watch(right, on_right_lost, session);
  }
  if (!session->left_lost) {
    uvr_pump_start(&session->down, session->env, session->right, session->left, on_down_end);
  }
  if (session->state == SESSION_RELAYING) {
    uvr_pump_start(&session->up, session->env, session->left, session->right, on_up_end);
    session->up.on_full = on_up_full;
  }
  if (session->state == SESSION_RELAYING && uvr_pump_is_full(&session->up)) {
    on_up_full(&session->up);
  }
  if (session->state == SESSION_RELAYING && session->options.idle_ms > 0) {
    (void)uv_timer_start(&session->idle, on_idle_timer, session->options.idle_ms, 0);
  }
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvr_session *session = user;
  if (stream == NULL) {
    drop_failed(session, UVRELAY_RIGHT, error);
    return;
  }
  uvr_log_line(&session->env->log, "connected to %s after %" PRIu64 " ms", stream->name,
               uv_now(session->env->loop) - session->started);
  start_relaying(session, stream);
}

static void init(uvr_session *session, uvr_env *env, uvr_stream *left, const uvr_session_options *options,
                 const uvr_session_events *events)
{
  session->env = env;
  session->options = *options;
  session->events = *events;
  session->left = left;
  session->started = uv_now(env->loop);
  (void)uv_timer_init(env->loop, &session->timer);
  session->timer.data = session;
  (void)uv_timer_init(env->loop, &session->idle);
  session->idle.data = session;
  (void)uv_timer_init(env->loop, &session->stall);
  session->stall.data = session;
  if (left->watches_any_time) {
    uvr_stream_watch(left, on_left_lost, session);
  }
}

int uvr_session_start(uvr_env *env, uvr_stream *left, const uvr_address *address, const uvr_session_options *options,
                      const uvr_session_events *events, uvr_session **out)
{
  uvr_session *session = uvr_alloc(&env->memory, sizeof(*session));
  if (session == NULL) {
    return UV_ENOMEM;
  }
  session->dial = uvr_dial_start(env, address, &options->dial, on_dialled, session);
  if (session->dial == NULL) {
    uvr_free(&env->memory, session);
    return UV_ENOMEM;
  }
  init(session, env, left, options, events);
  uvr_log_line(&env->log, "connecting to %s", address->canonical);
  *out = session;
  return 0;
}

int uvr_session_start_connected(uvr_env *env, uvr_stream *left, uvr_stream *right, const uvr_session_options *options,
                                const uvr_session_events *events, uvr_session **out)
{
  uvr_session *session = uvr_alloc(&env->memory, sizeof(*session));
  if (session == NULL) {
    return UV_ENOMEM;
  }
  init(session, env, left, options, events);
  *out = session;
  start_relaying(session, right);
  return 0;
}

void uvr_session_bytes(const uvr_session *session, uint64_t *to_right, uint64_t *to_left)
{
  bool ending = session->state == SESSION_ENDING; /* a pump may be cleared by now */
  *to_right = ending ? session->result.to_right : uvr_pump_bytes(&session->up);
  *to_left = ending ? session->result.to_left : uvr_pump_bytes(&session->down);
}

static void hurry(uvr_session *session)
{
  if (session->closing_left != NULL) {
    uvr_stream_hurry(session->closing_left);
  }
  if (session->closing_right != NULL) {
    uvr_stream_hurry(session->closing_right);
  }
}

void uvr_session_cancel(uvr_session *session)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  drop(session, UVRELAY_REASON_STOPPED, UVRELAY_SIDE_NONE, &error, error.text);
  hurry(session);
}
