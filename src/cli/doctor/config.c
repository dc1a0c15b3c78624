/* The configuration, and what it says of routes: see config.h. */
#include "cli/doctor/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/expand.h"
#include "address/query.h"
#include "base/text.h"
#include "cli/child/far_command.h"
#include "cli/doctor/place.h"
#include "cli/serve/load.h"
#include "endpoint/reach.h"

enum { TARGETS_MS = 4000 };

/* Reading it. */

/* Says what was read. */
static void describe(const uvr_doctor *doctor, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  const uvr_serve_options *given = &doctor->given;
  size_t count = doctor->config.count;
  const char *what = doctor->usual[0] != '\0'                              ? uvr_quote(quoted, doctor->usual)
                     : given->config_count == 0                            ? "the command line"
                     : given->config_count == 1 && given->route_count == 0 ? uvr_quote(quoted, given->configs[0])
                                                                           : "files and the command line";
  uvr_check_set(check, UVR_CHECK_OK, "%s: %" PRIu64 " route%s", what, (uint64_t)count, count == 1 ? "" : "s");
  if (doctor->far_count > 0) {
    char part[64] = "";
    size_t length = strlen(check->text);
    if (doctor->far_count < count) {
      (void)snprintf(part, sizeof(part), "%" PRIu64 " of which ", (uint64_t)doctor->far_count);
    }
    (void)snprintf(check->text + length, sizeof(check->text) - length, ", %sby way of %s", part, doctor->command_line);
  }
}

/* The command that reads the same files. */
static void add_serve_check(const uvr_doctor *doctor, uvr_check *check)
{
  char word[UVR_SHELL_WORD_SIZE];
  uvr_check_add_remedy(check, "%s serve --check", doctor->own);
  for (unsigned i = 0; i < doctor->given.config_count; i++) {
    size_t length = strlen(check->remedy);
    (void)snprintf(check->remedy + length, sizeof(check->remedy) - length, " --config=%s",
                   uvr_shell_word(word, doctor->given.configs[i]));
  }
}

static void refuse(const uvr_doctor *doctor, uvr_check *check, const uvr_place *place, const uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  if (place != NULL && place->file != NULL) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s:%u:%u: %s", place->file, place->line, place->column, error->text);
    uvr_check_add_remedy(check, "# fix line %u of %s; this checks it:", place->line, uvr_quote(quoted, place->file));
    add_serve_check(doctor, check);
  } else {
    uvr_check_set(check, UVR_CHECK_BAD, "%s", error->text);
  }
}

static void check_files(const uvr_doctor *doctor, uvr_check *check)
{
  const uvr_expander expander = {.home = uv_os_homedir, .bare_path = true};
  for (unsigned i = 0; i < doctor->given.config_count; i++) {
    char path[UVR_EXPANDED_SIZE];
    size_t wrong = 0;
    if (uvr_expand(&expander, doctor->given.configs[i], path, &wrong, NULL) == 0) {
      uvr_doctor_check_file(path, check);
    }
  }
  if (doctor->usual[0] != '\0') {
    uvr_doctor_check_file(doctor->usual, check);
  }
}

/* Parses what a route's connections need, which was checked before. */
static void fill_route(uvr_doctor *doctor, size_t i)
{
  uvr_doctor_route *route = &doctor->routes[i];
  unsigned given = 0;
  uvr_address listener;
  uvrelay_error_t error;
  route->config = &doctor->config.routes[i];
  route->target.options = route->config->options;
  route->name = route->config->name[0] != '\0' ? route->config->name : route->config->listener.canonical;
  (void)uvr_route_address(route->config->listen, UVRELAY_LEFT, &route->target.options, &given, &listener, &error);
  (void)uvr_route_address(route->config->target, UVRELAY_RIGHT, &route->target.options, &given, &route->target.address,
                          &error);
  if (route->config->needs_far_end) {
    doctor->far_count++;
    if (!route->target.address.via) {
      uvr_address_set_via(&route->target.address);
    }
  }
}

static bool make_routes(uvr_doctor *doctor, uvr_check *check)
{
  doctor->routes = calloc(doctor->config.count + 1, sizeof(*doctor->routes));
  if (doctor->routes == NULL) {
    uvr_check_set(check, UVR_CHECK_BAD, "not enough memory");
    return false;
  }
  for (size_t i = 0; i < doctor->config.count; i++) {
    fill_route(doctor, i);
  }
  return true;
}

