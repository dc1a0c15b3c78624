/* Lines of a child: see child_lines.h.
 *
 * A line is kept as it was received until it ends, and then judged as a whole. UTF-16 shows by a byte order mark or by
 * NULs, of which each ASCII character has one; UTF-8 has none. A newline in UTF-16 is a newline and a NUL, and may be
 * half of another character (U+4E0A is 0A 4E), so a newline in what may be UTF-16 waits for the next byte.
 *
 * What remains doubtful: text in UTF-16 without a single ASCII character whose bytes are UTF-8, too, is taken for that.
 */
#include "cli/output/child_lines.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

enum { RAW_MAX = 2 * UVR_CHILD_LINES_MAX, RUN_MIN = 3 };

const char *uvr_child_lines_escape(char *out, size_t size, const char *text, bool cut)
{
  size_t used = 0;
  size_t fits = 0; /* how much of `out` is kept if "..." must be added */
  while (*text != '\0') {
    char escaped[UVR_ESCAPED_SIZE] = " ";
    bool tab = *text == '\t';
    size_t length = tab ? 1 : uvr_escape_next(&text, escaped);
    text += tab ? 1 : 0;
    if (used + length >= size) {
      cut = true;
      break;
    }
    memcpy(out + used, escaped, length);
    used += length;
    fits = used + sizeof("...") <= size ? used : fits;
  }
  if (cut) {
    memcpy(out + fits, "...", 3);
    used = fits + 3;
  }
  out[used] = '\0';
  return out;
}

/* The judgement. */

/* Whether bytes are UTF-8 without control characters that no text has. */
static bool is_text(const char *bytes, size_t length)
{
  for (size_t i = 0; i < length;) {
    uint32_t point = 0;
    size_t size = uvr_utf8_next(bytes + i, &point);
    if (size == 0 || size > length - i || (point < 0x20 && strchr("\a\b\t\n\v\f\r\x1b", (int)point) == NULL) ||
        point == 0) {
      return false;
    }
    i += size;
  }
  return true;
}

/* Where what follows the last NUL begins. */
static size_t after_nuls(const uvr_child_lines *self)
{
  size_t i = self->length;
  while (i > 0 && self->raw[i - 1] != '\0') {
    i--;
  }
  return i;
}

/* Where the line's UTF-16 begins, which may follow UTF-8; or its length, if it has none. */
static size_t find_wide(const uvr_child_lines *self)
{
  const char *raw = self->raw;
  size_t leading = 0;
  if (self->length >= 2 && memcmp(raw, "\xff\xfe", 2) == 0) {
    return 0;
  }
  while (leading < self->length && raw[leading] == '\0') {
    leading++;
  }
  size_t rest = self->length - leading;
  const char *found = memchr(raw + leading, '\0', rest);
  if (found == NULL) {
    bool narrow = rest == 0 || (is_text(raw + leading, rest) && (leading == 0 || !self->was_wide));
    bool whole = self->length % 2 == 0 && (leading > 0 || self->was_wide);
    return !narrow && whole ? 0 : self->length;
  }
  size_t nul = (size_t)(found - raw);
  bool begins = leading > 0 ? nul % 2 == 1 : !is_text(raw, nul - nul % 2);
  return self->was_wide || begins ? 0 : nul - 1;
}

/* Whether the line, which has UTF-16 from `wide` on, ends in UTF-8: a program has gone on after another one. An odd
 * number of bytes is a sign of that. And without other signs of UTF-16, one NUL is just a NUL. */
static bool ends_narrow(const uvr_child_lines *self, size_t wide)
{
  size_t rest = after_nuls(self);
  if (rest <= wide || rest == self->length || !is_text(self->raw + rest, self->length - rest)) {
    return false;
  }
  bool odd = (self->length - wide) % 2 == 1;
  bool lone = !self->was_wide && memchr(self->raw + wide, '\0', rest - wide - 1) == NULL;
  return odd || lone || self->length - rest >= RUN_MIN;
}

typedef enum verdict { ENDS, GOES_ON, DEPENDS } verdict;

/* What a newline after the line is, which may depend on whether a NUL follows. */
static verdict judge_newline(const uvr_child_lines *self)
{
  size_t wide = find_wide(self);
  if (wide < self->length) {
    return (self->length - wide) % 2 == 0 ? DEPENDS : ends_narrow(self, wide) ? ENDS : GOES_ON;
  }
  return self->length % 2 == 1 || is_text(self->raw, self->length) ? ENDS : DEPENDS;
}

