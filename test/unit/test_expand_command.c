/* What ~/ and variables in a command line stand for: the words that the command then has, on both kinds of system, each
 * refusal with its place, and a long run of random values, each of which must stay a part of one word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address/expand.h"

/* The program's own files are in no library. */
#include "cli/child/command.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_MAX = 5, RANDOM_RUNS = 20000 };

/* Nothing is looked for. */
int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error)
{
  (void)name;
  (void)path;
  (void)file;
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT, "nothing is looked for");
}

static char value[64]; /* of $RANDOM */
static const char *home_directory;

static int copy(const char *text, char *buffer, size_t *size)
{
  assert_true(strlen(text) < *size);
  memcpy(buffer, text, strlen(text) + 1);
  *size = strlen(text);
  return 0;
}

static int home(char *buffer, size_t *size)
{
  return home_directory == NULL ? UV_ENOENT : copy(home_directory, buffer, size);
}

static int variable(const char *name, char *buffer, size_t *size)
{
  static const struct {
    const char *name, *value;
  } all[] = {{"ONE", "1"},     {"BLANK", "a b"},     {"QUOTES", "it's \"x\""}, {"DIR", "C:\\Program Files\\"},
             {"APOS", "''a'"}, {"DOLLAR", "$ONE~/"}, {"RANDOM", value},        {"EMPTY", ""}};
  for (size_t i = 0; i < COUNT(all); i++) {
    if (strcmp(name, all[i].name) == 0) {
      return copy(all[i].value, buffer, size);
    }
  }
  return UV_ENOENT;
}

static const uvr_expander expander = {.home = home, .variable = variable, .noun = "command"};

static const struct {
  const char *text;
  int backslash; /* 0, 1, or 2: both give the same */
  const char *words[WORDS_MAX];
} good[] = {
    {"uvrelay.exe mux", 2, {"uvrelay.exe", "mux"}},
    {"~/bin/uvrelay mux", 2, {"/home/me/bin/uvrelay", "mux"}},
    {"a ~/b c~/d ~ ~you/x", 2, {"a", "/home/me/b", "c~/d", "~", "~you/x"}},
    {"'~/a' \"~/b\" x=~/c", 2, {"~/a", "~/b", "x=~/c"}},
    {"$ONE ${ONE}2 $$ONE", 2, {"1", "12", "$ONE"}},
    {"'$ONE' \"$ONE\" '${' \"$$\"", 2, {"$ONE", "1", "${", "$"}},
    {"$BLANK x$BLANK", 2, {"a b", "xa b"}},
    {"\"$BLANK\" \"x${BLANK}y\"", 2, {"a b", "xa by"}},
    {"$QUOTES \"-$QUOTES-\"", 2, {"it's \"x\"", "-it's \"x\"-"}},
    {"$APOS \"$APOS\"", 2, {"''a'", "''a'"}},
    {"${DIR}uvrelay.exe \"${DIR}x\" mux", 2, {"C:\\Program Files\\uvrelay.exe", "C:\\Program Files\\x", "mux"}},
    {"a $DOLLAR", 2, {"a", "$ONE~/"}},
    /* Paths of Windows there: a backslash is no quote. */
    {"C:\\bin\\uvrelay.exe mux", 0, {"C:\\bin\\uvrelay.exe", "mux"}},
    {"\"C:\\Program Files\\$ONE\\x.exe\" mux", 0, {"C:\\Program Files\\1\\x.exe", "mux"}},
    {"C:\\$ONE\\$ONE ~\\bin\\x", 0, {"C:\\1\\1", "/home/me\\bin\\x"}},
    {"\\\\host\\$$x", 0, {"\\\\host\\$x"}},
    /* It is one. */
    {"a\\ b \\$ONE \\~/x \\\\$ONE", 1, {"a b", "$ONE", "~/x", "\\1"}},
    {"a\\ ~/b", 1, {"a ~/b"}},
    {"\\'$ONE\\' \\\"$ONE", 1, {"'1'", "\"1"}},
    {"\"\\\"$ONE\\\\\" \"\\$ONE\"", 1, {"\"1\\", "\\1"}},
    {"'\\' $ONE", 1, {"\\", "1"}},
};

