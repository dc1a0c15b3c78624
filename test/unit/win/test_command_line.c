/* Command lines: a program gets the very words, as the system's own parser splits them; and what cmd.exe gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/child/command_line_win.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/wide_win.c"            /* NOLINT(bugprone-suspicious-include) */

#include <shellapi.h>

/* What CommandLineToArgvW makes of it; the first word is split by other rules. */
static void assert_words(char *const words[])
{
  uvr_command_line command;
  int count = 0;
  assert_int_equal(uvr_command_line_make("C:\\x.exe", words, &command), 0);
  wchar_t **split = CommandLineToArgvW(command.line, &count);
  assert_non_null(split);
  for (int i = 0; i < count; i++) {
    assert_non_null(words[i]);
    wchar_t *wide = uvr_to_wide(words[i]);
    assert_non_null(wide);
    if (wcscmp(split[i], wide) != 0) {
      fail_msg("word %d of %ls is %ls", i, command.line, split[i]);
    }
    free(wide);
  }
  assert_null(words[count]);
  assert_true(wcscmp(command.file, L"C:\\x.exe") == 0);
  (void)LocalFree(split);
  uvr_command_line_clear(&command);
}

static void test_program(void **state)
{
  (void)state;
  static const char *const words[] = {"",
                                      " ",
                                      "a",
                                      "a b",
                                      "a\tb",
                                      "\"",
                                      "\\",
                                      "\\\\",
                                      "\\\"",
                                      "\\\\\"",
                                      "a\\",
                                      "a b\\",
                                      "a b\\\\",
                                      "\\\\host\\share x",
                                      "\"a b\"",
                                      "a\\\\b",
                                      "a\"b\\\"c\\",
                                      "100%",
                                      "a&b",
                                      "t\xc3\xb6\xc3\xb6l"};
  size_t count = sizeof(words) / sizeof(words[0]);
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < count; k++) {
      assert_words((char *[]){(char *)"program", (char *)words[i], (char *)words[k], (char *)"end", NULL});
    }
  }
  assert_words((char *[]){(char *)"C:\\Program Files\\x\\y.exe", (char *)"a", NULL});
}

static void test_batch_file(void **state)
{
  (void)state;
  static const struct {
    const char *word, *shown;
  } cases[] = {{"mux", "mux"},
               {"", "\"\""},
               {"a b", "\"a b\""},
               {"a&b", "\"a&b\""},
               {"a^b", "\"a^b\""},
               {"a,b", "\"a,b\""},
               {"a;b", "\"a;b\""},
               {"a=b", "\"a=b\""},
               {"(x)", "\"(x)\""},
               {"a|b", "\"a|b\""},
               {"--v=//./pipe/x", "\"--v=//./pipe/x\""},
               {"C:\\x\\", "C:\\x\\"},
               {"!x!", "\"!x!\""}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    wchar_t expected[256];
    uvr_command_line command;
    char *words[] = {(char *)"far", (char *)cases[i].word, NULL};
    (void)swprintf(expected, 256, L"cmd.exe /d /v:off /s /c \"\"C:\\far.cmd\" %hs\"", cases[i].shown);
    assert_int_equal(uvr_command_line_make("C:\\far.cmd", words, &command), 0);
    if (wcscmp(command.line, expected) != 0) {
      fail_msg("%ls is not %ls", command.line, expected);
    }
    const wchar_t *end = command.file + wcslen(command.file) - wcslen(L"\\cmd.exe");
    assert_true(command.file[1] == L':' && wcscmp(end, L"\\cmd.exe") == 0);
    uvr_command_line_clear(&command);
  }
}

static void test_what_a_batch_file_cannot_have(void **state)
{
  (void)state;
  static const char *const words[] = {"100%", "%PATH%", "\"", "a\nb", "a\rb"};
  uvr_command_line command;
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    assert_false(uvr_is_batch_word(words[i]));
    assert_int_equal(uvr_command_line_make("C:\\far.BAT", (char *[]){(char *)"far", (char *)words[i], NULL}, &command),
                     UV_EINVAL);
    assert_null(command.line);
  }
  assert_int_equal(uvr_command_line_make("C:\\100%\\far.cmd", (char *[]){(char *)"far", NULL}, &command), UV_EINVAL);
  assert_true(uvr_is_batch_file("far.Cmd") && uvr_is_batch_file("C:\\x\\far.bat") &&
              !uvr_is_batch_file("far.cmd.exe") && !uvr_is_batch_file(".cmd"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_program),
      cmocka_unit_test(test_batch_file),
      cmocka_unit_test(test_what_a_batch_file_cannot_have),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
