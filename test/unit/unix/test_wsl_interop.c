/* Which interop socket of WSL's a Windows program is given: out of living, dead and absent ones and of rubbish, against
 * a fake system in a directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_wsl.h"

/* The program's own files are in no library. */
#include "cli/child/find_program_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/wsl_drives_unix.c"   /* NOLINT(bugprone-suspicious-include) */

#include "cli/child/wsl_unix.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The socket that a Windows program would be given. NULL: none, with a warning; "": the environment is as it was. */
static void expect_interop(const char *expected)
{
  uvr_wsl_start start;
  uvrelay_error_t error = {.code = 0};
  size_t own = 0;
  size_t count = 0;
  size_t interops = 0;
  int code = uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error);
  assert_int_equal(code, expected == NULL ? UV_ENOENT : 0);
  assert_int_equal(error.code, code);
  if (expected == NULL || *expected == '\0') {
    assert_null(start.environment);
    uvr_wsl_start_clear(&start);
    return;
  }
  assert_non_null(start.environment);
  for (; environ[own] != NULL; own++) {
  }
  for (; start.environment[count] != NULL; count++) {
    if (strncmp(start.environment[count], "WSL_INTEROP=", 12) == 0) {
      assert_string_equal(start.environment[count] + 12, expected);
      interops++;
    }
  }
  assert_int_equal(interops, 1);
  assert_int_equal(count, own + (getenv("WSL_INTEROP") == NULL ? 1 : 0));
  uvr_wsl_start_clear(&start);
  assert_null(start.environment);
}

static void test_interop_given(void **state)
{
  (void)state;
  (void)put_socket("run/8_interop", true);
  (void)put_socket("own", true);
  (void)put_socket("dead", false);
  put("file", "", 0700);
  char name[SCRATCH_PATH_MAX];
  fake.wsl.interop = scratch_path(&fake.place, "own", name);
  expect_interop("");
  fake.wsl.interop = scratch_path(&fake.place, "dead", name);
  expect_interop(at("run/8_interop"));
  fake.wsl.interop = scratch_path(&fake.place, "absent", name);
  expect_interop(at("run/8_interop"));
  fake.wsl.interop = scratch_path(&fake.place, "file", name);
  expect_interop(at("run/8_interop"));
  fake.wsl.interop = "";
  expect_interop(at("run/8_interop"));
  char very_long[5000];
  memset(very_long, 'x', sizeof(very_long));
  very_long[sizeof(very_long) - 1] = '\0';
  fake.wsl.interop = very_long;
  expect_interop(at("run/8_interop"));

  /* The own environment is left alone, and what it has of it is replaced. */
  char *before = getenv("WSL_INTEROP");
  before = before == NULL ? NULL : strdup(before);
  assert_int_equal(setenv("WSL_INTEROP", "/nowhere", 1), 0);
  expect_interop(at("run/8_interop"));
  assert_string_equal(getenv("WSL_INTEROP"), "/nowhere");
  assert_int_equal(unsetenv("WSL_INTEROP"), 0);
  expect_interop(at("run/8_interop"));
  assert_null(getenv("WSL_INTEROP"));
  if (before != NULL) {
    assert_int_equal(setenv("WSL_INTEROP", before, 1), 0);
    free(before);
  }
}

static void test_interop_order(void **state)
{
  (void)state;
  put_process(FAKE_WSL_OWN, "uvrelay", 200);
  put_process(200, ") S 77 (bash", 100); /* a name that looks like what follows it */
  put_process(100, "", 50);
  put_process(50, "init", 0);
  expect_interop(NULL);
  (void)put_socket("run/9_interop", true);
  expect_interop(at("run/9_interop"));
  (void)put_socket("run/10_interop", true);
  expect_interop(at("run/10_interop"));
  (void)put_socket("run/777_interop", false);
  expect_interop(at("run/10_interop"));
  assert_int_equal(symlink(at("run/9_interop"), at("run/1_interop")), 0);
  expect_interop(at("run/1_interop"));
  (void)put_socket("run/50_interop", true);
  expect_interop(at("run/50_interop"));
  (void)put_socket("run/100_interop", true);
  expect_interop(at("run/100_interop"));
  (void)put_socket("run/200_interop", false);
  (void)put_socket("run/77_interop", true);
  expect_interop(at("run/100_interop"));

  /* Processes whose parents go in a circle, that are no more, and that are rubbish. */
  assert_int_equal(unlink(at("run/100_interop")), 0);
  put_process(50, "init", FAKE_WSL_OWN);
  expect_interop(at("run/50_interop"));
  assert_int_equal(unlink(at("run/50_interop")), 0);
  expect_interop(at("run/1_interop"));
  put("proc/300/stat", "", 0600);
  expect_interop(at("run/1_interop"));
  put("proc/300/stat", "300 (x) S -5 ", 0600);
  expect_interop(at("run/1_interop"));
  put("proc/300/stat", "300 (x S 50", 0600);
  expect_interop(at("run/1_interop"));
}

