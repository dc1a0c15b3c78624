/* The command facts: see facts.h. All lines are made first and then printed, so that their reader gets all or none. */
#include "cli/facts/facts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"
#include "cli/facts/system_facts.h"
#include "cli/os/slim_start.h"
#include "cli/output/print.h"
#include "uvrelay/version.h"

enum { PATH_SIZE = 32768 };

static const char usage[] = "Usage: uvrelay facts\n"
                            "\n"
                            "Prints what uvrelay knows of this system, one NAME=VALUE per line, in UTF-8. On\n"
                            "Windows this includes the user's directories, and the pipes and socket files of\n"
                            "presets with their owners and, for pipes, the programs that serve them. In WSL,\n"
                            "uvrelay setup and uvrelay doctor run uvrelay.exe facts.\n"
                            "\n"
                            "Exit status: 0, 1 after a failure, 2 for wrong usage.\n";

static void add_bytes(uvr_facts_text *self, const char *bytes, size_t length)
{
  size_t needed = self->length + length + 1;
  if (needed > self->capacity) {
    char *grown = realloc(self->text, needed * 2);
    if (grown == NULL) {
      self->failed = true;
      return;
    }
    self->text = grown;
    self->capacity = needed * 2;
  }
  memcpy(self->text + self->length, bytes, length);
  self->length += length;
  self->text[self->length] = '\0';
}

static void add_value(uvr_facts_text *self, const char *value)
{
  const char *next = value;
  uint32_t point = 0;
  size_t length = 1;
  while (next != NULL && *next != '\0' && length > 0) {
    length = uvr_utf8_next(next, &point);
    length = uvr_is_control(point) ? 0 : length;
    next += length;
  }
  if (next != NULL && length > 0) {
    add_bytes(self, value, strlen(value));
  }
}

void uvr_facts_add_all(uvr_facts_text *self, const char *name, const char *const values[], size_t count)
{
  add_bytes(self, name, strlen(name));
  add_bytes(self, "=", 1);
  for (size_t i = 0; i < count; i++) {
    add_bytes(self, "\t", i > 0 ? 1 : 0);
    add_value(self, values[i]);
  }
  add_bytes(self, "\n", 1);
}

void uvr_facts_add(uvr_facts_text *self, const char *name, const char *value)
{
  uvr_facts_add_all(self, name, &value, 1);
}

static int print_facts(void)
{
  uvr_facts_text out = {.text = NULL};
  size_t size = PATH_SIZE;
  char *path = malloc(size);
  uvr_facts_add(&out, "facts", "1");
  uvr_facts_add(&out, "version", UVRELAY_VERSION);
  uvr_facts_add(&out, "program", path != NULL && uv_exepath(path, &size) == 0 ? path : NULL);
  uvr_facts_of_system(&out);
  free(path);
  int status = 1;
  if (out.failed) {
    (void)fputs("uvrelay: not enough memory for the facts\n", stderr);
  } else {
    status = uvr_print(out.text);
  }
  free(out.text);
  return status;
}

static bool is_help(const char *word)
{
  static const char *const forms[] = {"--help", "-help", "-h", "help"};
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    if (strcmp(word, forms[i]) == 0) {
      return true;
    }
  }
  return false;
}

int uvr_cli_facts(int argc, char **argv)
{
  char quoted[UVR_QUOTED_SIZE];
  uvr_slim_start(false);
  if (argc == 1) {
    return print_facts();
  }
  if (argc == 2 && is_help(argv[1])) {
    return uvr_print(usage);
  }
  (void)fprintf(stderr, "uvrelay: facts takes no arguments, but there is %s\n", uvr_quote(quoted, argv[1]));
  uvr_print_try("facts");
  return 2;
}
