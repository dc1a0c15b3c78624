/* Configuration files of serve. The input is one, or several with a form feed between them, which no file may have.
 *
 * A file is accepted whole or refused with one sentence and a place in it. Routes that are accepted and name no
 * variable and no preset are the same ones when they are given on the command line. Settings are never those that the
 * command line has, and their text lasts. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"
#include "cli/input/config_file.h"
#include "cli/output/report.h"

enum { FILES = 4 };

static const char *const names[FILES] = {"a.conf", "/etc/\xC3\xA4\x1B[2J.conf", "-", "c\xFF.conf"};

typedef struct game {
  char *texts[FILES]; /* as they were before they were parsed */
  size_t lengths[FILES];
  unsigned count;
  uvr_config config;
  uvr_serve_options settings; /* of a command line that has --eager and --drain */
} game;

static void write_line(void *user, const char *text, size_t length)
{
  const bool *json = user;
  fuzz_check_lines(text, length, *json);
}

/* The error is shown in one line, of either kind. */
static void check_shown(const uvr_place *place, const uvrelay_error_t *error)
{
  for (unsigned i = 0; i < 2; i++) {
    bool json = i == 1;
    const uvr_report report = {.json = json, .write = write_line, .user = &json};
    uvr_report_error(&report, place, error);
  }
}

/* The place is in the file that it names: at a character of one of its lines, or right after the last one. */
static void check_place(const game *g, const uvr_place *place)
{
  unsigned file = 0;
  while (file < g->count && names[file] != place->file) {
    file++;
  }
  CHECK(file < g->count, "the place is in no file");
  const char *text = g->texts[file];
  const char *end = text + g->lengths[file];
  CHECK(place->line >= 1 && place->column >= 1, "the place is %u:%u", place->line, place->column);
  for (unsigned line = 1; line < place->line; line++) {
    text = memchr(text, '\n', (size_t)(end - text));
    CHECK(text != NULL && text < end, "there is no line %u", place->line);
    text++;
  }
  unsigned columns = 1;
  for (; text < end && *text != '\n'; text++) {
    columns += ((unsigned char)*text & 0xC0U) == 0x80 ? 0 : 1;
  }
  CHECK(place->column <= columns, "line %u has no column %u", place->line, place->column);
}

static void check_refusal(const game *g, int code, const uvr_place *place, const uvrelay_error_t *error)
{
  CHECK(code == UV_EINVAL, "the code is %d", code);
  fuzz_check_error(error, UV_EINVAL);
  check_place(g, place);
  check_shown(place, error);
}

static void check_route(const uvr_config_route *route, bool variables)
{
  size_t length = strlen(route->listen);
  CHECK(length == 0 || strchr(" \t", route->listen[length - 1]) == NULL || variables, "a blank ends %s", route->listen);
  CHECK(*route->target == 0 || strchr(" \t", route->target[0]) == NULL || variables, "a blank begins %s",
        route->target);
  CHECK(route->options.permissions <= 0777 && route->options.max <= 1000000, "an option is too large");
  CHECK(route->preset == NULL || uvr_presets_find(route->preset->name, strlen(route->preset->name)) == route->preset,
        "the preset is none");
  if (variables || route->preset != NULL) {
    return;
  }
  /* The same from the command line. */
  size_t listen = strlen(route->listen);
  size_t target = strlen(route->target);
  char *argument = malloc(listen + target + 2);
  CHECK(argument != NULL, "there is no memory");
  memcpy(argument, route->listen, listen);
  argument[listen] = '=';
  memcpy(argument + listen + 1, route->target, target + 1);
  uvr_config other = {.options = {.size = sizeof(other.options)}};
  uvrelay_error_t error = {0};
  int code = uvr_config_add_route(&other, argument, &error);
  CHECK(code == 0, "%s is not accepted as an argument: %s", argument, error.text);
  CHECK(strcmp(other.routes[0].listen, route->listen) == 0 && strcmp(other.routes[0].target, route->target) == 0,
        "%s is another route as an argument", argument);
  uvr_config_clear(&other);
  free(argument);
}

