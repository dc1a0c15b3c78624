/* Reading a socket file that others may exchange: between the look at it and its opening, it becomes something that
 * opening or reading would wait for. This program has an open of its own, which does what such a person could do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "endpoint/assuan_file.h"
#include "scratch.h"

static void (*before_open)(void); /* runs once */
static char file[SCRATCH_PATH_MAX];
static int leased = -1;

static int open_it(const char *path, int flags, unsigned mode)
{
  void (*run)(void) = strcmp(path, file) == 0 ? before_open : NULL;
  before_open = run != NULL ? NULL : before_open;
  if (run != NULL) {
    run();
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
  va_list rest;
  va_start(rest, flags);
  unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return open_it(path, flags, mode);
}

#ifndef open64 /* musl: it is open */
int open64(const char *path, int flags, ...)
{
  va_list rest;
  va_start(rest, flags);
  unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
  va_end(rest);
  return open_it(path, flags, mode);
}
#endif

static void put_fifo(void)
{
  assert_int_equal(unlink(file), 0);
  assert_int_equal(mkfifo(file, 0600), 0);
}

static void put_directory(void)
{
  assert_int_equal(unlink(file), 0);
  assert_int_equal(mkdir(file, 0700), 0);
}

static void on_lease_wanted(int signal_number)
{
  (void)signal_number;
  (void)fcntl(leased, F_SETLEASE, F_UNLCK);
}

/* The lease's holder is asked to give it back, and does so. */
static void take_lease(void)
{
  (void)signal(SIGIO, on_lease_wanted);
  leased = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  assert_true(leased >= 0);
  assert_int_equal(fcntl(leased, F_SETLEASE, F_WRLCK), 0);
}

static int read_after(void (*change)(void), uvrelay_error_t *error)
{
  uvr_assuan out;
  before_open = change;
  return uvr_assuan_read_file(file, NULL, NULL, &out, error);
}

static void test_exchanged(void **state)
{
  (void)state;
  scratch files;
  uvrelay_error_t error = {0};
  scratch_init(&files);
  (void)scratch_path(&files, "S", file);
  scratch_write(&files, "S", "1234\n0123456789abcdef", 21);
  assert_int_equal(read_after(NULL, &error), 0);
  assert_int_equal(read_after(take_lease, &error), 0);
  (void)close(leased);
  assert_int_equal(read_after(put_fifo, &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "it is not a regular file"));
  assert_int_equal(unlink(file), 0);
  scratch_write(&files, "S", "1234\n0123456789abcdef", 21);
  assert_int_equal(read_after(put_directory, &error), UV_EINVAL);
  assert_non_null(strstr(error.text, "it is not a regular file"));
  assert_int_equal(rmdir(file), 0);
  scratch_clear(&files);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exchanged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
