/* The host of routes: see route_rig.h. */
#include "route_rig.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BEAT_MS = 2, DESCRIPTORS_MAX = 100, STORY_BYTES = 10 };

uint64_t route_now_ms(void)
{
  return uv_hrtime() / 1000000;
}

/* What the relay calls. */

static void happens(route_host *h, route_call call)
{
  assert_true(!h->closed || call == CALL_RELEASE);
  h->calls[call]++;
  if (h->act_at != 0 && h->act_call == call && h->act_at == h->calls[call] && h->relay != NULL) {
    h->acted = true;
    route_host_act(h, h->action);
  }
}

static void *on_allocate(void *user, size_t size)
{
  route_host *h = user;
  happens(h, CALL_ALLOCATE);
  return h->no_memory ? NULL : h->r.context.memory.allocate(h->r.context.memory.user, size);
}

static void on_release(void *user, void *block)
{
  route_host *h = user;
  h->r.context.memory.release(h->r.context.memory.user, block);
  happens(h, CALL_RELEASE);
}

static void on_log(void *user, const char *line)
{
  assert_true(line[0] != '\0' && strchr(line, '\n') == NULL);
  happens(user, CALL_LOG);
}

static void note(host_route *route, const char *format, uint64_t number)
{
  size_t length = strlen(route->journal);
  int more = snprintf(route->journal + length, ROUTE_JOURNAL - length, format, number);
  assert_in_range(more, 1, ROUTE_JOURNAL - length - 1);
}

static bool is_error(const uvrelay_error_t *error)
{
  return error->code < 0 && error->text[0] != '\0' && error->phase <= UVRELAY_PHASE_LISTEN;
}

static void on_opened(host_route *route, const uvrelay_event_t *event)
{
  assert_non_null(event->session);
  assert_null(event->result);
  assert_null(event->error);
  assert_true(event->number == route->opened + 1 || (route->refuses && event->number > route->opened));
  assert_in_range(event->number, 1, ROUTE_NUMBERS - 1);
  /* Who is asked to listen no more does so by the next turn. */
  assert_true(!route->ending || route->h->turns - route->ending_since <= 1);
  route->opened = event->number;
  route->open++;
  route->sessions[event->number] = event->session;
  note(route, "O%" PRIu64 " ", event->number);
}

static void on_closed_event(host_route *route, const uvrelay_event_t *event)
{
  const uvrelay_result_t *result = event->result;
  assert_in_range(event->number, 1, ROUTE_NUMBERS - 1);
  assert_non_null(event->session);
  assert_ptr_equal(event->session, route->sessions[event->number]);
  assert_null(event->error);
  assert_non_null(result);
  bool failed = result->reason == UVRELAY_REASON_FAILED;
  assert_true((result->error.code < 0) == (failed || result->reason == UVRELAY_REASON_STOPPED));
  assert_true(result->error.text[0] != '\0');
  if (failed) {
    assert_int_equal(uvrelay_route_error(route->route)->code, result->error.code);
    assert_string_equal(uvrelay_route_error(route->route)->text, result->error.text);
  }
  route->sessions[event->number] = NULL;
  route->results[event->number] = *result;
  route->open--;
  route->failed += failed ? 1U : 0U;
  route->to_target += result->to_right;
  route->to_client += result->to_left;
  note(route, "C%" PRIu64 " ", event->number);
}

static void on_trouble(host_route *route, const uvrelay_event_t *event)
{
  assert_null(event->session);
  assert_null(event->result);
  assert_non_null(event->error);
  assert_true(is_error(event->error));
  assert_int_equal(event->error->phase, UVRELAY_PHASE_LISTEN);
  assert_string_equal(uvrelay_route_error(route->route)->text, event->error->text);
  route->error = *event->error;
}

void check_route_counters(const host_route *route)
{
  uvrelay_route_counters_t counters;
  uvrelay_route_get_counters(route->route, &counters, sizeof(counters));
  assert_int_equal(counters.open, route->open);
  assert_in_range(counters.total, route->opened, route->refuses ? UINT64_MAX : route->opened);
  assert_in_range(counters.failed, route->failed, route->refuses ? UINT64_MAX : route->failed);
  assert_in_range(counters.to_target, route->to_target, UINT64_MAX);
  assert_in_range(counters.to_client, route->to_client, UINT64_MAX);
  if (route->open == 0) {
    assert_int_equal(counters.to_target, route->to_target);
    assert_int_equal(counters.to_client, route->to_client);
  }
}

