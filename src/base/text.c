/* UTF-8 text: see text.h. */
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define QUOTED_TEXT_MAX 128

size_t uvr_utf8_next(const char *text, uint32_t *point)
{
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *bytes = (const unsigned char *)text;
  if (bytes[0] < 0x80) {
    *point = bytes[0];
    return 1;
  }
  size_t length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
  if (bytes[0] < 0xC2 || bytes[0] > 0xF4) {
    return 0;
  }
  uint32_t value = bytes[0] & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80) {
      return 0; /* also at the end of the text */
    }
    value = value << 6 | (bytes[i] & 0x3FU);
  }
  if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    return 0;
  }
  *point = value;
  return length;
}

void uvr_utf8_trim(char *text)
{
  char *end = text + strlen(text);
  char *last = end;
  uint32_t point = 0;
  while (last > text && end - last < 4) {
    last--;
    if (((unsigned char)*last & 0xC0U) != 0x80) { /* where the last character begins */
      if (uvr_utf8_next(last, &point) != (size_t)(end - last)) {
        *last = '\0';
      }
      return;
    }
  }
}

bool uvr_is_control(uint32_t point)
{
  return point < 0x20 || (point >= 0x7F && point < 0xA0);
}

/* Unicode's format characters, those that are ignored by default, and the two separators. */
bool uvr_is_hidden(uint32_t point)
{
  static const struct {
    uint32_t first;
    uint32_t last;
  } ranges[] = {
      {0xAD, 0xAD},       {0x34F, 0x34F},     {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},
      {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},     {0x115F, 0x1160},   {0x17B4, 0x17B5},
      {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},   {0x3164, 0x3164},
      {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD},
      {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
  };
  for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
    if (point >= ranges[i].first && point <= ranges[i].last) {
      return true;
    }
  }
  return uvr_is_control(point);
}

size_t uvr_utf16_units(const char *text)
{
  size_t units = 0;
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    units += (byte & 0xC0) == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

/* The code point at the beginning of UTF-16, and its length in bytes. */
static size_t utf16_next(const unsigned char *bytes, size_t length, uint32_t *point)
{
  uint32_t unit = length < 2 ? 0xFFFD : (uint32_t)(bytes[0] | bytes[1] << 8);
  uint32_t next = length < 4 ? 0 : (uint32_t)(bytes[2] | bytes[3] << 8);
  if (unit >= 0xD800 && unit <= 0xDBFF && next >= 0xDC00 && next <= 0xDFFF) {
    *point = 0x10000 + ((unit - 0xD800) << 10) + (next - 0xDC00);
    return 4;
  }
  *point = unit >= 0xD800 && unit <= 0xDFFF ? 0xFFFD : unit;
  return length < 2 ? 1 : 2;
}

static size_t write_utf8(uint32_t point, char out[4])
{
  size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = length - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (point & 0x3F));
    point >>= 6;
  }
  out[0] = (char)(first[length] | point);
  return length;
}

size_t uvr_utf16_to_utf8(const char *bytes, size_t length, char *out, size_t size)
{
  size_t done = 0;
  size_t used = 0;
  while (done < length) {
    char text[4];
    uint32_t point = 0;
    size_t taken = utf16_next((const unsigned char *)bytes + done, length - done, &point);
    bool shown = point != 0 && point != 0xFEFF;
    size_t written = shown ? write_utf8(point, text) : 0;
    if (used + written >= size) {
      break;
    }
    memcpy(out + used, text, written);
    used += written;
    done += taken;
  }
  out[used] = '\0';
  return done;
}

size_t uvr_escape_next(const char **text, char escaped[UVR_ESCAPED_SIZE])
{
  static const char digits[] = "0123456789abcdef";
  uint32_t point = 0;
  size_t length = uvr_utf8_next(*text, &point);
  if (length > 0 && !uvr_is_hidden(point)) {
    memcpy(escaped, *text, length);
    *text += length;
    return length;
  }
  unsigned char byte = (unsigned char)*(*text)++;
  escaped[0] = '\\';
  escaped[1] = 'x';
  escaped[2] = digits[byte >> 4];
  escaped[3] = digits[byte & 0xF];
  return 4;
}

const char *uvr_quote(char quoted[UVR_QUOTED_SIZE], const char *text)
{
  size_t used = 0;
  quoted[used++] = '"';
  while (*text != '\0') {
    char escaped[UVR_ESCAPED_SIZE];
    size_t size = uvr_escape_next(&text, escaped);
    if (used + size > QUOTED_TEXT_MAX) {
      memcpy(quoted + used, "...", 3);
      used += 3;
      break;
    }
    memcpy(quoted + used, escaped, size);
    used += size;
  }
  quoted[used++] = '"';
  quoted[used] = '\0';
  return quoted;
}

/* The milliseconds of a unit; 0: there is no such unit. */
static uint64_t unit_ms(const char *unit)
{
  static const struct {
    const char *name;
    uint64_t ms;
  } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (strcmp(unit, units[i].name) == 0) {
      return units[i].ms;
    }
  }
  return 0;
}

