/* The far end of a mux: making the connections that the near end asks for.
 *
 * Happy path: each stream that the near end opens is a request. Its first line is read, and the address in it is parsed
 * and, if it is allowed, dialled. Then OK is written, and the mux's owner relays between the stream and the target.
 *
 * What is allowed: see allow.c.
 *
 * Ways to fail: the line is not a request; the address is invalid, not allowed, or cannot be connected to; there are
 * too many streams; there is no memory; the relay is stopped. In these cases ERR is written with the reason, and the
 * stream is closed. If the stream is reset in the meantime, the dial is abandoned. If the session cannot be started
 * after OK, the stream is reset. */
#include "mux/far.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "address/query.h"
#include "base/text.h"
#include "endpoint/dial.h"
#include "endpoint/reach.h"
#include "mux/allow.h"
#include "mux/stream.h"

/* One request, until the owner relays its stream. */
typedef struct request {
  uvr_mux *mux;
  uvr_mux_stream *stream; /* NULL once it belongs to the owner */
  uvr_stream *target;
  uvr_dial *dial;
  uvrelay_route_options_t options;
  bool over; /* the request is being closed */
  bool open; /* what the address leads to need not be checked */
  uvr_closing closing;
  /* What follows is not zeroed at first, which would be most of the work of a request. */
  uvr_address address; /* valid once the line was parsed */
  char answer[UVRELAY_ERROR_TEXT_SIZE + 64];
} request;

/* Ending. */

static void on_all_closed(void *user)
{
  request *r = user;
  uvr_mux *mux = r->mux;
  uvr_free(&mux->context->memory, r);
  uvr_mux_unref(mux);
}

/* Closes what the request has, the stream in the given way. */
static void end(request *r, uvr_close_how how)
{
  if (r->over) {
    return;
  }
  r->over = true;
  uvr_closing_begin(&r->closing, on_all_closed, r);
  if (r->dial != NULL) {
    uvr_dial_close(r->dial, uvr_closing_add(&r->closing), &r->closing);
  }
  if (r->target != NULL) {
    uvr_stream_close(r->target, UVR_CLOSE_NOW, uvr_closing_add(&r->closing), &r->closing);
  }
  if (r->stream != NULL) {
    uvr_stream_close(&r->stream->base, how, uvr_closing_add(&r->closing), &r->closing);
  }
  uvr_closing_end(&r->closing);
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  (void)outcome;
  (void)error;
  end(user, UVR_CLOSE_NOW);
}

/* Answering. */

static bool may_connect(const uvr_mux *mux)
{
  return mux->events.may_connect(mux->events.user);
}

static int refuse_stopped(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_ESHUTDOWN, "it is closing");
}

static void on_refusal_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  (void)outcome;
  (void)error;
  end(user, UVR_CLOSE_NOW);
}

static void refuse(request *r, const uvrelay_error_t *error)
{
  const char *address = r->address.kind != UVR_ADDRESS_NONE ? r->address.canonical : "a bad request";
  (void)snprintf(r->answer, sizeof(r->answer), "ERR %s %s\n", uv_err_name(error->code), error->text);
  /* A near end that waits for its target asks again and again, and tells when it gives up. */
  if (!r->options.wait_for_absent || !uvr_error_is_absence(error)) {
    uvr_mux_emit(r->mux, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_REFUSED, .address = address, .error = error});
  }
  uvr_stream_write(&r->stream->base, r->answer, strlen(r->answer), on_refusal_written, r);
}

/* The near end has been sent OK and believes the stream connected, so that from now on a failure resets the stream. */
static void on_ok_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  request *r = user;
  uvr_mux *mux = r->mux;
  const uvr_mux_session_options options = {
      .linger_ms = r->options.linger_ms, .idle_ms = r->options.idle_ms, .eof_to_target = r->options.eof_to_target};
  (void)error;
  if (outcome != UVR_DONE || r->over) {
    end(r, UVR_CLOSE_NOW);
    return;
  }
  uvr_mux_stream_unwatch(r->stream);
  if (may_connect(mux) &&
      mux->events.start_session(mux->events.user, &r->stream->base, r->target, r->address.canonical, &options)) {
    r->stream = NULL;
    r->target = NULL;
  }
  end(r, UVR_CLOSE_CUT);
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  request *r = user;
  uvr_dial *dial = r->dial;
  uvr_close_cb on_dial_closed = uvr_closing_add(&r->closing);
  uvrelay_error_t stopped;
  r->dial = NULL;
  r->target = stream;
  if (stream != NULL && !may_connect(r->mux)) {
    (void)refuse_stopped(&stopped);
    error = &stopped;
  }
  if (error != NULL) {
    refuse(r, error);
  } else {
    uvr_stream_write(&r->stream->base, "OK\n", 3, on_ok_written, r);
  }
  uvr_dial_close(dial, on_dial_closed, &r->closing); /* comes last, as the error belongs to the dial */
}

