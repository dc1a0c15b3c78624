/* A route: a listener, and a session for each of its clients.
 *
 * Happy path: the listener accepts a client, a session relays between it and the target, and its end is counted and
 * emitted. While `max` sessions are open, the listener is paused.
 *
 * Ways to fail while a route is added: an address or an option is invalid; its clients would be relayed in a ring; the
 * system refuses to listen. Nothing is left of the route then.
 *
 * Ways to fail later: a session fails, which is counted, emitted and kept as the route's last error; the listener
 * cannot accept a client for lack of descriptors or memory, and tries again; the listener fails for good, and only the
 * open sessions go on.
 *
 * Removal: the listener is closed first. The open sessions end by themselves or are cancelled at the deadline. Then the
 * timer is closed and the route is freed. No callback is made from within a call: all of this begins on the wakeup. */
#include <stdio.h>
#include <string.h>

#include "address/query.h"
#include "base/abi.h"
#include "endpoint/listen.h"
#include "endpoint/owner.h"
#include "endpoint/reach.h"
#include "endpoint/tcp.h"
#include "relay/ring.h"
#include "relay/session.h"
#include "relay/through_mux.h"

enum { TIMEOUT_MS = 30000, MAX = 1024, PERMISSIONS = 0600 };

/* A session of a route, with which it is allocated. */
typedef struct client {
  uvrelay_route_t *route;
  uvr_list_node node;
  uint64_t number;
  uvrelay_session_t *session;
  uvrelay_peer_t peer; /* without a process and a user: unknown */
} client;

struct uvrelay_route_s {
  uvr_part part;
  uvrelay_t *relay;
  uvr_address listen;
  uvr_address place; /* what its clients connect to */
  uvr_address target;
  uvr_via *via;        /* what the target is connected through, or NULL */
  uint16_t asked_port; /* of the listener's address as it was given: 0, or its port */
  uvr_hop hop;
  uvrelay_route_options_t options;
  struct sockaddr_storage target_ips[UVR_IP_MAX];
  uvr_session_options session_options;
  uvr_listener *listener; /* NULL once it is closed */
  bool listener_closing;
  bool full;         /* PAUSED was emitted because of `max`, and RESUMED was not emitted since */
  uint64_t was_full; /* loop time when `max` was reached last, ms */
  uvr_list clients;
  unsigned refused;                  /* streams of refused clients that are being closed */
  uvrelay_route_counters_t counters; /* without the bytes of open sessions */
  uvrelay_error_t error;
  uv_timer_t wakeup;
  bool removing;
  uint64_t deadline; /* loop time when open sessions are cancelled, ms; UINT64_MAX: never */
  uvrelay_route_cb remove_cb;
  void *remove_user;
};

static void on_wakeup(uv_timer_t *timer);

static void wake_after(uvrelay_route_t *route, uint64_t ms)
{
  (void)uv_timer_start(&route->wakeup, on_wakeup, ms, 0);
}

static void emit(uvrelay_route_t *route, uvrelay_event_t event)
{
  if (event.error != NULL) {
    route->error = *event.error;
    event.error = &route->error;
  }
  if (route->options.event_cb != NULL) {
    route->options.event_cb(route, &event, route->options.user);
  }
}

/* Clients. */

static void add_client(uvrelay_route_t *route, client *c)
{
  uvr_list_prepend(&route->clients, &c->node);
  route->counters.open++;
  c->number = ++route->counters.total;
}

static void remove_client(uvrelay_route_t *route, client *c)
{
  uvr_list_remove(&c->node);
  route->counters.open--;
}

static bool is_listening(const uvrelay_route_t *route)
{
  return route->listener != NULL && !route->listener_closing;
}

/* Emits RESUMED once the route was full and then was not full for a while. */
static void check_relief(uvrelay_route_t *route)
{
  uint64_t since = uv_now(route->relay->context.loop) - route->was_full;
  if (!route->full || !is_listening(route) || route->counters.open >= route->options.max) {
    return;
  }
  if (since < route->relay->context.patience.relief_ms) {
    wake_after(route, route->relay->context.patience.relief_ms - since);
    return;
  }
  route->full = false;
  emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_RESUMED});
}