/* Adds the next file; false: it is refused. */
static bool add_file(game *g, fuzz_input *in)
{
  const uint8_t *end = memchr(in->data, '\f', in->size);
  size_t length = end != NULL ? (size_t)(end - in->data) : in->size;
  char *text = malloc(length + 1);
  char *copy = malloc(length + 1);
  CHECK(text != NULL && copy != NULL, "there is no memory");
  memcpy(text, in->data, length);
  text[length] = '\0';
  memcpy(copy, text, length + 1);
  in->data += length + (end != NULL ? 1 : 0);
  in->size -= length + (end != NULL ? 1 : 0);
  g->texts[g->count] = copy;
  g->lengths[g->count] = length;
  const char *name = names[g->count++];
  uvr_place place = {.file = NULL};
  uvrelay_error_t error = {0};
  size_t before = g->config.count;
  int code = uvr_config_add_file(&g->config, name, text, length, &place, &error);
  memset(text, 'x', length); /* it is no longer needed */
  free(text);
  if (code != 0) {
    check_refusal(g, code, &place, &error);
    return false;
  }
  for (size_t i = before; i < g->config.count; i++) {
    check_place(g, &g->config.routes[i].place);
    check_route(&g->config.routes[i], memchr(copy, '$', length) != NULL);
  }
  return true;
}

static void check_settings(const game *g)
{
  const uvr_serve_options *settings = &g->settings;
  CHECK(settings->drain_ms == 7 && settings->eager, "the command line does not hold");
  CHECK(settings->status_ms <= 86400000, "the status is due in %u ms", (unsigned)settings->status_ms);
  CHECK(settings->log_file == NULL || *settings->log_file != '\0', "the log has an empty name");
  CHECK(settings->via == NULL || strlen(settings->via) < UVR_EXPANDED_SIZE, "the command is too long");
  if (settings->via != NULL) {
    check_place(g, &g->config.via_place);
  }
}

/* Two flags of a command line. */
static void set_settings(uvr_serve_options *settings)
{
  char *argv[] = {(char *)"serve", (char *)"--eager", (char *)"--drain=7ms", NULL};
  uvr_serve_action action = uvr_serve_options_parse(3, argv, settings, NULL);
  CHECK(action == UVR_SERVE_RUN, "the command line is refused");
}

/* Each route has another name, or none. */
static void check_names(const uvr_config *config)
{
  for (size_t i = 0; i < config->count; i++) {
    for (size_t k = 0; k < i; k++) {
      CHECK(config->routes[i].name[0] == '\0' || strcmp(config->routes[i].name, config->routes[k].name) != 0,
            "two routes are called %s", config->routes[i].name);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  (void)uv_os_setenv("HOME", "/home/me");
  (void)uv_os_setenv("NAME", "x");
  (void)uv_os_setenv("ROUTE", "unix:///a=tcp://h:1");
  (void)uv_os_setenv("EMPTY", "");
  (void)uv_os_setenv("ODD", "a\x1B\xFF");
  (void)uv_os_setenv("BLANK", "C:\\a 'b\" c");
  (void)uv_os_unsetenv("GNUPGHOME");
  game g = {.config = {.options = {.size = sizeof(g.config.options)}}};
  set_settings(&g.settings);
  g.config.settings = &g.settings;
  g.config.backslash = size % 2 == 0;
  fuzz_input in = {data, size};
  bool good = true;
  while (good && in.size > 0 && g.count < FILES) {
    good = add_file(&g, &in);
  }
  if (good) {
    uvr_place place = {.file = NULL};
    uvrelay_error_t error = {0};
    int code = uvr_config_check(&g.config, &place, &error);
    if (code != 0) {
      check_refusal(&g, code, &place, &error);
    } else {
      (void)uvr_config_first_far(&g.config);
      check_names(&g.config);
    }
  }
  check_settings(&g);
  uvr_config_clear(&g.config);
  CHECK(g.config.count == 0 && g.config.routes == NULL, "something is left");
  for (unsigned i = 0; i < g.count; i++) {
    free(g.texts[i]);
  }
  return 0;
}