/* Reading a request. */

static int check_place(void *user, const uvr_address *place, uvrelay_error_t *error)
{
  const request *r = user;
  return uvr_mux_allow_check_place(r->mux, &r->address, place, r->options.impersonation, error);
}

static int check(request *r, int code, uvrelay_error_t *error)
{
  static const char verb[] = "CONNECT ";
  char quoted[UVR_QUOTED_SIZE];
  unsigned given = 0;
  const char *line = r->stream->line;
  if (code == UV_EMSGSIZE || code == UV_EPROTO) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "the request is too long, or contains a NUL");
  }
  if (strncmp(line, verb, sizeof(verb) - 1) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL, "%s is not a request: write CONNECT ADDRESS",
                         uvr_quote(quoted, line));
  }
  r->options.size = sizeof(r->options);
  r->options.linger_ms = UVR_MUX_LINGER_MS;
  code = uvr_route_address(line + sizeof(verb) - 1, UVRELAY_RIGHT, &r->options, &given, &r->address, error);
  if (code == 0) {
    code = uvr_choose_via(r->mux->streams, &r->address, NULL, error);
  }
  if (code == 0) {
    code = uvr_mux_allow_check(r->mux, &r->address, r->options.impersonation, &r->open, error);
  }
  if (code == 0 && !may_connect(r->mux)) {
    code = refuse_stopped(error);
  }
  const uvr_yamux *session = uvr_mux_carrier_yamux(r->stream->carrier);
  if (code == 0 && uvr_yamux_stream_count(session) > uvr_yamux_places(r->mux->options.window_total)) {
    code = uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EBUSY,
                         "it has reached the number of connections that --window-total allows");
  }
  return code;
}

static void on_request(uvr_mux_stream *stream, int code)
{
  request *r = stream->result_user;
  uvrelay_error_t error;
  if (code != 0 && code != UV_EMSGSIZE && code != UV_EPROTO) {
    end(r, UVR_CLOSE_NOW);
    return;
  }
  code = check(r, code, &error);
  if (code == 0) {
    uvr_context *context = r->mux->streams;
    uint64_t timeout = r->options.timeout_ms == UINT64_MAX ? 0 : r->options.timeout_ms;
    uvr_dial_options options = {
        .timeout_ms = timeout,
        .address_lasts = true,
        .at_once = true,
        .connect = {.level = r->options.impersonation, .owner = r->options.owner, .arms = true}};
    if (!r->open) {
      options.connect.check = check_place;
      options.connect.check_user = r;
      options.connect.check_real = true;
    }
    uvr_mux_stream_set_connected(stream);
    uvr_stream_watch(&stream->base, on_lost, r); /* until on_ok_written */
    r->dial = uvr_dial_start(context, &r->address, &options, on_dialled, r);
    if (r->dial != NULL) {
      uvr_dial_now(r->dial); /* its result may come at once, and may have freed the request */
      return;
    }
    (void)uvr_error_set(&error, UVRELAY_PHASE_CONNECT, UV_ENOMEM, "not enough memory for a connection");
  }
  refuse(r, &error);
}

uvr_yamux_stream *uvr_mux_far_open(uvr_mux *mux)
{
  const uvrelay_allocator_t *memory = &mux->context->memory;
  request *r = memory->allocate(memory->user, sizeof(*r));
  char *line = r == NULL ? NULL : memory->allocate(memory->user, UVR_MUX_LINE_MAX + 1);
  uvr_mux_stream *stream = line == NULL ? NULL : uvr_mux_stream_new(mux, "the near end");
  if (stream == NULL) {
    uvr_free(memory, line);
    uvr_free(memory, r);
    return NULL;
  }
  memset(r, 0, offsetof(request, address));
  r->address.kind = UVR_ADDRESS_NONE;
  r->mux = mux;
  r->stream = stream;
  uvr_mux_ref(mux);
  stream->line = line;
  stream->result_user = r;
  uvr_mux_stream_bind(stream, mux->carrier);
  uvr_mux_stream_read_line(stream, on_request);
  return &stream->yamux;
}
