/* A session of the public relay: from two endpoints to a running pair of pumps (session.c), and to its end.
 *
 * Happy path: uvrelay_start looks at everything that can be wrong and takes the endpoints; the rest happens in turns of
 * the loop: a left address is dialled, the other endpoints become streams, the pair is started, which dials a right
 * address itself. When the pair has closed, so is everything, and the done callback comes.
 *
 * Ways to fail before there is a pair: the left dial, no memory, standard descriptors that cannot be opened, a
 * cancel. All go through end(), which closes what is there on each side, whatever it has become by then. */
#include "base/abi.h"
#include "base/os.h"
#include "mux/mux.h"
#include "relay/relay.h"

enum { LINGER_MS = 1000, IDLE_RETRY_MS = 1 };

static void on_wakeup(uv_timer_t *timer);

static void later(uvrelay_session_t *s, uint64_t ms)
{
  (void)uv_timer_start(&s->wakeup, on_wakeup, ms, 0);
}

/* Ending. */

static void on_wakeup_closed(uv_handle_t *handle)
{
  uvrelay_session_t *s = handle->data;
  uvrelay_t *relay = s->relay;
  uvr_os_close_spare_fd(&s->options.dial.spare_fd);
  s->result.duration_ms = uv_now(relay->context.loop) - s->started;
  uvr_relay_remove(relay, s);
  if (s->cb != NULL) {
    s->cb(s, &s->result, s->user);
  }
  uvr_mux_unref(s->left.endpoint.via);
  uvr_mux_unref(s->right.endpoint.via);
  uvr_side_clear(&relay->context.memory, &s->left);
  uvr_side_clear(&relay->context.memory, &s->right);
  uvr_free(&relay->context.memory, s);
}

static void on_child_closed(void *user)
{
  uvrelay_session_t *s = user;
  if (--s->children == 0) {
    uv_close((uv_handle_t *)&s->wakeup, on_wakeup_closed);
  }
}

static void release_both(uvrelay_session_t *s)
{
  s->children = 1; /* keeps the end away until both have been looked at */
  s->children += uvr_side_release(&s->left, on_child_closed, s) ? 1U : 0U;
  s->children += uvr_side_release(&s->right, on_child_closed, s) ? 1U : 0U;
  on_child_closed(s);
}

static void on_stream_closed(void *user)
{
  uvrelay_session_t *s = user;
  if (--s->children == 0) {
    release_both(s);
  }
}

/* Ends it where there is no pair of pumps. The result is filled in. */
static void end(uvrelay_session_t *s)
{
  s->ending = true;
  (void)uv_timer_stop(&s->wakeup);
  if (s->dial != NULL) {
    s->children++;
    uvr_dial_close(s->dial, on_stream_closed, s);
    s->dial = NULL;
  }
  s->children += uvr_side_close(&s->left, on_stream_closed, s) ? 1U : 0U;
  s->children += uvr_side_close(&s->right, on_stream_closed, s) ? 1U : 0U;
  on_stream_closed(s);
}

static void fail(uvrelay_session_t *s, uvrelay_side_t side, const uvrelay_error_t *error)
{
  s->result.reason = UVRELAY_REASON_FAILED;
  s->result.side = side;
  s->result.error = *error;
  end(s);
}

static void fail_memory(uvrelay_session_t *s)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for a session");
  fail(s, UVRELAY_SIDE_NONE, &error);
}

static void cancel(uvrelay_session_t *s)
{
  if (s->session != NULL) {
    uvr_pair_cancel(s->session);
    return;
  }
  s->result.reason = UVRELAY_REASON_STOPPED;
  (void)uvr_error_set(&s->result.error, UVRELAY_PHASE_NONE, UV_ECANCELED, "the relay was stopped");
  end(s);
}

/* The pair of pumps. */

static void on_pair_end(void *user, const uvrelay_result_t *result)
{
  uvrelay_session_t *s = user;
  s->result = *result;
  s->ending = true;
  if (!s->cancelled) { /* else the turn is to hurry the closing */
    (void)uv_timer_stop(&s->wakeup);
  }
}