static void on_event(uvrelay_route_t *handle, const uvrelay_event_t *event, void *user)
{
  static const route_call calls[] = {CALL_OPENED, CALL_CLOSED, CALL_PAUSED, CALL_RESUMED, CALL_FAILED};
  host_route *route = user;
  assert_int_equal(route->h->calling, 0);
  assert_non_null(route->route);
  assert_ptr_equal(handle, route->route);
  assert_in_range(event->type, UVRELAY_EVENT_OPENED, UVRELAY_EVENT_FAILED);
  switch (event->type) {
  case UVRELAY_EVENT_OPENED:
    on_opened(route, event);
    break;
  case UVRELAY_EVENT_CLOSED:
    on_closed_event(route, event);
    break;
  case UVRELAY_EVENT_PAUSED:
    on_trouble(route, event);
    note(route, "P ", 0);
    break;
  case UVRELAY_EVENT_RESUMED:
    assert_true(event->session == NULL && event->result == NULL && event->error == NULL);
    note(route, "R ", 0);
    break;
  case UVRELAY_EVENT_FAILED:
    on_trouble(route, event);
    note(route, "F ", 0);
    break;
  case UVRELAY_EVENT_REFUSED: /* only listeners of other tests refuse */
    break;
  }
  check_route_counters(route);
  happens(route->h, calls[event->type]);
}

static void on_removed(uvrelay_route_t *handle, void *user)
{
  host_route *route = user;
  assert_int_equal(route->h->calling, 0);
  assert_ptr_equal(handle, route->route);
  assert_true(route->removing && !route->removed);
  assert_int_equal(route->open, 0);
  assert_string_equal(uvrelay_route_get_listen(handle), route->address); /* the memory is still there */
  check_route_counters(route);
  route->removed = true;
  note(route, "- ", 0);
  happens(route->h, CALL_REMOVED);
  route->route = NULL;
}

static void on_stopped(uvrelay_t *relay)
{
  route_host *h = uvrelay_get_data(relay);
  assert_int_equal(h->calling, 0);
  assert_true(h->stopping && !h->stopped && !h->closing);
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    assert_int_equal(h->routes[i].open, 0);
  }
  h->stopped = true;
  happens(h, CALL_STOPPED);
}

static void on_closed(uvrelay_t *relay)
{
  route_host *h = uvrelay_get_data(relay);
  assert_int_equal(h->calling, 0);
  assert_true(h->closing && !h->closed);
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    assert_int_equal(h->routes[i].open, 0);
    assert_int_equal(h->routes[i].removed, h->routes[i].removing); /* no callback is missing */
    h->routes[i].route = NULL;
  }
  h->closed = true;
}

/* What the host does. */

/* Adds a route, or puts it in the place of `replaced`. */
static int add_or_replace(route_host *h, unsigned i, host_route *replaced, const char *listen, const char *target,
                          const uvrelay_route_options_t *options, uint64_t timeout_ms)
{
  host_route *route = &h->routes[i];
  uvrelay_route_options_t own = {.size = sizeof(own)};
  char listen_copy[2 * ROUTE_ADDRESS];
  char target_copy[2 * ROUTE_ADDRESS];
  assert_null(route->route);
  memset(route, 0, sizeof(*route));
  route->h = h;
  own = options != NULL ? *options : own;
  own.event_cb = on_event;
  own.user = route;
  (void)snprintf(listen_copy, sizeof(listen_copy), "%s", listen);
  (void)snprintf(target_copy, sizeof(target_copy), "%s", target);
  size_t blocks = h->r.blocks;
  h->calling++;
  int code = replaced == NULL ? uvrelay_route_add(h->relay, listen_copy, target_copy, &own, &route->route)
                              : uvrelay_route_replace(replaced->route, listen_copy, target_copy, &own, timeout_ms,
                                                      on_removed, replaced, &route->route);
  h->calling--;
  memset(&own, 0x5A, sizeof(own)); /* all that counts was copied */
  memset(listen_copy, 'x', sizeof(listen_copy) - 1);
  memset(target_copy, 'x', sizeof(target_copy) - 1);
  if (code != 0) {
    assert_null(route->route);
    assert_int_equal(uvrelay_error(h->relay)->code, code);
    assert_true(is_error(uvrelay_error(h->relay)));
#ifndef _WIN32
    if (replaced == NULL || code == UV_ENOTSUP) {
      assert_int_equal(h->r.blocks, blocks); /* there a socket is closed later */
    }
#else
    (void)blocks;
#endif
    return code;
  }
  assert_non_null(route->route);
  (void)snprintf(route->address, sizeof(route->address), "%s", uvrelay_route_get_listen(route->route));
  assert_int_equal(uvrelay_route_error(route->route)->code, 0);
  check_route_counters(route);
  return 0;
}

int route_add(route_host *h, unsigned i, const char *listen, const char *target, const uvrelay_route_options_t *options)
{
  return add_or_replace(h, i, NULL, listen, target, options, 0);
}

static void ends_listening(host_route *route)
{
  if (!route->ending) {
    route->ending = true;
    route->ending_since = route->h->turns;
  }
}

