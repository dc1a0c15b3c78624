/* The far end of a mux: making the connections that the near end asks for.
 *
 * Each stream that comes is a request. Its first line is read, the address in it is parsed and, if it is allowed,
 * dialled; the answer is written, and stream and target become a session of the relay.
 *
 * Ways to fail: a line that is no request, an address that is wrong, not allowed, or cannot be reached, too many
 * streams, no memory: the answer says so, and the stream is closed. The stream is reset meanwhile: the dial is
 * abandoned. */
#include <stdio.h>
#include <string.h>

#include "address/query.h"
#include "base/text.h"
#include "mux/stream.h"

/* One request, until its session is over. */
typedef struct request {
  uvrelay_mux_t *mux;
  uvr_mux_stream *stream; /* until the session has it */
  uvr_stream *target;     /* the same */
  uvr_dial *dial;
  uvr_address address;
  uvrelay_route_options_t options;
  char answer[UVRELAY_ERROR_TEXT_SIZE + 64];
  uvrelay_session_t *session;
  bool dial_closing;
  bool closing;
  unsigned children; /* that close */
} request;

/* Ending. */

static void free_request(request *r)
{
  uvrelay_mux_t *mux = r->mux;
  uvr_free(&mux->relay->context.memory, r);
  uvr_mux_unref(mux);
}

static void on_child_closed(void *user)
{
  request *r = user;
  if (--r->children == 0) {
    free_request(r);
  }
}

/* Closes what it has: not once there is a session. */
static void end_how(request *r, uvr_close_how how)
{
  if (r->closing) {
    return;
  }
  r->closing = true;
  r->children = 1U + (r->dial_closing ? 1U : 0U);
  if (r->dial != NULL) {
    r->children++;
    uvr_dial_close(r->dial, on_child_closed, r);
  }
  if (r->target != NULL) {
    r->children++;
    uvr_stream_close(r->target, UVR_CLOSE_NOW, on_child_closed, r);
  }
  uvr_stream_close(&r->stream->base, how, on_child_closed, r);
}

static void end(request *r)
{
  end_how(r, UVR_CLOSE_NOW);
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  request *r = user;
  (void)outcome;
  (void)error;
  if (r->session == NULL) { /* which finds out by itself */
    end(r);
  }
}

/* Answering. */

static int refuse_stopped(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_ESHUTDOWN, "it is ending");
}

static void on_refusal_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  (void)outcome;
  (void)error;
  end(user);
}

static void emit(request *r, uvrelay_mux_event_t event)
{
  event.address = r->address.kind != UVR_ADDRESS_NONE ? r->address.canonical : "a bad request";
  event.session = r->session;
  uvr_mux_emit(r->mux, event);
}

static void refuse(request *r, const uvrelay_error_t *error)
{
  (void)snprintf(r->answer, sizeof(r->answer), "ERR %s %s\n", uv_err_name(error->code), error->text);
  emit(r, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_REFUSED, .error = error});
  uvr_stream_write(&r->stream->base, r->answer, strlen(r->answer), on_refusal_written, r);
}

static void on_session_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  request *r = user;
  (void)session;
  emit(r, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_CLOSED, .result = result});
  free_request(r);
}

static void on_agreed(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  request *r = user;
  (void)error;
  if (outcome != UVR_DONE || r->closing) {
    end(r);
    return;
  }
  if (r->mux->relay->stopped) {
    end_how(r, UVR_CLOSE_CUT); /* it was told that it is connected */
    return;
  }
  uvr_pair_options options;
  const uvrelay_session_options_t given = {.size = sizeof(given),
                                           .linger_ms = r->options.linger_ms,
                                           .idle_ms = r->options.idle_ms,
                                           .eof_to_right = r->options.eof_to_target};
  (void)uvr_pair_options_of(&given, &options);
  options.left_is_client = true;
  uvrelay_t *relay = r->mux->relay;
  r->session =
      uvr_relay_start_pair(relay, &relay->mux_context, &r->stream->base, r->target, &options, on_session_done, r);
  if (r->session == NULL) {
    end_how(r, UVR_CLOSE_CUT);
    return;
  }
  emit(r, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_OPENED});
}

static void on_dial_closed(void *user)
{
  request *r = user;
  r->dial_closing = false;
  if (r->closing) {
    on_child_closed(r);
  } else {
    uvr_stream_write(&r->stream->base, "OK\n", 3, on_agreed, r);
  }
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  request *r = user;
  if (stream == NULL) {
    refuse(r, error); /* which closes the dial, too, in the end */
    return;
  }
  uvr_dial *dial = r->dial;
  r->target = stream;
  if (r->mux->relay->stopped) {
    uvrelay_error_t stopped;
    (void)refuse_stopped(&stopped);
    refuse(r, &stopped);
    return;
  }
  r->dial = NULL;
  r->dial_closing = true;
  uvr_dial_close(dial, on_dial_closed, r);
}

