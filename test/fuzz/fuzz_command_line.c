/* Command lines. The input is arguments, one a line. The first one says whose they are: "serve", "mux" and "via", the
 * last of which is a COMMAND for --via; anything else is the program's name for the one-shot relay.
 *
 * A command line is accepted, asks for a text, or is refused with one sentence that can be shown. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "address/expand.h"
#include "address/query.h"
#include "base/text.h"
#include "cli/child/command.h"
#include "cli/input/config.h"
#include "cli/input/hint.h"
#include "cli/input/mux_options.h"
#include "cli/input/options.h"
#include "cli/input/serve_options.h"
#include "cli/output/text_line.h"

enum { ARGUMENTS = 300 };

typedef struct line {
  char *argv[ARGUMENTS + 1];
  char *given[ARGUMENTS]; /* the same; serve moves those in argv */
  int argc;
} line;

static void check_error(const uvrelay_error_t *error)
{
  uvr_text_line shown = {.text = NULL};
  fuzz_check_error(error, UV_EINVAL);
  uvr_text_line_text(&shown, error->text);
  CHECK(!shown.failed && shown.length > 0, "an error is not shown");
  fuzz_check_shown(shown.text, shown.length);
  uvr_text_line_clear(&shown);
}

/* Whether a text lies in one of the arguments. */
static void check_in_argv(const line *l, const char *text)
{
  bool found = text == NULL;
  for (int i = 0; i < l->argc && !found; i++) {
    found = text >= l->given[i] && text <= l->given[i] + strlen(l->given[i]);
  }
  CHECK(found, "an option is in no argument");
}

static int home(char *buffer, size_t *size)
{
  memcpy(buffer, "/h", 3);
  *size = 2;
  return 0;
}

static void one_shot(const line *l)
{
  uvr_options options;
  uvrelay_error_t error = {0};
  uvr_options_action action = uvr_options_parse(l->argc, l->argv, &options, &error);
  if (action == UVR_OPTIONS_WRONG_USAGE) {
    check_error(&error);
    return;
  }
  CHECK(error.code == 0 && error.text[0] == '\0', "an error is told, but nothing is wrong: %s", error.text);
  if (action != UVR_OPTIONS_RUN) {
    return;
  }
  CHECK(options.target != NULL, "there is no target");
  check_in_argv(l, options.target);
  CHECK(options.timeout_ms <= UVR_OPTIONS_TIMEOUT_MAX_SECONDS * 1000U, "the timeout is %u", options.timeout_ms);
  CHECK((unsigned)options.impersonation <= UVRELAY_IMPERSONATION_DELEGATION, "the level is %d",
        (int)options.impersonation);
  /* And then as the program goes on. */
  const uvr_expander expander = {.home = home, .bare_path = options.assuan};
  char text[UVR_EXPANDED_SIZE];
  size_t wrong = 0;
  uvr_address address;
  int code = uvr_expand(&expander, options.target, text, &wrong, &error);
  code = code != 0 ? code : uvr_address_parse(text, options.assuan ? UVR_ADDRESS_ASSUAN_PATH : 0, &address, &error);
  if (code != 0) {
    check_error(&error);
  }
  static const uvrelay_phase_t phases[] = {UVRELAY_PHASE_NONE, UVRELAY_PHASE_CONNECT, UVRELAY_PHASE_WRITE};
  static const int codes[] = {UV_EBUSY, UV_ENOENT, UV_ECONNREFUSED, UV_EHOSTUNREACH, UV_EACCES, UV_ETIMEDOUT, UV_EPERM};
  for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]) * 7; i++) {
    const uvrelay_error_t failure = {.phase = phases[i / 7], .code = codes[i % 7]};
    const char *hint = uvr_hint(&failure, &options);
    CHECK(hint == NULL || (*hint != '\0' && failure.phase != UVRELAY_PHASE_NONE), "a hint is %s", hint);
  }
}

static void split(const char *text, bool backslash)
{
  uvr_command command;
  uvrelay_error_t error = {0};
  int code = uvr_command_split(&command, text, backslash, &error);
  if (code != 0) {
    check_error(&error);
    CHECK(command.argv == NULL && command.argc == 0 && command.file == NULL, "a refused command is not all zero");
    CHECK(uvr_command_split(&command, text, backslash, NULL) == UV_EINVAL, "without an error it is accepted");
    return;
  }
  CHECK(command.argc > 0 && command.argv[command.argc] == NULL && *command.argv[0] != '\0',
        "the command has no program");
  /* Its words, each in quotes, are the same command. */
  size_t room = 1;
  for (int i = 0; i < command.argc; i++) {
    room += 5 * strlen(command.argv[i]) + 3;
  }
  char *quoted = malloc(room);
  CHECK(quoted != NULL, "there is no memory");
  size_t used = 0;
  for (int i = 0; i < command.argc; i++) {
    quoted[used++] = '\'';
    for (const char *next = command.argv[i]; *next != '\0'; next++) {
      if (*next == '\'') {
        memcpy(quoted + used, "'\"'\"'", 5);
        used += 5;
      } else {
        quoted[used++] = *next;
      }
    }
    quoted[used++] = '\'';
    quoted[used++] = ' ';
  }
  quoted[used] = '\0';
  uvr_command again;
  CHECK(uvr_command_split(&again, quoted, backslash, &error) == 0, "%s is refused: %s", quoted, error.text);
  CHECK(again.argc == command.argc, "%s has %d words", quoted, again.argc);
  for (int i = 0; i < command.argc; i++) {
    CHECK(strcmp(again.argv[i], command.argv[i]) == 0, "word %d is %s", i, again.argv[i]);
  }
  free(quoted);
  uvr_command_clear(&again);
  uvr_command_clear(&command);
}