static void on_session_done(uvrelay_session_t *session, const uvrelay_result_t *result, void *user)
{
  client *c = user;
  uvrelay_route_t *route = c->route;
  remove_client(route, c);
  route->counters.to_target += result->to_right;
  route->counters.to_client += result->to_left;
  if (result->reason == UVRELAY_REASON_FAILED) {
    route->counters.failed++;
    route->error = result->error;
  }
  if (is_listening(route)) {
    uvr_listener_pause(route->listener, false);
  }
  if (route->removing) {
    wake_after(route, 0);
  }
  emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_CLOSED,
                                .number = c->number,
                                .session = session,
                                .result = result,
                                .peer = c->peer.pid > 0 || c->peer.uid >= 0 ? &c->peer : NULL});
  if (!route->removing) {
    check_relief(route);
  }
}

static void on_refused_closed(void *user)
{
  uvrelay_route_t *route = user;
  route->refused--;
  wake_after(route, 0);
}

/* There is no memory for a client. There is no event for it, but it is counted, and a warning. */
static void refuse(uvrelay_route_t *route, uvr_stream *stream)
{
  (void)uvr_error_set(&route->error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "not enough memory for a client of %s",
                      route->listen.canonical);
  uvr_log_line(&route->relay->context.warnings, "%s: it was closed", route->error.text);
  route->refused++;
  route->counters.total++;
  route->counters.failed++;
  uvr_stream_close(stream, UVR_CLOSE_NOW, on_refused_closed, route);
}

/* The listener has closed a client. One that could not be taken is counted and a warning, but no event. */
static void on_refused_client(void *user, const uvrelay_peer_t *peer, const uvrelay_error_t *error)
{
  uvrelay_route_t *route = user;
  uint64_t number = ++route->counters.total;
  route->counters.failed++;
  if (error->code != UV_EACCES) {
    route->error = *error;
    uvr_log_line(&route->relay->context.warnings, "%s", error->text);
    return;
  }
  uvr_log_line(&route->relay->context.log, "%s", error->text);
  emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_REFUSED, .number = number, .error = error, .peer = peer});
}

/* Sessions over a mux use smaller buffers. */
static uvr_context *context_of(uvrelay_route_t *route)
{
  return route->via != NULL ? &route->relay->mux_context : &route->relay->context;
}

static void on_client(void *user, uvr_stream *stream, const uvrelay_peer_t *peer)
{
  uvrelay_route_t *route = user;
  uvrelay_t *relay = route->relay;
  uvrelay_session_t *session = uvr_session_new_client(relay, context_of(route), stream, &route->session_options,
                                                      on_session_done, sizeof(client));
  if (session == NULL) {
    refuse(route, stream);
    return;
  }
  client *c = uvr_session_user(session);
  *c = (client){.route = route, .session = session, .peer = peer != NULL ? *peer : UVR_PEER_UNKNOWN};
  add_client(route, c);
  bool fills = route->counters.open >= route->options.max;
  if (fills) {
    route->was_full = uv_now(relay->context.loop);
    uvr_listener_pause(route->listener, true);
  }
  emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_OPENED, .number = c->number, .session = session, .peer = peer});
  uvr_session_start_client(session, &route->target, route->via);
  if (fills && !route->full && !route->removing) {
    uvrelay_error_t error;
    route->full = true;
    (void)uvr_error_set(&error, UVRELAY_PHASE_LISTEN, UV_EAGAIN,
                        "%s has reached its limit of %u connections (max=), and further clients are waiting",
                        route->listen.canonical, route->options.max);
    emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_PAUSED, .error = &error});
  }
}

/* The listener. */

static void on_trouble(void *user, const uvrelay_error_t *error)
{
  emit(user, (uvrelay_event_t){.type = UVRELAY_EVENT_PAUSED, .error = error});
}

static void on_relief(void *user)
{
  emit(user, (uvrelay_event_t){.type = UVRELAY_EVENT_RESUMED});
}

static void on_listener_closed(void *user)
{
  uvrelay_route_t *route = user;
  route->listener = NULL;
  wake_after(route, 0);
  uvr_relay_wake(route->relay);
}

static void close_listener(uvrelay_route_t *route)
{
  if (is_listening(route)) {
    route->listener_closing = true;
    route->hop.place = NULL;
    uvr_listener_close(route->listener, on_listener_closed, route);
  }
}

static void on_listener_failed(void *user, const uvrelay_error_t *error)
{
  uvrelay_route_t *route = user;
  close_listener(route); /* before the event, in which another route must not take it over */
  emit(route, (uvrelay_event_t){.type = UVRELAY_EVENT_FAILED, .error = error});
}

/* Ending. */