static void test_interop_rubbish(void **state)
{
  (void)state;
  static const char *const names[] = {"_interop",   "0_interop",      "01_interop",        "-1_interop",
                                      "+1_interop", " 1_interop",     "1_interop ",        "1_interops",
                                      "x1_interop", "1x_interop",     "0x1_interop",       "12",
                                      "1interop",   "1_interop.lock", "2147483648_interop"};
  for (size_t i = 0; i < COUNT(names); i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "run/%s", names[i]);
    assert_int_equal(symlink("../live", at(name)), 0);
  }
  put("run/99999999999999999999999999_interop", "", 0600);
  (void)put_socket("live", true);
  put("run/71_interop", "", 0777);
  make_parents("run/72_interop/");
  assert_int_equal(symlink("73_interop", at("run/73_interop")), 0);
  assert_int_equal(symlink("/nonexistent", at("run/74_interop")), 0);
  assert_int_equal(mkfifo(at("run/75_interop"), 0777), 0);
  assert_int_equal(symlink("/dev/null", at("run/76_interop")), 0);
  expect_interop(NULL);
  (void)put_socket("run/70_interop", true);
  expect_interop(at("run/70_interop"));

  /* A socket that is asked too much by others: nobody is waited for. */
  int busy = put_socket("run/80_interop", true);
  int fds[16];
  assert_int_equal(listen(busy, 0), 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, at("run/80_interop"));
  size_t count = 0;
  for (int result = 0; result == 0; count++) {
    assert_in_range(count, 0, COUNT(fds) - 1);
    fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    result = connect(fds[count], (const struct sockaddr *)&address, sizeof(address));
  }
  expect_interop(at("run/70_interop"));
  while (count > 0) {
    assert_int_equal(close(fds[--count]), 0);
  }
}

/* Whoever is asked sees all: others' sockets are not. Only root can make one. */
static void test_interop_of_others(void **state)
{
  (void)state;
  (void)put_socket("run/90_interop", true);
  expect_interop(at("run/90_interop"));
  if (chown(at("run/90_interop"), 65534, (gid_t)-1) != 0 || geteuid() != 0) {
    skip();
  }
  expect_interop(NULL);
}

static void test_no_interop(void **state)
{
  (void)state;
  char path[SCRATCH_PATH_MAX];
  char deep[SCRATCH_PATH_MAX];
  uvr_wsl_start start;
  uvrelay_error_t error;
  fake.wsl.interop = "/run/WSL/8_interop";
  fake.wsl.run = scratch_path(&fake.place, "absent", path);
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error), UV_ENOENT);
  assert_non_null(
      strstr(error.text, "nobody listens at WSL_INTEROP (\"/run/WSL/8_interop\") or at another socket in "));
  fake.wsl.interop = NULL;
  fake.wsl.distro_name = "Debian";
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error), UV_ENOENT);
  assert_non_null(strstr(error.text, "nobody listens at WSL_INTEROP (not set) or at another socket in "));
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, NULL), UV_ENOENT);
  put("absent", "", 0600); /* no directory */
  expect_interop(NULL);

  /* Longer than the name of a socket can be. */
  int length = snprintf(deep, sizeof(deep), "deep/%0100d/", 0);
  assert_in_range(length, 100, sizeof(deep) - 1);
  make_parents(deep);
  (void)put_socket("live", true);
  (void)strcat(deep, "1_interop");
  assert_int_equal(symlink(at("live"), at(deep)), 0);
  deep[length] = '\0';
  fake.wsl.run = scratch_path(&fake.place, deep, path);
  expect_interop(NULL);

  /* One that may not be read: what has a known name is found nevertheless. Root may read all. */
  fake.wsl.run = scratch_path(&fake.place, "run", path);
  (void)put_socket("run/95_interop", true);
  assert_int_equal(chmod(path, 0300), 0);
  expect_interop(geteuid() == 0 ? at("run/95_interop") : NULL);
  (void)put_socket("run/1_interop", true);
  expect_interop(at("run/1_interop"));
  assert_int_equal(chmod(path, 0700), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_interop_given, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_interop_order, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_interop_rubbish, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_interop_of_others, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_no_interop, fake_wsl_set_up, fake_wsl_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
