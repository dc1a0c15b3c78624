/* Shell patterns: each element, the corners where shells differ, and many random ones against a slow but plain matcher.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static const struct {
  const char *pattern;
  const char *text;
  bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"a", "a", true},
    {"a", "A", false},
    {"a", "ab", false},
    {"ab", "a", false},
    {"*", "", true},
    {"*", "anything/at all", true},
    {"**", "", true},
    {"***", "abc", true},
    {"*a", "a", true},
    {"*a", "ba", true},
    {"*a", "ab", false},
    {"a*", "a", true},
    {"a*b*c", "abc", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "acb", false},
    {"*ab*ab", "abab", true},
    {"*ab*ab", "ab", false},
    {"*aab", "aaab", true},
    {"?", "", false},
    {"?", "a", true},
    {"?", "ab", false},
    {"?*?", "ab", true},
    {"?*?", "a", false},
    {"*?", "", false},
    {"??", "\xc3\xa4", true}, /* any one byte */
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[abc]", "", false},
    {"[a-c]", "b", true},
    {"[a-c]", "-", false},
    {"[a-c]x", "cx", true},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[!a]", "a", false},
    {"[!a]", "b", true},
    {"[!a]", "", false},
    {"[^a]", "b", true},
    {"[^a]", "a", false},
    {"[!]", "!", false}, /* not closed: taken as it is */
    {"[!]", "[!]", true},
    {"[]]", "]", true},
    {"[]]", "[]]", false},
    {"[]a]", "a", true},
    {"[!]]", "a", true},
    {"[!]]", "]", false},
    {"[]", "[]", true},
    {"[", "[", true},
    {"[", "a", false},
    {"[a", "[a", true},
    {"[a", "a", false},
    {"[a-", "[a-", true},
    {"[c-a]", "b", false}, /* an empty range */
    {"[a-ce-g]", "d", false},
    {"[a-ce-g]", "f", true},
    {"[\x80-\xff]", "\xe4", true},
    {"[\x80-\xff]", "a", false},
    {"[*]", "*", true},
    {"[*]", "a", false},
    {"[?]", "a", false},
    {"]", "]", true},
    {"*]", "a]", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\*", "\\", false},
    {"\\?", "?", true},
    {"\\[a]", "[a]", true},
    {"\\[a]", "a", false},
    {"\\\\", "\\", true},
    {"\\a", "a", true},
    {"\\", "\\", true}, /* at the end, itself */
    {"a\\", "a\\", true},
    {"*\\", "a\\", true},
    {"*\\*", "ab*", true},
    {"*\\*", "ab", false},
    {"//./pipe/docker_*", "//./pipe/docker_engine", true},
    {"//./pipe/docker_*", "//./pipe/docker", false},
    {"//./pipe/*", "//./pipe/a/b", true}, /* a slash is no border */
    {"tcp://127.0.0.1:*", "tcp://127.0.0.1:80", true},
    {"tcp://127.0.0.1:*", "tcp://127.0.0.12:80", false},
    {"tcp://\\[::1]:*", "tcp://[::1]:80", true},
    {"unix:///run/user/[0-9]*/x", "unix:///run/user/1000/x", true},
    {"unix:///run/user/[0-9]*/x", "unix:///run/user/a1/x", false},
};

/* Copies that end where their memory ends, so that a sanitizer sees the first byte read too far. */
static bool matches(const char *pattern, const char *text)
{
  char *own_pattern = malloc(strlen(pattern) + 1);
  char *own_text = malloc(strlen(text) + 1);
  assert_true(own_pattern != NULL && own_text != NULL);
  strcpy(own_pattern, pattern);
  strcpy(own_text, text);
  bool result = uvr_pattern_matches(own_pattern, own_text);
  free(own_pattern);
  free(own_text);
  return result;
}

static void test_cases(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    if (matches(cases[i].pattern, cases[i].text) != cases[i].matches) {
      fail_msg("%s and %s", cases[i].pattern, cases[i].text);
    }
  }
}

/* Of letters, ? and * only. */
static bool plain(const char *pattern, const char *text)
{
  if (*pattern == '\0') {
    return *text == '\0';
  }
  if (*pattern == '*') {
    return plain(pattern + 1, text) || (*text != '\0' && plain(pattern, text + 1));
  }
  return *text != '\0' && (*pattern == '?' || *pattern == *text) && plain(pattern + 1, text + 1);
}

static void test_random(void **state)
{
  (void)state;
  static const char letters[] = "ab?**";
  uint32_t seed = 3;
  unsigned yes = 0;
  for (unsigned round = 0; round < 50000; round++) {
    char pattern[8] = "";
    char text[10] = "";
    seed = seed * 1664525 + 1013904223;
    uint32_t dice = seed >> 3;
    for (unsigned i = 0; i < round % 8; i++, dice = dice * 31 + 7) {
      pattern[i] = letters[(dice >> 5) % 5];
    }
    for (unsigned i = 0; i < round / 8 % 10; i++, dice = dice * 37 + 11) {
      text[i] = letters[(dice >> 6) % 2];
    }
    bool result = matches(pattern, text);
    if (result != plain(pattern, text)) {
      fail_msg("%s and %s", pattern, text);
    }
    yes += result ? 1U : 0U;
  }
  assert_in_range(yes, 1000, 49000);
}

/* Many stars do not take ages. */
static void test_long(void **state)
{
  (void)state;
  char pattern[2001];
  char text[1001];
  memset(text, 'a', 1000);
  text[1000] = '\0';
  for (unsigned i = 0; i < 2000; i += 2) {
    memcpy(pattern + i, "*a", 2);
  }
  pattern[2000] = '\0';
  assert_true(matches(pattern, text));
  pattern[1999] = 'b';
  assert_false(matches(pattern, text));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