int route_replace(route_host *h, unsigned i, unsigned replaced, const char *listen, const char *target,
                  const uvrelay_route_options_t *options, uint64_t timeout_ms)
{
  host_route *old = &h->routes[replaced];
  int code = add_or_replace(h, i, old, listen, target, options, timeout_ms);
  if (code == 0) {
    old->removing = true;
    ends_listening(old);
  }
  return code;
}

void route_remove(route_host *h, unsigned i, uint64_t timeout_ms)
{
  host_route *route = &h->routes[i];
  h->calling++;
  route->removing = true;
  ends_listening(route);
  uvrelay_route_remove(route->route, timeout_ms, on_removed, route);
  h->calling--;
}

static void end_all(route_host *h)
{
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    ends_listening(&h->routes[i]);
  }
}

void route_host_stop(route_host *h, uint64_t timeout_ms)
{
  h->calling++;
  assert_int_equal(uvrelay_stop(h->relay, timeout_ms, on_stopped), h->stopping ? UV_EALREADY : 0);
  h->stopping = true;
  end_all(h);
  h->calling--;
}

static void cancel_all(route_host *h)
{
  for (unsigned i = 0; i < ROUTE_COUNT * ROUTE_NUMBERS; i++) {
    uvrelay_session_t *session = h->routes[i / ROUTE_NUMBERS].sessions[i % ROUTE_NUMBERS];
    if (session != NULL) {
      uvrelay_session_cancel(session);
    }
  }
}

void route_host_act(route_host *h, route_action action)
{
  if (h->closing) {
    return;
  }
  h->calling++;
  if (action == ROUTE_CLOSES) {
    h->closing = true;
    end_all(h);
    uvrelay_close(h->relay, on_closed);
  } else if (action == ROUTE_STOPS || action == ROUTE_DRAINS) {
    route_host_stop(h, action == ROUTE_STOPS ? 0 : UINT64_MAX);
  } else if (action == ROUTE_CANCELS) {
    cancel_all(h);
  } else if (action == ROUTE_ADDS && h->routes[2].route == NULL) {
    assert_int_equal(route_add(h, 2, "tcp://127.0.0.1:0", h->target_address, NULL), h->stopping ? UV_ESHUTDOWN : 0);
  } else if (action == ROUTE_DETACHES && h->muxes.near_end.mux != NULL && !h->closing) {
    mux_end_detach(&h->muxes.near_end);
  } else if ((action == ROUTE_REMOVES || action == ROUTE_LEAVES) && h->routes[0].route != NULL &&
             !h->routes[0].removed) {
    route_remove(h, 0, action == ROUTE_REMOVES ? 0 : UINT64_MAX);
  }
  h->calling--;
}

int route_host_open(route_host *h)
{
  uvrelay_options_t options = {.size = sizeof(options),
                               .allocator = {.allocate = on_allocate, .release = on_release, .user = h},
                               .log = {.write = on_log, .user = h}};
  int code = uvrelay_new(&h->relay, &h->r.loop, &options);
  assert_true((code == 0) == (h->relay != NULL));
  if (code == 0) {
    uvrelay_set_data(h->relay, h);
  }
  return code;
}

static void on_beat(uv_timer_t *timer)
{
  (void)timer;
}

void route_turn(route_host *h)
{
  h->turns++;
  /* Again and again: see start_guard in rig.c. */
  assert_int_equal(uv_timer_start(&h->beat, on_beat, BEAT_MS, BEAT_MS), 0);
  (void)uv_run(&h->r.loop, UV_RUN_ONCE);
  (void)uv_timer_stop(&h->beat);
}

void route_run_ms(route_host *h, uint64_t ms)
{
  /* On a busy machine time goes by without a turn. */
  uint64_t turns = h->turns + ms / BEAT_MS;
  for (uint64_t since = route_now_ms(); route_now_ms() - since < ms || h->turns < turns;) {
    route_turn(h);
  }
}

void assert_journal(const route_host *h, unsigned i, const char *expected)
{
  assert_string_equal(h->routes[i].journal, expected);
}

/* Making and closing. */

static unsigned count_descriptors(void)
{
  unsigned count = 0;
  for (uv_file fd = 0; fd < DESCRIPTORS_MAX; fd++) {
    uv_fs_t request;
    count += uv_fs_fstat(NULL, &request, fd, NULL) != UV_EBADF ? 1U : 0U;
    uv_fs_req_cleanup(&request);
  }
  return count;
}

