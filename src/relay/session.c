/* A session of the public relay: from two endpoints to a running pair, and to its end.
 *
 * Happy path: uvrelay_start checks and adopts the endpoints. Everything else happens on wakeups, alarms of 0 ms: a left
 * address is dialled, the other endpoints become streams, the pair is started, and a right address is dialled for it.
 * Each dial is closed as soon as it has connected. When the pair is closed, the endpoints are released, and the done
 * callback is called. The session of a route's client, or of a mux's, has its streams from the start and needs no
 * wakeup: its pair is started at once.
 *
 * Ways to fail before there is a pair: the left address cannot be dialled; there is no memory; standard descriptors
 * cannot be opened; the session is cancelled. All of these go through end(), which closes on each side what there is by
 * then. Once there is a pair, the pair decides how the session ends.
 *
 * A relay may have thousands of sessions, so what only uvrelay_start needs is a struct of its own, and a route's
 * options are not copied. */
#include "relay/session.h"

#include <string.h>

#include "base/os.h"

enum { IDLE_RETRY_MS = 1 };

typedef enum session_state {
  SESSION_OPENING,  /* there is no pair yet */
  SESSION_RELAYING, /* there is one */
  SESSION_ENDING
} session_state;

struct uvrelay_session_s {
  uvr_part part;
  uvrelay_t *relay;
  uvr_context *context;               /* the relay's, or its mux_context */
  uvr_given *given;                   /* NULL: the session is a client's */
  uvr_stream *client;                 /* the left stream of such a session until the pair has it */
  const uvr_session_options *options; /* the route's, or those in `given` */
  uvrelay_done_cb cb;
  void *user;
  uvr_alarm wakeup; /* makes the next step */
  uvr_dial *dial;   /* for the left or the right side, while it is under way */
  uvr_pair *pair;
  session_state state;
  bool cancelled;
  bool gives_up;      /* an absent target is not waited for */
  bool stops_waiting; /* an absent target that was to be waited for ends it */
  uint64_t started;   /* loop time, ms */
  uvr_closing closing;
  char *why; /* the text of the result, once the session ends; NULL if there was no memory for it */
  uvrelay_reason_t reason;
  uvrelay_side_t side;
  uvrelay_phase_t phase;
  int code;
  unsigned long system;
  uint64_t to_right;
  uint64_t to_left;
};

static void on_wakeup(uvr_alarm *alarm);

static void wake_after(uvrelay_session_t *s, uint64_t ms)
{
  uvr_alarm_set(s->context->clock, &s->wakeup, ms, on_wakeup);
}

/* The public result is large, so the session keeps what it consists of. */

static void set_result(uvrelay_session_t *s, const uvrelay_result_t *result)
{
  size_t size = strlen(result->error.text) + 1;
  s->reason = result->reason;
  s->side = result->side;
  s->phase = result->error.phase;
  s->code = result->error.code;
  s->system = result->error.system;
  s->to_right = result->to_right;
  s->to_left = result->to_left;
  s->why = uvr_alloc(&s->relay->context.memory, size);
  if (s->why != NULL) {
    memcpy(s->why, result->error.text, size);
  }
}

static void deliver_result(uvrelay_session_t *s)
{
  uvrelay_result_t result;
  result.reason = s->reason;
  result.side = s->side;
  result.to_right = s->to_right;
  result.to_left = s->to_left;
  result.duration_ms = uv_now(s->relay->context.loop) - s->started;
  if (s->why != NULL || s->code == 0) {
    uvr_error_say(&result.error, s->phase, s->code, s->why != NULL ? s->why : "",
                  s->why != NULL ? "" : "there was not enough memory to say why");
    result.error.system = s->system;
  } else {
    uvr_error_say(&result.error, s->phase, s->code, uv_strerror(s->code), "");
  }
  if (s->cb != NULL) {
    s->cb(s, &result, s->user);
  }
  uvr_free(&s->relay->context.memory, s->why);
}

/* Ending: the streams are closed first, then the endpoints are released. */

static void on_released(void *user)
{
  uvrelay_session_t *s = user;
  uvrelay_t *relay = s->relay;
  uvr_alarm_clear(s->context->clock, &s->wakeup);
  uvr_relay_remove(&s->part);
  relay->counters.active--;
  relay->counters.failed += s->reason == UVRELAY_REASON_FAILED ? 1U : 0U;
  relay->counters.to_right += s->to_right;
  relay->counters.to_left += s->to_left;
  if (relay->counters.active == 0) {
    uvr_relay_wake(relay);
  }
  deliver_result(s);
  uvr_given_free(relay, s->given);
  uvr_free(&relay->context.memory, s);
}

