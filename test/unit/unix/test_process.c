/* A process that ends in time, whatever it hangs in, and though the signal for that is ignored or blocked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/os/process_unix.c" /* NOLINT(bugprone-suspicious-include) */

static void test_it_ends(void **state)
{
  (void)state;
  int status = 0;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    sigset_t all;
    (void)signal(SIGALRM, SIG_IGN);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    uvr_process_end_within(1);
    for (;;) {
      (void)pause();
    }
  }
  assert_int_equal(waitpid(child, &status, 0), child); /* forever, if it does not end */
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
