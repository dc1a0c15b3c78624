/* A child's standard error as lines: where they end, what is written out, and where a long one is cut, whatever the
 * pieces are in which it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/output/child_lines.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* All lines, each with a "|" behind it. */
typedef struct heard {
  char text[8192];
} heard;

static void on_line(void *user, const char *line)
{
  heard *self = user;
  assert_true(strlen(line) <= UVR_CHILD_LINES_MAX && line[0] != '\0');
  assert_true(strlen(self->text) + strlen(line) + 2 < sizeof(self->text));
  (void)strcat(self->text, line);
  (void)strcat(self->text, "|");
}

/* Gives it in pieces of this size, each in memory of its own. */
static void assert_lines(const char *bytes, size_t length, size_t piece, const char *expected)
{
  heard all = {.text = ""};
  uvr_child_lines lines = {.on_line = on_line, .user = &all};
  for (size_t done = 0; done < length; done += piece) {
    size_t size = length - done < piece ? length - done : piece;
    char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes + done, size);
    uvr_child_lines_add(&lines, copy, size);
    free(copy);
  }
  uvr_child_lines_end(&lines);
  assert_string_equal(all.text, expected);
}

static void test_lines(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t length;
    const char *expected;
  } cases[] = {
#define CASE(bytes, expected) {bytes, sizeof(bytes) - 1, expected}
      CASE("", ""),
      CASE("a", "a|"),
      CASE("a\nb\n", "a|b|"),
      CASE("a\r\nb\r\n", "a|b|"),
      CASE("\n\n \n\t\r\n", ""),
      CASE(" a b \n", " a b|"),
      CASE("a\tb\n", "a b|"),
      CASE("a\rb\n", "a\\x0db|"),
      CASE("\x1b[31mred\n", "\\x1b[31mred|"),
      CASE("\xc3\xa4\xe2\x82\xac\n", "\xc3\xa4\xe2\x82\xac|"),
      CASE("\xff\xc3\n", "\\xff\\xc3|"),
      CASE("\xc2\x9b\n", "\\xc2\\x9b|"),
      CASE("T\0h\0e\0\r\0\n\0x\0\n\0", "The|x|"),
      CASE("\0\0\n", ""),
#undef CASE
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t piece = 1; piece < 8; piece++) {
      assert_lines(cases[i].bytes, cases[i].length, piece, cases[i].expected);
    }
  }
}

/* Lines about as long as they may be, of characters of each length and of what is written out. */
static void test_long_lines(void **state)
{
  (void)state;
  static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x01"};
  for (size_t kind = 0; kind < COUNT(characters); kind++) {
    for (size_t size = 100; size < 540; size++) {
      char bytes[1024];
      size_t length = 0;
      while (length + strlen(characters[kind]) <= size) {
        memcpy(bytes + length, characters[kind], strlen(characters[kind]));
        length += strlen(characters[kind]);
      }
      memcpy(bytes + length, "\nnext\n", 6);
      heard all = {.text = ""};
      uvr_child_lines lines = {.on_line = on_line, .user = &all};
      uvr_child_lines_add(&lines, bytes, length + 6);
      bool whole = kind == 4 ? length * 4 <= UVR_CHILD_LINES_MAX : length <= UVR_CHILD_LINES_MAX;
      const char *rest = strstr(all.text, "|next|");
      assert_non_null(rest);
      size_t told = (size_t)(rest - all.text);
      assert_int_equal(whole, told == (kind == 4 ? length * 4 : length));
      assert_true(whole || (told > UVR_CHILD_LINES_MAX - 8 && memcmp(rest - 3, "...", 3) == 0));
      for (const char *next = all.text; *next != '\0';) {
        uint32_t point = 0;
        size_t one = uvr_utf8_next(next, &point);
        assert_true(one > 0);
        next += one;
      }
    }
  }
}

static void test_escape(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    size_t size;
    bool cut;
    const char *expected;
  } cases[] = {
      {"", 4, false, ""},
      {"abc", 4, false, "abc"},
      {"abcd", 4, false, "..."},
      {"abcd", 5, false, "abcd"},
      {"abcde", 5, false, "a..."},
      {"", 4, true, "..."},
      {"ab", 6, true, "ab..."},
      {"abc", 6, true, "ab..."},
      {"a\x01", 6, false, "a\\x01"},
      {"a\x01", 5, false, "a..."},
      {"\xc3\xa4z", 4, false, "\xc3\xa4z"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char *out = malloc(cases[i].size);
    assert_non_null(out);
    assert_string_equal(uvr_child_lines_escape(out, cases[i].size, cases[i].text, cases[i].cut), cases[i].expected);
    free(out);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_escape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