static void on_streams_closed(void *user)
{
  uvrelay_session_t *s = user;
  uvr_closing_begin(&s->closing, on_released, s);
  if (s->given != NULL) {
    uvr_opener_release(&s->given->left, &s->closing);
    uvr_opener_release(&s->given->right, &s->closing);
  }
  uvr_closing_end(&s->closing);
}

static void close_dial(uvrelay_session_t *s)
{
  if (s->dial != NULL) {
    uvr_dial *dial = s->dial;
    s->dial = NULL;
    uvr_dial_close(dial, uvr_closing_add(&s->closing), &s->closing);
  }
}

/* Ends a session that has no pair. */
static void end(uvrelay_session_t *s, const uvrelay_result_t *result)
{
  set_result(s, result);
  s->state = SESSION_ENDING;
  uvr_alarm_clear(s->context->clock, &s->wakeup);
  uvr_closing_begin(&s->closing, on_streams_closed, s);
  close_dial(s);
  if (s->given != NULL) {
    uvr_opener_close(&s->given->left, &s->closing);
    uvr_opener_close(&s->given->right, &s->closing);
  }
  if (s->client != NULL) {
    uvr_stream_close(s->client, UVR_CLOSE_NOW, uvr_closing_add(&s->closing), &s->closing);
  }
  uvr_closing_end(&s->closing);
}

static void fail(uvrelay_session_t *s, uvrelay_side_t side, const uvrelay_error_t *error)
{
  end(s, &(uvrelay_result_t){.reason = UVRELAY_REASON_FAILED, .side = side, .error = *error});
}

static void fail_memory(uvrelay_session_t *s)
{
  uvrelay_error_t error;
  (void)uvr_given_no_memory(&error);
  fail(s, UVRELAY_SIDE_NONE, &error);
}

static void cancel(uvrelay_session_t *s)
{
  if (s->pair != NULL) {
    uvr_pair_cancel(s->pair);
    return;
  }
  uvrelay_result_t result = {.reason = UVRELAY_REASON_STOPPED};
  (void)uvr_error_set(&result.error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  end(s, &result);
}

/* The pair. */

static void on_pair_end(void *user, const uvrelay_result_t *result)
{
  uvrelay_session_t *s = user;
  set_result(s, result);
  s->state = SESSION_ENDING;
  if (!s->cancelled) { /* otherwise the wakeup hurries the closing */
    uvr_alarm_clear(s->context->clock, &s->wakeup);
  }
  uvr_closing_begin(&s->closing, on_streams_closed, s);
  close_dial(s);
}

static void on_pair_closed(void *user)
{
  uvrelay_session_t *s = user;
  s->pair = NULL;
  uvr_closing_end(&s->closing);
}

/* Whether the stop of the relay or the route is what the dial has failed by: it would have gone on. */
static bool was_waiting(const uvrelay_session_t *s, const uvrelay_error_t *error)
{
  return s->stops_waiting && uvr_error_is_absence(error);
}

static void on_right_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvrelay_session_t *s = user;
  uvr_dial *dial = s->dial;
  uvr_close_cb on_dial_closed = uvr_closing_add(&s->closing);
  s->dial = NULL;
  if (stream == NULL && was_waiting(s, error)) {
    uvrelay_session_cancel(s);
  } else if (stream == NULL) {
    uvr_pair_fail(s->pair, error);
  } else {
    if (s->given != NULL) {
      uvr_opener_forget_address(&s->relay->context.memory, &s->given->right);
    }
    uvr_pair_connect(s->pair, stream);
  }
  uvr_dial_close(dial, on_dial_closed, &s->closing); /* comes last, as the error belongs to the dial */
}

/* The options of a dial, for a side. */
static uvr_dial_options dial_options(const uvrelay_session_t *s, uvrelay_side_t side, uvr_via *via)
{
  const uvr_pair_options *pair = &s->options->pair;
  uvr_dial_options options = s->options->dial;
  options.retry &= s->gives_up ? ~(unsigned)UVRELAY_RETRY_ABSENT : UVRELAY_RETRY_ALL;
  options.address_lasts = s->given == NULL; /* it is the route's */
  options.connect.via = via;
  options.connect.eof = side == UVRELAY_LEFT ? pair->eof_to_left : pair->eof_to_right;
  options.connect.linger_ms = side == UVRELAY_LEFT ? pair->left_linger_ms : pair->linger_ms;
  return options;
}

