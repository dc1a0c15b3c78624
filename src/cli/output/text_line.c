/* Lines of text: see text_line.h. */
#include "cli/output/text_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"

/* Makes room for `length` more bytes. */
static void grow(uvr_text_line *self, size_t length)
{
  if (self->text == NULL) {
    self->text = self->own;
    self->capacity = sizeof(self->own);
  }
  if (self->capacity - self->length >= length || self->failed) {
    return;
  }
  size_t capacity = (self->length + length) * 2;
  char *text = realloc(self->text == self->own ? NULL : self->text, capacity);
  self->failed = text == NULL;
  if (text != NULL) {
    if (self->text == self->own) {
      memcpy(text, self->own, self->length);
    }
    self->text = text;
    self->capacity = capacity;
  }
}

void uvr_text_line_bytes(uvr_text_line *self, const char *bytes, size_t length)
{
  grow(self, length);
  if (!self->failed && length > 0) {
    memcpy(self->text + self->length, bytes, length);
    self->length += length;
  }
}

void uvr_text_line_insert(uvr_text_line *self, const char *bytes, size_t length)
{
  grow(self, length);
  if (!self->failed && length > 0) {
    memmove(self->text + length, self->text, self->length);
    memcpy(self->text, bytes, length);
    self->length += length;
  }
}

void uvr_text_line_add(uvr_text_line *self, const char *format, ...)
{
  char text[256];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (length > 0) {
    uvr_text_line_bytes(self, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
  }
}

void uvr_text_line_text(uvr_text_line *self, const char *text)
{
  while (*text != '\0') {
    char escaped[UVR_ESCAPED_SIZE];
    size_t size = uvr_escape_next(&text, escaped);
    uvr_text_line_bytes(self, escaped, size);
  }
}

void uvr_text_line_string(uvr_text_line *self, const char *text)
{
  uvr_text_line_bytes(self, "\"", 1);
  while (*text != '\0') {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(text, &point);
    if (length == 0) {
      uvr_text_line_add(self, "\\ufffd");
      length = 1;
    } else if (uvr_is_hidden(point) && point > 0xFFFF) {
      uint32_t rest = point - 0x10000;
      uvr_text_line_add(self, "\\u%04x\\u%04x", (unsigned)(0xD800 + (rest >> 10)), (unsigned)(0xDC00 + (rest & 0x3FF)));
    } else if (uvr_is_hidden(point)) {
      uvr_text_line_add(self, "\\u%04x", (unsigned)point);
    } else {
      if (point == '"' || point == '\\') {
        uvr_text_line_bytes(self, "\\", 1);
      }
      uvr_text_line_bytes(self, text, length);
    }
    text += length;
  }
  uvr_text_line_bytes(self, "\"", 1);
}

void uvr_text_line_member(uvr_text_line *self, const char *name, const char *text)
{
  uvr_text_line_add(self, ",\"%s\":", name);
  uvr_text_line_string(self, text);
}

void uvr_text_line_number(uvr_text_line *self, const char *name, uint64_t number)
{
  uvr_text_line_add(self, ",\"%s\":%" PRIu64, name, number);
}

/* Adds the date of a day, which is counted from the 1st of January 1970. The calculation lets years begin in March, so
 * that the 29th of February is the last day of a year. */
static void add_date(uvr_text_line *self, int64_t days)
{
  int64_t day = days + 719468; /* since the 1st of March of the year 0 */
  int64_t era = day / 146097;  /* of 400 years */
  int64_t of_era = day % 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int64_t month = (5 * of_year + 2) / 153; /* 0: March */
  int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
  uvr_text_line_add(self, "%04d-%02d-%02d", (int)(era * 400 + year + (month >= 10 ? 1 : 0)),
                    (int)(month < 10 ? month + 3 : month - 9), (int)of_month);
}

void uvr_text_line_time(uvr_text_line *self, int64_t seconds, int milliseconds)
{
  const int64_t day = 86400;
  int of_day = (int)(seconds % day);
  add_date(self, seconds / day);
  uvr_text_line_add(self, "T%02d:%02d:%02d.%03dZ", of_day / 3600, of_day / 60 % 60, of_day % 60, milliseconds);
}

void uvr_text_line_now(uvr_text_line *self)
{
  uv_timeval64_t now = {0};
  (void)uv_gettimeofday(&now);
  uvr_text_line_time(self, now.tv_sec, (int)(now.tv_usec / 1000));
}

void uvr_text_line_begin(uvr_text_line *self, const char *event)
{
  uvr_text_line_add(self, "{\"time\":\"");
  uvr_text_line_now(self);
  uvr_text_line_add(self, "\",\"event\":\"%s\"", event);
}

void uvr_text_line_clear(uvr_text_line *self)
{
  if (self->text != self->own) {
    free(self->text);
  }
  self->text = NULL;
  self->length = 0;
  self->capacity = 0;
  self->failed = false;
}
