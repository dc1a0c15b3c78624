/* The public mux: its options, the opening of its carriers, the sessions of its far end, and its closing.
 *
 * Happy path: an endpoint is attached as the carrier. Its stream is made like that of a session: the opener makes it,
 * or an address is dialled, without retries and within the time limit for the greeting. The carrier then owns the
 * stream. When it has closed the stream, the endpoint is released.
 *
 * Ways to fail: the endpoint cannot be adopted, and it still belongs to the host; it cannot be opened or dialled, which
 * ends the carrier. */
#include <string.h>

#include "base/abi.h"
#include "base/text.h"
#include "endpoint/dial.h"
#include "relay/session.h"
#include "relay/through_mux.h"

#define WINDOW_TOTAL     ((uint64_t)64 * 1024 * 1024)
#define WINDOW_TOTAL_MIN ((uint64_t)128 * 1024)

/* By default an end that has stopped running is found before a connection that waits for it reaches the default time
 * limit of a route, 30 s, with time left to start another: after 15 s if it has not said what it speaks, and after 2 s
 * (see uvr_patience) and 5 s later. In 5 s an end that still runs has answered, even if its pages were swapped out or a
 * network lost a packet or two. */
enum { PING_MS = 30000, PING_TIMEOUT_MS = 5000, GREETING_MS = 15000, OPEN_RETRY_MS = 1 };

/* Opening carriers. */

typedef struct carrier_opener {
  uvrelay_mux_t *mux;
  uvr_mux_carrier *carrier; /* NULL once it has ended */
  uvr_opener opener;
  uvr_dial *dial;
  uv_timer_t timer;
  uvr_closing closing;
} carrier_opener;

static void on_released(void *user)
{
  carrier_opener *o = user;
  uvr_mux *mux = &o->mux->mux;
  uvr_opener_clear(&mux->context->memory, &o->opener);
  uvr_free(&mux->context->memory, o);
  uvr_mux_unref(mux);
}

static void on_carrier_closed(void *user)
{
  carrier_opener *o = user;
  uvr_closing_begin(&o->closing, on_released, o);
  uvr_opener_release(&o->opener, &o->closing);
  uvr_closing_handle(&o->closing, (uv_handle_t *)&o->timer);
  uvr_closing_end(&o->closing);
}

static void on_carrier_end(void *user, uvr_closing *closing)
{
  carrier_opener *o = user;
  o->carrier = NULL;
  (void)uv_timer_stop(&o->timer);
  if (o->dial != NULL) {
    uvr_dial *dial = o->dial;
    o->dial = NULL;
    uvr_dial_close(dial, uvr_closing_add(closing), closing);
  }
  uvr_opener_close(&o->opener, closing);
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  carrier_opener *o = user;
  uvr_dial *dial = o->dial;
  uvr_close_cb on_dial_closed = uvr_closing_add(&o->closing);
  o->dial = NULL;
  if (stream == NULL) {
    uvr_mux_carrier_end(o->carrier, UVRELAY_MUX_DOWN_EARLY, error);
  } else {
    uvr_opener_forget_address(&o->mux->mux.context->memory, &o->opener);
    uvr_mux_carrier_start(o->carrier, stream);
  }
  uvr_dial_close(dial, on_dial_closed, &o->closing); /* comes last, as the error belongs to the dial */
}

static void dial(carrier_opener *o)
{
  uvrelay_error_t error;
  const uvr_dial_options options = {.timeout_ms = o->mux->mux.options.greeting_ms, .connect = {.via = o->opener.via}};
  o->dial = uvr_dial_start(o->mux->mux.streams, o->opener.address, &options, on_dialled, o);
  if (o->dial == NULL) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_READ, UV_ENOMEM, "not enough memory to connect to the other end");
    uvr_mux_carrier_end(o->carrier, UVRELAY_MUX_DOWN_EARLY, &error);
  }
}

static void on_open_timer(uv_timer_t *timer)
{
  carrier_opener *o = timer->data;
  uvrelay_error_t error;
  switch (uvr_opener_open(o->mux->mux.streams, &o->opener, &error)) {
  case UVR_OPENING_DONE: {
    uvr_stream *stream = o->opener.stream;
    o->opener.stream = NULL;
    uvr_mux_carrier_start(o->carrier, stream);
    break;
  }
  case UVR_OPENING_ADDRESS:
    dial(o);
    break;
  case UVR_OPENING_WAITS:
    (void)uv_timer_start(timer, on_open_timer, OPEN_RETRY_MS, 0);
    break;
  case UVR_OPENING_FAILED:
    uvr_mux_carrier_end(o->carrier, UVRELAY_MUX_DOWN_EARLY, &error);
    break;
  }
}