static void dial_right(uvrelay_session_t *s, const uvr_address *address, uvr_via *via)
{
  uvr_dial_options options = dial_options(s, UVRELAY_RIGHT, via);
  options.at_once = true;
  uvr_log_line(&s->context->log, "connecting to %s", address->canonical);
  options.connect.keep_room = s->given == NULL && via == NULL;
  s->dial = uvr_dial_start(s->context, address, &options, on_right_dialled, s);
  if (s->dial == NULL) {
    uvrelay_error_t error;
    (void)uvr_given_no_memory(&error);
    uvr_pair_fail(s->pair, &error);
  } else {
    uvr_dial_now(s->dial);
  }
}

/* Starts the pair. Returns false if there is no memory, and the streams still belong to the caller. */
static bool start_pair(uvrelay_session_t *s, uvr_stream *left, uvr_stream *right, const uvr_pair_options *options)
{
  const uvr_pair_events events = {.on_end = on_pair_end, .on_close = on_pair_closed, .user = s};
  s->state = SESSION_RELAYING;
  return uvr_pair_start(s->context, left, right, options, &events, &s->pair) == 0;
}

/* Starts the pair of what uvrelay_start was given. */
static void start_given(uvrelay_session_t *s)
{
  uvr_opener *left = &s->given->left;
  uvr_opener *right = &s->given->right;
  if (!start_pair(s, left->stream, right->stream, &s->options->pair)) {
    fail_memory(s);
    return;
  }
  bool dials = right->stream == NULL;
  left->stream = NULL;
  right->stream = NULL;
  if (dials && s->state == SESSION_RELAYING) {
    dial_right(s, right->address, right->via);
  }
}

/* Making streams of the endpoints. */

static void on_left_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvrelay_session_t *s = user;
  if (stream == NULL) {
    if (was_waiting(s, error)) {
      uvrelay_session_cancel(s);
    } else {
      fail(s, UVRELAY_LEFT, error);
    }
    return;
  }
  s->given->left.stream = stream;
  uvr_opener_forget_address(&s->relay->context.memory, &s->given->left);
  close_dial(s);
  wake_after(s, 0);
}

static bool dial_left(uvrelay_session_t *s)
{
  if (s->dial == NULL) {
    const uvr_opener *left = &s->given->left;
    const uvr_dial_options options = dial_options(s, UVRELAY_LEFT, left->via);
    s->dial = uvr_dial_start(s->context, left->address, &options, on_left_dialled, s);
    if (s->dial == NULL) {
      fail_memory(s);
    }
  }
  return false;
}

/* Returns true when the side has its stream, or is the right one and an address, which is dialled later. */
static bool prepare(uvrelay_session_t *s, uvr_opener *opener, uvrelay_side_t which)
{
  uvrelay_error_t error;
  switch (uvr_opener_open(s->context, opener, &error)) {
  case UVR_OPENING_DONE:
    return true;
  case UVR_OPENING_ADDRESS:
    return which == UVRELAY_RIGHT || dial_left(s);
  case UVR_OPENING_WAITS:
    wake_after(s, IDLE_RETRY_MS);
    return false;
  case UVR_OPENING_FAILED:
    break;
  }
  fail(s, which, &error);
  return false;
}

static void on_wakeup(uvr_alarm *alarm)
{
  uvrelay_session_t *s = UVR_LISTED(alarm, uvrelay_session_t, wakeup);
  if (s->cancelled && (s->state != SESSION_ENDING || s->pair != NULL)) {
    cancel(s);
  } else if (s->state == SESSION_OPENING && prepare(s, &s->given->left, UVRELAY_LEFT) &&
             prepare(s, &s->given->right, UVRELAY_RIGHT)) {
    start_given(s);
  }
}

/* As a part of its relay. */

static uvrelay_session_t *session_of(const uvr_part *part)
{
  return UVR_LISTED(part, uvrelay_session_t, part);
}