/* Whether the file in its usual place is to be read, but is not there. */
static bool lacks_usual_file(uvr_doctor *doctor)
{
  uv_fs_t request;
  if (doctor->given.config_count > 0 || doctor->given.route_count > 0 || uvr_paths_config(doctor->usual, NULL) != 0) {
    return false;
  }
  int code = uv_fs_stat(NULL, &request, doctor->usual, NULL);
  uv_fs_req_cleanup(&request);
  return code == UV_ENOENT;
}

/* Finds the command of the far end, if one is needed. Returns false if that has failed, and the result is set. */
static bool find_far_end(uvr_doctor *doctor, uvr_check *check)
{
  uvrelay_error_t error;
  const char *via = doctor->options.via;
  const uvr_config_route *first = uvr_config_first_far(&doctor->config);
  if (first == NULL && via == NULL) {
    return true;
  }
  int status = uvr_far_command_find(via, first, &doctor->command, &doctor->command_line, &error);
  if (status == 0 || (doctor->is_wsl && via == NULL)) { /* in WSL a check of its own says why */
    return true;
  }
  refuse(doctor, check, via == NULL && first != NULL ? &first->place : NULL, &error);
  return false;
}

void uvr_doctor_check_config(uvr_doctor *doctor, uvr_check *check)
{
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  char quoted[UVR_QUOTED_SIZE];
  doctor->command_line = "";
  doctor->options = doctor->given;
  if (lacks_usual_file(doctor)) {
    uvr_check_set(check, UVR_CHECK_WARNING, "no route is given, and there is no file %s",
                  uvr_quote(quoted, doctor->usual));
    uvr_doctor_add_setup_remedy(doctor->is_wsl ? doctor->own : NULL, check);
    return;
  }
  if (uvr_serve_load(&doctor->given, &doctor->options, &doctor->config, &place, &error) != 0) {
    refuse(doctor, check, &place, &error);
    if (place.file == NULL && doctor->usual[0] != '\0' && doctor->config.count == 0 && error.code == UV_EINVAL) {
      uvr_doctor_add_setup_remedy(doctor->is_wsl ? doctor->own : NULL, check); /* no file has a route */
    }
    doctor->config.count = 0; /* those that are there were not all checked */
    return;
  }
  if (make_routes(doctor, check) && find_far_end(doctor, check)) {
    describe(doctor, check);
    check_files(doctor, check);
  } else {
    doctor->config.count = 0;
  }
}

/* Targets. */

void uvr_doctor_try_targets(uvr_doctor *doctor, uvr_check *check)
{
  uvr_probe probe = {.targets_ms = TARGETS_MS, .remote_files = doctor->options.allow_remote_files};
  (void)check;
  probe.targets = calloc(doctor->config.count + 1, sizeof(uvr_probe_target *));
  for (size_t i = 0; probe.targets != NULL && i < doctor->config.count; i++) {
    if (!doctor->routes[i].config->needs_far_end) {
      probe.targets[probe.count++] = &doctor->routes[i].target;
    }
  }
  if (probe.count > 0) {
    uvr_probe_run(&probe);
  }
  free(probe.targets);
}

/* Whose place a target is, by a part of its address, and what starts it. */
static const struct {
  const char *part;
  const char *remedy;
} servers[] = {
    {"openssh-ssh-agent", "# start your agent in Windows, such as 1Password; if it is the service of Windows,\n"
                          "# type there, in a PowerShell as administrator:\n"
                          "Set-Service ssh-agent -StartupType Automatic; Start-Service ssh-agent"},
    {"docker_engine", "# start Docker Desktop in Windows"},
    {"S.gpg-agent", "# in Windows:\ngpg-connect-agent.exe /bye"},
    {"pageant", "# start Pageant in Windows"},
};

static const char *server_remedy(const char *address)
{
  for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
    if (strstr(address, servers[i].part) != NULL) {
      return servers[i].remedy;
    }
  }
  return "# start the program that should listen there";
}

static void add_target_remedy(const uvrelay_error_t *error, const char *address, uvr_check *check)
{
  if (uvr_error_is_absence(error)) {
    uvr_check_add_remedy(check, "%s", server_remedy(address));
  } else if (error->code == UV_EPERM) {
    uvr_check_add_remedy(check, "# if you trust that owner, add it to owner= of the route");
  } else if (error->code == UV_EACCES) {
    uvr_check_add_remedy(check, "# start its server as the same user, not as an administrator or another user");
  } else if (error->code == UV_EBUSY || error->code == UV_ETIMEDOUT) {
    uvr_check_add_remedy(check, "# stop clients that keep it busy, or restart its server");
  }
}