static void on_wakeup_closed(uv_handle_t *handle)
{
  uvrelay_route_t *route = handle->data;
  uvrelay_t *relay = route->relay;
  uvr_ring_remove(&relay->hops, &route->hop);
  uvr_relay_remove(&route->part);
  if (route->remove_cb != NULL) {
    route->remove_cb(route, route->remove_user);
  }
  uvr_via_unref(route->via);
  uvr_free(&relay->context.memory, route);
  uvr_relay_wake(relay);
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_route_t *route = timer->data;
  if (!route->removing) {
    check_relief(route);
    return;
  }
  close_listener(route);
  for (uvr_list_node *n = uvr_list_first(&route->clients); n != NULL; n = uvr_list_next(&route->clients, n)) {
    uvr_session_stop_waiting(UVR_LISTED(n, client, node)->session);
  }
  uint64_t now = uv_now(route->relay->context.loop);
  if (route->listener == NULL && uvr_list_is_empty(&route->clients) && route->refused == 0) {
    if (!uv_is_closing((uv_handle_t *)timer)) {
      uv_close((uv_handle_t *)timer, on_wakeup_closed);
    }
  } else if (route->deadline > now) {
    if (route->deadline < UINT64_MAX) {
      wake_after(route, route->deadline - now);
    }
  } else {
    for (uvr_list_node *n = uvr_list_first(&route->clients); n != NULL; n = uvr_list_next(&route->clients, n)) {
      uvrelay_session_cancel(UVR_LISTED(n, client, node)->session);
    }
  }
}

static void begin_removal(uvrelay_route_t *route, uint64_t timeout_ms)
{
  uint64_t now = uv_now(route->relay->context.loop);
  route->removing = true;
  route->hop.place = NULL; /* its listener is closed before anybody else comes */
  route->deadline = timeout_ms < UINT64_MAX - now ? now + timeout_ms : UINT64_MAX;
  if (!uv_is_closing((uv_handle_t *)&route->wakeup)) {
    wake_after(route, 0);
  }
}

void uvrelay_route_remove(uvrelay_route_t *route, uint64_t timeout_ms, uvrelay_route_cb cb, void *user)
{
  route->remove_cb = cb;
  route->remove_user = user;
  begin_removal(route, timeout_ms);
}

/* As a part of its relay. */

static uvrelay_route_t *route_of(const uvr_part *part)
{
  return UVR_LISTED(part, uvrelay_route_t, part);
}

static void part_end(uvr_part *part, uvr_relay_state state)
{
  uvrelay_route_t *route = route_of(part);
  close_listener(route);
  if (state == UVR_RELAY_CLOSING) {
    begin_removal(route, 0);
  }
}

static bool part_is_busy(const uvr_part *part)
{
  return route_of(part)->listener != NULL;
}

static const uvr_part_ops part_ops = {.end = part_end, .is_busy = part_is_busy};

/* Called when the target's name, socket file or link has led to a place. */
static int check_looked_up(void *user, const uvr_address *place, uvrelay_error_t *error)
{
  uvrelay_route_t *route = user;
  return uvr_ring_look_up(&route->relay->hops, &route->hop, place, error);
}

/* Adding. */

static int check_options(uvrelay_route_options_t *options, uvrelay_error_t *error)
{
  if ((unsigned)options->impersonation > UVRELAY_IMPERSONATION_DELEGATION ||
      (unsigned)options->eof_to_client > UVRELAY_EOF_NONE || (unsigned)options->eof_to_target > UVRELAY_EOF_NONE ||
      options->permissions > 0777 || (*options->name != '\0' && !uvr_route_name_check(options->name))) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "an option of the route is out of its range");
  }
  options->timeout_ms = options->timeout_ms == 0 ? TIMEOUT_MS : options->timeout_ms;
  options->max = options->max == 0 ? MAX : options->max;
  options->permissions = options->permissions == 0 ? PERMISSIONS : options->permissions;
  return 0;
}

