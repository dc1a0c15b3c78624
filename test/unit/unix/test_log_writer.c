/* The log's thread: all arrives in its order; a reader that does not read delays no writer, and what does not fit is
 * counted; a lost reader harms nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool no_memory;

static void *allocate(void *block, size_t size)
{
  return no_memory ? NULL : realloc(block, size);
}

/* The program's own files are in no library. */
#define realloc allocate
#include "cli/os/journal_unix.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/terminal_unix.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/thread_unix.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_fd.c"        /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_file.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_file_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_style.c"     /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_writer.c"    /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c"     /* NOLINT(bugprone-suspicious-include) */
#undef realloc

enum { LONG_MS = 20000, LINES = 20000 };

static void test_order(void **state)
{
  (void)state;
  int fds[2];
  uvr_log_writer writer;
  assert_int_equal(pipe(fds), 0);
  FILE *reader = fdopen(fds[0], "r");
  assert_non_null(reader);
  uvr_log_writer_start(&writer, fds[1]);
  assert_true(writer.threaded);
  for (int i = 0; i < LINES; i++) {
    char text[32];
    int length = snprintf(text, sizeof(text), "line %d\n", i);
    uvr_log_writer_add(&writer, text, (size_t)length);
  }
  for (int i = 0; i < LINES; i++) {
    char text[32];
    char got[32];
    (void)snprintf(text, sizeof(text), "line %d\n", i);
    assert_non_null(fgets(got, sizeof(got), reader));
    assert_string_equal(got, text);
  }
  assert_int_equal(uvr_log_writer_lost(&writer), 0);
  uvr_log_writer_end(&writer, LONG_MS);
  assert_false(writer.threaded);
  assert_int_equal(fclose(reader), 0);
  assert_int_equal(close(fds[1]), 0);
}

static void test_nobody_reads(void **state)
{
  (void)state;
  int fds[2];
  char text[1000];
  uvr_log_writer writer;
  memset(text, 'x', sizeof(text));
  assert_int_equal(pipe(fds), 0);
  uvr_log_writer_start(&writer, fds[1]);
  for (int i = 0; i < 4000; i++) {
    uvr_log_writer_add(&writer, text, sizeof(text));
  }
  assert_int_equal(uvr_log_writer_lost(&writer), 0); /* there is no room to tell it */
  uvr_log_writer_end(&writer, 10);
  assert_true(writer.threaded); /* it still writes */
  size_t count = 0;
  while (count < 1000000) {
    char got[65536];
    ssize_t length = read(fds[0], got, sizeof(got));
    assert_true(length > 0);
    count += (size_t)length;
  }
  uint64_t lost;
  while ((lost = uvr_log_writer_lost(&writer)) == 0) {
    uv_sleep(1);
  }
  assert_true(lost > 1000 && lost < 3000);
  assert_int_equal(uvr_log_writer_lost(&writer), 0);
  assert_int_equal(close(fds[0]), 0);
  uvr_log_writer_end(&writer, LONG_MS);
  assert_false(writer.threaded);
  assert_int_equal(close(fds[1]), 0);
}

static void test_no_reader(void **state)
{
  (void)state;
  int fds[2];
  uvr_log_writer writer;
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(close(fds[0]), 0);
  uvr_log_writer_start(&writer, fds[1]);
  uvr_log_writer_add(&writer, "a\n", 2);
  uvr_log_writer_flush(&writer, LONG_MS);
  assert_int_equal(close(fds[1]), 0);
  uvr_log_writer_add(&writer, "b\n", 2); /* nor a descriptor */
  uvr_log_writer_end(&writer, LONG_MS);
  assert_false(writer.threaded);
}

/* What is said when memory has run out must arrive. */
static void test_no_memory(void **state)
{
  (void)state;
  int fds[2];
  char got[32];
  uvr_log_writer writer;
  assert_int_equal(pipe(fds), 0);
  uvr_log_writer_start(&writer, fds[1]);
  assert_true(writer.threaded);
  for (int i = 0; i < 100; i++) {
    no_memory = i % 2 == 1; /* and the blocks do not get lost when there is some again */
    uvr_log_writer_add(&writer, "a line\n", 7);
    if (i % 10 == 0) {
      uvr_log_writer_flush(&writer, LONG_MS);
    }
    assert_int_equal(read(fds[0], got, 7), 7);
  }
  no_memory = true;
  char *large = malloc(WAITING_MAX / 2);
  assert_non_null(large);
  memset(large, 'x', WAITING_MAX / 2);
  uvr_log_writer_add(&writer, large, WAITING_MAX / 2); /* has no room, and takes none */
  free(large);
  uvr_log_writer_add(&writer, "a line\n", 7);
  assert_int_equal(read(fds[0], got, sizeof(got)), 7);
  assert_int_equal(uvr_log_writer_lost(&writer), 1);
  uvr_log_writer_end(&writer, LONG_MS);
  no_memory = false;
  assert_int_equal(close(fds[0]), 0);
  assert_int_equal(close(fds[1]), 0);
}

/* Before it is started, and after its end. */
static void test_without_thread(void **state)
{
  (void)state;
  int fds[2];
  char got[8] = "";
  assert_int_equal(pipe(fds), 0);
  uvr_log_writer writer = {.fd = fds[1]};
  uvr_log_writer_add(&writer, "ab\n", 3);
  uvr_log_writer_flush(&writer, LONG_MS);
  assert_int_equal(read(fds[0], got, sizeof(got)), 3);
  assert_string_equal(got, "ab\n");
  assert_int_equal(uvr_log_writer_lost(&writer), 0);
  uvr_log_writer_end(&writer, LONG_MS);
  assert_int_equal(close(fds[0]), 0);
  assert_int_equal(close(fds[1]), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),     cmocka_unit_test(test_nobody_reads),   cmocka_unit_test(test_no_reader),
      cmocka_unit_test(test_no_memory), cmocka_unit_test(test_without_thread),
  };
  (void)signal(SIGPIPE, SIG_IGN);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
