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
#include <uchar.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/output/child_lines.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* All lines, each with a "|" after it. */
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

/* Parts of what a child writes: UTF-16, or bytes. */
typedef struct part {
  const void *bytes;
  size_t length;
} part;

#define WIDE(text)                                                                                                     \
  {                                                                                                                    \
    u##text, sizeof(u##text) - sizeof(char16_t)                                                                        \
  }
#define BYTES(text)                                                                                                    \
  {                                                                                                                    \
    text, sizeof(text) - 1                                                                                             \
  }

/* What wsl.exe writes, and what may come before and after it. */
static void test_utf16(void **state)
{
  (void)state;
  static const struct {
    part parts[4];
    const char *expected;
  } cases[] = {
      {{WIDE("Wsl/Service/E_FAIL\r\n")}, "Wsl/Service/E_FAIL|"},
      {{WIDE("one\r\ntwo\n"), WIDE("three")}, "one|two|three|"},
      {{BYTES("\xff\xfe"), WIDE("one\r\ntwo\r\n")}, "one|two|"},
      {{BYTES("\xef\xbb\xbf"), BYTES("one\r\ntwo\r\n")}, "one|two|"},
      {{WIDE("\r\n\r\n \r\nx\r\n")}, "x|"},
      {{WIDE("F\u00fcr \u20ac\r\n\u00dcber\r\n")}, "F\u00fcr \u20ac|\u00dcber|"},
      {{WIDE("\u041e\u0448\u0438\u0431\u043a\u0430\r\n\u041e\u043d\n")},
       "\u041e\u0448\u0438\u0431\u043a\u0430|\u041e\u043d|"},
      {{WIDE("\u041e\u0448\u0438\n\u041e\u043d\n")}, "\u041e\u0448\u0438|\u041e\u043d|"},
      {{WIDE("\u30a8\u30e9\u30fc\r\n\u6ca1\u4e0a\n")}, "\u30a8\u30e9\u30fc|\u6ca1\u4e0a|"},
      {{WIDE("Wsl: \u6ca1\u4e0a\u4e0a\u6709\r\n")}, "Wsl: \u6ca1\u4e0a\u4e0a\u6709|"}, /* 4E0A has a newline in it */
      {{WIDE("\u4e00\u4e2a\r\n\u4e00\u4e2a x\r\n")}, "\u4e00\u4e2a|\u4e00\u4e2a x|"},  /* and 4E00 a NUL */
      {{WIDE("\U0001f600 ok\r\n")}, "\U0001f600 ok|"},
      {{WIDE("a"), BYTES("\x3d\xd8"), WIDE("b\n")},
       "a\ufffd"
       "b|"}, /* half a pair */
      {{WIDE("a"), BYTES("\x00\xde"), WIDE("\n")}, "a\ufffd|"},
      {{WIDE("abc"), BYTES("\x3d\xd8")}, "abc\ufffd|"},
      {{WIDE("abc"), BYTES("\x3d")}, "abc=|"},
      {{WIDE("a\0b\r\n")}, "ab|"},
      {{WIDE("\x1b[31mred\x9b\u202e\r\n")}, "\\x1b[31mred\\xc2\\x9b\\xe2\\x80\\xae|"},
      {{WIDE("wsl: warning\r\n"), BYTES("bash: gr\u00fcn\n"), BYTES("next\n")}, "wsl: warning|bash: gr\u00fcn|next|"},
      {{BYTES("bash: x\n"), WIDE("ended\r\n"), BYTES("more\n")}, "bash: x|ended|more|"},
      {{BYTES("even\n"), WIDE("\r\nended\r\n"), BYTES("odd\n"), WIDE("\u6ca1 x\r\n")}, "even|ended|odd|\u6ca1 x|"},
      {{BYTES("bash: "), WIDE("ended\r\n"), BYTES("more\n")}, "bash: ended|more|"},
      {{BYTES("odd: x"), WIDE("ended\r\n")}, "odd: xended|"},
      {{WIDE("wsl: "), BYTES("bash: x\n"), WIDE("y\r\n")}, "wsl: bash: x|y|"},
      {{WIDE("wsl:"), BYTES("bash\n"), BYTES("more\n")}, "wsl:bash|more|"},
      {{BYTES("errors\n\0next\n"), BYTES("error\n\0next\n")}, "errors|next|error|next|"},
      {{BYTES("one\0two\n"), BYTES("fo\0ur\n")}, "onetwo|four|"},
      {{BYTES("f\xfcr\n"),
        BYTES("\xfc"
              "b\n"),
        BYTES("\xfc"
              "bel\n")},
       "f\\xfcr|\\xfc"
       "b|\\xfc"
       "bel|"}, /* the ANSI code page */
      {{BYTES("\n\n"), WIDE("x\n"), BYTES("\n\n"), BYTES("y\n")}, "x|y|"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char bytes[256];
    size_t length = 0;
    for (size_t k = 0; k < COUNT(cases[i].parts) && cases[i].parts[k].bytes != NULL; k++) {
      memcpy(bytes + length, cases[i].parts[k].bytes, cases[i].parts[k].length);
      length += cases[i].parts[k].length;
    }
    for (size_t piece = 1; piece <= length; piece++) {
      assert_lines(bytes, length, piece, cases[i].expected);
    }
  }
}

static void add(uvr_child_lines *lines, const char *bytes, size_t length)
{
  uvr_child_lines_add(lines, bytes, length);
}

/* A whole line is reported at once, or, where its newline may be half of something, when nothing follows for some
 * time. */
static void test_settle(void **state)
{
  (void)state;
  heard all = {.text = ""};
  uvr_child_lines lines = {.on_line = on_line, .user = &all};
  add(&lines, "one\neven\n", 9);
  assert_string_equal(all.text, "one|even|");
  add(&lines, "w\0o\0\n", 5);
  uvr_child_lines_settle(&lines);
  assert_string_equal(all.text, "one|even|wo|");
  add(&lines, "\0w\0o\0\n\0", 7);
  assert_string_equal(all.text, "one|even|wo|wo|");
  add(&lines, "part", 4);
  uvr_child_lines_settle(&lines);
  assert_string_equal(all.text, "one|even|wo|wo|");
  add(&lines, "\n\xfc\xfc\n", 4);
  uvr_child_lines_settle(&lines);
  assert_string_equal(all.text, "one|even|wo|wo|part|\\xfc\\xfc|");
}

/* Long lines in UTF-16, whose end is found though they are not kept; then UTF-8. */
static void test_long_utf16(void **state)
{
  (void)state;
  static const char16_t *const units[] = {u"xx", u"\u00e4\u00e4", u"\u6ca1\u4e0a", u"\u6ca1\u4e00"};
  for (size_t kind = 0; kind < COUNT(units); kind++) {
    for (size_t count = 100; count < 1200; count += 7) {
      char bytes[4096];
      memcpy(bytes, "a\0", 2);
      size_t length = 2;
      for (size_t i = 0; i < count; i++) {
        memcpy(bytes + length, &units[kind][i % 2], 2);
        length += 2;
      }
      memcpy(bytes + length, "\r\0\n\0next\n", 9);
      heard all = {.text = ""};
      uvr_child_lines lines = {.on_line = on_line, .user = &all};
      uvr_child_lines_add(&lines, bytes, length + 9);
      const char *rest = strstr(all.text, "|next|");
      assert_non_null(rest);
      assert_string_equal(rest, "|next|");
      size_t told = (size_t)(rest - all.text);
      static const size_t sizes[] = {1, 2, 3, 3};
      bool whole = 1 + count * sizes[kind] <= UVR_CHILD_LINES_MAX;
      assert_true(whole ? told == 1 + count * sizes[kind] : told > 500 && memcmp(rest - 3, "...", 3) == 0);
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
      cmocka_unit_test(test_lines),      cmocka_unit_test(test_utf16),      cmocka_unit_test(test_settle),
      cmocka_unit_test(test_long_utf16), cmocka_unit_test(test_long_lines), cmocka_unit_test(test_escape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
