/* The greeting: see greeting.h. A wrong greeting is recognised at its first wrong byte and described with all the bytes
 * that have been received by then. */
#include "mux/greeting.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char expected[] = UVR_MUX_GREETING;
static const char name[] = "uvrelay-mux/";

/* Whether a complete line is the greeting of any version. */
static bool is_version(const char *line, size_t length)
{
  return length > sizeof(name) && memcmp(line, name, sizeof(name) - 1) == 0 &&
         strspn(line + sizeof(name) - 1, "0123456789") == length - sizeof(name);
}

uvr_mux_greeting_state uvr_mux_greeting_parse(uvr_mux_greeting *self, const char *data, size_t length, size_t *used)
{
  size_t before = self->length;
  size_t room = sizeof(self->text) - before;
  size_t copied = length < room ? length : room;
  memcpy(self->text + before, data, copied);
  self->length = before + copied;
  *used = copied;
  const char *newline = memchr(self->text, '\n', self->length);
  size_t line = newline == NULL ? 0 : (size_t)(newline - self->text) + 1;
  if (line == sizeof(expected) - 1 && memcmp(self->text, expected, line) == 0) {
    *used = line - before;
    return UVR_MUX_GREETING_WHOLE;
  }
  if (newline != NULL && is_version(self->text, line)) {
    self->length = line;
    return UVR_MUX_GREETING_VERSION;
  }
  size_t same = self->length < sizeof(name) - 1 ? self->length : sizeof(name) - 1;
  bool wrong = newline != NULL || self->length == sizeof(self->text) || memcmp(self->text, name, same) != 0;
  return wrong ? UVR_MUX_GREETING_ALIEN : UVR_MUX_GREETING_PART;
}

/* Whether what was received is UTF-16, as wsl.exe writes its messages: most second bytes are NULs. */
static bool is_utf16(const uvr_mux_greeting *self)
{
  size_t nuls = 0;
  for (size_t i = 1; i < self->length; i += 2) {
    nuls += self->text[i] == '\0' && self->text[i - 1] != '\0' ? 1 : 0;
  }
  return self->length > 1 && (memcmp(self->text, "\xff\xfe", 2) == 0 || nuls * 4 > self->length);
}

enum { PLAIN_SIZE = sizeof(((uvr_mux_greeting *)NULL)->text) * 2, SHOWN_SIZE = PLAIN_SIZE * 4 + 1 };

/* Escapes what was received. */
static void show(const uvr_mux_greeting *self, char shown[SHOWN_SIZE])
{
  size_t used = 0;
  size_t length = self->length;
  const char *text = self->text;
  char plain[PLAIN_SIZE];
  if (is_utf16(self)) {
    (void)uvr_utf16_to_utf8(self->text, self->length, plain, sizeof(plain));
    text = plain;
    length = strlen(plain);
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\') {
      shown[used++] = (char)byte;
    } else if (byte == '\n' || byte == '\r') {
      shown[used++] = '\\';
      shown[used++] = byte == '\n' ? 'n' : 'r';
    } else {
      used += (size_t)snprintf(shown + used, 5, "\\x%02x", byte);
    }
  }
  shown[used] = '\0';
}

void uvr_mux_greeting_describe(const uvr_mux_greeting *self, uvr_mux_greeting_state state, const char *who, char *text,
                               size_t size)
{
  char shown[SHOWN_SIZE];
  show(self, shown);
  if (state == UVR_MUX_GREETING_VERSION) {
    shown[strlen(shown) - 2] = '\0'; /* removes the escaped newline */
    (void)snprintf(text, size, "%s speaks %s, not uvrelay-mux/1: use the same version of uvrelay on both sides", who,
                   shown);
  } else {
    (void)snprintf(text, size, "%s says \"%s%s\" instead of uvrelay-mux/1: it is not uvrelay mux", who, shown,
                   self->length == sizeof(self->text) ? "..." : "");
  }
}
