/* What serve answers: see answers.h. */
#include "cli/serve/answers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "address/types.h"
#include "base/text.h"
#include "cli/serve/identity.h"
#include "cli/serve/reload.h"
#include "cli/serve/status_text.h"

/* The status. */

static uvr_status_route route_of(const uvr_served *served, uint64_t now)
{
  const uvrelay_error_t *error = uvrelay_route_error(served->route);
  const char *name = uvrelay_route_get_name(served->route);
  uvr_status_route row = {.name = *name == '\0' ? NULL : name,
                          .listen = uvrelay_route_get_listen(served->route),
                          .target = uvrelay_route_get_target(served->route),
                          .error = error->code == 0 ? NULL : error->text,
                          .error_age_ms = served->error_at == 0 ? 0 : now - served->error_at,
                          .lost = served->lost};
  uvrelay_route_get_counters(served->route, &row.counters, sizeof(row.counters));
  return row;
}

static uvr_status_far_end far_end_of(const uvr_supervisor *supervisor)
{
  uvr_supervisor_view view;
  uvr_supervisor_look(supervisor, &view);
  return (uvr_status_far_end){.state = view.state,
                              .command = view.command,
                              .process = view.process,
                              .age_ms = view.age_ms,
                              .starts = view.starts,
                              .error = view.error,
                              .error_age_ms = view.error_age_ms};
}

static void answer_status(uvr_server *server, uvr_control_client *client, bool json)
{
  uvr_text_line text = {.text = NULL};
  uint64_t now = uv_now(&server->loop);
  uvr_status_far_end far_end;
  uvr_status_route *routes = calloc(server->count == 0 ? 1 : server->count, sizeof(*routes));
  if (routes == NULL) {
    uvr_control_answer(client, "not enough memory for the status", NULL);
    return;
  }
  uvr_status status = {.process = (int)uv_os_getpid(),
                       .since = server->since,
                       .age_ms = now - server->ready_at,
                       .stopping = server->stopping,
                       .configs = (const char *const *)server->configs,
                       .config_count = server->config_count,
                       .routes = routes,
                       .draining = server->going};
  for (size_t i = 0; i < server->count; i++) {
    if (server->served[i]->route != NULL) {
      routes[status.route_count++] = route_of(server->served[i], now);
    }
  }
  if (server->supervised && !server->spare) {
    far_end = far_end_of(&server->supervisor);
    status.far_end = &far_end;
  }
  (json ? uvr_status_json : uvr_status_text)(&status, &text);
  free(routes);
  uvr_control_answer(client, NULL, &text);
  uvr_text_line_clear(&text);
}

/* The environment. */

/* The value of a preset's variable for the place that the route listens at. Returns false if there is none: a program
 * that looks for a socket cannot use a port. */
static bool add_value(uvr_text_line *text, const uvr_preset *preset, const uvr_served *served)
{
  const uvr_address *listener = &served->wanted.listener;
  bool scheme = *preset->prefix != '\0';
  if (listener->kind == UVR_ADDRESS_UNIX) {
    uvr_text_line_bytes(text, preset->prefix, strlen(preset->prefix));
    uvr_text_line_bytes(text, listener->path, strlen(listener->path));
  } else if (listener->kind == UVR_ADDRESS_NPIPE) {
    const char *pipe = scheme ? listener->canonical : listener->path;
    uvr_text_line_add(text, scheme ? "npipe://" : "");
    uvr_text_line_bytes(text, pipe, strlen(pipe));
  } else if (listener->kind == UVR_ADDRESS_TCP && scheme) {
    const char *place = uvrelay_route_get_listen(served->route);
    uvr_text_line_bytes(text, place, strlen(place));
  } else {
    return false;
  }
  return true;
}

static bool has_control(const char *text, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) {
      return true;
    }
  }
  return false;
}

static void add_variable(const uvr_served *served, uvr_text_line *text)
{
  const uvr_preset *preset = served->wanted.preset;
  uvr_text_line value = {.text = NULL};
  if (preset == NULL || preset->variable == NULL || served->route == NULL || served->lost) {
    return;
  }
  if (add_value(&value, preset, served) && !value.failed && !has_control(value.text, value.length)) {
    uvr_text_line_bytes(text, preset->variable, strlen(preset->variable));
    uvr_text_line_bytes(text, "\t", 1);
    uvr_text_line_bytes(text, value.text, value.length);
    uvr_text_line_bytes(text, "\n", 1);
  }
  uvr_text_line_clear(&value);
}

static void answer_environment(uvr_server *server, uvr_control_client *client)
{
  uvr_text_line text = {.text = NULL};
  for (size_t i = 0; i < server->count && !server->stopping; i++) {
    add_variable(server->served[i], &text);
  }
  uvr_control_answer(client, NULL, &text);
  uvr_text_line_clear(&text);
}

static void answer_identity(uvr_server *server, uvr_control_client *client)
{
  uvr_text_line text = {.text = NULL};
  uvr_identity_add(server, &text);
  uvr_control_answer(client, server->stopping ? "it is stopping" : NULL, &text);
  uvr_text_line_clear(&text);
}

/* For the doctor: a line a route, LISTEN, TARGET, how long ago its last error was in ms, and that, with tabs between
 * them; the last two are empty if there was none. */
static void add_route_line(const uvr_status_route *route, uvr_text_line *text)
{
  const char *error = route->error == NULL || has_control(route->error, strlen(route->error)) ? "" : route->error;
  uvr_text_line_bytes(text, route->listen, strlen(route->listen));
  uvr_text_line_bytes(text, "\t", 1);
  uvr_text_line_bytes(text, route->target, strlen(route->target));
  if (*error == '\0') {
    uvr_text_line_add(text, "\t\t\n");
    return;
  }
  uvr_text_line_add(text, "\t%" PRIu64 "\t", route->error_age_ms);
  uvr_text_line_bytes(text, error, strlen(error));
  uvr_text_line_add(text, "\n");
}

static void answer_routes(uvr_server *server, uvr_control_client *client)
{
  uvr_text_line text = {.text = NULL};
  for (size_t i = 0; i < server->count; i++) {
    if (server->served[i]->route != NULL && !server->served[i]->lost) {
      const uvr_status_route route = route_of(server->served[i], uv_now(&server->loop));
      add_route_line(&route, &text);
    }
  }
  uvr_control_answer(client, NULL, &text);
  uvr_text_line_clear(&text);
}

void uvr_answers_request(void *user, uvr_control_client *client, const char *request)
{
  uvr_server *server = user;
  if (strcmp(request, "status") == 0 || strcmp(request, "status json") == 0) {
    answer_status(server, client, request[strlen("status")] != '\0');
  } else if (strcmp(request, "env") == 0) {
    answer_environment(server, client);
  } else if (strcmp(request, "routes") == 0) {
    answer_routes(server, client);
  } else if (strcmp(request, "identity") == 0) {
    answer_identity(server, client);
  } else if (strcmp(request, "reload") == 0) {
    uvr_reload_request(server, client);
  } else {
    uvr_control_answer(client, "it does not know this request: it may be of another version", NULL);
  }
}
