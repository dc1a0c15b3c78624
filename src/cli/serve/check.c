/* serve --check: see check.h. A name that leads back to a route, a socket that somebody else listens on, and what the
 * far end says can only be found out by opening something, so they are not found here. */
#include "cli/serve/check.h"

#include <stdlib.h>
#include <string.h>

#include "address/query.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/os/directory.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"
#include "endpoint/ip.h"
#include "endpoint/owner.h"
#include "endpoint/reach.h"

/* The target of a route, and its options, those of its addresses included, all of which are good. */
static void parse(const uvr_config_route *route, uvr_address *target, uvrelay_route_options_t *options)
{
  uvr_address listener;
  unsigned given = 0;
  *options = route->options;
  (void)uvr_route_address(route->listen, UVRELAY_LEFT, options, &given, &listener, NULL);
  (void)uvr_route_address(route->target, UVRELAY_RIGHT, options, &given, target, NULL);
  if (route->needs_far_end && !target->via) {
    uvr_address_set_via(target);
  }
}

static int check_listener(const uvr_address *listener, const uvrelay_route_options_t *options, uvrelay_error_t *error)
{
  struct sockaddr_storage ips[UVR_IP_MAX];
  const char *why = uvr_why_no_listener(listener);
  if (why != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP, "cannot listen on %s: %s", listener->canonical, why);
  }
  if (listener->kind == UVR_ADDRESS_TCP && uvr_ip_of_address(listener, ips) == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "cannot listen on %s: write an IPv4 address, an IPv6 address in brackets, or localhost",
                         listener->canonical);
  }
  if (listener->kind == UVR_ADDRESS_TCP && options->allow_remote == 0 &&
      !uvr_ip_is_loopback((const struct sockaddr *)&ips[0])) {
    return uvr_ip_refuse_remote(listener->canonical, error);
  }
  int code = uvr_owner_check_peers(listener, options->peer_uid, error);
  return code == 0 && listener->kind == UVR_ADDRESS_UNIX ? uvr_directory_check_for(listener->path, error) : code;
}

/* The route that a connection to the target of the i-th one arrives at; or the count of them. */
static size_t next_route(const uvr_config *config, size_t i)
{
  uvr_address target;
  uvrelay_route_options_t options;
  size_t k = 0;
  parse(&config->routes[i], &target, &options);
  while (k < config->count && (target.via || !uvr_is_same_place(&target, &config->routes[k].listener))) {
    k++;
  }
  return k;
}

/* Follows the routes from the i-th one on, which must not lead back to it. */
static int check_ring(const uvr_config *config, size_t i, uvrelay_error_t *error)
{
  size_t at = next_route(config, i);
  for (size_t left = config->count; at < config->count && left > 0; left--) {
    if (at == i) {
      return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                           "a client of %s would come back to it, because its target leads there",
                           config->routes[i].listener.canonical);
    }
    at = next_route(config, at);
  }
  return 0;
}

int uvr_check_routes(const uvr_config *config, uvr_place *place, uvrelay_error_t *error)
{
  int code = 0;
  for (size_t i = 0; code == 0 && i < config->count; i++) {
    uvr_address target;
    uvrelay_route_options_t options;
    const uvr_config_route *route = &config->routes[i];
    *place = route->place;
    parse(route, &target, &options);
    code = check_listener(&route->listener, &options, error);
    code = code == 0 ? uvr_owner_check_list(&target, options.owner, error) : code;
    code = code == 0 ? check_ring(config, i, error) : code;
  }
  return code;
}

static void add_text(uvr_text_line *text, const uvr_config_route *route, const char *far_end)
{
  if (route->name[0] != '\0') {
    uvr_text_line_add(text, "%s: ", route->name);
  }
  uvr_text_line_text(text, route->listen);
  uvr_text_line_add(text, " = ");
  uvr_text_line_text(text, route->target);
  if (far_end == NULL) {
    uvr_text_line_add(text, ", directly\n");
    return;
  }
  uvr_text_line_add(text, ", through the far end: ");
  uvr_text_line_text(text, far_end);
  uvr_text_line_add(text, "\n");
}

static void add_member(uvr_text_line *text, const char *name, const char *value)
{
  if (value == NULL || *value == '\0') {
    uvr_text_line_add(text, ",\"%s\":null", name);
  } else {
    uvr_text_line_member(text, name, value);
  }
}

static void add_json(uvr_text_line *text, const uvr_config_route *route, const char *far_end)
{
  uvr_text_line_add(text, "{\"listen\":");
  uvr_text_line_string(text, route->listen);
  uvr_text_line_member(text, "target", route->target);
  add_member(text, "name", route->name);
  add_member(text, "preset", route->preset == NULL ? NULL : route->preset->name);
  add_member(text, "far_end", far_end);
  uvr_text_line_add(text, "}\n");
}

int uvr_check_print(const uvr_server *server)
{
  int status = 0;
  for (size_t i = 0; status == 0 && i < server->config.count; i++) {
    uvr_text_line text = {.text = NULL};
    const uvr_config_route *route = &server->config.routes[i];
    (server->options.json ? add_json : add_text)(&text, route, route->needs_far_end ? server->command_line : NULL);
    uvr_text_line_bytes(&text, "", 1);
    status = uvr_print(text.failed ? "" : text.text);
    uvr_text_line_clear(&text);
  }
  return status;
}
