/* What the fuzzers share: see fuzz.h. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

void fuzz_fail(const char *file, int line, const char *condition, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  (void)fflush(stdout);
  (void)fprintf(stderr, "%s:%d: %s: ", file, line, condition);
  (void)vfprintf(stderr, format, arguments);
  (void)fputc('\n', stderr);
  va_end(arguments);
  abort();
}

unsigned fuzz_byte(fuzz_input *in)
{
  if (in->size == 0) {
    return 0;
  }
  in->size--;
  return *in->data++;
}

unsigned fuzz_below(fuzz_input *in, unsigned limit)
{
  unsigned value = fuzz_byte(in);
  return (limit > 256 ? value << 8 | fuzz_byte(in) : value) % limit;
}

char *fuzz_text(fuzz_input *in, char separator)
{
  const uint8_t *end = in->size > 0 ? memchr(in->data, (unsigned char)separator, in->size) : NULL;
  size_t length = end != NULL ? (size_t)(end - in->data) : in->size;
  char *text = malloc(length + 1);
  CHECK(text != NULL, "there is no memory");
  size_t used = 0;
  for (size_t i = 0; i < length; i++) {
    if (in->data[i] != 0) {
      text[used++] = (char)in->data[i];
    }
  }
  /* Of just that size, so that a sanitizer sees who reads on. */
  char *fitting = realloc(text, used + 1);
  CHECK(fitting != NULL, "there is no memory");
  fitting[used] = '\0';
  in->data += length + (end != NULL ? 1 : 0);
  in->size -= length + (end != NULL ? 1 : 0);
  return fitting;
}

void fuzz_check_error(const uvrelay_error_t *error, int code)
{
  CHECK(error->code == code, "the error's code is %d, not %d", error->code, code);
  size_t length = strnlen(error->text, sizeof(error->text));
  CHECK(length > 0 && length < sizeof(error->text), "the error's text has %u bytes", (unsigned)length);
  for (const char *next = error->text; *next != '\0';) {
    uint32_t point = 0;
    size_t step = uvr_utf8_next(next, &point);
    CHECK(step > 0, "the error's text is not UTF-8 at byte %u: %s", (unsigned)(next - error->text), error->text);
    CHECK(!uvr_is_control(point), "the error's text has a control character at byte %u: %s",
          (unsigned)(next - error->text), error->text);
    next += step;
  }
}

void fuzz_check_shown(const char *text, size_t length)
{
  for (size_t at = 0; at < length;) {
    uint32_t point = 0;
    size_t step = uvr_utf8_next(text + at, &point);
    CHECK(step > 0 && at + step <= length, "what is shown is not UTF-8 at byte %u: %s", (unsigned)at, text);
    CHECK(!uvr_is_hidden(point), "what is shown has a hidden character at byte %u: %s", (unsigned)at, text);
    at += step;
  }
}

/* JSON, as RFC 8259 has it; each function moves after what it reads, and fails the run if it is something else. */

static void read_string(const char **next, const char *end)
{
  CHECK(*next < end && **next == '"', "a string is missing at %.40s", *next);
  for (++*next; *next < end && **next != '"'; ++*next) {
    CHECK((unsigned char)**next >= 0x20, "a string has the byte 0x%02x", (unsigned)(unsigned char)**next);
    if (**next == '\\') {
      ++*next;
      CHECK(*next < end && strchr("\"\\/bfnrtu", **next) != NULL, "a string has a bad escape at %.40s", *next);
      for (unsigned i = 0; **next == 'u' && i < 4; i++) {
        CHECK(*next + 1 + i < end && strchr("0123456789abcdefABCDEF", (*next)[1 + i]) != NULL, "a bad escape: %.40s",
              *next);
      }
    }
  }
  CHECK(*next < end, "a string does not end");
  ++*next;
}

static void read_value(const char **next, const char *end, unsigned depth);

/* Members or elements, up to the closing bracket. */
static void read_list(const char **next, const char *end, char closing, unsigned depth)
{
  CHECK(depth < 8, "JSON is nested too deep");
  ++*next;
  bool first = true;
  while (*next < end && **next != closing) {
    CHECK(first || **next == ',', "a comma is missing at %.40s", *next);
    *next += first ? 0 : 1;
    first = false;
    if (closing == '}') {
      read_string(next, end);
      CHECK(*next < end && **next == ':', "a colon is missing at %.40s", *next);
      ++*next;
    }
    read_value(next, end, depth + 1);
  }
  CHECK(*next < end, "JSON does not end");
  ++*next;
}

static void read_value(const char **next, const char *end, unsigned depth)
{
  CHECK(*next < end, "a value is missing");
  if (**next == '{' || **next == '[') {
    read_list(next, end, **next == '{' ? '}' : ']', depth);
  } else if (**next == '"') {
    read_string(next, end);
  } else {
    size_t digits = strspn(*next, "0123456789");
    size_t length = digits > 0                        ? digits
                    : strncmp(*next, "true", 4) == 0  ? 4
                    : strncmp(*next, "null", 4) == 0  ? 4
                    : strncmp(*next, "false", 5) == 0 ? 5
                                                      : 0;
    CHECK(length > 0, "a value is missing at %.40s", *next);
    *next += length;
  }
}

void fuzz_check_lines(const char *text, size_t length, bool json)
{
  CHECK(length > 0 && text[length - 1] == '\n', "a line does not end");
  const char *end = text + length;
  while (text < end) {
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    CHECK(feed > text, "a line is empty");
    fuzz_check_shown(text, (size_t)(feed - text));
    if (json) {
      CHECK(*text == '{', "a line is no JSON object: %.40s", text);
      read_value(&text, feed, 0);
      CHECK(text == feed, "something follows a JSON object: %.40s", text);
    }
    text = feed + 1;
  }
}

/* The clock. libuv reads only the monotonic one, and libFuzzer only others. */

static bool stopped;
static uint64_t clock_ms;

int clock_gettime(clockid_t id, struct timespec *out)
{
  if (stopped && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
    *out = (struct timespec){.tv_sec = (time_t)(clock_ms / 1000), .tv_nsec = (long)(clock_ms % 1000) * 1000000};
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, id, out);
}

void fuzz_clock_stop(void)
{
  stopped = true;
  clock_ms = 1000000;
}

void fuzz_clock_advance(uint64_t ms)
{
  clock_ms += ms;
}

bool fuzz_turn(uv_loop_t *loop)
{
  int wait = uv_backend_timeout(loop);
  if (wait > 0) {
    fuzz_clock_advance((uint64_t)wait);
  }
  return uv_run(loop, UV_RUN_NOWAIT) != 0 && wait >= 0;
}
