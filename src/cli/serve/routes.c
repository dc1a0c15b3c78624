/* The routes of a running serve: see routes.h. */
#include "cli/serve/routes.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output/report.h"
#include "cli/serve/manager.h"

uvr_report_route uvr_routes_row(const uvrelay_route_t *route)
{
  return (uvr_report_route){.listen = uvrelay_route_get_listen(route),
                            .target = uvrelay_route_get_target(route),
                            .name = uvrelay_route_get_name(route)};
}

/* Events. */

bool uvr_routes_are_all_lost(const uvr_server *server)
{
  for (size_t i = 0; i < server->count; i++) {
    if (!server->served[i]->lost) {
      return false;
    }
  }
  return true;
}

static void on_event(uvrelay_route_t *route, const uvrelay_event_t *event, void *user)
{
  uvr_served *self = user;
  uvr_server *server = self->server;
  uvr_report_route row = uvr_routes_row(route);
  bool closed = event->type == UVRELAY_EVENT_CLOSED;
  uvr_report_event(&server->log.report, &row, event);
  uvr_manager_changed(server);
  if (event->error != NULL || (closed && event->result->reason == UVRELAY_REASON_FAILED)) {
    self->error_at = uv_now(&server->loop);
  }
  if (event->type == UVRELAY_EVENT_OPENED && server->supervised && strncmp(row.target, "via:", 4) == 0) {
    uvr_supervisor_start(&server->supervisor);
  }
  if (closed && event->result->reason == UVRELAY_REASON_STOPPED) {
    server->cut++;
  }
  if (event->type == UVRELAY_EVENT_FAILED) {
    self->lost = true;
    if (!server->stopping && !server->reload.running && uvr_routes_are_all_lost(server)) {
      server->on_all_lost(server);
    }
  }
}

/* Making and freeing. */

static uvr_served *make(uvr_server *server, const uvr_config_route *wanted)
{
  uvr_served *self = calloc(1, sizeof(*self));
  if (self != NULL) {
    self->server = server;
    self->wanted = *wanted;
    self->wanted.place.file = NULL;
    self->wanted.options.event_cb = on_event;
    self->wanted.options.user = self;
  }
  return self;
}

uvr_served *uvr_routes_new(uvr_server *server, uvr_config_route *wanted)
{
  uvr_served *self = make(server, wanted);
  if (self != NULL) {
    wanted->listen = NULL;
  }
  return self;
}

uvr_served *uvr_routes_copy(const uvr_served *other)
{
  uvr_config_route wanted = other->wanted;
  size_t listen_size = strlen(wanted.listen) + 1;
  size_t target_size = strlen(wanted.target) + 1;
  char *text = malloc(listen_size + target_size);
  if (text == NULL) {
    return NULL;
  }
  memcpy(text, wanted.listen, listen_size);
  memcpy(text + listen_size, wanted.target, target_size);
  wanted.listen = text;
  wanted.target = text + listen_size;
  uvr_served *self = make(other->server, &wanted);
  if (self == NULL) {
    free(text);
  }
  return self;
}

void uvr_routes_free(uvr_served *self)
{
  if (self != NULL) {
    free(self->wanted.listen);
    free(self);
  }
}

/* Listening. */

int uvr_routes_add(uvr_served *self, uvr_made_directories *made, uvrelay_error_t *error)
{
  const uvr_config_route *wanted = &self->wanted;
  uvrelay_t *relay = self->server->relay;
  int code = wanted->listener.kind == UVR_ADDRESS_UNIX ? uvr_directory_make_for(wanted->listener.path, made, error) : 0;
  if (code == 0) {
    code = uvrelay_route_add(relay, wanted->listen, wanted->target, &wanted->options, &self->route);
    *error = *uvrelay_error(relay);
  }
  return code;
}

static uint64_t received_by(const uvr_served *self)
{
  uvrelay_route_counters_t counters = {0};
  if (self->wanted.needs_far_end && self->route != NULL) {
    uvrelay_route_get_counters(self->route, &counters, sizeof(counters));
  }
  return counters.to_client;
}

/* A reload must no longer use it. */
static void forget(uvr_reload *reload, const uvr_served *gone)
{
  for (size_t i = 0; i < reload->count; i++) {
    if (reload->entries[i].from == gone) {
      reload->entries[i].from = NULL;
    }
  }
}

static void on_gone(uvrelay_route_t *route, void *user)
{
  uvr_served *self = user;
  (void)route;
  forget(&self->server->reload, self);
  self->server->received += received_by(self);
  self->server->going--;
  uvr_routes_free(self);
}

int uvr_routes_replace(uvr_served *self, uvr_served *from)
{
  const uvr_config_route *wanted = &self->wanted;
  int code = uvrelay_route_replace(from->route, wanted->listen, wanted->target, &wanted->options, UINT64_MAX, on_gone,
                                   from, &self->route);
  if (code == 0) {
    from->leaving = true;
    self->server->going++;
  }
  return code;
}

void uvr_routes_remove(uvr_served *self, uint64_t timeout_ms)
{
  self->server->going += self->leaving ? 0 : 1;
  self->leaving = true;
  uvrelay_route_remove(self->route, timeout_ms, on_gone, self);
}

void uvr_routes_set_via(uvr_served *self)
{
  self->wanted.options.via = self->server->supervised ? self->server->supervisor.mux : NULL;
}

/* Reports. */

void uvr_routes_say_status(uvr_server *server)
{
  size_t count = 0;
  for (size_t i = 0; i < server->count; i++) {
    const uvrelay_route_t *route = server->served[i]->route;
    if (route == NULL) {
      continue; /* a reload is making it again */
    }
    const uvrelay_error_t *error = uvrelay_route_error(route);
    uvr_report_route *row = &server->rows[count++];
    *row = uvr_routes_row(route);
    row->error = error->code == 0 ? NULL : error->text;
    uvrelay_route_get_counters(route, &row->counters, sizeof(row->counters));
  }
  uvr_report_status(&server->log.report, server->rows, count);
}

void uvr_routes_on_timer(uv_timer_t *timer)
{
  uvr_routes_say_status(timer->data);
}

uint64_t uvr_routes_count_received(void *user)
{
  const uvr_server *server = user;
  uint64_t sum = server->received;
  for (size_t i = 0; i < server->count; i++) {
    sum += received_by(server->served[i]);
  }
  return sum;
}
