/* A session of the public relay: from two endpoints to a running pair, and to its end.
 *
 * Happy path: uvrelay_start checks and adopts the endpoints. Everything else happens on wakeups, timers of 0 ms: a left
 * address is dialled, the other endpoints become streams, the pair is started, and a right address is dialled for it.
 * Each dial is closed as soon as it has connected. When the pair is closed, the endpoints are released, and the done
 * callback is called.
 *
 * Ways to fail before there is a pair: the left address cannot be dialled; there is no memory; standard descriptors
 * cannot be opened; the session is cancelled. All of these go through end(), which closes on each side what there is by
 * then. Once there is a pair, the pair decides how the session ends. */
#include "relay/session.h"

#include <string.h>

#include "base/abi.h"
#include "base/os.h"
#include "endpoint/owner.h"

enum { IDLE_RETRY_MS = 1 };

/* How long a side may be silent after the other one has ended, unless the options say.
 *
 * A right side to which the end could not be signalled may be a server that still works on its answer, which would be
 * lost: so it has long, but less than a route's time limit for connecting, so that a client that waits for a busy pipe
 * can wait for one that lingers. A left side that is gone is noticed sooner by other means, where there are any.
 *
 * A left side to which the end could not be signalled waits for the end of its connection, and only what it was sending
 * when the right side ended can still be on its way. One that got the end may understand it and continue for as long as
 * it likes; if it does not, it waits for its end, too. */
enum { LINGER_MS = 25000, LEFT_LINGER_MS = 1000, TOLD_LINGER_MS = 5000 };

typedef enum session_state {
  SESSION_OPENING,  /* there is no pair yet */
  SESSION_RELAYING, /* there is one */
  SESSION_ENDING
} session_state;

struct uvrelay_session_s {
  uvr_part part;
  uvrelay_t *relay;
  uvr_context *context; /* the relay's, or its mux_context */
  uvr_opener left;
  uvr_opener right;
  uvr_session_options options;
  char *owner; /* who may own the addresses, if the session was given a list */
  uvrelay_done_cb cb;
  void *user;
  uv_timer_t wakeup; /* makes the next step */
  uvr_dial *dial;    /* for the left or the right side, while it is under way */
  uvr_pair *pair;
  session_state state;
  bool cancelled;
  bool stops_waiting; /* an absent target that was to be waited for ends it */
  uint64_t started;   /* loop time, ms */
  uvr_closing closing;
  uvrelay_result_t *result; /* set when the session ends; NULL if there is no memory, and these must do: */
  uvrelay_reason_t reason;
  uvrelay_side_t side;
  uvrelay_phase_t phase;
  int code;
  uint64_t to_right;
  uint64_t to_left;
};

static void on_wakeup(uv_timer_t *timer);

static void wake_after(uvrelay_session_t *s, uint64_t ms)
{
  (void)uv_timer_start(&s->wakeup, on_wakeup, ms, 0);
}

/* The result is large, so a running session has no memory for it. */

static void set_result(uvrelay_session_t *s, const uvrelay_result_t *result)
{
  s->reason = result->reason;
  s->side = result->side;
  s->phase = result->error.phase;
  s->code = result->error.code;
  s->to_right = result->to_right;
  s->to_left = result->to_left;
  s->result = uvr_alloc(&s->relay->context.memory, sizeof(*s->result));
  if (s->result != NULL) {
    *s->result = *result;
  }
}

static void deliver_result(uvrelay_session_t *s)
{
  uvrelay_result_t plain = {.reason = s->reason, .side = s->side, .to_right = s->to_right, .to_left = s->to_left};
  uvrelay_result_t *result = s->result;
  if (result == NULL) {
    (void)uvr_error_set(&plain.error, s->phase, s->code, "%s",
                        s->code != 0 ? uv_strerror(s->code) : "there was not enough memory to say why");
    result = &plain;
  }
  result->duration_ms = uv_now(s->relay->context.loop) - s->started;
  if (s->cb != NULL) {
    s->cb(s, result, s->user);
  }
  uvr_free(&s->relay->context.memory, s->result);
}

