/* Text that setup makes: see text_unix.h. */
#include "cli/setup/text_unix.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *uvr_setup_format(const char *format, ...)
{
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return length < 0 ? NULL : text;
}

/* The text within quotes `mark`, with each character of `special` replaced by the text at its index in `instead`. */
static char *quote(const char *text, char mark, const char *special, const char *const instead[])
{
  size_t most = 1;
  for (size_t i = 0; special[i] != '\0'; i++) {
    most = strlen(instead[i]) > most ? strlen(instead[i]) : most;
  }
  char *out = malloc(strlen(text) * most + 3);
  if (out == NULL) {
    return NULL;
  }
  char *to = out;
  *to++ = mark;
  for (; *text != '\0'; text++) {
    const char *found = strchr(special, *text);
    if (found == NULL) {
      *to++ = *text;
    } else {
      const char *replacement = instead[found - special];
      memcpy(to, replacement, strlen(replacement));
      to += strlen(replacement);
    }
  }
  *to++ = mark;
  *to = '\0';
  return out;
}

static bool is_plain(const char *text)
{
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-@:,=";
  return *text != '\0' && text[strspn(text, plain)] == '\0';
}

char *uvr_setup_shell_word(const char *text)
{
  return is_plain(text) ? strdup(text) : quote(text, '\'', "'", (const char *const[]){"'\\''"});
}

char *uvr_setup_fish_word(const char *text)
{
  return quote(text, '\'', "'\\", (const char *const[]){"\\'", "\\\\"});
}

char *uvr_setup_unit_word(const char *text)
{
  return quote(text, '"', "\"\\%$", (const char *const[]){"\\\"", "\\\\", "%%", "$$"});
}

char *uvr_setup_unit_program(const char *text)
{
  return quote(text, '"', "\"\\%", (const char *const[]){"\\\"", "\\\\", "%%"});
}

uint64_t uvr_setup_hash(const char *bytes, size_t length)
{
  uint64_t hash = 14695981039346656037U;
  for (size_t i = 0; i < length; i++) {
    hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211U;
  }
  return hash;
}