static void hold_port(route_host *h)
{
  struct sockaddr_in address;
  int size = sizeof(address);
  assert_int_equal(uv_tcp_init(&h->r.loop, &h->absent), 0);
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_bind(&h->absent, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_tcp_getsockname(&h->absent, (struct sockaddr *)&address, &size), 0);
  (void)snprintf(h->absent_address, sizeof(h->absent_address), "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

route_host *route_host_new(void)
{
  route_host *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  uv_loop_t loop;
  assert_int_equal(uv_loop_init(&loop), 0); /* the first one opens what stays open */
  assert_int_equal(uv_loop_close(&loop), 0);
  h->descriptors = count_descriptors();
  rig_init(&h->r);
  scratch_init(&h->files);
  assert_int_equal(uv_timer_init(&h->r.loop, &h->beat), 0);
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    h->routes[i].h = h;
  }
  h->target.echo = true;
  peer_listen(&h->r, &h->target, 0);
  (void)snprintf(h->target_address, sizeof(h->target_address), "tcp://127.0.0.1:%u", h->target.port);
  hold_port(h);
  return h;
}

static int count_files(const route_host *h)
{
  uv_fs_t request;
  int count = uv_fs_scandir(NULL, &request, h->files.directory, 0, NULL);
  uv_fs_req_cleanup(&request);
  return count;
}

void route_host_free(route_host *h)
{
  if (h->relay != NULL) {
    route_host_act(h, ROUTE_CLOSES);
    ROUTE_WAIT(h, h->closed);
  }
  for (unsigned i = 0; i < h->client_count; i++) {
    route_client_hang_up(&h->clients[i]);
  }
  peer_close(&h->target);
  uv_close((uv_handle_t *)&h->absent, NULL);
  uv_close((uv_handle_t *)&h->beat, NULL);
  rig_run(&h->r);
  rig_clear(&h->r);
  assert_int_equal(count_descriptors(), h->descriptors);
  assert_true(count_files(h) == 0 || h->leaves_files); /* each socket's file was removed */
  scratch_clear(&h->files);
  free(h);
}

/* The story. */

const char *route_unix_address(const route_host *h, const char *name, char address[ROUTE_ADDRESS])
{
  char path[SCRATCH_PATH_MAX];
  (void)snprintf(address, ROUTE_ADDRESS, "unix://%s", scratch_path(&h->files, name, path));
  return address;
}

static void on_mux_call(void *user)
{
  happens(user, CALL_MUX);
}

int route_host_open_muxes(route_host *h, const uvrelay_mux_options_t *near_options,
                          const uvrelay_mux_options_t *far_options)
{
  int code = mux_pair_new(&h->muxes, h->relay, near_options, far_options);
  h->muxes.on_call = on_mux_call;
  h->muxes.user = h;
  return h->closing ? 0 : code;
}

/* Makes the target one that the far end is to connect to, in a story over a mux. */
static const char *target_of(route_story story, const char *target, char via[ROUTE_ADDRESS])
{
  (void)snprintf(via, ROUTE_ADDRESS, "%s%.700s", story == STORY_VIA ? "via:" : "", target);
  return via;
}

int story_begin(route_host *h, route_story story)
{
  char via[ROUTE_ADDRESS];
  const bool on_unix = story == STORY_UNIX;
  char first[ROUTE_ADDRESS];
  char second[ROUTE_ADDRESS];
  uvrelay_route_options_t one = {.size = sizeof(one), .max = 1};
  uvrelay_route_options_t two = {.size = sizeof(two)};
  int code = 0;
  if (story == STORY_VIA) {
    code = route_host_open_muxes(h, NULL, NULL);
    one.via = h->muxes.near_end.mux;
    two.via = h->muxes.near_end.mux;
  }
  if (on_unix) {
    code = route_add(h, 3, route_unix_address(h, "second", second), h->target_address, NULL);
  }
  if (code == 0 && !h->closing) {
    code = route_add(h, 0, on_unix ? route_unix_address(h, "first", first) : "tcp://127.0.0.1:0",
                     on_unix ? second : target_of(story, h->target_address, via), &one);
  }
  if (code == 0 && !h->closing) {
    code = route_add(h, 1, "tcp://127.0.0.1:0", target_of(story, h->absent_address, via), &two);
  }
  for (unsigned i = 0; i < 3 && code == 0; i++) {
    const host_route *route = &h->routes[i / 2];
    if (route->route != NULL) {
      (void)route_client_start(h, route->address, STORY_BYTES, true);
    }
  }
  return code;
}

bool story_step(route_host *h)
{
  if (h->closing) {
    return h->closed;
  }
  for (unsigned i = 0; i < h->client_count; i++) {
    if (!h->clients[i].over) {
      return false;
    }
  }
  for (unsigned i = 0; i < ROUTE_COUNT; i++) {
    if (h->routes[i].open > 0) {
      return false;
    }
  }
  if (h->routes[0].route != NULL && !h->routes[0].removing) {
    route_remove(h, 0, UINT64_MAX);
  }
  if (h->routes[0].route == NULL && !h->stopping) {
    route_host_stop(h, 0);
  }
  return h->stopped && h->routes[0].route == NULL;
}