/* Ending: the streams are closed first, then the endpoints are released, then the wakeup is closed. */

static void on_wakeup_closed(void *user)
{
  uvrelay_session_t *s = user;
  uvrelay_t *relay = s->relay;
  uvr_os_close_spare_fd(&s->options.dial.connect.spare_fd);
  uvr_relay_remove(&s->part);
  relay->counters.active--;
  relay->counters.failed += s->reason == UVRELAY_REASON_FAILED ? 1U : 0U;
  relay->counters.to_right += s->to_right;
  relay->counters.to_left += s->to_left;
  if (relay->counters.active == 0) {
    uvr_relay_wake(relay);
  }
  deliver_result(s);
  uvr_opener_clear(&relay->context.memory, &s->left);
  uvr_opener_clear(&relay->context.memory, &s->right);
  uvr_free(&relay->context.memory, s->owner);
  uvr_free(&relay->context.memory, s);
}

static void on_released(void *user)
{
  uvrelay_session_t *s = user;
  uvr_closing_begin(&s->closing, on_wakeup_closed, s);
  uvr_closing_handle(&s->closing, (uv_handle_t *)&s->wakeup);
  uvr_closing_end(&s->closing);
}

static void on_streams_closed(void *user)
{
  uvrelay_session_t *s = user;
  uvr_closing_begin(&s->closing, on_released, s);
  uvr_opener_release(&s->left, &s->closing);
  uvr_opener_release(&s->right, &s->closing);
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
  (void)uv_timer_stop(&s->wakeup);
  uvr_closing_begin(&s->closing, on_streams_closed, s);
  close_dial(s);
  uvr_opener_close(&s->left, &s->closing);
  uvr_opener_close(&s->right, &s->closing);
  uvr_closing_end(&s->closing);
}

static void fail(uvrelay_session_t *s, uvrelay_side_t side, const uvrelay_error_t *error)
{
  end(s, &(uvrelay_result_t){.reason = UVRELAY_REASON_FAILED, .side = side, .error = *error});
}

static void fail_memory(uvrelay_session_t *s)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for a session");
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
    (void)uv_timer_stop(&s->wakeup);
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
    uvr_opener_forget_address(&s->relay->context.memory, &s->right);
    uvr_pair_connect(s->pair, stream);
  }
  uvr_dial_close(dial, on_dial_closed, &s->closing); /* comes last, as the error belongs to the dial */
}

static uvr_dial *dial_right(uvrelay_session_t *s)
{
  uvr_dial_options options = s->options.dial;
  options.connect.via = s->right.via;
  options.connect.eof = s->options.pair.eof_to_right;
  options.connect.linger_ms = s->options.pair.linger_ms;
  uvr_dial *dial = uvr_dial_start(s->context, s->right.address, &options, on_right_dialled, s);
  if (dial != NULL) {
    s->options.dial.connect.spare_fd = 0; /* now belongs to the dial */
  }
  return dial;
}