static void on_pair_closed(void *user)
{
  uvrelay_session_t *s = user;
  s->session = NULL;
  on_stream_closed(s);
}

static void start_pair(uvrelay_session_t *s)
{
  const uvr_pair_events events = {.on_end = on_pair_end, .on_close = on_pair_closed, .user = s};
  uvr_context *context = s->context;
  uvr_stream *left = s->left.stream;
  uvr_stream *right = s->right.stream;
  int code = right != NULL ? uvr_pair_start_connected(context, left, right, &s->options, &events, &s->session)
                           : uvr_pair_start(context, left, s->right.address, &s->options, &events, &s->session);
  if (code != 0) {
    fail_memory(s);
    return;
  }
  s->options.dial.spare_fd = 0; /* the pair has it */
  s->left.stream = NULL;
  s->right.stream = NULL;
}

/* Making streams of the endpoints. */

static void on_left_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  uvrelay_session_t *s = user;
  if (stream == NULL) {
    fail(s, UVRELAY_LEFT, error);
    return;
  }
  s->left.stream = stream;
  s->children++;
  uvr_dial_close(s->dial, on_stream_closed, s);
  s->dial = NULL;
  later(s, 0);
}

static bool dial_left(uvrelay_session_t *s)
{
  if (s->dial == NULL) {
    uvr_dial_options options = s->options.dial;
    options.via = s->left.endpoint.via;
    options.eof = s->options.eof_to_left;
    s->dial = uvr_dial_start(s->context, s->left.address, &options, on_left_dialled, s);
    if (s->dial == NULL) {
      fail_memory(s);
    }
  }
  return false;
}

/* True once the side has its stream, or is the right one and an address. */
static bool prepare(uvrelay_session_t *s, uvr_side *side, uvrelay_side_t which)
{
  uvrelay_error_t error;
  switch (uvr_side_open(s->context, side, &error)) {
  case UVR_SIDE_OPEN:
    return true;
  case UVR_SIDE_ADDRESS:
    return which == UVRELAY_RIGHT || dial_left(s);
  case UVR_SIDE_WAITS:
    later(s, IDLE_RETRY_MS);
    return false;
  case UVR_SIDE_FAILED:
    break;
  }
  fail(s, which, &error);
  return false;
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_session_t *s = timer->data;
  if (s->cancelled && (!s->ending || s->session != NULL)) {
    cancel(s);
  } else if (s->ending) {
    return;
  } else if (prepare(s, &s->left, UVRELAY_LEFT) && prepare(s, &s->right, UVRELAY_RIGHT)) {
    start_pair(s);
  }
}

/* Starting. */

static bool is_same(const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right)
{
  return left->type == right->type && ((left->type == UVRELAY_STREAM && left->stream == right->stream) ||
                                       (left->type == UVRELAY_NPIPE && left->npipe == right->npipe));
}

int uvr_pair_options_of(const uvrelay_session_options_t *options, uvr_pair_options *out)
{
  uvrelay_session_options_t own;
  if (uvr_abi_copy(&own, sizeof(own), options) != 0 || own.retry > UVRELAY_RETRY_ALL ||
      (unsigned)own.impersonation > UVRELAY_IMPERSONATION_DELEGATION || (unsigned)own.eof_to_left > UVRELAY_EOF_NONE ||
      (unsigned)own.eof_to_right > UVRELAY_EOF_NONE) {
    return UV_EINVAL;
  }
  uint64_t linger = own.linger_ms == 0 ? LINGER_MS : own.linger_ms;
  *out = (uvr_pair_options){.end_after_left = own.end_after_left != 0,
                            .end_after_right = own.end_after_right != 0,
                            .eof_to_left = own.eof_to_left,
                            .eof_to_right = own.eof_to_right,
                            .linger_ms = linger == UINT64_MAX ? 0 : linger,
                            .idle_ms = own.idle_ms,
                            .dial = {.retry = own.retry,
                                     .retry_first_ms = own.retry_first_ms,
                                     .retry_last_ms = own.retry_last_ms,
                                     .timeout_ms = own.timeout_ms,
                                     .level = own.impersonation}};
  return 0;
}

