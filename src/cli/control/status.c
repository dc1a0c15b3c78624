/* The command status: see commands.h. What it prints is made by each serve that it asks. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/control/ask_all.h"
#include "cli/control/command_line.h"
#include "cli/control/commands.h"
#include "cli/os/terminal.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

enum { WATCH_MS = 2000, WATCH_MIN_MS = 100, WATCH_MAX_MS = 24 * 3600 * 1000 };

/* Goes to the first place of the screen; clears the rest of a line; clears what is below. */
#define HOME       "\x1b[H"
#define CLEAR_LINE "\x1b[K"
#define CLEAR_REST "\x1b[J"

typedef struct status_options {
  bool json;
  bool watch;
  uint64_t watch_ms;
} status_options;

typedef struct status {
  status_options options;
  uvr_text_line text;
  bool failed; /* somebody did not answer */
} status;

static const char usage[] = "Usage: uvrelay status [flags]\n"
                            "\n"
                            "Prints, for each running uvrelay serve of this user, its routes with their\n"
                            "connections, bytes and last errors, and the state of its far end.\n"
                            "\n"
                            "Flags:\n"
                            "  --json                print JSON, one object per serve and line\n"
                            "  --watch[=SECONDS]     print it again at this interval (2)\n"
                            "  --help                print this help and exit\n"
                            "\n"
                            "Exit status: 0; 1 if none runs or one does not answer; 2 for wrong usage.\n";

static void on_answer(void *user, int process, const uvr_control_answer_text *answer)
{
  status *self = user;
  if (!answer->ok) {
    (void)fprintf(stderr, "uvrelay: process %d: ", process);
    (void)fprintf(stderr, "%s\n", answer->text);
    self->failed = true;
    return;
  }
  if (!self->options.json && self->text.length > 0) {
    uvr_text_line_bytes(&self->text, "\n", 1);
  }
  uvr_text_line_bytes(&self->text, answer->text, answer->size);
}

static void on_failed(void *user, int process, const uvrelay_error_t *error)
{
  status *self = user;
  char text[UVRELAY_ERROR_TEXT_SIZE + 64];
  (void)snprintf(text, sizeof(text), "process %d: %s", process, error->text);
  uvr_control_say(text);
  self->failed = true;
}

/* Asks all. Returns how many have been heard of. */
static size_t ask(status *self)
{
  uvr_text_line_clear(&self->text);
  return uvr_control_ask_all(self->options.json ? "status json" : "status", 0, UVR_CONTROL_ANSWER_MS, on_answer,
                             on_failed, self);
}

static int print_once(status *self)
{
  if (ask(self) == 0) {
    uvr_control_say_nobody(0);
    return 1;
  }
  uvr_text_line_bytes(&self->text, "", 1);
  int code = self->text.failed ? 1 : uvr_print(self->text.text);
  return self->failed ? 1 : code;
}

/* Writes the text in the place of the last one. Returns whether there is still a reader. */
static bool redraw(const uvr_text_line *text)
{
  const char *next = text->text;
  const char *end = next + text->length;
  bool good = fputs(HOME, stdout) >= 0;
  while (good && next < end) {
    const char *feed = memchr(next, '\n', (size_t)(end - next));
    size_t length = (size_t)((feed == NULL ? end : feed) - next);
    good = fwrite(next, 1, length, stdout) == length && fputs(CLEAR_LINE "\n", stdout) >= 0;
    next += length + 1;
  }
  return good && fputs(CLEAR_REST, stdout) >= 0 && fflush(stdout) == 0;
}

static bool append(const uvr_text_line *text, bool separate)
{
  return (!separate || fputs("\n", stdout) >= 0) && fwrite(text->text, 1, text->length, stdout) == text->length &&
         fflush(stdout) == 0;
}

/* Prints again and again, until it is ended by Ctrl-C or its reader is gone. */
static int watch(status *self)
{
  bool draws = !self->options.json && uvr_terminal_can_redraw();
  bool first = true;
  if (draws) {
    (void)fputs(HOME CLEAR_REST, stdout);
  }
  for (;;) {
    if (ask(self) == 0) {
      if (first) {
        uvr_control_say_nobody(0);
        return 1;
      }
      uvr_text_line_add(&self->text, self->options.json ? "" : "no uvrelay serve of this user is running\n");
    }
    if (self->text.failed) {
      return 1;
    }
    if (self->text.length > 0 && !(draws ? redraw(&self->text) : append(&self->text, !first && !self->options.json))) {
      return 0;
    }
    first = false;
    uv_sleep((unsigned)self->options.watch_ms);
  }
}

/* Takes --watch, whose value is optional, out of the command line. Returns false if its value is wrong. */
static bool take_watch(int *argc, char **argv, status_options *out)
{
  int kept = 1;
  for (int i = 1; i < *argc; i++) {
    const char *name = argv[i] + (strncmp(argv[i], "--", 2) == 0 ? 2 : strncmp(argv[i], "-", 1) == 0 ? 1 : 0);
    bool flag = name != argv[i] && strncmp(name, "watch", 5) == 0 && (name[5] == '\0' || name[5] == '=');
    if (!flag) {
      argv[kept++] = argv[i];
      continue;
    }
    out->watch = true;
    if (name[5] == '=' &&
        (!uvr_time_parse(name + 6, &out->watch_ms) || out->watch_ms < WATCH_MIN_MS || out->watch_ms > WATCH_MAX_MS)) {
      return false;
    }
  }
  *argc = kept;
  argv[kept] = NULL;
  return true;
}

int uvr_cli_status(int argc, char **argv)
{
  enum { JSON, HELP };
  static const uvr_flag flags[] = {
      {"json", JSON, UVR_FLAG_SWITCH, NULL}, {"help", HELP, UVR_FLAG_ALONE, NULL}, {"h", HELP, UVR_FLAG_ALONE, NULL}};
  char quoted[UVR_QUOTED_SIZE];
  char text[UVR_QUOTED_SIZE + 64];
  uvrelay_error_t error;
  uvr_parsed_flag flag;
  status *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  self->options.watch_ms = WATCH_MS;
  if (!take_watch(&argc, argv, &self->options)) {
    free(self);
    return uvr_control_refuse("status", "bad value for --watch: write a time from 0.1 s to a day, such as 2");
  }
  uvr_flags parser = {.table = flags,
                      .count = sizeof(flags) / sizeof(flags[0]),
                      .all = "the flags of status are --json, --watch and --help",
                      .argc = argc,
                      .argv = argv,
                      .next = 1,
                      .error = &error};
  uvr_flags_step step;
  bool help = argc == 2 && strcmp(argv[1], "help") == 0;
  while ((step = uvr_flags_next(&parser, &flag)) == UVR_FLAGS_FOUND) {
    help = help || flag.id == HELP;
    self->options.json = flag.id == JSON ? flag.on : self->options.json;
  }
  int code;
  if (help) {
    code = uvr_print(usage);
  } else if (step == UVR_FLAGS_WRONG) {
    code = uvr_control_refuse("status", error.text);
  } else if (parser.next < argc) {
    (void)snprintf(text, sizeof(text), "%s: status takes no arguments, only flags",
                   uvr_quote(quoted, argv[parser.next]));
    code = uvr_control_refuse("status", text);
  } else {
    code = self->options.watch ? watch(self) : print_once(self);
  }
  uvr_text_line_clear(&self->text);
  free(self);
  return code;
}