static void start_pair(uvrelay_session_t *s)
{
  const uvr_pair_events events = {.on_end = on_pair_end, .on_close = on_pair_closed, .user = s};
  uvr_stream *left = s->left.stream;
  uvr_stream *right = s->right.stream;
  if (right == NULL) {
    s->dial = dial_right(s);
  }
  s->state = SESSION_RELAYING;
  if ((right == NULL && s->dial == NULL) ||
      uvr_pair_start(s->context, left, right, &s->options.pair, &events, &s->pair) != 0) {
    fail_memory(s);
    return;
  }
  s->left.stream = NULL;
  s->right.stream = NULL;
  if (right == NULL) {
    uvr_log_line(&s->context->log, "connecting to %s", s->right.address->canonical);
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
  s->left.stream = stream;
  uvr_opener_forget_address(&s->relay->context.memory, &s->left);
  close_dial(s);
  wake_after(s, 0);
}

static bool dial_left(uvrelay_session_t *s)
{
  if (s->dial == NULL) {
    uvr_dial_options options = s->options.dial;
    options.connect.via = s->left.via;
    options.connect.eof = s->options.pair.eof_to_left;
    options.connect.linger_ms = s->options.pair.left_linger_ms;
    s->dial = uvr_dial_start(s->context, s->left.address, &options, on_left_dialled, s);
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

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_session_t *s = timer->data;
  if (s->cancelled && (s->state != SESSION_ENDING || s->pair != NULL)) {
    cancel(s);
  } else if (s->state == SESSION_OPENING && prepare(s, &s->left, UVRELAY_LEFT) &&
             prepare(s, &s->right, UVRELAY_RIGHT)) {
    start_pair(s);
  }
}

/* As a part of its relay. */

static uvrelay_session_t *session_of(const uvr_part *part)
{
  return UVR_LISTED(part, uvrelay_session_t, part);
}

void uvr_session_stop_waiting(uvrelay_session_t *session)
{
  session->stops_waiting |= (session->options.dial.retry & UVRELAY_RETRY_ABSENT) != 0;
  session->options.dial.retry &= ~(unsigned)UVRELAY_RETRY_ABSENT;
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
  return s->state != SESSION_ENDING &&
         (uvr_opener_is_stream(&s->left, stream) || uvr_opener_is_stream(&s->right, stream));
}

static const uvr_part_ops part_ops = {
    .end = part_end, .is_busy = part_is_busy, .bytes = part_bytes, .uses_stream = part_uses_stream};

/* Starting. */

static uint64_t linger_of(const uvrelay_session_options_t *options, uint64_t usual)
{
  return options->linger_ms == 0 ? usual : options->linger_ms == UINT64_MAX ? 0 : options->linger_ms;
}

int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out)
{
  uvrelay_session_options_t own;
  if (uvr_abi_copy(&own, sizeof(own), options) != 0 || own.retry > UVRELAY_RETRY_ALL ||
      (unsigned)own.impersonation > UVRELAY_IMPERSONATION_DELEGATION || (unsigned)own.eof_to_left > UVRELAY_EOF_NONE ||
      (unsigned)own.eof_to_right > UVRELAY_EOF_NONE) {
    return UV_EINVAL;
  }
  *out = (uvr_session_options){
      .pair = {.end_after_left = own.end_after_left != 0,
               .end_after_right = own.end_after_right != 0,
               .eof_to_left = own.eof_to_left,
               .eof_to_right = own.eof_to_right,
               .left_may_leave = (own.retry & UVRELAY_RETRY_ABSENT) != 0,
               .linger_ms = linger_of(&own, LINGER_MS),
               .left_linger_ms = linger_of(&own, LEFT_LINGER_MS),
               .told_linger_ms = linger_of(&own, TOLD_LINGER_MS),
               .idle_ms = own.idle_ms},
      .dial = {
          .retry = own.retry,
          .retry_first_ms = own.retry_first_ms,
          .retry_last_ms = own.retry_last_ms,
          .timeout_ms = own.timeout_ms,
          .connect = {.level = own.impersonation, .owner = *own.owner != '\0' ? options->owner : NULL, .arms = true}}};
  return 0;
}

static void begin(uvrelay_session_t *s, uvrelay_t *relay, uvr_context *context, const uvr_session_options *options,
                  uvrelay_done_cb cb, void *user)
{
  s->relay = relay;
  s->context = context;
  s->options = *options;
  s->cb = cb;
  s->user = user;
  s->started = uv_now(relay->context.loop);
  uvr_opener_commit(&s->left);
  uvr_opener_commit(&s->right);
  (void)uv_timer_init(relay->context.loop, &s->wakeup);
  s->wakeup.data = s;
  uvr_relay_add(relay, &s->part, &part_ops);
  relay->counters.active++;
  relay->counters.started++;
  wake_after(s, 0);
}

static bool is_same(const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right)
{
  return left->type == right->type && ((left->type == UVRELAY_STREAM && left->stream == right->stream) ||
                                       (left->type == UVRELAY_NPIPE && left->npipe == right->npipe));
}

static int adopt_both(uvrelay_t *relay, uvrelay_session_t *s, const uvrelay_endpoint_t *left,
                      const uvrelay_endpoint_t *right)
{
  int code = uvr_opener_adopt(relay, &s->left, left, "the left stream");
  if (code == 0) {
    code = uvr_opener_adopt(relay, &s->right, right, "the right stream");
  }
  if (code == 0 && is_same(&s->left.endpoint, &s->right.endpoint)) {
    code = uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "both sides are the same");
  }
  return code;
}