/* The same when no NUL follows. */
static bool ends_without_nul(const uvr_child_lines *self)
{
  size_t wide = find_wide(self);
  return wide == self->length || ends_narrow(self, wide);
}

/* The end of a line. */

/* Adds UTF-8 without its NULs. Returns false if not all fits. */
static bool add_narrow(char *text, const char *bytes, size_t length)
{
  size_t used = strlen(text);
  size_t i = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
  for (; i < length && (bytes[i] == '\0' || used < UVR_CHILD_LINES_MAX); i++) {
    if (bytes[i] != '\0') {
      text[used++] = bytes[i];
    }
  }
  text[used] = '\0';
  return i == length;
}

/* Converts the line to UTF-8, of which `text` takes UVR_CHILD_LINES_MAX bytes. `wide`: it ends in UTF-16. Returns
 * false if not all fits. */
static bool convert(const uvr_child_lines *self, bool wide, char *text)
{
  size_t from = find_wide(self);
  size_t to = self->length;
  if (wide && from == self->length) {
    from = 0;
  } else if (!wide && from < self->length && ends_narrow(self, from)) {
    to = after_nuls(self);
  }
  text[0] = '\0';
  if (!add_narrow(text, self->raw, from)) {
    return false;
  }
  size_t used = strlen(text);
  size_t done = uvr_utf16_to_utf8(self->raw + from, to - from, text + used, UVR_CHILD_LINES_MAX + 1 - used);
  return done == to - from && add_narrow(text, self->raw + to, self->length - to);
}

static void end_line(uvr_child_lines *self, bool wide)
{
  char text[UVR_CHILD_LINES_MAX + 1];
  char line[UVR_CHILD_LINES_MAX + 1];
  bool cut = !convert(self, wide, text) || self->cut;
  size_t length = strlen(text);
  while (length > 0 && !cut && strchr(" \t\r", text[length - 1]) != NULL) {
    text[--length] = '\0';
  }
  self->was_wide = wide;
  self->ended = !wide && self->length % 2 == 0;
  self->length = 0;
  self->held = false;
  self->cut = false;
  self->run = 0;
  if (length > 0) {
    self->on_line(self->user, uvr_child_lines_escape(line, sizeof(line), text, cut));
  }
}

/* Adds a byte to a line of which no more is kept. */
static void skip_byte(uvr_child_lines *self, char byte)
{
  if (byte == '\n' && (!self->cut_wide || self->run >= RUN_MIN)) {
    end_line(self, false);
  } else if (byte == '\0' && self->held) {
    end_line(self, true);
  } else {
    self->held = self->cut_wide && byte == '\n';
    self->run = byte != '\0' && (signed char)byte >= 0 ? self->run + 1 : 0;
  }
}

static void keep_byte(uvr_child_lines *self, char byte)
{
  if (self->length < RAW_MAX) {
    self->raw[self->length++] = byte;
  } else {
    self->cut = true;
    self->cut_wide = find_wide(self) < self->length;
    self->run = 0;
    skip_byte(self, byte);
  }
}

static void add_newline(uvr_child_lines *self)
{
  switch (judge_newline(self)) {
  case ENDS:
    end_line(self, false);
    break;
  case DEPENDS:
    self->held = true;
    break;
  case GOES_ON:
    keep_byte(self, '\n');
    break;
  }
}

/* A byte has come after a newline that depends on it. Returns whether it was that newline's second half. */
static bool resolve(uvr_child_lines *self, char byte)
{
  self->held = false;
  if (byte == '\0' || ends_without_nul(self)) {
    end_line(self, byte == '\0');
    return byte == '\0';
  }
  keep_byte(self, '\n');
  return false;
}

static void add_byte(uvr_child_lines *self, char byte)
{
  bool second = self->ended && byte == '\0';
  self->was_wide = self->was_wide || second;
  self->ended = false;
  if (second || (self->held && !self->cut && resolve(self, byte))) {
    return;
  }
  self->ended = false;
  if (self->cut) {
    skip_byte(self, byte);
  } else if (byte == '\n') {
    add_newline(self);
  } else {
    keep_byte(self, byte);
  }
}

void uvr_child_lines_add(uvr_child_lines *self, const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    add_byte(self, bytes[i]);
  }
}

void uvr_child_lines_settle(uvr_child_lines *self)
{
  if (self->held && !self->cut) {
    end_line(self, false);
  }
}

void uvr_child_lines_end(uvr_child_lines *self)
{
  end_line(self, false);
}