/* What $V stands for. */
static const char *value;

static int variable(const char *name, char *buffer, size_t *size)
{
  size_t length = strlen(value);
  if (strcmp(name, "V") != 0) {
    return UV_ENOENT;
  }
  if (length >= *size) {
    return UV_ENOBUFS;
  }
  memcpy(buffer, value, length + 1);
  *size = length;
  return 0;
}

/* A command of a file. Whatever is inserted stays within its word. */
static void expand(const char *text, bool backslash)
{
  const uvr_expander expander = {.home = home, .variable = variable, .noun = "command"};
  char *out = malloc(UVR_EXPANDED_SIZE);
  CHECK(out != NULL, "there is no memory");
  uvrelay_error_t error = {0};
  size_t wrong = 0;
  value = "1";
  int code = uvr_expand_command(&expander, text, backslash, out, &wrong, &error);
  if (code != 0) {
    check_error(&error);
    CHECK(wrong <= strlen(text), "the fault is behind the text");
  } else {
    CHECK(strpbrk(text, "$~") != NULL || strcmp(text, out) == 0, "%s became %s", text, out);
    split(out, backslash);
  }
  value = text;
  error = (uvrelay_error_t){0};
  if (*text != '\0' && uvr_expand_command(&expander, "a x$V\"$V\"y", backslash, out, &wrong, &error) == 0) {
    uvr_command command;
    CHECK(uvr_command_split(&command, out, backslash, &error) == 0, "%s is refused: %s", out, error.text);
    size_t length = strlen(text);
    CHECK(command.argc == 2 && strlen(command.argv[1]) == 2 * length + 2, "%s has other words", out);
    CHECK(memcmp(command.argv[1] + 1, text, length) == 0 && memcmp(command.argv[1] + 1 + length, text, length) == 0,
          "%s has another word", out);
    uvr_command_clear(&command);
  }
  free(out);
}

static void check_values(const line *l, const uvr_serve_options *options)
{
  uvrelay_route_options_t routes = {.size = sizeof(routes)};
  uvr_serve_options_apply(options, &routes);
  CHECK(routes.permissions <= 0777 && routes.max <= 1000000, "an option is too large");
  for (unsigned i = 0; i < UVR_SERVE_NAMES; i++) {
    check_in_argv(l, options->values[i]);
  }
}

static void serve(line *l)
{
  uvr_serve_options options;
  uvrelay_error_t error = {0};
  uvr_serve_action action = uvr_serve_options_parse(l->argc, l->argv, &options, &error);
  if (action == UVR_SERVE_WRONG_USAGE) {
    check_error(&error);
    return;
  }
  CHECK(error.code == 0 && error.text[0] == '\0', "an error is told, but nothing is wrong: %s", error.text);
  if (action != UVR_SERVE_RUN) {
    return;
  }
  check_in_argv(l, options.via);
  check_values(l, &options);
  CHECK(options.config_count <= UVR_SERVE_CONFIGS_MAX, "there are %u files", options.config_count);
  uvr_config config = {.options = {.size = sizeof(config.options)}};
  int code = 0;
  for (int i = 0; i < options.route_count && code == 0; i++) {
    check_in_argv(l, options.routes[i]);
    for (int n = 0; n < i; n++) {
      CHECK(options.routes[n] != options.routes[i], "a route is there twice");
    }
    code = uvr_config_add_route(&config, options.routes[i], &error);
  }
  uvr_place place = {.file = NULL};
  code = code == 0 ? uvr_config_check(&config, &place, &error) : code;
  if (code != 0) {
    check_error(&error);
    CHECK(place.file == NULL, "a place is told where there is no file");
  }
  uvr_config_clear(&config);
  if (options.via != NULL) {
    split(options.via, true);
  }
}

static void mux(const line *l)
{
  uvr_mux_options options;
  uvrelay_error_t error = {0};
  uvr_mux_action action = uvr_mux_options_parse(l->argc, l->argv, &options, &error);
  if (action == UVR_MUX_WRONG_USAGE) {
    check_error(&error);
    return;
  }
  CHECK(error.code == 0 && error.text[0] == '\0', "an error is told, but nothing is wrong: %s", error.text);
  CHECK(options.allow_count <= UVR_MUX_ALLOW_MAX, "there are %u patterns", (unsigned)options.allow_count);
  for (size_t i = 0; i < options.allow_count && action == UVR_MUX_RUN; i++) {
    check_in_argv(l, options.allow[i]);
    (void)uvr_pattern_matches(options.allow[i], "unix:///run/docker.sock");
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  fuzz_input in = {data, size};
  line *l = calloc(1, sizeof(*l));
  CHECK(l != NULL, "there is no memory");
  do {
    l->given[l->argc] = fuzz_text(&in, '\n');
    l->argv[l->argc] = l->given[l->argc];
    l->argc++;
  } while (in.size > 0 && l->argc < ARGUMENTS);
  const char *whose = l->argv[0];
  if (strcmp(whose, "serve") == 0) {
    serve(l);
  } else if (strcmp(whose, "mux") == 0) {
    mux(l);
  } else if (strcmp(whose, "via") == 0) {
    for (int i = 1; i < l->argc; i++) {
      split(l->argv[i], i % 2 != 0);
      expand(l->argv[i], i % 2 != 0);
    }
  } else {
    one_shot(l);
  }
  for (int i = 0; i < l->argc; i++) {
    free(l->given[i]);
  }
  free(l);
  return 0;
}