void uvr_session_stop_waiting(uvrelay_session_t *session)
{
  session->stops_waiting |= session->options != NULL && (session->options->dial.retry & UVRELAY_RETRY_ABSENT) != 0;
  session->gives_up = true;
  if (session->dial != NULL && uvr_dial_stop_waiting(session->dial)) {
    uvrelay_session_cancel(session);
  }
}

static void part_end(uvr_part *part, uvr_relay_state state)
{
  uvr_session_stop_waiting(session_of(part));
  if (state >= UVR_RELAY_CANCELLING && !session_of(part)->cancelled) {
    uvrelay_session_cancel(session_of(part));
  }
}

static bool part_is_busy(const uvr_part *part)
{
  (void)part;
  return true;
}

static void part_bytes(const uvr_part *part, uint64_t *to_right, uint64_t *to_left)
{
  uvrelay_session_bytes(session_of(part), to_right, to_left);
}

/* A session that is ending is left out. Its streams are being closed, which libuv can tell, and the memory of those
 * that are closed may already be in use for others. */
static bool part_uses_stream(const uvr_part *part, const uv_stream_t *stream)
{
  const uvrelay_session_t *s = session_of(part);
  return s->state != SESSION_ENDING && s->given != NULL &&
         (uvr_opener_is_stream(&s->given->left, stream) || uvr_opener_is_stream(&s->given->right, stream));
}

static const uvr_part_ops part_ops = {
    .end = part_end, .is_busy = part_is_busy, .bytes = part_bytes, .uses_stream = part_uses_stream};

/* Starting. */

/* Makes the session one of the relay's. */
static void begin(uvrelay_session_t *s, uvrelay_t *relay, uvr_context *context, const uvr_session_options *options,
                  uvrelay_done_cb cb, void *user)
{
  s->relay = relay;
  s->context = context;
  s->options = options;
  s->cb = cb;
  s->user = user;
  s->started = uv_now(relay->context.loop);
  uvr_relay_add(relay, &s->part, &part_ops);
  relay->counters.active++;
  relay->counters.started++;
}

int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                  const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user, uvrelay_session_t **out)
{
  uvr_given *g = NULL;
  if (!uvr_relay_is_open(relay)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  if (s == NULL) {
    return uvr_given_no_memory(&relay->error);
  }
  int code = uvr_given_take(relay, left, right, options, &g);
  if (code != 0) {
    uvr_free(&relay->context.memory, s);
    return code;
  }
  s->given = g;
  begin(s, relay, &relay->context, &g->options, cb, user);
  wake_after(s, 0);
  if (out != NULL) {
    *out = s;
  }
  return 0;
}

uvrelay_session_t *uvr_session_new_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          const uvr_session_options *options, uvrelay_done_cb cb, size_t size)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s) + size);
  if (s != NULL) {
    s->client = client;
    begin(s, relay, context, options, cb, s + 1);
  }
  return s;
}

void *uvr_session_user(const uvrelay_session_t *session)
{
  return session->user;
}

void uvr_session_start_client(uvrelay_session_t *session, const uvr_address *target, uvr_via *via)
{
  if (session->cancelled) {
    return; /* on the wakeup */
  }
  if (!start_pair(session, session->client, NULL, &session->options->pair)) {
    fail_memory(session);
    return;
  }
  session->client = NULL;
  if (session->state == SESSION_RELAYING) {
    dial_right(session, target, via);
  }
}

uvrelay_session_t *uvr_session_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          uvr_stream *target, const uvr_pair_options *options, uvrelay_done_cb cb,
                                          void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  if (s == NULL) {
    return NULL;
  }
  begin(s, relay, context, NULL, cb, user);
  if (!start_pair(s, client, target, options)) {
    uvr_relay_remove(&s->part);
    relay->counters.active--;
    relay->counters.started--;
    uvr_free(&relay->context.memory, s);
    return NULL;
  }
  return s;
}

void uvrelay_session_cancel(uvrelay_session_t *session)
{
  session->cancelled = true;
  if (session->state != SESSION_ENDING || session->pair != NULL) {
    wake_after(session, 0);
  }
}

void uvrelay_session_bytes(const uvrelay_session_t *session, uint64_t *to_right, uint64_t *to_left)
{
  uint64_t right = session->to_right;
  uint64_t left = session->to_left;
  if (session->pair != NULL) {
    uvr_pair_bytes(session->pair, &right, &left);
  }
  if (to_right != NULL) {
    *to_right = right;
  }
  if (to_left != NULL) {
    *to_left = left;
  }
}
