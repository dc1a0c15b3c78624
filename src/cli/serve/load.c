/* Reading the configuration: see load.h. */
#include "cli/serve/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <uv.h>

#include "address/expand.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/child/find_program.h"
#include "cli/input/config_file.h"
#include "cli/input/file.h"
#include "cli/input/route_line.h"
#include "cli/os/paths.h"
#include "cli/serve/windows_targets.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory for the configuration");
}

/* Adds the file at a path, which messages call `name`. */
static int add_file(uvr_config *config, const char *path, const char *name, uvr_place *place, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char *text = NULL;
  size_t length = 0;
  int code = uvr_file_read(path, &text, &length);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                                uvr_quote(quoted, name), uv_strerror(code));
  }
  code = uvr_config_add_file(config, name, text, length, place, error);
  free(text);
  return code;
}

/* Expands a path of the command line, in which a shell leaves the ~/ after a "=". */
static int expand_path(const char *text, char path[UVR_EXPANDED_SIZE], uvrelay_error_t *error)
{
  const uvr_expander expander = {.home = uv_os_homedir, .bare_path = true, .noun = "path"};
  size_t wrong = 0;
  return uvr_expand(&expander, text, path, &wrong, error);
}

static int add_named_file(uvr_config *config, const char *name, uvr_place *place, uvrelay_error_t *error)
{
  char path[UVR_EXPANDED_SIZE];
  int code = expand_path(name, path, error);
  return code == 0 ? add_file(config, path, name, place, error) : code;
}

/* Adds the file in the usual place. */
static int add_usual_file(uvr_config *config, uvr_place *place, uvrelay_error_t *error)
{
  char path[UVR_PATH_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  int code = uvr_paths_config(path, error);
  if (code != 0) {
    return code;
  }
  const char *name = uvr_config_keep(config, path);
  if (name == NULL) {
    return no_memory(error);
  }
  code = add_file(config, path, name, place, error);
  if (code == UV_ENOENT) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, UV_EINVAL,
        "no route is given, and there is no file %s: %s, or use --config=FILE or a route, " UVR_ROUTE_EXAMPLE,
        uvr_quote(quoted, name), uvr_paths_config_advice());
  }
  return code;
}

/* The path of --log-file on the command line. */
static int expand_log_file(const uvr_serve_options *given, uvr_serve_options *options, uvr_config *config,
                           uvrelay_error_t *error)
{
  char path[UVR_EXPANDED_SIZE];
  if (given->log_file == NULL) {
    return 0;
  }
  int code = expand_path(given->log_file, path, error);
  if (code != 0) {
    return code;
  }
  options->log_file = uvr_config_keep(config, path);
  return options->log_file == NULL ? no_memory(error) : 0;
}

/* Whether a text is an address, or was to be one. */
static bool resembles_address(const char *text)
{
  return strchr(text, '=') == NULL && (strstr(text, "://") != NULL || strncmp(text, "//", 2) == 0);
}

/* A route of the command line is wrong. Perhaps it was cut in two: LISTEN and TARGET as two arguments, with or without
 * something between them. If one of them is wrong in itself, that is reported when they are one word. */
static void explain_route(const uvr_serve_options *given, int at, uvrelay_error_t *error)
{
  char all[UVR_ADDRESS_PATH_SIZE] = "";
  char meant[UVR_ROUTE_MEANT_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  size_t length = 0;
  for (int i = at; i < given->route_count && i < at + 3 && length < sizeof(all); i++) {
    length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s", i == at ? "" : " ", given->routes[i]);
    if (i > at && length < sizeof(all) && uvr_route_line_meant(all, true, meant) == meant) {
      (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                          "%s is not a route: write LISTEN=TARGET in one word, %s",
                          uvr_quote(quoted, given->routes[at]), meant);
      return;
    }
  }
  if (at + 1 < given->route_count && resembles_address(given->routes[at]) && resembles_address(given->routes[at + 1])) {
    char whole[UVR_QUOTED_SIZE];
    (void)snprintf(all, sizeof(all), "%s=%s", given->routes[at], given->routes[at + 1]);
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "%s is not a route: write LISTEN=TARGET in one word, %s",
                        uvr_quote(quoted, given->routes[at]), uvr_quote(whole, all));
  }
}

static int read_all(const uvr_serve_options *given, uvr_config *config, uvr_place *place, uvrelay_error_t *error)
{
  int code = 0;
  for (unsigned i = 0; code == 0 && i < given->config_count; i++) {
    code = add_named_file(config, given->configs[i], place, error);
  }
  if (code == 0 && given->config_count == 0 && given->route_count == 0) {
    code = add_usual_file(config, place, error);
  }
  if (code == 0) {
    *place = (uvr_place){.file = NULL};
  }
  for (int i = 0; code == 0 && i < given->route_count; i++) {
    code = uvr_config_add_route(config, given->routes[i], error);
    if (code == UV_EINVAL) {
      explain_route(given, i, error);
    }
  }
  return code;
}

/* Nothing is to be served. */
static int refuse_none(const uvr_serve_options *given, uvrelay_error_t *error)
{
  char path[UVR_PATH_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  if (given->config_count > 1) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "no route is given: none of the %u files has one",
                         given->config_count);
  }
  const char *name = given->config_count == 1 ? given->configs[0] : uvr_paths_config(path, error) == 0 ? path : "";
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "no route is given: the file %s has none",
                       uvr_quote(quoted, name));
}

int uvr_serve_load(const uvr_serve_options *given, uvr_serve_options *options, uvr_config *config, uvr_place *place,
                   uvrelay_error_t *error)
{
  *options = *given;
  *place = (uvr_place){.file = NULL};
  config->options.size = sizeof(config->options);
  config->settings = options;
  config->backslash = uvr_backslash_quotes();
  uvr_serve_options_apply(given, &config->options);
  int code = expand_log_file(given, options, config, error);
  code = code == 0 ? read_all(given, config, place, error) : code;
  config->settings = NULL;
  uvr_wsl wsl;
  uvr_wsl_init(&wsl);
  uvr_windows_targets_take(&wsl, config);
  for (size_t i = 0; i < config->count; i++) {
    config->routes[i].options.allow_remote = options->allow_remote; /* which any file may have set */
  }
  code = code == 0 ? uvr_config_check(config, place, error) : code;
  if (code == 0 && config->count == 0) {
    *place = (uvr_place){.file = NULL};
    code = refuse_none(given, error);
  }
  return code;
}

/* Whether it is there, and neither an ordinary file nor a directory, which cannot be read anyway. */
static bool is_special(const char *path)
{
  uv_fs_t request;
  int code = uv_fs_stat(NULL, &request, path, NULL);
  uint64_t kind = code == 0 ? request.statbuf.st_mode & S_IFMT : S_IFREG;
  uv_fs_req_cleanup(&request);
  return kind != S_IFREG && kind != S_IFDIR;
}

int uvr_serve_load_may_repeat(const uvr_serve_options *given, uvrelay_error_t *error)
{
  char path[UVR_EXPANDED_SIZE];
  char quoted[UVR_QUOTED_SIZE];
  for (unsigned i = 0; i < given->config_count; i++) {
    const char *name = given->configs[i];
    if (strcmp(name, "-") == 0) {
      return uvr_error_set(
          error, UVRELAY_PHASE_NONE, UV_EINVAL,
          "cannot read the configuration again: a part of it came from standard input: restart uvrelay serve");
    }
    if (expand_path(name, path, error) == 0 && is_special(path)) {
      return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                           "cannot read the configuration again: %s is not a regular file: restart uvrelay serve",
                           uvr_quote(quoted, name));
    }
  }
  return 0;
}