/* Not with strtod, which depends on the locale and accepts much more than plain numbers. */
bool uvr_time_parse(const char *text, uint64_t *milliseconds)
{
  const uint64_t most = (uint64_t)10000000000; /* of whole units: longer than any limit, and no product overflows */
  const uint64_t parts = (uint64_t)1000000000; /* of a unit */
  uint64_t whole = 0;
  uint64_t fraction = 0;
  size_t digits = 0;
  for (; *text >= '0' && *text <= '9'; text++, digits++) {
    whole = whole * 10 + (uint64_t)(*text - '0');
    whole = whole < most ? whole : most;
  }
  if (*text == '.') {
    uint64_t place = parts / 10;
    bool more = false;
    for (text++; *text >= '0' && *text <= '9'; text++, digits++) {
      fraction += place * (uint64_t)(*text - '0');
      more = more || (place == 0 && *text != '0');
      place /= 10;
    }
    fraction += more ? 1 : 0;
  }
  uint64_t unit = unit_ms(text);
  *milliseconds = whole * unit + (fraction * unit + parts - 1) / parts;
  return digits > 0 && unit > 0;
}

const char *uvr_time_text(char text[UVR_TIME_SIZE], uint64_t milliseconds)
{
  const uint64_t minute = 60000;
  if (milliseconds >= 60 * minute && milliseconds % (60 * minute) == 0) {
    (void)snprintf(text, UVR_TIME_SIZE, "%" PRIu64 " h", milliseconds / (60 * minute));
  } else if (milliseconds >= minute && milliseconds % minute == 0) {
    (void)snprintf(text, UVR_TIME_SIZE, "%" PRIu64 " min", milliseconds / minute);
  } else {
    int length =
        snprintf(text, UVR_TIME_SIZE, "%" PRIu64 ".%03u", milliseconds / 1000, (unsigned)(milliseconds % 1000));
    while (text[length - 1] == '0') {
      length--;
    }
    length -= text[length - 1] == '.' ? 1 : 0;
    (void)snprintf(text + length, UVR_TIME_SIZE - (size_t)length, " s");
  }
  return text;
}

/* The factor of a unit, or 0. */
static uint64_t size_factor(const char *unit)
{
  static const char units[] = "KMG";
  const char *found = *unit == '\0' ? NULL : strchr(units, *unit >= 'a' && *unit <= 'z' ? *unit - 'a' + 'A' : *unit);
  if (*unit == '\0') {
    return 1;
  }
  return found == NULL || unit[1] != '\0' ? 0 : (uint64_t)1 << (10 * (found - units + 1));
}

bool uvr_size_parse(const char *text, uint64_t most, uint64_t *bytes)
{
  uint64_t value = 0;
  const char *next = text;
  for (; *next >= '0' && *next <= '9' && value <= most; next++) {
    value = value * 10 + (uint64_t)(*next - '0');
  }
  uint64_t factor = size_factor(next);
  *bytes = value * factor;
  return next != text && factor != 0 && value <= most / factor;
}

bool uvr_number_parse(const char *text, unsigned base, unsigned most, unsigned *value)
{
  uint64_t number = 0;
  const char *next = text;
  for (; *next >= '0' && *next < (char)('0' + base) && number <= most; next++) {
    number = number * base + (unsigned)(*next - '0');
  }
  *value = (unsigned)number;
  return *next == '\0' && next != text && number <= most;
}

static char to_lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool uvr_is_same_word(const char *one, const char *other)
{
  while (*one != '\0' && to_lower(*one) == to_lower(*other)) {
    one++;
    other++;
  }
  return to_lower(*one) == to_lower(*other);
}

/* Whether the byte is in the set, which begins after the opening bracket. Sets *end after the closing bracket, or to
 * NULL if there is none. */
static bool is_in_set(const char *set, char byte, const char **end)
{
  bool negated = *set == '!' || *set == '^';
  bool found = false;
  const char *next = negated ? set + 1 : set;
  *end = NULL;
  for (bool first = true; *next != '\0' && (first || *next != ']'); first = false) {
    unsigned char low = (unsigned char)*next++;
    unsigned char high = low;
    if (next[0] == '-' && next[1] != ']' && next[1] != '\0') {
      high = (unsigned char)next[1];
      next += 2;
    }
    found = found || ((unsigned char)byte >= low && (unsigned char)byte <= high);
  }
  if (*next == '\0') {
    return false;
  }
  *end = next + 1;
  return found != negated;
}

/* Whether the first element of the pattern, which is not a *, matches the byte. Sets *next after the element. */
static bool matches_one(const char *pattern, char byte, const char **next)
{
  const char *end = NULL;
  *next = pattern + 1;
  if (*pattern == '?') {
    return true;
  }
  if (*pattern == '[') {
    bool found = is_in_set(pattern + 1, byte, &end);
    if (end != NULL) {
      *next = end;
      return found;
    }
  }
  if (*pattern == '\\' && pattern[1] != '\0') {
    *next = pattern + 2;
    return pattern[1] == byte;
  }
  return *pattern == byte;
}

bool uvr_pattern_matches(const char *pattern, const char *text)
{
  const char *star = NULL; /* after the last *; the bytes that it matches end at `swallowed` */
  const char *swallowed = NULL;
  while (*text != '\0' || *pattern != '\0') {
    const char *next = pattern;
    if (*pattern == '*') {
      star = ++pattern;
      swallowed = text;
    } else if (*text != '\0' && *pattern != '\0' && matches_one(pattern, *text, &next)) {
      pattern = next;
      text++;
    } else if (star != NULL && *swallowed != '\0') {
      pattern = star;
      text = ++swallowed;
    } else {
      return false;
    }
  }
  return true;
}
