/* A process that ends in time, whatever it hangs in: this program starts itself, and that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/os/process_win.c" /* NOLINT(bugprone-suspicious-include) */

enum { LIMIT_MS = 20000 };

static void test_it_ends(void **state)
{
  (void)state;
  char line[2 * MAX_PATH] = "\"";
  DWORD status = 0;
  STARTUPINFOA startup = {.cb = sizeof(startup)};
  PROCESS_INFORMATION process;
  DWORD length = GetModuleFileNameA(NULL, line + 1, MAX_PATH);
  assert_true(length > 0 && length < MAX_PATH);
  (void)strcat(line, "\" hang");
  assert_true(CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process));
  assert_int_equal(WaitForSingleObject(process.hProcess, LIMIT_MS), WAIT_OBJECT_0);
  assert_true(GetExitCodeProcess(process.hProcess, &status));
  assert_int_equal(status, 1);
  (void)CloseHandle(process.hThread);
  (void)CloseHandle(process.hProcess);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_ends),
  };
  if (argc > 1 && strcmp(argv[1], "hang") == 0) {
    uvr_process_end_within(1);
    Sleep(2 * LIMIT_MS);
    return 0;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