static void check_words(const char *text, bool backslash, const char *const words[])
{
  char out[UVR_EXPANDED_SIZE];
  uvr_command command;
  uvrelay_error_t error = {0};
  size_t wrong = 0;
  if (uvr_expand_command(&expander, text, backslash, out, &wrong, &error) != 0 ||
      uvr_command_split(&command, out, backslash, &error) != 0) {
    fail_msg("%s: %s", text, error.text);
  }
  int count = 0;
  while (count < WORDS_MAX && words[count] != NULL) {
    if (count >= command.argc || strcmp(command.argv[count], words[count]) != 0) {
      fail_msg("%s: word %d of %s", text, count, out);
    }
    count++;
  }
  assert_int_equal(command.argc, count);
  uvr_command_clear(&command);
}

static void test_good(void **state)
{
  (void)state;
  home_directory = "/home/me/";
  for (size_t i = 0; i < COUNT(good); i++) {
    if (good[i].backslash != 0) {
      check_words(good[i].text, true, good[i].words);
    }
    if (good[i].backslash != 1) {
      check_words(good[i].text, false, good[i].words);
    }
  }
}

/* A home directory with a blank, as on Windows, stays in one word. */
static void test_home(void **state)
{
  (void)state;
  home_directory = "C:\\Users\\Some Body\\";
  check_words("~\\x.exe mux", false, (const char *const[]){"C:\\Users\\Some Body\\x.exe", "mux", NULL});
  home_directory = "/home/some body";
  check_words("~/x mux", true, (const char *const[]){"/home/some body/x", "mux", NULL});
}

static void test_wrong(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    size_t wrong;
    const char *words;
  } cases[] = {
      {"a $NONE b", 2, "the command \"a $NONE b\" has the variable \"NONE\", which is not set"},
      {"a \"${EMPTY}\"", 3, "which is empty"},
      {"awk $1", 4, "$$ for the $ itself"},
      {"a $", 2, "$$ for the $ itself"},
      {"a ~/b", 2, "the command \"a ~/b\" has a ~, but the home directory cannot be found"},
  };
  home_directory = NULL;
  for (size_t i = 0; i < COUNT(cases); i++) {
    char out[UVR_EXPANDED_SIZE];
    uvrelay_error_t error = {0};
    size_t wrong = 99;
    assert_int_equal(uvr_expand_command(&expander, cases[i].text, true, out, &wrong, &error), UV_EINVAL);
    assert_int_equal(wrong, cases[i].wrong);
    if (strstr(error.text, cases[i].words) == NULL) {
      fail_msg("\"%s\" is not in: %s", cases[i].words, error.text);
    }
  }
}

static void test_long(void **state)
{
  (void)state;
  char text[UVR_EXPANDED_SIZE + 1];
  char out[UVR_EXPANDED_SIZE];
  uvrelay_error_t error = {0};
  size_t wrong = 0;
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  assert_int_equal(uvr_expand_command(&expander, text, true, out, &wrong, &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "is too long: the limit is 4095 bytes"));
  text[sizeof(text) - 2] = '\0';
  assert_int_equal(uvr_expand_command(&expander, text, true, out, &wrong, &error), 0);
  assert_string_equal(text, out);
}

static void test_random(void **state)
{
  (void)state;
  static const char letters[] = "a '\"\\$~/\t{";
  uint32_t seed = 5;
  for (int run = 0; run < RANDOM_RUNS; run++) {
    size_t length = 0;
    do {
      seed = seed * 1664525 + 1013904223;
      value[length++] = letters[(seed >> 16) % (sizeof(letters) - 1)];
    } while (seed >> 29 != 0 && length < sizeof(value) - 1);
    value[length] = '\0';
    char inside[sizeof(value) + 2];
    (void)snprintf(inside, sizeof(inside), "<%s>", value);
    check_words("$RANDOM \"<$RANDOM>\" <${RANDOM}>", run % 2 == 0, (const char *const[]){value, inside, inside, NULL});
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good), cmocka_unit_test(test_home),   cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_long), cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
