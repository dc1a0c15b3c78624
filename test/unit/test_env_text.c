/* The lines of env: what each shell gets, and what it is not given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/control/env_text.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c" /* NOLINT(bugprone-suspicious-include) */

static void assert_line(uvr_shell shell, const char *value, const char *expected)
{
  uvr_text_line line = {.text = NULL};
  assert_int_equal(uvr_env_add(&line, shell, "A_1", value), expected != NULL);
  if (expected == NULL) {
    assert_int_equal(line.length, 0);
  } else {
    assert_int_equal(line.length, strlen(expected));
    assert_memory_equal(line.text, expected, line.length);
  }
  uvr_text_line_clear(&line);
}

static void test_plain(void **state)
{
  (void)state;
  assert_line(UVR_SHELL_SH, "/run/a b", "export A_1='/run/a b';\n");
  assert_line(UVR_SHELL_FISH, "/run/a b", "set -gx A_1 '/run/a b';\n");
  assert_line(UVR_SHELL_CSH, "/run/a b", "setenv A_1 '/run/a b';\n");
  assert_line(UVR_SHELL_POWERSHELL, "/run/a b", "$env:A_1 = '/run/a b';\n");
  assert_line(UVR_SHELL_CMD, "/run/a b", "set \"A_1=/run/a b\"\n");
  assert_line(UVR_SHELL_SH, "", "export A_1='';\n");
}

static void test_quotes(void **state)
{
  (void)state;
  assert_line(UVR_SHELL_SH, "a'b\\c$(d)`e`\"f", "export A_1='a'\\''b\\c$(d)`e`\"f';\n");
  assert_line(UVR_SHELL_FISH, "a'b\\c$(d)", "set -gx A_1 'a\\'b\\\\c$(d)';\n");
  assert_line(UVR_SHELL_CSH, "a'b\\c`d`", "setenv A_1 'a'\\''b\\c`d`';\n");
  assert_line(UVR_SHELL_POWERSHELL, "a'b$c`d", "$env:A_1 = 'a''b$c`d';\n");
  assert_line(UVR_SHELL_POWERSHELL, "a\xE2\x80\x99; b\xE2\x80\x98",
              "$env:A_1 = 'a\xE2\x80\x99\xE2\x80\x99; b\xE2\x80\x98\xE2\x80\x98';\n");
}

static void test_refused(void **state)
{
  (void)state;
  for (uvr_shell shell = UVR_SHELL_SH; shell <= UVR_SHELL_CMD; shell++) {
    assert_line(shell, "a\nrm -r x", NULL);
    assert_line(shell, "a\x1b[0m", NULL);
    assert_line(shell, "a\x7f", NULL);
    assert_line(shell, "a\xC2\x85", NULL);
    uvr_text_line line = {.text = NULL};
    static const char *const names[] = {"", "1A", "A-B", "A B", "A;x", "A=", "A\n", "\xC3\xA4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
      assert_false(uvr_env_add(&line, shell, names[i], "x"));
    }
    assert_int_equal(line.length, 0);
  }
  assert_line(UVR_SHELL_CSH, "a!b", NULL);
  assert_line(UVR_SHELL_CMD, "a%PATH%", NULL);
  assert_line(UVR_SHELL_CMD, "a\"&calc", NULL);
  assert_line(UVR_SHELL_POWERSHELL, "a\xFF", NULL);
  assert_line(UVR_SHELL_SH, "a\xFF", "export A_1='a\xFF';\n");
}

static void test_shells(void **state)
{
  (void)state;
  uvr_shell shell = UVR_SHELL_CMD;
  assert_true(uvr_shell_find("zsh", &shell));
  assert_int_equal(shell, UVR_SHELL_SH);
  assert_true(uvr_shell_find("pwsh", &shell));
  assert_int_equal(shell, UVR_SHELL_POWERSHELL);
  assert_false(uvr_shell_find("perl", &shell));
  assert_false(uvr_shell_find("", &shell));
}

static void test_comment(void **state)
{
  (void)state;
  uvr_text_line line = {.text = NULL};
  uvr_env_comment(&line, UVR_SHELL_CSH, "nobody"); /* in its eval all lines are one */
  assert_int_equal(line.length, 0);
  uvr_env_comment(&line, UVR_SHELL_SH, "nobody");
  assert_memory_equal(line.text, "# nobody\n", 9);
  uvr_text_line_clear(&line);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),  cmocka_unit_test(test_quotes),  cmocka_unit_test(test_refused),
      cmocka_unit_test(test_shells), cmocka_unit_test(test_comment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