static void begin(uvrelay_session_t *s, uvrelay_t *relay, uvr_context *context, const uvr_pair_options *options,
                  uvrelay_done_cb cb, void *user)
{
  s->relay = relay;
  s->context = context;
  s->options = *options;
  s->options.dial.via = s->right.endpoint.via;
  s->options.dial.eof = options->eof_to_right;
  s->options.dial.linger_ms = options->linger_ms;
  uvr_mux_ref(s->left.endpoint.via);
  uvr_mux_ref(s->right.endpoint.via);
  s->cb = cb;
  s->user = user;
  s->children = 1;
  s->started = uv_now(relay->context.loop);
  uvr_side_begin(&s->left);
  uvr_side_begin(&s->right);
  (void)uv_timer_init(s->relay->context.loop, &s->wakeup);
  s->wakeup.data = s;
  uvr_relay_add(s->relay, s);
  later(s, 0);
}

int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                  const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user, uvrelay_session_t **out)
{
  uvr_pair_options own;
  if (relay->stopped) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  int code = uvr_pair_options_of(options, &own);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "an option of the session is out of its range");
  }
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  code = UV_ENOMEM;
  if (s != NULL) {
    code = uvr_side_take(relay, &s->left, left, "the left stream");
    if (code == 0) {
      code = uvr_side_take(relay, &s->right, right, "the right stream");
    }
    if (code == 0 && is_same(&s->left.endpoint, &s->right.endpoint)) {
      code = uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "both sides are the same");
    }
  }
  if (code != 0) {
    if (code == UV_ENOMEM) {
      (void)uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "there is no memory for a session");
    }
    if (s != NULL) {
      uvr_side_give_back(relay, &s->right);
      uvr_side_give_back(relay, &s->left);
    }
    uvr_free(&relay->context.memory, s);
    return code;
  }
  begin(s, relay, &relay->context, &own, cb, user);
  if (out != NULL) {
    *out = s;
  }
  return 0;
}

uvrelay_session_t *uvr_relay_start_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          const uvr_address *target, uvrelay_mux_t *via,
                                          const uvr_pair_options *options, uvrelay_done_cb cb, void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  uvr_address *address = s == NULL ? NULL : uvr_alloc(&relay->context.memory, sizeof(*address));
  if (address == NULL) {
    uvr_free(&relay->context.memory, s);
    return NULL;
  }
  *address = *target;
  s->left.endpoint.type = UVRELAY_STREAM;
  s->left.stream = client;
  s->right.endpoint.type = UVRELAY_ADDRESS;
  s->right.endpoint.via = via;
  s->right.address = address;
  begin(s, relay, context, options, cb, user);
  s->options.dial.spare_fd = target->via ? 0 : uvr_os_open_spare_fd(relay->context.loop);
  return s;
}

uvrelay_session_t *uvr_relay_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client, uvr_stream *target,
                                        const uvr_pair_options *options, uvrelay_done_cb cb, void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->context.memory, sizeof(*s));
  if (s != NULL) {
    s->left.endpoint.type = UVRELAY_STREAM;
    s->left.stream = client;
    s->right.endpoint.type = UVRELAY_STREAM;
    s->right.stream = target;
    begin(s, relay, context, options, cb, user);
  }
  return s;
}

void uvrelay_session_cancel(uvrelay_session_t *session)
{
  session->cancelled = true;
  if (!session->ending || session->session != NULL) {
    later(session, 0);
  }
}

void uvrelay_session_bytes(const uvrelay_session_t *session, uint64_t *to_right, uint64_t *to_left)
{
  uint64_t right = session->result.to_right;
  uint64_t left = session->result.to_left;
  if (session->session != NULL) {
    uvr_pair_bytes(session->session, &right, &left);
  }
  if (to_right != NULL) {
    *to_right = right;
  }
  if (to_left != NULL) {
    *to_left = left;
  }
}
