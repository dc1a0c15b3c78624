/* What a reload is to change: see reload_plan.h. */
#include "cli/serve/reload_plan.h"

#include <string.h>

#include "base/text.h"
#include "cli/serve/routes.h"

static void clear_rest(char *text, size_t size)
{
  size_t length = strlen(text);
  memset(text + length, 0, size - length);
}

/* The options without what is this process's own. */
static uvrelay_route_options_t plain(const uvr_config_route *route)
{
  uvrelay_route_options_t options;
  memcpy(&options, &route->options, sizeof(options)); /* with what is between the members */
  options.event_cb = NULL;
  options.user = NULL;
  options.via = NULL;
  clear_rest(options.owner, sizeof(options.owner));
  clear_rest(options.peer_uid, sizeof(options.peer_uid));
  clear_rest(options.name, sizeof(options.name));
  return options;
}

static bool is_unchanged(const uvr_config_route *old, const uvr_config_route *wanted)
{
  const uvrelay_route_options_t one = plain(old);
  const uvrelay_route_options_t two = plain(wanted);
  /* Bytes between members that differ by chance would only have the route replaced. So no member can be forgotten. */
  /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
  bool same = memcmp(&one, &two, sizeof(one)) == 0;
  return same && old->preset == wanted->preset && strcmp(old->listen, wanted->listen) == 0 &&
         strcmp(old->target, wanted->target) == 0;
}

/* Whether both are listened on at the same address. A port that the system chooses is the same if it was asked for in
 * the same way. */
static bool is_same_listener(const uvr_config_route *old, const uvr_config_route *wanted)
{
  const uvr_address *one = &old->listener;
  const uvr_address *two = &wanted->listener;
  return one->kind == two->kind && (one->kind == UVR_ADDRESS_NPIPE ? uvr_is_same_word(one->path, two->path)
                                                                   : strcmp(one->canonical, two->canonical) == 0);
}

/* Whether perhaps only one of them can listen, as both have the same port: localhost has two addresses. */
static bool is_same_port(const uvr_config_route *old, const uvr_config_route *wanted)
{
  return old->listener.kind == UVR_ADDRESS_TCP && wanted->listener.kind == UVR_ADDRESS_TCP && old->listener.port != 0 &&
         old->listener.port == wanted->listener.port;
}

/* The first route that is served, is not kept, still listens, and fits; or NULL. */
static uvr_served *find(const uvr_server *server, const uvr_config_route *wanted,
                        bool (*fits)(const uvr_config_route *old, const uvr_config_route *wanted))
{
  for (size_t i = 0; i < server->count; i++) {
    uvr_served *one = server->served[i];
    if (!one->kept && !one->lost && one->route != NULL && fits(&one->wanted, wanted)) {
      return one;
    }
  }
  return NULL;
}

static void take_places(uvr_server *server, bool (*fits)(const uvr_config_route *old, const uvr_config_route *wanted))
{
  uvr_reload *self = &server->reload;
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (!entry->kept && entry->from == NULL) {
      entry->from = find(server, &self->config.routes[i], fits);
    }
    if (entry->from != NULL) {
      entry->from->kept = true; /* for others, as its place is taken */
    }
  }
}

int uvr_reload_match(uvr_server *server)
{
  uvr_reload *self = &server->reload;
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    entry->place = self->config.routes[i].place;
    entry->served = find(server, &self->config.routes[i], is_unchanged);
    entry->kept = entry->served != NULL;
    if (entry->kept) {
      entry->served->kept = true;
    }
  }
  take_places(server, is_same_listener);
  take_places(server, is_same_port);
  for (size_t i = 0; i < self->count; i++) {
    uvr_reload_entry *entry = &self->entries[i];
    if (!entry->kept) {
      entry->served = uvr_routes_new(server, &self->config.routes[i]);
    }
    if (entry->served == NULL) {
      return UV_ENOMEM;
    }
  }
  return 0;
}
