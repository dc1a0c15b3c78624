/* A session of the public relay: from two endpoints to a running pair of pumps (session.c), and to its end.
 *
 * Happy path: uvrelay_start looks at everything that can be wrong and takes the endpoints; the rest happens in turns of
 * the loop: a left address is dialled, the other endpoints become streams, the pair is started, which dials a right
 * address itself. When the pair has closed, so is everything, and the done callback comes.
 *
 * Ways to fail before there is a pair: the left dial, no memory, standard descriptors that cannot be opened, a
 * cancel. All go through end(), which closes what is there on each side, whatever it has become by then. */
#include "npipe_handle.h"
#include "relay.h"
#include "sized.h"
#include "stdio_system.h"
#include "stream_stdio.h"
#include "stream_uv.h"
#include "system.h"

enum { LINGER_MS = 1000, IDLE_RETRY_MS = 1 };

static void on_turn(uv_timer_t *timer);

static void later(uvrelay_session_t *s, uint64_t ms)
{
  (void)uv_timer_start(&s->turn, on_turn, ms, 0);
}

/* Ending. */

static void on_turn_closed(uv_handle_t *handle)
{
  uvrelay_session_t *s = handle->data;
  uvrelay_t *relay = s->relay;
  uvr_system_release(&s->options.dial.reserved);
  s->result.duration_ms = uv_now(relay->env.loop) - s->started;
  uvr_relay_remove(relay, s);
  if (s->cb != NULL) {
    s->cb(s, &s->result, s->user);
  }
  uvr_free(&relay->env.memory, s->left.address);
  uvr_free(&relay->env.memory, s->right.address);
  uvr_free(&relay->env.memory, s);
}

static void on_child_closed(void *user)
{
  uvrelay_session_t *s = user;
  if (--s->children == 0) {
    uv_close((uv_handle_t *)&s->turn, on_turn_closed);
  }
}

static void release_npipe(uvrelay_session_t *s, uvr_side *side)
{
  if (side->endpoint.type == UVRELAY_NPIPE) {
    s->children++;
    uvr_npipe_release(side->endpoint.npipe, side->endpoint.npipe_closed, on_child_closed, s);
  }
}

/* A named pipe's handle is the last of it to go, as its stream works with the handle's memory. */
static void release_both(uvrelay_session_t *s)
{
  s->children = 1; /* keeps the end away until both have been looked at */
  release_npipe(s, &s->left);
  release_npipe(s, &s->right);
  on_child_closed(s);
}

static void on_stream_closed(void *user)
{
  uvrelay_session_t *s = user;
  if (--s->children == 0) {
    release_both(s);
  }
}

/* The numbers of the standard descriptors must stay taken: libuv does not close them, and others would be given them.
 */
static uv_file take_fd(uv_file fd)
{
  return fd >= 0 && fd <= 2 ? uvr_stdio_take(fd) : fd;
}

static void close_side(uvrelay_session_t *s, uvr_side *side)
{
  if (side->stream != NULL) {
    s->children++;
    uvr_stream_close(side->stream, on_stream_closed, s);
    side->stream = NULL;
  } else if (side->endpoint.type == UVRELAY_STDIO) {
    uvr_stream_stdio_discard(take_fd(side->endpoint.input), take_fd(side->endpoint.output));
  }
}

/* Ends it where there is no pair of pumps. The result is filled in. */
static void end(uvrelay_session_t *s)
{
  s->ending = true;
  (void)uv_timer_stop(&s->turn);
  if (s->dial != NULL) {
    s->children++;
    uvr_dial_close(s->dial, on_stream_closed, s);
    s->dial = NULL;
  }
  close_side(s, &s->left);
  close_side(s, &s->right);
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
    uvr_session_cancel(s->session);
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
    (void)uv_timer_stop(&s->turn);
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
  const uvr_session_events events = {.on_end = on_pair_end, .on_close = on_pair_closed, .user = s};
  uvr_env *env = &s->relay->env;
  uvr_stream *left = s->left.stream;
  uvr_stream *right = s->right.stream;
  int code = right != NULL ? uvr_session_start_connected(env, left, right, &s->options, &events, &s->session)
                           : uvr_session_start(env, left, s->right.address, &s->options, &events, &s->session);
  if (code != 0) {
    fail_memory(s);
    return;
  }
  s->options.dial.reserved = 0; /* the pair has it */
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
    s->dial = uvr_dial_start(&s->relay->env, s->left.address, &s->options.dial, on_left_dialled, s);
    if (s->dial == NULL) {
      fail_memory(s);
    }
  }
  return false;
}