void uvr_doctor_check_target(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  const uvr_probe_target *target = &route->target;
  const char *address = target->address.canonical;
  (void)doctor;
  if (!target->tried) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s did not answer in time", uvr_quote(quoted, address));
  } else if (target->error.code == 0) {
    uvr_check_set(check, UVR_CHECK_OK, "connected to %s in %.1f ms", uvr_quote(quoted, address),
                  (double)target->took_us / 1000);
  } else {
    bool waits = uvr_error_is_absence(&target->error) && target->options.wait_for_absent != 0;
    uvr_check_set(check, waits ? UVR_CHECK_WARNING : UVR_CHECK_BAD, "%s", target->error.text);
    add_target_remedy(&target->error, address, check);
  }
}

void uvr_doctor_describe_route(const uvr_doctor_route *route, char *text, size_t size)
{
  const uvr_address *listener = &route->config->listener;
  const uvr_address *target = &route->target.address;
  char home[UVR_ADDRESS_PATH_SIZE] = "";
  size_t length = sizeof(home);
  bool known = uv_os_homedir(home, &length) == 0 && length > 1;
  bool within = known && strncmp(listener->path, home, length) == 0 && listener->path[length] == '/';
  (void)snprintf(text, size, "%s%s leads to %s", within ? "~" : "",
                 within                      ? listener->path + length
                 : listener->path[0] != '\0' ? listener->path
                                             : listener->canonical,
                 target->canonical + (target->via ? strlen("via:") : 0));
}

/* The environment. */

enum { VALUE_SIZE = UVR_ADDRESS_PATH_SIZE + 64 };

/* What a preset's variable must be to lead to this route; "" if there is no such variable. Returns `value`. */
static const char *wanted_value(const uvr_doctor_route *route, char value[VALUE_SIZE])
{
  const uvr_preset *preset = route->config->preset;
  bool leads = preset != NULL && preset->variable != NULL && route->config->listener.path[0] != '\0';
  (void)snprintf(value, VALUE_SIZE, "%s%s", leads && preset->prefix != NULL ? preset->prefix : "",
                 leads ? route->config->listener.path : "");
  return value;
}

/* Another route that the same variable leads to, or NULL. */
static const uvr_doctor_route *find_variable(const uvr_doctor *doctor, const char *variable, const char *value)
{
  char wanted[VALUE_SIZE];
  for (size_t i = 0; doctor->routes != NULL && i < doctor->config.count; i++) {
    const uvr_preset *preset = doctor->routes[i].config->preset;
    if (preset != NULL && preset->variable != NULL && strcmp(preset->variable, variable) == 0 &&
        strcmp(wanted_value(&doctor->routes[i], wanted), value) == 0) {
      return &doctor->routes[i];
    }
  }
  return NULL;
}

void uvr_doctor_check_variable(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check)
{
  char quoted[UVR_QUOTED_SIZE];
  char wanted[VALUE_SIZE];
  char value[VALUE_SIZE] = "";
  size_t size = sizeof(value);
  if (*wanted_value(route, wanted) == '\0') {
    return;
  }
  const char *name = route->config->preset->variable;
  int code = uv_os_getenv(name, value, &size);
  const uvr_doctor_route *other = code == 0 ? find_variable(doctor, name, value) : NULL;
  if (code == 0 && strcmp(value, wanted) == 0) {
    uvr_check_set(check, UVR_CHECK_OK, "%s leads to it", name);
  } else if (other != NULL) {
    uvr_check_set(check, UVR_CHECK_OK, "%s leads to another route, %s", name, other->name);
  } else if (doctor->lacks_serve) {
    uvr_check_set(check, UVR_CHECK_SKIPPED, "see serve above");
  } else {
    bool unset = code == UV_ENOENT || (code == 0 && *value == '\0');
    uvr_check_set(check, UVR_CHECK_WARNING,
                  unset ? "%s is not set here, so programs do not find it%s" : "%s leads programs to %s instead", name,
                  unset       ? ""
                  : code == 0 ? uvr_quote(quoted, value)
                              : "another place");
    uvr_check_add_remedy(check, "eval \"$(%s env)\"", doctor->own);
    uvr_check_add_remedy(check, "# and add the same line to the end of ~/.bashrc, for new shells");
  }
}