/* Reading a request. */

/* Whether a part of the path is "..", by which it would lead out of what a pattern names. */
static bool leads_out(const char *path)
{
  for (const char *dots = strstr(path, ".."); dots != NULL; dots = strstr(dots + 1, "..")) {
    bool begins = dots == path || dots[-1] == '/' || dots[-1] == '\\';
    if (begins && (dots[2] == '\0' || dots[2] == '/' || dots[2] == '\\')) {
      return true;
    }
  }
  return false;
}

static int check_allowed(const uvrelay_mux_t *mux, const uvr_address *address, uvrelay_error_t *error)
{
  char list[256] = "";
  size_t used = 0;
  if (mux->options.allow_count > 0 && leads_out(address->path)) {
    return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "%.200s is not allowed: it has a .. in its path",
                         address->canonical);
  }
  for (size_t i = 0; i < mux->options.allow_count; i++) {
    if (uvr_pattern_matches(mux->allow[i], address->canonical)) {
      return 0;
    }
    int length = snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", mux->allow[i]);
    used = used + (size_t)length < sizeof(list) ? used + (size_t)length : sizeof(list) - 1;
  }
  if (mux->options.allow_count == 0) {
    return 0;
  }
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, "%.200s is not allowed: the patterns are %s%s",
                       address->canonical, list, used == sizeof(list) - 1 ? "..." : "");
}

static int check(request *r, int code, uvrelay_error_t *error)
{
  static const char verb[] = "CONNECT ";
  char quoted[UVR_QUOTED_SIZE];
  unsigned given = 0;
  const char *line = r->stream->line;
  if (code == UV_EMSGSIZE || code == UV_EPROTO) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the request is too long, or has a NUL in it");
  }
  if (strncmp(line, verb, sizeof(verb) - 1) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "%s is no request: write CONNECT ADDRESS",
                         uvr_quote(quoted, line));
  }
  r->options.size = sizeof(r->options);
  code = uvr_route_address(line + sizeof(verb) - 1, UVRELAY_RIGHT, &r->options, &given, &r->address, error);
  if (code == 0) {
    code = uvr_relay_choose_via(r->mux->relay, &r->address, NULL, error);
  }
  if (code == 0) {
    code = check_allowed(r->mux, &r->address, error);
  }
  if (code == 0 && r->mux->relay->stopped) {
    code = refuse_stopped(error);
  }
  const uvr_yamux *session = uvr_mux_carrier_session(r->stream->carrier);
  if (code == 0 && session->streams > uvr_yamux_places(r->mux->options.window_total)) {
    code = uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EBUSY, "it has as many connections as --window-total allows");
  }
  return code;
}

static void on_request(uvr_mux_stream *stream, int code)
{
  request *r = stream->result_user;
  uvrelay_error_t error;
  if (code != 0 && code != UV_EMSGSIZE && code != UV_EPROTO) {
    end(r);
    return;
  }
  code = check(r, code, &error);
  if (code == 0) {
    uvr_context *context = &r->mux->relay->mux_context;
    uint64_t timeout = r->options.timeout_ms == UINT64_MAX ? 0 : r->options.timeout_ms;
    const uvr_dial_options options = {.level = r->options.impersonation, .timeout_ms = timeout};
    uvr_free(&context->memory, stream->line);
    stream->line = NULL;
    uvr_stream_watch(&stream->base, on_lost, r); /* until the session watches it */
    r->dial = uvr_dial_start(context, &r->address, &options, on_dialled, r);
    if (r->dial != NULL) {
      return;
    }
    (void)uvr_error_set(&error, UVRELAY_PHASE_CONNECT, UV_ENOMEM, "there is no memory for a connection");
  }
  refuse(r, &error);
}

uvr_yamux_stream *uvr_mux_far_open(uvr_mux_carrier *carrier, uvrelay_mux_t *mux)
{
  const uvrelay_allocator_t *memory = &mux->relay->context.memory;
  request *r = uvr_alloc(memory, sizeof(*r));
  char *line = r == NULL ? NULL : uvr_alloc(memory, UVR_MUX_LINE_MAX + 1);
  uvr_mux_stream *stream = line == NULL ? NULL : uvr_mux_stream_new(mux, "the near end");
  if (stream == NULL) {
    uvr_free(memory, line);
    uvr_free(memory, r);
    return NULL;
  }
  r->mux = mux;
  r->stream = stream;
  uvr_mux_ref(mux);
  stream->line = line;
  stream->result_user = r;
  uvr_mux_stream_use(stream, carrier);
  uvr_mux_stream_read_line(stream, on_request);
  return &stream->yamux;
}