static int attach(uvrelay_mux_t *mux, const uvrelay_endpoint_t *carrier)
{
  uvrelay_t *relay = mux->relay;
  carrier_opener *o = uvr_alloc(&relay->context.memory, sizeof(*o));
  int code = o == NULL ? UV_ENOMEM : uvr_opener_adopt(relay, &o->opener, carrier, "the carrier");
  if (code == 0) {
    code = uvr_mux_attach(&mux->mux, o, on_carrier_end, on_carrier_closed, &o->carrier);
  }
  if (code == UV_ENOMEM) {
    (void)uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "not enough memory for a carrier");
  }
  if (code != 0) {
    if (o != NULL) {
      uvr_opener_give_back(relay, &o->opener);
    }
    uvr_free(&relay->context.memory, o);
    return code;
  }
  o->mux = mux;
  uvr_mux_ref(&mux->mux);
  uvr_opener_commit(&o->opener);
  (void)uv_timer_init(relay->context.loop, &o->timer);
  o->timer.data = o;
  (void)uv_timer_start(&o->timer, on_open_timer, 0, 0);
  return 0;
}

/* The far end's sessions. */

typedef struct far_session {
  uvrelay_mux_t *mux;
  char address[];
} far_session;

static void on_session_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  far_session *made = user;
  uvr_mux *mux = &made->mux->mux;
  uvr_mux_emit(mux,
               (uvrelay_mux_event_t){
                   .type = UVRELAY_MUX_EVENT_CLOSED, .address = made->address, .session = session, .result = result});
  uvr_free(&mux->context->memory, made);
  uvr_mux_unref(mux);
}

static bool start_session(void *user, uvr_stream *stream, uvr_stream *target, const char *address,
                          const uvr_mux_session_options *options)
{
  uvrelay_mux_t *mux = user;
  uvrelay_t *relay = mux->relay;
  const uvrelay_session_options_t given = {.size = sizeof(given),
                                           .linger_ms = options->linger_ms,
                                           .idle_ms = options->idle_ms,
                                           .eof_to_right = options->eof_to_target};
  uvr_session_options own;
  size_t size = strlen(address) + 1;
  far_session *made = uvr_alloc(&relay->context.memory, sizeof(*made) + size);
  if (made == NULL) {
    return false;
  }
  made->mux = mux;
  memcpy(made->address, address, size);
  (void)uvr_session_options_of(&given, &own);
  own.pair.left_is_client = true;
  uvrelay_session_t *session =
      uvr_session_start_pair(relay, &relay->mux_context, stream, target, &own.pair, on_session_done, made);
  if (session == NULL) {
    uvr_free(&relay->context.memory, made);
    return false;
  }
  uvr_mux_ref(&mux->mux);
  uvr_mux_emit(&mux->mux,
               (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_OPENED, .address = made->address, .session = session});
  return true;
}

static bool may_connect(void *user)
{
  return uvr_relay_is_open(((const uvrelay_mux_t *)user)->relay);
}

/* Events and closing. */

static void on_event(void *user, const uvrelay_mux_event_t *event)
{
  uvrelay_mux_t *mux = user;
  if (mux->mux.options.event_cb != NULL) {
    mux->mux.options.event_cb(mux, event, mux->mux.options.user);
  }
}

static void free_mux(uvrelay_mux_t *mux)
{
  const uvrelay_allocator_t *memory = &mux->relay->context.memory;
  for (size_t i = 0; mux->mux.allow != NULL && i < mux->mux.options.allow_count; i++) {
    uvr_free(memory, mux->mux.allow[i]);
  }
  uvr_free(memory, mux->mux.allow);
  uvr_free(memory, mux);
}

static void on_mux_closed(void *user)
{
  uvrelay_mux_t *mux = user;
  uvrelay_t *relay = mux->relay;
  uvr_relay_remove(&mux->part);
  if (mux->close_cb != NULL) {
    mux->close_cb(mux, mux->close_user);
  }
  free_mux(mux);
  uvr_relay_wake(relay);
}

/* As a part of its relay. */

static uvrelay_mux_t *mux_of(const uvr_part *part)
{
  return UVR_LISTED(part, uvrelay_mux_t, part);
}

static void part_end(uvr_part *part, uvr_relay_state state)
{
  uvrelay_mux_t *mux = mux_of(part);
  if (state == UVR_RELAY_CLOSING && !mux->mux.closing) {
    uvrelay_mux_close(mux, NULL, NULL);
  }
}

static bool part_is_busy(const uvr_part *part)
{
  (void)part; /* a stop waits only for the sessions over a mux */
  return false;
}

static bool part_uses_stream(const uvr_part *part, const uv_stream_t *stream)
{
  const uvr_mux_carrier *carrier = mux_of(part)->mux.carrier;
  const carrier_opener *o = carrier != NULL ? uvr_mux_carrier_opener(carrier) : NULL;
  return o != NULL && o->carrier != NULL && uvr_opener_is_stream(&o->opener, stream);
}

static const uvr_part_ops part_ops = {
    .end = part_end, .is_busy = part_is_busy, .uses_stream = part_uses_stream, .ends_last = true};

