/* The command presets: see presets_command.h. */
#include "cli/serve/presets_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/flags.h"
#include "cli/input/presets.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

static const char usage[] = "Usage: uvrelay presets [--json]\n"
                            "\n"
                            "Lists the presets: names for common routes, each with a suitable listener,\n"
                            "target and options. On the command line and in the files of uvrelay serve:\n"
                            "  @ssh-agent            the whole route\n"
                            "  @docker?timeout=5     with another option\n"
                            "  LISTEN=@docker        with another listener\n"
                            "\n"
                            "Flags:\n"
                            "  --json                print JSON, one object per line\n"
                            "  --help                print this help and exit\n"
                            "\n"
                            "Examples:\n"
                            "  uvrelay serve @ssh-agent @docker\n"
                            "  uvrelay serve 'unix:///tmp/agent.sock=@ssh-agent'\n";

typedef enum presets_flag_id { PRESETS_JSON, PRESETS_HELP } presets_flag_id;

static const uvr_flag presets_flags[] = {
    {"json", PRESETS_JSON, UVR_FLAG_SWITCH, NULL},
    {"help", PRESETS_HELP, UVR_FLAG_ALONE, NULL},
    {"h", PRESETS_HELP, UVR_FLAG_ALONE, NULL},
};

/* The value that the preset's variable has for its listener. */
static void add_value(uvr_text_line *text, const uvr_preset *preset, const char *listen)
{
  const char *path = strncmp(listen, "unix://", 7) == 0 ? listen + 7 : listen;
  uvr_text_line_bytes(text, preset->prefix, strlen(preset->prefix));
  uvr_text_line_bytes(text, path, strcspn(path, "?"));
  uvr_text_line_bytes(text, "", 1);
}

/* `listen` is NULL if it cannot be found out because of the error. */
static void add_text(uvr_text_line *text, const uvr_preset *preset, const char *listen, const uvrelay_error_t *error)
{
  uvr_text_line value = {.text = NULL};
  uvr_text_line_add(text, "@%s: %s\n  listens on   ", preset->name, preset->summary);
  if (listen == NULL) {
    uvr_text_line_add(text, "?  (");
    uvr_text_line_text(text, error->text);
    uvr_text_line_add(text, ")\n");
  } else {
    uvr_text_line_text(text, listen);
    uvr_text_line_add(text, "\n");
  }
  uvr_text_line_add(text, "  leads to     %s\n", preset->target);
  if (preset->variable != NULL && listen != NULL) {
    add_value(&value, preset, listen);
    uvr_text_line_add(text, "  variable     %s=", preset->variable);
    uvr_text_line_text(text, value.failed ? "" : value.text);
    uvr_text_line_add(text, "\n");
    uvr_text_line_clear(&value);
  }
}

static void add_member(uvr_text_line *text, const char *name, const char *value)
{
  if (value == NULL) {
    uvr_text_line_add(text, ",\"%s\":null", name);
  } else {
    uvr_text_line_member(text, name, value);
  }
}

static void add_json(uvr_text_line *text, const uvr_preset *preset, const char *listen, const uvrelay_error_t *error)
{
  uvr_text_line value = {.text = NULL};
  uvr_text_line_add(text, "{\"name\":");
  uvr_text_line_string(text, preset->name);
  uvr_text_line_member(text, "summary", preset->summary);
  add_member(text, "listen", listen);
  if (listen == NULL) {
    uvr_text_line_member(text, "error", error->text);
  }
  uvr_text_line_member(text, "target", preset->target);
  add_member(text, "variable", preset->variable);
  if (preset->variable != NULL && listen != NULL) {
    add_value(&value, preset, listen);
    uvr_text_line_member(text, "value", value.failed ? "" : value.text);
    uvr_text_line_clear(&value);
  }
  uvr_text_line_add(text, "}\n");
}

static int list(bool json)
{
  int status = 0;
  size_t count;
  const uvr_preset *presets = uvr_presets(&count);
  for (size_t i = 0; status == 0 && i < count; i++) {
    char listen[UVR_PRESET_LISTEN_SIZE];
    uvrelay_error_t error;
    uvr_text_line text = {.text = NULL};
    bool found = uvr_preset_listen(&presets[i], listen, &error) == 0;
    if (i > 0 && !json) {
      uvr_text_line_add(&text, "\n");
    }
    (json ? add_json : add_text)(&text, &presets[i], found ? listen : NULL, &error);
    uvr_text_line_bytes(&text, "", 1);
    status = uvr_print(text.failed ? "" : text.text);
    uvr_text_line_clear(&text);
  }
  return status;
}

static int refuse(const char *text)
{
  uvr_text_line line = {.text = NULL};
  uvr_text_line_text(&line, text);
  uvr_text_line_bytes(&line, "", 1);
  (void)fprintf(stderr, "uvrelay: %s\n", line.failed ? "not enough memory" : line.text);
  uvr_text_line_clear(&line);
  uvr_print_try("presets");
  return 2;
}

int uvr_cli_presets(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_parsed_flag flag;
  uvr_flags_step step;
  char quoted[UVR_QUOTED_SIZE];
  bool json = false;
  uvr_flags flags = {.table = presets_flags,
                     .count = sizeof(presets_flags) / sizeof(presets_flags[0]),
                     .all = "the flags of presets are --json and --help",
                     .argc = argc,
                     .argv = argv,
                     .next = 1,
                     .error = &error};
  if (argc == 2 && strcmp(argv[1], "help") == 0) {
    return uvr_print(usage);
  }
  while ((step = uvr_flags_next(&flags, &flag)) == UVR_FLAGS_FOUND) {
    if (flag.id == PRESETS_HELP) {
      return uvr_print(usage);
    }
    json = flag.on;
  }
  if (step == UVR_FLAGS_LAST && flags.next < argc) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "%s: presets takes no arguments: to use a preset, write uvrelay serve @PRESET",
                        uvr_quote(quoted, argv[flags.next]));
    step = UVR_FLAGS_WRONG;
  }
  return step == UVR_FLAGS_WRONG ? refuse(error.text) : list(json);
}
