/* The log's file: what is appended, when it is turned over, and what becomes of lines that it cannot take. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

#include "cli/output/log_file.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/log_file_unix.c" /* NOLINT(bugprone-suspicious-include) */

enum { LIMIT = 4096, CONTENTS = 64 * 1024 };

static scratch place;
static char path[SCRATCH_PATH_MAX];
static char old[SCRATCH_PATH_MAX];
static char contents[CONTENTS];

static int set_up(void **state)
{
  (void)state;
  scratch_init(&place);
  (void)scratch_path(&place, "log", path);
  (void)scratch_path(&place, "log.1", old);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  scratch_clear(&place);
  return 0;
}

static const char *read_file(const char *name)
{
  FILE *file = fopen(name, "rb");
  size_t length = file != NULL ? fread(contents, 1, sizeof(contents) - 1, file) : 0;
  contents[length] = '\0';
  if (file != NULL) {
    (void)fclose(file);
  }
  return file != NULL ? contents : "(none)";
}

static void open_it(uvr_log_file *f, uint64_t limit)
{
  uvrelay_error_t error;
  if (uvr_log_file_open(f, path, limit, &error) != 0) {
    fail_msg("%s", error.text);
  }
}

static uint64_t add(uvr_log_file *f, const char *text, uvrelay_error_t *error)
{
  return uvr_log_file_write(f, text, strlen(text), error);
}

static void add_all(uvr_log_file *f, const char *text)
{
  uvrelay_error_t error;
  assert_int_equal(add(f, text, &error), 0);
  assert_int_equal(error.code, 0);
}

/* It is appended to, by the next process, too, and is its owner's only. */
static void test_append(void **state)
{
  (void)state;
  uvr_log_file f;
  struct stat status;
  mode_t mask = umask(0);
  open_it(&f, LIMIT);
  (void)umask(mask);
  add_all(&f, "one\ntwo\n");
  uvr_log_file_close(&f);
  open_it(&f, LIMIT);
  add_all(&f, "three\n");
  uvr_log_file_close(&f);
  assert_string_equal(read_file(path), "one\ntwo\nthree\n");
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  assert_int_not_equal(access(old, F_OK), 0);
}

/* Never larger than the limit, no line in two parts, none lost but with the file before the last one. */
static void test_turned_over(void **state)
{
  (void)state;
  uvr_log_file f;
  char lines[3000] = "";
  open_it(&f, LIMIT);
  for (unsigned number = 0; number < 1000;) {
    size_t used = 0;
    for (unsigned i = 0; i < 97 && number < 1000; i++) {
      used += (size_t)snprintf(lines + used, sizeof(lines) - used, "line number %04u of all\n", number++);
    }
    add_all(&f, lines);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size <= LIMIT);
    assert_true(stat(old, &status) != 0 || status.st_size <= LIMIT);
  }
  uvr_log_file_close(&f);
  unsigned expected = 0;
  for (int which = 0; which < 2; which++) {
    (void)read_file(which == 0 ? old : path);
    for (char *line = contents; *line != '\0'; line = strchr(line, '\n') + 1) {
      unsigned number = 0;
      assert_int_equal(sscanf(line, "line number %u of all\n", &number), 1);
      assert_true(expected == 0 || number == expected);
      expected = number + 1;
    }
  }
  assert_int_equal(expected, 1000);
}

/* One that is longer than the limit has a file of its own. */
static void test_long_line(void **state)
{
  (void)state;
  uvr_log_file f;
  char line[LIMIT + 100];
  memset(line, 'x', sizeof(line));
  line[sizeof(line) - 2] = '\n';
  line[sizeof(line) - 1] = '\0';
  open_it(&f, LIMIT);
  add_all(&f, "before\n");
  add_all(&f, line);
  assert_string_equal(read_file(old), "before\n");
  assert_string_equal(read_file(path), line);
  add_all(&f, "behind\n");
  assert_string_equal(read_file(old), line);
  assert_string_equal(read_file(path), "behind\n");
  uvr_log_file_close(&f);
}

/* What is full already is turned over by the first line. */
static void test_full_at_the_start(void **state)
{
  (void)state;
  uvr_log_file f;
  char text[LIMIT + 1];
  memset(text, 'y', LIMIT);
  text[LIMIT] = '\0';
  scratch_write(&place, "log", text, LIMIT);
  open_it(&f, LIMIT);
  add_all(&f, "new\n");
  uvr_log_file_close(&f);
  assert_string_equal(read_file(path), "new\n");
  assert_string_equal(read_file(old), text);
}

