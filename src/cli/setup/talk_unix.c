/* Talking with the user: see talk_unix.h. */
#include "cli/setup/talk_unix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

enum { TRIES = 3 };

/* Adds text whose newlines stay. */
static void add_lines(uvr_text_line *line, char *text)
{
  for (char *next = text; next != NULL;) {
    char *newline = strchr(next, '\n');
    if (newline != NULL) {
      *newline = '\0';
    }
    uvr_text_line_text(line, next);
    if (newline != NULL) {
      uvr_text_line_bytes(line, "\n", 1);
    }
    next = newline == NULL ? NULL : newline + 1;
  }
}

static int print(char *text, uvrelay_error_t *error)
{
  uvr_text_line line = {.text = NULL};
  int code = 0;
  if (text != NULL) {
    add_lines(&line, text);
    uvr_text_line_bytes(&line, "", 1);
  }
  if (text == NULL || line.failed) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  } else if (uvr_print(line.text) != 0) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "setup has stopped, because its output is not read");
  }
  uvr_text_line_clear(&line);
  return code;
}

int uvr_talk(uvrelay_error_t *error, const char *format, ...)
{
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  int code = print(length < 0 ? NULL : text, error);
  if (length >= 0) {
    free(text);
  }
  return code;
}

int uvr_talk_lines(const char *text, unsigned indent, uvrelay_error_t *error)
{
  int code = 0;
  while (*text != '\0' && code == 0) {
    size_t length = strcspn(text, "\n");
    code = uvr_talk(error, "%*s| %.*s\n", (int)indent, "", (int)length, text);
    text += length + (text[length] == '\n' ? 1 : 0);
  }
  return code;
}

bool uvr_talk_is_possible(void)
{
  return isatty(STDIN_FILENO) == 1;
}

/* Reads the answer's first letter, in lower case; 0: an empty line; EOF: there is no more. */
static int read_answer(void)
{
  int first = EOF;
  int c;
  while ((c = getchar()) != EOF && c != '\n') {
    first = first == EOF && c != ' ' ? c : first;
  }
  return c == EOF ? EOF : first == EOF ? 0 : first | 0x20;
}

int uvr_talk_ask(const char *question, bool otherwise, bool *yes, uvrelay_error_t *error)
{
  *yes = false;
  if (!uvr_talk_is_possible()) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTTY,
                         "setup has a question, and standard input is not a terminal: add --yes to answer yes to each "
                         "question, or --dry-run to see what would be done");
  }
  for (int i = 0; i < TRIES; i++) {
    int code = uvr_talk(error, "%s [%s] ", question, otherwise ? "Y/n" : "y/N");
    int answer = code == 0 ? read_answer() : EOF;
    if (code == 0 && answer == EOF) {
      code = uvr_talk(error, "\n");
    }
    if (code != 0 || answer == EOF || answer == 'n' || answer == 'y' || answer == 0) {
      *yes = answer == 'y' || (answer == 0 && otherwise);
      return code;
    }
  }
  return 0;
}
