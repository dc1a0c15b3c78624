/* The configuration: see config.h. */
#include "cli/input/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/query.h"
#include "base/error.h"
#include "base/text.h"
#include "endpoint/reach.h"

/* A text that lasts as long as the config. */
struct uvr_config_text {
  uvr_config_text *next;
  char text[];
};

static int grow(uvr_config *self, uvrelay_error_t *error)
{
  if (self->count < self->capacity) {
    return 0;
  }
  size_t capacity = self->capacity == 0 ? 8 : self->capacity * 2;
  uvr_config_route *routes = realloc(self->routes, capacity * sizeof(*routes));
  if (routes == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the routes");
  }
  self->routes = routes;
  self->capacity = capacity;
  return 0;
}

int uvr_config_append(uvr_config *self, const uvr_route_text *text, uvr_place place, unsigned target_column,
                      uvrelay_error_t *error)
{
  size_t listen_size = strlen(text->listen) + 1;
  size_t target_size = strlen(text->target) + 1;
  char *copy = malloc(listen_size + target_size);
  int code = grow(self, error);
  if (copy == NULL || code != 0) {
    free(copy);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the routes");
  }
  memcpy(copy, text->listen, listen_size);
  memcpy(copy + listen_size, text->target, target_size);
  self->routes[self->count++] = (uvr_config_route){.listen = copy,
                                                   .target = copy + listen_size,
                                                   .place = place,
                                                   .target_column = target_column,
                                                   .preset = text->preset,
                                                   .options = self->options};
  return 0;
}

int uvr_config_add_route(uvr_config *self, const char *argument, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t size = strlen(argument) + 1;
  char *copy = malloc(size);
  if (copy == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the routes");
  }
  memcpy(copy, argument, size);
  uvr_route_line line = {.more = false};
  uvr_route_text text;
  const char *wrong;
  int code;
  if (!uvr_route_line_split(copy, &line)) {
    char meant[UVR_ROUTE_MEANT_SIZE];
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is not a route: write %s",
                         uvr_quote(quoted, argument), uvr_route_line_meant(argument, true, meant));
  } else if (line.more) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is more than one route: write each without quotes",
                         uvr_quote(quoted, argument));
  } else {
    code = uvr_route_line_expand(&line, false, &text, &wrong, error);
    code = code == 0 ? uvr_config_append(self, &text, (uvr_place){.file = NULL}, 0, error) : code;
  }
  free(copy);
  return code;
}

/* Whether a host is localhost, on whose two addresses the library listens, and the other one of these addresses. */
static bool is_part_of(const char *host, const char *other)
{
  return uvr_is_same_word(host, "localhost") && (strcmp(other, "127.0.0.1") == 0 || strcmp(other, "::1") == 0);
}

static bool same_host(const char *a, const char *b)
{
  return uvr_is_same_word(a, b) || is_part_of(a, b) || is_part_of(b, a);
}

static bool same_listener(const uvr_address *a, const uvr_address *b)
{
  if (a->kind != b->kind) {
    return false;
  }
  if (a->kind == UVR_ADDRESS_TCP) {
    return a->port != 0 && a->port == b->port && same_host(a->host, b->host);
  }
  /* Windows ignores the case of a pipe's name. */
  return a->kind == UVR_ADDRESS_NPIPE ? uvr_is_same_word(a->path, b->path) : strcmp(a->canonical, b->canonical) == 0;
}

/* Checks that no route before the i-th one has the same listener. */
static int check_twice(const uvr_config *self, size_t i, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t first = 0;
  while (first < i && !same_listener(&self->routes[first].listener, &self->routes[i].listener)) {
    first++;
  }
  if (first == i) {
    return 0;
  }
  uvr_quote(quoted, self->routes[i].listener.canonical);
  if (self->routes[first].place.file == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the listener %s is given twice", quoted);
  }
  char file[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the listener %s is given twice, first in line %u of %s",
                       quoted, self->routes[first].place.line, uvr_quote(file, self->routes[first].place.file));
}

/* Checks that no route before the i-th one has the same name. */
static int check_name(const uvr_config *self, size_t i, uvrelay_error_t *error)
{
  size_t first = 0;
  while (first < i && strcmp(self->routes[first].name, self->routes[i].name) != 0) {
    first++;
  }
  if (first == i || self->routes[i].name[0] == '\0') {
    return 0;
  }
  if (self->routes[first].place.file == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the name %s is given to two routes",
                         self->routes[i].name);
  }
  char file[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                       "the name %s is given to two routes, first in line %u of %s", self->routes[i].name,
                       self->routes[first].place.line, uvr_quote(file, self->routes[first].place.file));
}

/* Names of presets, for the routes that were given none. */
static void name_like_presets(uvr_config *self)
{
  for (size_t i = 0; i < self->count; i++) {
    uvr_config_route *route = &self->routes[i];
    const char *name = route->preset == NULL ? "" : route->preset->name;
    size_t k = 0;
    while (k < self->count && strcmp(self->routes[k].name, name) != 0) {
      k++;
    }
    if (route->name[0] == '\0' && *name != '\0' && k == self->count) {
      (void)snprintf(route->name, sizeof(route->name), "%s", name);
      memcpy(route->options.name, route->name, sizeof(route->name));
    }
  }
}

static int check_route(uvr_config *self, size_t i, uvr_place *place, uvrelay_error_t *error)
{
  uvr_config_route *route = &self->routes[i];
  uvrelay_route_options_t options = route->options;
  uvr_address target;
  unsigned given = 0;
  *place = route->place;
  int code = uvr_route_address(route->listen, UVRELAY_LEFT, &options, &given, &route->listener, error);
  if (code == 0) {
    place->column = route->target_column;
    code = uvr_route_address(route->target, UVRELAY_RIGHT, &options, &given, &target, error);
  }
  if (code != 0) {
    return code;
  }
  place->column = route->place.column;
  route->why_far = target.via ? NULL : uvr_why_no_target(&target);
  route->needs_far_end = target.via || route->why_far != NULL;
  memcpy(route->name, options.name, sizeof(route->name));
  code = check_twice(self, i, error);
  return code == 0 ? check_name(self, i, error) : code;
}

int uvr_config_check(uvr_config *self, uvr_place *place, uvrelay_error_t *error)
{
  int code = 0;
  for (size_t i = 0; code == 0 && i < self->count; i++) {
    code = check_route(self, i, place, error);
  }
  if (code == 0) {
    name_like_presets(self);
  }
  return code;
}

const uvr_config_route *uvr_config_first_far(const uvr_config *self)
{
  for (size_t i = 0; i < self->count; i++) {
    if (self->routes[i].needs_far_end) {
      return &self->routes[i];
    }
  }
  return NULL;
}

const char *uvr_config_keep(uvr_config *self, const char *text)
{
  size_t size = strlen(text) + 1;
  uvr_config_text *kept = malloc(sizeof(*kept) + size);
  if (kept == NULL) {
    return NULL;
  }
  memcpy(kept->text, text, size);
  kept->next = self->texts;
  self->texts = kept;
  return kept->text;
}

void uvr_config_clear(uvr_config *self)
{
  while (self->texts != NULL) {
    uvr_config_text *next = self->texts->next;
    free(self->texts);
    self->texts = next;
  }
  for (size_t i = 0; i < self->count; i++) {
    free(self->routes[i].listen);
  }
  free(self->routes);
  *self = (uvr_config){.routes = NULL};
}