/* Keeps the option `owner`, and checks that it suits the addresses. */
static int take_owner(uvrelay_t *relay, uvrelay_session_t *s, uvr_connect_options *options)
{
  const uvr_address *const addresses[] = {s->left.address, s->right.address};
  int code = 0;
  for (size_t i = 0; code == 0 && i < 2; i++) {
    code = addresses[i] == NULL ? 0 : uvr_owner_check_list(addresses[i], options->owner, &relay->error);
  }
  if (code != 0 || options->owner == NULL || (addresses[0] == NULL && addresses[1] == NULL)) {
    return code;
  }
  size_t size = strlen(options->owner) + 1;
  s->owner = uvr_alloc(&relay->context.memory, size);
  if (s->owner == NULL) {
    return UV_ENOMEM;
  }
  options->owner = memcpy(s->owner, options->owner, size);
  return 0;
}

int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                  const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user, uvrelay_session_t **out)
{
  uvr_session_options own;
  if (!uvr_relay_is_open(relay)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  int code = uvr_session_options_of(options, &own);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "an option of the session is out of its range");
  }
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  code = s == NULL ? UV_ENOMEM : adopt_both(relay, s, left, right);
  if (code == 0) {
    code = take_owner(relay, s, &own.dial.connect);
  }
  if (code != 0) {
    if (code == UV_ENOMEM) {
      (void)uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "not enough memory for a session");
    }
    if (s != NULL) {
      uvr_opener_give_back(relay, &s->right);
      uvr_opener_give_back(relay, &s->left);
    }
    uvr_free(&relay->context.memory, s == NULL ? NULL : s->owner);
    uvr_free(&relay->context.memory, s);
    return code;
  }
  begin(s, relay, &relay->context, &own, cb, user);
  if (out != NULL) {
    *out = s;
  }
  return 0;
}

uvrelay_session_t *uvr_session_start_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                            const uvr_address *target, uvr_via *via, const uvr_session_options *options,
                                            uvrelay_done_cb cb, void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  if (s == NULL) {
    return NULL;
  }
  s->left.endpoint.type = UVRELAY_STREAM;
  s->left.stream = client;
  s->right.endpoint.type = UVRELAY_ADDRESS;
  s->right.address = target;
  s->right.via = via;
  begin(s, relay, context, options, cb, user);
  s->options.pair.left_is_client = true;
  s->options.dial.connect.spare_fd = target->via ? 0 : uvr_os_open_spare_fd(relay->context.loop);
  return s;
}

uvrelay_session_t *uvr_session_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          uvr_stream *target, const uvr_session_options *options, uvrelay_done_cb cb,
                                          void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  if (s != NULL) {
    s->left.endpoint.type = UVRELAY_STREAM;
    s->left.stream = client;
    s->right.endpoint.type = UVRELAY_STREAM;
    s->right.stream = target;
    begin(s, relay, context, options, cb, user);
    s->options.pair.left_is_client = true;
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
