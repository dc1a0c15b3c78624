/* Printing results: see print.h. Colours and symbols are for terminals only, symbols if the environment says that the
 * terminal shows UTF-8. */
#include "cli/doctor/print.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"
#include "cli/os/terminal.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

enum { STANDARD_OUTPUT = 1, NAME_WIDTH = 22, INDENT = 9 };

/* What a mark is: its symbol, and its colour on a terminal. */
static const struct {
  const char *symbol;
  const char *colour;
} marks[] = {{"", ""}, {"\u2713 ", "32"}, {"! ", "33"}, {"\u2717 ", "31"}, {"- ", "2"}};

static bool is_set(const char *name)
{
  const char *value = getenv(name);
  return value != NULL && *value != '\0';
}

/* Whether the locale's characters are UTF-8, by the first of its variables that is set. */
static bool has_utf8(void)
{
  const char *locale = is_set("LC_ALL") ? getenv("LC_ALL") : is_set("LC_CTYPE") ? getenv("LC_CTYPE") : getenv("LANG");
  const char *charset = locale == NULL ? NULL : strchr(locale, '.');
  return charset != NULL && (uvr_is_same_word(charset, ".utf-8") || uvr_is_same_word(charset, ".utf8"));
}

static int write_line(const uvr_doctor_print *self, uvr_text_line *line)
{
  uvr_text_line_bytes(line, "", 1);
  unsigned long state = self->colour ? uvr_terminal_begin_colours(STANDARD_OUTPUT) : 0;
  int status = line->failed ? 1 : uvr_print(line->text);
  if (self->colour) {
    uvr_terminal_end_colours(STANDARD_OUTPUT, state);
  }
  uvr_text_line_clear(line);
  return status;
}

int uvr_doctor_print_begin(uvr_doctor_print *self, bool json)
{
  bool is_terminal = !json && uv_guess_handle(STANDARD_OUTPUT) == UV_TTY;
  *self = (uvr_doctor_print){.json = json};
  self->colour = is_terminal && uvr_terminal_has_colours(STANDARD_OUTPUT);
  self->symbols = is_terminal && has_utf8();
  return json ? uvr_print("[") : 0;
}

static void pad(uvr_text_line *line, size_t length, size_t width)
{
  for (; length < width; length++) {
    uvr_text_line_bytes(line, " ", 1);
  }
}

static void add_mark(const uvr_doctor_print *self, uvr_text_line *line, uvr_check_state state)
{
  const char *word = uvr_check_word(state);
  uvr_text_line_add(line, "%s%s%s", self->colour ? "\x1B[" : "", self->colour ? marks[state].colour : "",
                    self->colour ? "m" : "");
  uvr_text_line_add(line, "%s%s%s", self->symbols ? marks[state].symbol : "", word, self->colour ? "\x1B[0m" : "");
  pad(line, strlen(word), INDENT);
}

/* The lines of the remedy, below the text. */
static void add_remedy(const uvr_doctor_print *self, uvr_text_line *line, const char *remedy)
{
  char one[sizeof(((uvr_check *)NULL)->remedy)];
  while (*remedy != '\0') {
    size_t length = strcspn(remedy, "\n");
    memcpy(one, remedy, length);
    one[length] = '\0';
    pad(line, 0, INDENT + 2 + (self->symbols ? 2 : 0));
    uvr_text_line_text(line, one);
    uvr_text_line_add(line, "\n");
    remedy += length + (remedy[length] == '\n' ? 1 : 0);
  }
}

static void add_text(const uvr_doctor_print *self, uvr_text_line *line, const uvr_check *check)
{
  add_mark(self, line, check->state);
  uvr_text_line_text(line, check->name);
  uvr_text_line_add(line, ": ");
  pad(line, strlen(check->name), NAME_WIDTH);
  uvr_text_line_text(line, check->text);
  uvr_text_line_add(line, "\n");
  add_remedy(self, line, check->remedy);
}

static void add_json(const uvr_doctor_print *self, uvr_text_line *line, const uvr_check *check)
{
  uvr_text_line_add(line, "%s\n{\"check\":", self->count > 0 ? "," : "");
  uvr_text_line_string(line, check->name);
  uvr_text_line_member(line, "state", uvr_check_word(check->state));
  uvr_text_line_member(line, "text", check->text);
  uvr_text_line_member(line, "remedy", check->remedy);
  uvr_text_line_add(line, "}");
}

int uvr_doctor_print_check(uvr_doctor_print *self, const uvr_check *check)
{
  uvr_text_line line = {.text = NULL};
  if (check->state == UVR_CHECK_NONE) {
    return 0;
  }
  if (self->json) {
    add_json(self, &line, check);
  } else {
    add_text(self, &line, check);
  }
  self->count++;
  self->counts[check->state]++;
  return write_line(self, &line);
}

int uvr_doctor_print_end(uvr_doctor_print *self, const char *own)
{
  uvr_text_line line = {.text = NULL};
  size_t bad = self->counts[UVR_CHECK_BAD];
  size_t warnings = self->counts[UVR_CHECK_WARNING];
  if (self->json) {
    return uvr_print("\n]\n");
  }
  if (bad == 0 && warnings == 0) {
    uvr_text_line_add(&line, "All is well.\n");
  } else if (bad == 0) {
    uvr_text_line_add(&line, "All is well, except for %" PRIu64 " warning%s.\n", (uint64_t)warnings,
                      warnings == 1 ? "" : "s");
  } else {
    uvr_text_line_add(&line, "%" PRIu64 " check%s bad. Start with the first one: type what is below it, then run ",
                      (uint64_t)bad, bad == 1 ? " is" : "s are");
    uvr_text_line_text(&line, own);
    uvr_text_line_add(&line, " doctor again.\n");
  }
  return write_line(self, &line);
}