static int parse_route(uvrelay_route_t *route, const char *listen, const char *target,
                       const uvrelay_route_options_t *options, uvrelay_error_t *error)
{
  unsigned given = 0;
  uvrelay_route_options_t *own = &route->options;
  if (uvr_abi_copy(own, sizeof(*own), options) != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the options of the route have an invalid size");
  }
  own->size = sizeof(*own);
  int code = uvr_route_address(listen, UVRELAY_LEFT, own, &given, &route->listen, error);
  if (code == 0) {
    code = uvr_route_address(target, UVRELAY_RIGHT, own, &given, &route->target, error);
  }
  code = code == 0 ? uvr_fill_in(&route->target, error) : code;
  if (code == 0 && uvr_is_same_place(&route->target, &route->listen)) {
    code = uvr_ring_refuse_own_target(&route->target, error);
  }
  if (code == 0) {
    code = uvr_choose_mux(route->relay, &route->target, own->via, &route->via, error);
  }
  if (code == 0) {
    code = uvr_owner_check_list(&route->target, own->owner, error);
  }
  return code != 0 ? code : check_options(own, error);
}

static void set_session_options(uvrelay_route_t *route)
{
  const uvrelay_route_options_t *own = &route->options;
  const uvrelay_session_options_t options = {
      .size = sizeof(options),
      .impersonation = own->impersonation,
      .retry = own->wait_for_absent != 0 ? UVRELAY_RETRY_ALL : UVRELAY_RETRY_BUSY,
      .timeout_ms = own->timeout_ms == UINT64_MAX ? 0 : own->timeout_ms,
      .linger_ms = own->linger_ms,
      .eof_to_left = own->eof_to_client,
      .eof_to_right = own->eof_to_target,
      .idle_ms = own->idle_ms,
  };
  (void)uvr_session_options_of(&options, &route->session_options);
  route->session_options.pair.left_is_client = true;
  route->session_options.dial.connect.owner = own->owner;
  route->session_options.dial.connect.ip = uvr_tcp_parse(&route->target, route->target_ips);
  route->session_options.dial.connect.check = check_looked_up;
  route->session_options.dial.connect.check_user = route;
}

/* This system cannot listen there. Perhaps the two sides were mixed up. */
static void explain_listener(const uvrelay_route_t *route, uvrelay_error_t *error)
{
  size_t length = strlen(error->text);
  if (uvr_why_no_listener(&route->listen) != NULL && !route->target.via &&
      uvr_why_no_listener(&route->target) == NULL) {
    (void)snprintf(error->text + length, sizeof(error->text) - length,
                   ". LISTEN comes first: did you mean %.100s=%.100s?", route->target.canonical,
                   route->listen.canonical);
  }
}

static int start(uvrelay_t *relay, uvrelay_route_t *route)
{
  const uvr_listen_options options = {.permissions = route->options.permissions,
                                      .message = route->options.message_mode != 0,
                                      .peer_uid = route->options.peer_uid,
                                      .allow_remote = route->options.allow_remote != 0};
  const uvr_listen_events events = {.on_client = on_client,
                                    .on_refused = on_refused_client,
                                    .on_trouble = on_trouble,
                                    .on_relief = on_relief,
                                    .on_fail = on_listener_failed,
                                    .user = route};
  int code =
      uvr_listen(context_of(route), &route->listen, &options, &events, &route->listener, &route->place, &relay->error);
  route->hop.place = &route->place;
  if (code == UV_ENOTSUP) {
    explain_listener(route, &relay->error);
  }
  return code;
}

/* Makes a route that does not listen yet. Returns NULL, with *code and the relay's error, if that fails. */
static uvrelay_route_t *make_route(uvrelay_t *relay, const char *listen, const char *target,
                                   const uvrelay_route_options_t *options, int *code)
{
  if (!uvr_relay_is_open(relay)) {
    *code = uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
    return NULL;
  }
  uvrelay_route_t *route = uvr_alloc(&relay->context.memory, sizeof(*route));
  if (route == NULL) {
    *code = uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for a route");
    return NULL;
  }
  route->relay = relay;
  uvr_list_init(&route->clients);
  *code = parse_route(route, listen, target, options, &relay->error);
  if (*code != 0) {
    uvr_free(&relay->context.memory, route);
    return NULL;
  }
  route->asked_port = route->listen.port;
  route->hop.listen = &route->listen;
  route->hop.target = &route->target;
  set_session_options(route);
  return route;
}

/* Adds a route that listens to its relay, unless it would lead into a ring. */
static int finish_adding(uvrelay_route_t *route)
{
  uvr_via_ref(route->via);
  (void)uv_timer_init(route->relay->context.loop, &route->wakeup);
  route->wakeup.data = route;
  uvr_relay_add(route->relay, &route->part, &part_ops);
  uvr_ring_add(&route->relay->hops, &route->hop);
  return route->via != NULL ? 0
                            : uvr_ring_check(&route->relay->hops, &route->hop, &route->target, &route->relay->error);
}

