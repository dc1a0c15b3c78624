/* Commands: see command.h. The words are copied from the line into one block of memory, without their quotes; then the
 * system finds the program's file.
 *
 * Ways to fail: there is no word, a quote is not closed, nothing follows a backslash; there is no such program. */
#include "cli/child/command.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/child/find_program.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Copies the word at *next, which is not a blank, with a NUL to *out; moves both after it. */
static int copy_word(const char **next, char **out, bool backslash, uvrelay_error_t *error)
{
  const char *in = *next;
  char *to = *out;
  char quote = '\0';
  for (; *in != '\0' && (quote != '\0' || !is_blank(*in)); in++) {
    if (quote != '\0' && *in == quote) {
      quote = '\0';
    } else if (quote == '\0' && (*in == '"' || *in == '\'')) {
      quote = *in;
    } else if (backslash && *in == '\\' && (quote == '\0' || (quote == '"' && (in[1] == '"' || in[1] == '\\')))) {
      in++;
      if (*in == '\0') {
        return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the command ends in a \\ with nothing after it");
      }
      *to++ = *in;
    } else {
      *to++ = *in;
    }
  }
  if (quote != '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the command has a %s quote that is not closed",
                         quote == '"' ? "double (\")" : "single (')");
  }
  *to++ = '\0';
  *next = in;
  *out = to;
  return 0;
}

/* Allocates memory for this number of words, which have so many bytes altogether, NULs included. Returns where the
 * bytes go, or NULL. */
static char *make_room(uvr_command *self, size_t words, size_t bytes)
{
  *self = (uvr_command){.argc = 0};
  char *block = malloc((words + 1) * sizeof(char *) + bytes);
  if (block == NULL) {
    return NULL;
  }
  self->argv = (char **)(void *)block;
  self->argv[0] = NULL;
  return block + (words + 1) * sizeof(char *);
}

int uvr_command_split(uvr_command *self, const char *line, bool backslash, uvrelay_error_t *error)
{
  size_t length = strlen(line);
  char *text = make_room(self, length / 2 + 1, length + 1);
  if (text == NULL) {
    return no_memory(error);
  }
  const char *first = text;
  int code = 0;
  while (code == 0) {
    while (is_blank(*line)) {
      line++;
    }
    if (*line == '\0') {
      break;
    }
    self->argv[self->argc] = text;
    code = copy_word(&line, &text, backslash, error);
    self->argv[++self->argc] = NULL;
  }
  if (code == 0 && (self->argc == 0 || *first == '\0')) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the command is empty: it begins with a program's name");
  }
  if (code != 0) {
    uvr_command_clear(self);
  }
  return code;
}

int uvr_command_make(uvr_command *self, const char *file, const char *const words[], uvrelay_error_t *error)
{
  size_t count = 0;
  size_t bytes = 0;
  for (; words[count] != NULL; count++) {
    bytes += strlen(words[count]) + 1;
  }
  char *text = make_room(self, count, bytes);
  if (text == NULL) {
    return no_memory(error);
  }
  for (size_t i = 0; i < count; i++) {
    size_t size = strlen(words[i]) + 1;
    self->argv[i] = memcpy(text, words[i], size);
    text += size;
  }
  self->argv[count] = NULL;
  self->argc = (int)count;
  self->file = malloc(strlen(file) + 1);
  if (self->file == NULL) {
    uvr_command_clear(self);
    return no_memory(error);
  }
  memcpy(self->file, file, strlen(file) + 1);
  return 0;
}

int uvr_command_find(uvr_command *self, const char *path, uvrelay_error_t *error)
{
  free(self->file);
  self->file = NULL;
  return uvr_find_program(self->argv[0], path, &self->file, error);
}

void uvr_command_clear(uvr_command *self)
{
  free(self->argv);
  free(self->file);
  *self = (uvr_command){.argc = 0};
}