static bool open_stdio(uvrelay_session_t *s, uvr_side *side, uvrelay_side_t which)
{
  uvrelay_error_t error;
  uv_file input = take_fd(side->endpoint.input);
  uv_file output = take_fd(side->endpoint.output);
  side->endpoint.input = -1; /* they are closed even if this fails */
  side->endpoint.output = -1;
  if (uvr_stream_stdio_new(&s->relay->env, input, output, &side->stream, &error) != 0) {
    fail(s, which, &error);
    return false;
  }
  return true;
}

/* True once the side has its stream, or is the right one and an address. */
static bool prepare(uvrelay_session_t *s, uvr_side *side, uvrelay_side_t which)
{
  if (side->stream != NULL) {
    return true;
  }
  switch (side->endpoint.type) {
  case UVRELAY_ADDRESS:
    return which == UVRELAY_RIGHT || dial_left(s);
  case UVRELAY_NPIPE:
    side->stream = uvr_npipe_take_stream(side->endpoint.npipe);
    if (side->stream == NULL) {
      later(s, IDLE_RETRY_MS);
    }
    return side->stream != NULL;
  case UVRELAY_STDIO:
    return open_stdio(s, side, which);
  case UVRELAY_STREAM:
    break; /* has it from the start */
  }
  return false;
}

static void on_turn(uv_timer_t *timer)
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

static bool is_stream(const uvrelay_endpoint_t *endpoint, const uv_stream_t *stream)
{
  return endpoint->type == UVRELAY_STREAM && endpoint->stream == stream;
}

/* One that is ending closes its streams, which shows, and the memory of those that are closed may be in use again. */
static bool is_in_session(const uvrelay_t *relay, const uv_stream_t *stream)
{
  for (const uvrelay_session_t *s = relay->sessions; s != NULL; s = s->next) {
    if (!s->ending && (is_stream(&s->left.endpoint, stream) || is_stream(&s->right.endpoint, stream))) {
      return true;
    }
  }
  return false;
}

/* libuv calls a TCP handle readable and writable while it is still connecting. */
static bool is_connected(const uv_stream_t *stream)
{
  struct sockaddr_storage address;
  int size = sizeof(address);
  return uv_is_readable(stream) && uv_is_writable(stream) &&
         (stream->type != UV_TCP ||
          uv_tcp_getpeername((const uv_tcp_t *)stream, (struct sockaddr *)&address, &size) == 0);
}

static int check_stream(uvrelay_t *relay, const uv_stream_t *stream)
{
  if (stream == NULL || stream->loop != relay->env.loop || uv_is_closing((const uv_handle_t *)stream) ||
      (stream->type != UV_TCP && stream->type != UV_NAMED_PIPE)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL,
                         "the stream is not an open TCP or pipe handle of the relay's loop");
  }
  if (is_in_session(relay, stream)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the stream is in a session already");
  }
  if (!is_connected(stream)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ENOTCONN,
                         "the stream is not connected, or cannot be both read and written");
  }
  if (uv_is_active((const uv_handle_t *)stream) || uv_stream_get_write_queue_size(stream) > 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the stream is being read or written");
  }
  return 0;
}

static int check_address(uvrelay_t *relay, uvr_side *side)
{
  side->address = uvr_alloc(&relay->env.memory, sizeof(*side->address));
  if (side->address == NULL) {
    return UV_ENOMEM;
  }
  return uvr_address_parse(side->endpoint.address, 0, side->address, &relay->error);
}

/* Takes the side, in a way that give_back undoes, last taken first. */
static int take(uvrelay_t *relay, uvr_side *side, const uvrelay_endpoint_t *given, const char *name)
{
  int code = uvr_sized_copy(&side->endpoint, sizeof(side->endpoint), given);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "%s has no valid size", name);
  }
  const uvrelay_endpoint_t *endpoint = &side->endpoint;
  switch (endpoint->type) {
  case UVRELAY_ADDRESS:
    return check_address(relay, side);
  case UVRELAY_STREAM:
    code = check_stream(relay, endpoint->stream);
    return code != 0 ? code
                     : uvr_stream_uv_adopt(&relay->env, endpoint->stream, endpoint->stream_closed, name, &side->stream);
  case UVRELAY_NPIPE:
    code = endpoint->npipe != NULL ? uvr_npipe_check_gift(endpoint->npipe, relay->env.loop) : UV_EINVAL;
    return code == 0 ? 0
                     : uvr_error_set_system(&relay->error, UVRELAY_PHASE_NONE, code, 0,
                                            "the named pipe cannot be relayed: %s", uv_strerror(code));
  case UVRELAY_STDIO:
    return endpoint->input != endpoint->output || endpoint->input < 0
               ? 0
               : uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL,
                               "one descriptor cannot be both input and output");
  }
  return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "%d is not a type of endpoint",
                       (int)endpoint->type);
}

