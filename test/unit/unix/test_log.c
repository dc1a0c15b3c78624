/* The end of the log: how many lines were lost is reported even if nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/os/journal_unix.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/terminal_unix.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/thread_unix.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log.c"           /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_fd.c"        /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_file.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_file_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_limit.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_style.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_writer.c"    /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/report.c"        /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/status_table.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c"     /* NOLINT(bugprone-suspicious-include) */

enum { LONG_MS = 20000, LINES = 4000, LINE = 1000 };

typedef struct reader {
  int fd;
  unsigned written;        /* how many lines have come */
  unsigned long long lost; /* how many are reported as lost, in whatever pieces */
} reader;

static void read_log(void *user)
{
  reader *self = user;
  FILE *file = fdopen(self->fd, "r");
  char line[LINE + 1];
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    unsigned long long lost = 0;
    if (sscanf(line, "uvrelay: the log was not read: %llu of its lines are lost\n", &lost) == 1) {
      self->lost += lost;
    } else {
      self->written++;
    }
  }
  (void)fclose(file);
}

static void test_lost_lines(void **state)
{
  (void)state;
  static uvr_log log;
  int fds[2];
  uv_thread_t thread;
  char text[LINE];
  int standard_error = dup(STANDARD_ERROR);
  memset(text, 'x', sizeof(text));
  text[LINE - 1] = '\n';
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(dup2(fds[1], STANDARD_ERROR), STANDARD_ERROR);
  uvr_log_init(&log, false, false);
  uvr_log_start(&log);
  for (int i = 0; i < LINES; i++) { /* they have no reader yet */
    log.report.write(&log, text, sizeof(text));
  }
  reader late = {.fd = fds[0]};
  int code = uv_thread_create(&thread, read_log, &late);
  uvr_log_end(&log, LONG_MS);
  (void)dup2(standard_error, STANDARD_ERROR);
  (void)close(standard_error);
  (void)close(fds[1]);
  assert_int_equal(code, 0);
  assert_int_equal(uv_thread_join(&thread), 0);
  assert_in_range(late.lost, 1, LINES);
  assert_int_equal(late.written + late.lost, LINES);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lost_lines)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