/* Somebody has moved it away, as logrotate does, or removed it. */
static void test_moved(void **state)
{
  (void)state;
  uvr_log_file f;
  char other[SCRATCH_PATH_MAX];
  open_it(&f, LIMIT);
  add_all(&f, "one\n");
  assert_int_equal(rename(path, scratch_path(&place, "elsewhere", other)), 0);
  add_all(&f, "two\n");
  assert_string_equal(read_file(other), "one\n");
  assert_string_equal(read_file(path), "two\n");
  assert_int_equal(unlink(path), 0);
  add_all(&f, "three\n");
  assert_string_equal(read_file(path), "three\n");
  uvr_log_file_close(&f);
}

/* A link leads to the file, which is turned over where it is. */
static void test_link(void **state)
{
  (void)state;
  uvr_log_file f;
  char real[SCRATCH_PATH_MAX];
  char text[LIMIT];
  memset(text, 'z', LIMIT);
  scratch_write(&place, "real", text, LIMIT);
  assert_int_equal(symlink(scratch_path(&place, "real", real), path), 0);
  open_it(&f, LIMIT);
  add_all(&f, "new\n");
  uvr_log_file_close(&f);
  assert_string_equal(read_file(real), "new\n");
  assert_int_not_equal(access(old, F_OK), 0);
}

static void assert_refused(const char *name, const char *words)
{
  uvr_log_file f;
  uvrelay_error_t error;
  int code = uvr_log_file_open(&f, name, LIMIT, &error);
  assert_true(code < 0);
  assert_int_equal(code, error.code);
  if (strstr(error.text, words) == NULL || strstr(error.text, name) == NULL) {
    fail_msg("no \"%s\" in: %s", words, error.text);
  }
}

static void test_refused(void **state)
{
  (void)state;
  char name[SCRATCH_PATH_MAX];
  assert_refused(place.directory, "is not a regular file");
  assert_refused("/dev/null", "is not a regular file");
  assert_refused(scratch_path(&place, "none/log", name), "cannot open the log file");
  assert_int_equal(mkfifo(scratch_path(&place, "fifo", name), 0600), 0);
  assert_refused(name, "is not a regular file"); /* and it is not waited for */
  assert_int_equal(unlink(name), 0);
}

/* The disk is full, for which the limit of a process stands in: it is reported once, lines are counted, and it goes
 * on. */
static void test_full_disk(void **state)
{
  (void)state;
  uvr_log_file f;
  uvrelay_error_t error;
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small = {.rlim_cur = 10, .rlim_max = before.rlim_max};
  (void)signal(SIGXFSZ, SIG_IGN);
  open_it(&f, LIMIT);
  add_all(&f, "12345\n");
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  uint64_t lost = add(&f, "abcdefg\nhi\n", &error);
  uvrelay_error_t second;
  uint64_t more = add(&f, "jk\n", &second);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(lost, 2);
  assert_int_equal(error.code, UV_EFBIG);
  assert_non_null(strstr(error.text, "cannot be written to, so lines are left out until it can"));
  assert_int_equal(more, 1);
  assert_int_equal(second.code, 0);
  add_all(&f, "behind\n");
  uvr_log_file_close(&f);
  assert_string_equal(read_file(path), "12345\nabcd\nbehind\n"); /* what was torn is a line of its own */
}

/* Its directory is gone. */
static void test_no_place(void **state)
{
  (void)state;
  uvr_log_file f;
  uvrelay_error_t error;
  char directory[SCRATCH_PATH_MAX];
  char inside[SCRATCH_PATH_MAX + 8];
  assert_int_equal(mkdir(scratch_path(&place, "d", directory), 0700), 0);
  (void)snprintf(inside, sizeof(inside), "%s/log", directory);
  assert_int_equal(uvr_log_file_open(&f, inside, LIMIT, &error), 0);
  add_all(&f, "one\n");
  assert_int_equal(unlink(inside), 0);
  assert_int_equal(rmdir(directory), 0);
  assert_int_equal(add(&f, "two\nthree\n", &error), 2);
  assert_int_equal(error.code, UV_ENOENT);
  assert_int_equal(add(&f, "four\n", &error), 1);
  assert_int_equal(error.code, 0);
  assert_int_equal(mkdir(directory, 0700), 0);
  f.retry_at = 0; /* a second has passed */
  add_all(&f, "five\n");
  assert_string_equal(read_file(inside), "five\n");
  uvr_log_file_close(&f);
  assert_int_equal(unlink(inside), 0);
  assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_append, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_turned_over, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_long_line, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_full_at_the_start, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_moved, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_link, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_place, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
