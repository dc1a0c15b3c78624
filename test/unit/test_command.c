/* Command lines: blanks, quotes, backslashes on both kinds of system, each refusal; a command made of words; and a long
 * run of random lines. Finding a program is tested in unix/ and win/. */
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
#include "cli/child/command.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_MAX = 6, RANDOM_RUNS = 20000 };

/* Stands for the system's. */
int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error)
{
  *file = NULL;
  if (path == NULL || strcmp(name, "known") != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT, "no %s", name);
  }
  *file = malloc(strlen(path) + 1);
  assert_non_null(*file);
  memcpy(*file, path, strlen(path) + 1);
  return 0;
}

static const struct {
  const char *line;
  bool backslash;
  const char *words[WORDS_MAX]; /* up to the first NULL */
} good[] = {
    {"a", true, {"a"}},
    {"uvrelay.exe mux", true, {"uvrelay.exe", "mux"}},
    {" \t a  b\t\nc\r\n", true, {"a", "b", "c"}},
    {"\"a b\" c", true, {"a b", "c"}},
    {"'a b' c", false, {"a b", "c"}},
    {"a\"b c\"d", true, {"ab cd"}},
    {"a'b'\"c\"d", true, {"abcd"}},
    {"a \"\" '' b", true, {"a", "", "", "b"}},
    {"a \"it's\" '\"'", true, {"a", "it's", "\""}},
    {"a $HOME *.c ~ `x` | y", true, {"a", "$HOME", "*.c", "~", "`x`", "|"}}, /* and "y" */
    /* A backslash quotes. */
    {"a\\ b c", true, {"a b", "c"}},
    {"a\\\\b", true, {"a\\b"}},
    {"\\\"a \\'", true, {"\"a", "'"}},
    {"a \"\\\"\"", true, {"a", "\""}},
    {"a \"x\\\\y\"", true, {"a", "x\\y"}},
    {"a \"x\\y\\n\"", true, {"a", "x\\y\\n"}},
    {"a 'x\\y' 'z\\'", true, {"a", "x\\y", "z\\"}},
    {"a \\\n", true, {"a", "\n"}},
    {"\\a", true, {"a"}},
    /* It does not. */
    {"C:\\bin\\uvrelay.exe mux", false, {"C:\\bin\\uvrelay.exe", "mux"}},
    {"\"C:\\Program Files\\x\\\" y\\", false, {"C:\\Program Files\\x\\", "y\\"}},
    {"\\\\host\\share\\x.exe \\'a'", false, {"\\\\host\\share\\x.exe", "\\a"}},
};

static void test_words(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(good); i++) {
    uvr_command command;
    uvrelay_error_t error;
    memset(&command, 0x55, sizeof(command));
    assert_int_equal(uvr_command_split(&command, good[i].line, good[i].backslash, &error), 0);
    assert_null(command.file);
    int count = 0;
    for (; count < WORDS_MAX && good[i].words[count] != NULL; count++) {
      assert_true(count < command.argc);
      assert_string_equal(command.argv[count], good[i].words[count]);
    }
    assert_true(command.argc == count || (count == WORDS_MAX && strcmp(command.argv[count], "y") == 0));
    assert_null(command.argv[command.argc]);
    uvr_command_clear(&command);
    assert_null(command.argv);
    assert_int_equal(command.argc, 0);
  }
}

static void test_refusals(void **state)
{
  (void)state;
  static const struct {
    const char *line;
    bool backslash;
    const char *text;
  } bad[] = {
      {"", true, "the command is empty: it begins with a program's name"},
      {" \t\n", false, "the command is empty: it begins with a program's name"},
      {"'' a", true, "the command is empty: it begins with a program's name"},
      {"\"", true, "the command has a double (\") quote that is not closed"},
      {"a \"b c", true, "the command has a double (\") quote that is not closed"},
      {"a \"b\\\"", true, "the command has a double (\") quote that is not closed"},
      {"a 'b\\' 'c", true, "the command has a single (') quote that is not closed"},
      {"it's", false, "the command has a single (') quote that is not closed"},
      {"a \\", true, "the command ends in a \\ with nothing after it"},
  };
  for (size_t i = 0; i < COUNT(bad); i++) {
    uvr_command command;
    uvrelay_error_t error;
    memset(&command, 0x55, sizeof(command));
    assert_int_equal(uvr_command_split(&command, bad[i].line, bad[i].backslash, &error), UV_EINVAL);
    assert_int_equal(error.code, UV_EINVAL);
    assert_string_equal(error.text, bad[i].text);
    assert_null(command.argv);
    assert_int_equal(command.argc, 0);
    assert_null(command.file);
    assert_int_equal(uvr_command_split(&command, bad[i].line, bad[i].backslash, NULL), UV_EINVAL);
    uvr_command_clear(&command);
  }
}

static void test_make_and_find(void **state)
{
  (void)state;
  uvr_command command;
  uvrelay_error_t error;
  char word[] = "known";
  char file[] = "/file";
  assert_int_equal(uvr_command_make(&command, file, (const char *const[]){word, "", "mux", NULL}, &error), 0);
  word[0] = file[0] = '?'; /* they were copied */
  assert_int_equal(command.argc, 3);
  assert_string_equal(command.argv[0], "known");
  assert_string_equal(command.argv[1], "");
  assert_string_equal(command.argv[2], "mux");
  assert_null(command.argv[3]);
  assert_string_equal(command.file, "/file");

  assert_int_equal(uvr_command_find(&command, "/there", &error), 0);
  assert_string_equal(command.file, "/there");
  assert_int_equal(uvr_command_find(&command, NULL, &error), UV_ENOENT);
  assert_null(command.file);
  assert_string_equal(error.text, "no known");
  uvr_command_clear(&command);
  uvr_command_clear(&command);
}

/* Whatever the line: what is taken is never longer than it, and words that are quoted again are the same ones. */
static void test_random(void **state)
{
  (void)state;
  static const char letters[] = "ab \t'\"\\";
  uint32_t seed = 12345;
  size_t taken = 0;
  for (int run = 0; run < RANDOM_RUNS; run++) {
    char line[13];
    char again[128] = "";
    size_t length = 0;
    for (; length < sizeof(line) - 1; length++) {
      seed = seed * 1664525U + 1013904223U;
      size_t which = (seed >> 16) % sizeof(letters); /* the NUL, too */
      line[length] = letters[which];
      if (letters[which] == '\0') {
        break;
      }
    }
    line[length] = '\0';
    uvr_command command;
    uvr_command second;
    if (uvr_command_split(&command, line, true, NULL) != 0) {
      continue;
    }
    taken++;
    size_t sum = 0;
    char *to = again;
    for (int i = 0; i < command.argc; i++) {
      sum += strlen(command.argv[i]) + (i > 0 ? 1 : 0);
      *to++ = '"';
      for (const char *from = command.argv[i]; *from != '\0'; from++) {
        if (*from == '"' || *from == '\\') {
          *to++ = '\\';
        }
        *to++ = *from;
      }
      *to++ = '"';
      *to++ = ' ';
    }
    *to = '\0';
    assert_true(sum <= length);
    assert_int_equal(uvr_command_split(&second, again, true, NULL), 0);
    assert_int_equal(second.argc, command.argc);
    for (int i = 0; i < command.argc; i++) {
      assert_string_equal(second.argv[i], command.argv[i]);
    }
    uvr_command_clear(&second);
    uvr_command_clear(&command);
  }
  assert_true(taken > RANDOM_RUNS / 10);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_make_and_find),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