/* The public functions. */

int uvrelay_mux_attach(uvrelay_mux_t *mux, const uvrelay_endpoint_t *carrier)
{
  uvrelay_t *relay = mux->relay;
  if (mux->mux.closing) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the mux is closing");
  }
  if (mux->mux.carrier != NULL) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the mux already has a carrier");
  }
  return attach(mux, carrier);
}

void uvrelay_mux_detach(uvrelay_mux_t *mux)
{
  uvr_mux_detach(&mux->mux);
}

void uvrelay_mux_explain(uvrelay_mux_t *mux, const uvrelay_error_t *why)
{
  mux->mux.why = *why;
}

size_t uvrelay_mux_waiting(const uvrelay_mux_t *mux)
{
  size_t count = 0;
  const uvr_list *waiting = &mux->mux.waiting;
  for (const uvr_list_node *n = uvr_list_first(waiting); n != NULL; n = uvr_list_next(waiting, n)) {
    count++;
  }
  return count;
}

void uvrelay_mux_close(uvrelay_mux_t *mux, uvrelay_mux_cb cb, void *user)
{
  mux->close_cb = cb;
  mux->close_user = user;
  if (!mux->mux.closing) { /* otherwise the relay's close has closed it already */
    uvr_mux_close(&mux->mux);
  }
}

/* Making. */

static int copy_patterns(uvr_mux *mux, const uvrelay_mux_options_t *options)
{
  const uvrelay_allocator_t *memory = &mux->context->memory;
  mux->options.allow_count = 0;
  mux->allow = uvr_alloc(memory, (options->allow_count + 1) * sizeof(void *));
  for (size_t i = 0; mux->allow != NULL && i < options->allow_count; i++) {
    if (uvr_allow_new(memory, options->allow[i], &mux->allow[i]) != 0) {
      return UV_ENOMEM;
    }
    mux->options.allow_count++;
  }
  return mux->allow == NULL ? UV_ENOMEM : 0;
}

static int check_options(uvrelay_mux_options_t *options)
{
  options->window_total = options->window_total == 0 ? WINDOW_TOTAL : options->window_total;
  options->ping_ms = options->ping_ms == 0 ? PING_MS : options->ping_ms;
  options->ping_timeout_ms = options->ping_timeout_ms == 0 ? PING_TIMEOUT_MS : options->ping_timeout_ms;
  options->greeting_ms = options->greeting_ms == 0 ? GREETING_MS : options->greeting_ms;
  return options->window_total < WINDOW_TOTAL_MIN || (options->allow_count > 0 && options->allow == NULL) ? UV_EINVAL
                                                                                                          : 0;
}

static int check_patterns(const uvrelay_mux_options_t *options, uvrelay_error_t *error)
{
  for (size_t i = 0; i < options->allow_count; i++) {
    char quoted[UVR_QUOTED_SIZE];
    const char *fault = uvr_allow_fault(options->allow[i]);
    if (fault != NULL) {
      return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "bad pattern %s in the option allow: %s",
                           uvr_quote(quoted, options->allow[i]), fault);
    }
  }
  return 0;
}

static uvrelay_mux_t *make(uvrelay_t *relay, uvrelay_mux_role_t role, const uvrelay_mux_options_t *options)
{
  uvrelay_mux_t *mux = uvr_alloc(&relay->context.memory, sizeof(*mux));
  if (mux == NULL) {
    return NULL;
  }
  mux->relay = relay;
  mux->mux.context = &relay->context;
  mux->mux.streams = &relay->mux_context;
  mux->mux.role = role;
  mux->mux.options = *options;
  mux->mux.options.allow = NULL;
  mux->mux.events = (uvr_mux_events){.on_event = on_event,
                                     .on_closed = on_mux_closed,
                                     .may_connect = may_connect,
                                     .start_session = start_session,
                                     .user = mux};
  if (copy_patterns(&mux->mux, options) != 0) {
    free_mux(mux);
    return NULL;
  }
  return mux;
}

int uvrelay_mux_new(uvrelay_mux_t **out, uvrelay_t *relay, uvrelay_mux_role_t role,
                    const uvrelay_mux_options_t *options)
{
  uvrelay_mux_options_t own;
  *out = NULL;
  if (!uvr_relay_is_open(relay)) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  if (uvr_abi_copy(&own, sizeof(own), options) != 0 || check_options(&own) != 0 || (unsigned)role > UVRELAY_MUX_FAR) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "an option of the mux is out of its range");
  }
  if (check_patterns(&own, &relay->error) != 0) {
    return UV_EINVAL;
  }
  uvrelay_mux_t *mux = make(relay, role, &own);
  if (mux == NULL) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for a mux");
  }
  uvr_mux_init(&mux->mux);
  uvr_relay_add(relay, &mux->part, &part_ops);
  *out = mux;
  return 0;
}
