/* The result of a check: see check.h. */
#include "cli/doctor/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *uvr_check_word(uvr_check_state state)
{
  static const char *const words[] = {"none", "ok", "warning", "bad", "skipped"};
  return words[state];
}

static void set(uvr_check *self, uvr_check_state state, const char *format, va_list arguments)
{
  self->state = state;
  (void)vsnprintf(self->text, sizeof(self->text), format, arguments);
  uvr_utf8_trim(self->text);
}

void uvr_check_set(uvr_check *self, uvr_check_state state, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  set(self, state, format, arguments);
  va_end(arguments);
}

void uvr_check_worsen(uvr_check *self, uvr_check_state state, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  if (state > self->state) {
    set(self, state, format, arguments);
  }
  va_end(arguments);
}

void uvr_check_add_remedy(uvr_check *self, const char *format, ...)
{
  va_list arguments;
  size_t length = strlen(self->remedy);
  va_start(arguments, format);
  if (length > 0 && length + 1 < sizeof(self->remedy)) {
    self->remedy[length++] = '\n';
  }
  (void)vsnprintf(self->remedy + length, sizeof(self->remedy) - length, format, arguments);
  va_end(arguments);
  uvr_utf8_trim(self->remedy);
}

static bool is_plain(const char *text)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%=,";
  return *text != '\0' && strspn(text, plain) == strlen(text);
}

const char *uvr_shell_word(char word[UVR_SHELL_WORD_SIZE], const char *text)
{
  size_t length = 0;
  if (is_plain(text)) {
    (void)snprintf(word, UVR_SHELL_WORD_SIZE, "%s", text);
    return word;
  }
  word[length++] = '\'';
  for (; *text != '\0' && length + 6 < UVR_SHELL_WORD_SIZE; text++) {
    if (*text == '\'') {
      memcpy(word + length, "'\\''", 4);
      length += 4;
    } else {
      word[length++] = *text;
    }
  }
  word[length++] = '\'';
  word[length] = '\0';
  return word;
}