int uvrelay_route_add(uvrelay_t *relay, const char *listen, const char *target, const uvrelay_route_options_t *options,
                      uvrelay_route_t **out)
{
  int code = 0;
  uvrelay_route_t *route = make_route(relay, listen, target, options, &code);
  if (route == NULL) {
    return code;
  }
  code = start(relay, route);
  if (code != 0) {
    uvr_free(&relay->context.memory, route);
    return code;
  }
  code = finish_adding(route);
  if (code != 0) {
    begin_removal(route, 0);
    return code;
  }
  if (out != NULL) {
    *out = route;
  }
  return 0;
}

/* Whether both listen in the same way: then `route`, which does not listen yet, gets the port that was chosen. */
static bool listens_alike(uvrelay_route_t *route, const uvrelay_route_t *other)
{
  const uvrelay_route_options_t *one = &route->options;
  const uvrelay_route_options_t *two = &other->options;
  uvr_address asked = other->listen;
  if (asked.kind == UVR_ADDRESS_TCP) {
    uvr_address_set_port(&asked, other->asked_port);
  }
  bool permissions = uvr_address_has(&asked, UVR_ADDRESS_HAS_PERMISSIONS);
  if (asked.kind != route->listen.kind || strcmp(asked.canonical, route->listen.canonical) != 0 ||
      (permissions && one->permissions != two->permissions) ||
      (uvr_address_has(&asked, UVR_ADDRESS_HAS_MODE) && (one->message_mode != 0) != (two->message_mode != 0)) ||
      (asked.kind == UVR_ADDRESS_TCP && (one->allow_remote != 0) != (two->allow_remote != 0)) ||
      strcmp(one->peer_uid, two->peer_uid) != 0) {
    return false;
  }
  route->listen = other->listen;
  return true;
}

static void take_listener(uvrelay_route_t *route, uvrelay_route_t *from)
{
  route->listener = from->listener;
  route->place = from->place;
  route->hop.place = &route->place;
  from->listener = NULL;
  from->hop.place = NULL;
  uvr_listener_hand_over(route->listener, route);
  uvr_listener_pause(route->listener, route->counters.open >= route->options.max);
}

int uvrelay_route_replace(uvrelay_route_t *route, const char *listen, const char *target,
                          const uvrelay_route_options_t *options, uint64_t timeout_ms, uvrelay_route_cb cb, void *user,
                          uvrelay_route_t **out)
{
  uvrelay_t *relay = route->relay;
  int code = 0;
  uvrelay_route_t *next = make_route(relay, listen, target, options, &code);
  if (next == NULL) {
    return code;
  }
  if (!is_listening(route) || route->removing || context_of(route) != context_of(next) || !listens_alike(next, route)) {
    (void)uvr_error_set(&relay->error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP,
                        "cannot take over the listener of %s: its settings differ", route->listen.canonical);
    uvr_free(&relay->context.memory, next);
    return UV_ENOTSUP;
  }
  take_listener(next, route);
  code = finish_adding(next);
  if (code != 0) {
    take_listener(route, next);
    begin_removal(next, 0);
    return code;
  }
  uvrelay_route_remove(route, timeout_ms, cb, user);
  if (out != NULL) {
    *out = next;
  }
  return 0;
}

/* Properties. */

const char *uvrelay_route_get_listen(const uvrelay_route_t *route)
{
  return route->listen.canonical;
}

const char *uvrelay_route_get_target(const uvrelay_route_t *route)
{
  return route->target.canonical;
}

const char *uvrelay_route_get_name(const uvrelay_route_t *route)
{
  return route->options.name;
}

void uvrelay_route_get_counters(const uvrelay_route_t *route, uvrelay_route_counters_t *out, size_t size)
{
  uvrelay_route_counters_t counters = route->counters;
  for (uvr_list_node *n = uvr_list_first(&route->clients); n != NULL; n = uvr_list_next(&route->clients, n)) {
    uint64_t to_right;
    uint64_t to_left;
    uvrelay_session_bytes(UVR_LISTED(n, client, node)->session, &to_right, &to_left);
    counters.to_target += to_right;
    counters.to_client += to_left;
  }
  memset(out, 0, size);
  memcpy(out, &counters, size < sizeof(counters) ? size : sizeof(counters));
}

const uvrelay_error_t *uvrelay_route_error(const uvrelay_route_t *route)
{
  return &route->error;
}