static bool is_same(const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right)
{
  return left->type == right->type && ((left->type == UVRELAY_STREAM && left->stream == right->stream) ||
                                       (left->type == UVRELAY_NPIPE && left->npipe == right->npipe));
}

static void give_back(uvrelay_t *relay, uvr_side *side)
{
  if (side->stream != NULL) {
    uvr_stream_uv_give_back(side->stream);
  }
  uvr_free(&relay->env.memory, side->address);
}

int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out)
{
  uvrelay_session_options_t own;
  if (uvr_sized_copy(&own, sizeof(own), options) != 0 || own.retry > UVRELAY_RETRY_ALL ||
      (unsigned)own.impersonation > UVRELAY_IMPERSONATION_DELEGATION || (unsigned)own.eof_to_left > UVRELAY_EOF_NONE ||
      (unsigned)own.eof_to_right > UVRELAY_EOF_NONE) {
    return UV_EINVAL;
  }
  uint64_t linger = own.linger_ms == 0 ? LINGER_MS : own.linger_ms;
  *out = (uvr_session_options){.end_after_left = own.end_after_left != 0,
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

static void begin(uvrelay_session_t *s, uvrelay_t *relay, const uvr_session_options *options, uvrelay_done_cb cb,
                  void *user)
{
  s->relay = relay;
  s->options = *options;
  s->cb = cb;
  s->user = user;
  s->children = 1;
  s->started = uv_now(relay->env.loop);
  if (s->left.endpoint.type == UVRELAY_NPIPE) {
    uvr_npipe_give(s->left.endpoint.npipe);
  }
  if (s->right.endpoint.type == UVRELAY_NPIPE) {
    uvr_npipe_give(s->right.endpoint.npipe);
  }
  (void)uv_timer_init(s->relay->env.loop, &s->turn);
  s->turn.data = s;
  uvr_relay_add(s->relay, s);
  later(s, 0);
}

int uvrelay_start(uvrelay_t *relay, const uvrelay_endpoint_t *left, const uvrelay_endpoint_t *right,
                  const uvrelay_session_options_t *options, uvrelay_done_cb cb, void *user, uvrelay_session_t **out)
{
  uvr_session_options own;
  if (relay->stopped) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  int code = uvr_session_options_of(options, &own);
  if (code != 0) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "an option of the session is out of its range");
  }
  uvrelay_session_t *s = uvr_alloc(&relay->env.memory, sizeof(*s));
  code = UV_ENOMEM;
  if (s != NULL) {
    code = take(relay, &s->left, left, "the left stream");
    if (code == 0) {
      code = take(relay, &s->right, right, "the right stream");
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
      give_back(relay, &s->right);
      give_back(relay, &s->left);
    }
    uvr_free(&relay->env.memory, s);
    return code;
  }
  begin(s, relay, &own, cb, user);
  if (out != NULL) {
    *out = s;
  }
  return 0;
}

uvrelay_session_t *uvr_relay_start_client(uvrelay_t *relay, uvr_stream *client, const uvr_address *target,
                                          const uvr_session_options *options, uvrelay_done_cb cb, void *user)
{
  uvrelay_session_t *s = uvr_alloc(&relay->env.memory, sizeof(*s));
  uvr_address *address = s == NULL ? NULL : uvr_alloc(&relay->env.memory, sizeof(*address));
  if (address == NULL) {
    uvr_free(&relay->env.memory, s);
    return NULL;
  }
  *address = *target;
  s->left.endpoint.type = UVRELAY_STREAM;
  s->left.stream = client;
  s->right.endpoint.type = UVRELAY_ADDRESS;
  s->right.address = address;
  begin(s, relay, options, cb, user);
  s->options.dial.reserved = uvr_system_reserve(relay->env.loop);
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
    uvr_session_bytes(session->session, &right, &left);
  }
  if (to_right != NULL) {
    *to_right = right;
  }
  if (to_left != NULL) {
    *to_left = left;
  }
}
