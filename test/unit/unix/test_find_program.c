/* Finding a program's file: on PATH and by a path, what is not executable, and what each refusal says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

/* The program's own files are in no library. */
#include "cli/child/find_program_unix.c" /* NOLINT(bugprone-suspicious-include) */

static scratch place;

static int set_up(void **state)
{
  (void)state;
  char path[SCRATCH_PATH_MAX];
  scratch_init(&place);
  scratch_write(&place, "tool", "", 0);
  assert_int_equal(chmod(scratch_path(&place, "tool", path), 0700), 0);
  scratch_write(&place, "plain", "", 0);
  assert_int_equal(chmod(scratch_path(&place, "plain", path), 0600), 0);
  assert_int_equal(symlink("tool", scratch_path(&place, "link", path)), 0);
  assert_int_equal(symlink("loop", scratch_path(&place, "loop", path)), 0);
  assert_int_equal(chdir(place.directory), 0);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  assert_int_equal(chdir("/"), 0);
  scratch_clear(&place);
  return 0;
}

static void expect_found(const char *name, const char *search, const char *expected)
{
  char *file = NULL;
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, search, &file, &error), 0);
  assert_string_equal(file, expected);
  free(file);
}

/* `text` is a part of the sentence. */
static void expect_not_found(const char *name, const char *search, int code, const char *text)
{
  char *file = (char *)"";
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, search, &file, &error), code);
  assert_null(file);
  assert_int_equal(error.code, code);
  if (strstr(error.text, text) == NULL) {
    assert_string_equal(error.text, text);
  }
  assert_int_equal(uvr_find_program(name, search, &file, NULL), code);
}

static void test_path(void **state)
{
  (void)state;
  char tool[SCRATCH_PATH_MAX];
  char link[SCRATCH_PATH_MAX];
  char search[3 * SCRATCH_PATH_MAX];
  (void)scratch_path(&place, "tool", tool);
  (void)scratch_path(&place, "link", link);
  expect_found("tool", place.directory, tool);
  expect_found("link", place.directory, link);
  (void)snprintf(search, sizeof(search), "/nonexistent:%s/tool:%s", place.directory, place.directory);
  expect_found("tool", search, tool);
  expect_found("sh", "/nonexistent:/bin:/usr/bin", "/bin/sh");
  (void)snprintf(search, sizeof(search), "/nonexistent:%s/", place.directory);
  expect_found("tool", search, tool);

  /* Nothing is found in the current directory, which has one. */
  const char *const relative[] = {"",   ":",  "/nonexistent:", ":/nonexistent", "/nonexistent::/nonexistent", ".",
                                  "./", "..", "../."};
  for (size_t i = 0; i < sizeof(relative) / sizeof(relative[0]); i++) {
    expect_not_found("tool", relative[i], UV_ENOENT,
                     ", and the current directory is not searched: write ./tool (ENOENT)");
  }
  (void)snprintf(search, sizeof(search), "%s:%s", strrchr(place.directory, '/') + 1, place.directory);
  assert_int_equal(chdir(".."), 0);
  expect_found("tool", search, tool);
  assert_int_equal(chdir(place.directory), 0);

  expect_not_found(
      "nothing", "/nonexistent:/bin", UV_ENOENT,
      "cannot find the program \"nothing\": it is not in any directory of PATH, \"/nonexistent:/bin\" (ENOENT)");
}

static void test_environment(void **state)
{
  (void)state;
  char tool[SCRATCH_PATH_MAX];
  char *before = getenv("PATH");
  before = before == NULL ? NULL : strdup(before);
  assert_int_equal(setenv("PATH", place.directory, 1), 0);
  expect_found("tool", NULL, scratch_path(&place, "tool", tool));
  assert_int_equal(unsetenv("PATH"), 0);
  expect_not_found("tool", NULL, UV_ENOENT, "\"/usr/local/bin:/usr/bin:/bin\"");
  expect_not_found("nothing", NULL, UV_ENOENT, "PATH");
  if (before != NULL) {
    assert_int_equal(setenv("PATH", before, 1), 0);
    free(before);
  }
}

static void test_place(void **state)
{
  (void)state;
  char tool[SCRATCH_PATH_MAX];
  expect_found(scratch_path(&place, "tool", tool), "/nonexistent", tool);
  expect_found("/bin/../bin/sh", NULL, "/bin/../bin/sh");
  (void)scratch_path(&place, "./tool", tool);
  expect_found("./tool", "/nonexistent", tool);

  expect_not_found("./nothing", place.directory, UV_ENOENT, "cannot find the program \"./nothing\": there is no \"");
  expect_not_found("/nonexistent/x", NULL, UV_ENOENT, "there is no \"/nonexistent/x\" (ENOENT)");
  expect_not_found("./tool/x", NULL, UV_ENOENT, "/tool/x\" (ENOENT)");
  expect_not_found("./loop", NULL, UV_ELOOP, "(ELOOP)");
}

static void test_not_executable(void **state)
{
  (void)state;
  char tool[SCRATCH_PATH_MAX];
  char search[3 * SCRATCH_PATH_MAX];
  const char *name = strrchr(place.directory, '/') + 1;
  expect_not_found("./plain", NULL, UV_EACCES, "cannot execute the program \"./plain\", which is \"");
  expect_not_found("./plain", NULL, UV_EACCES, "/plain\": the file is not executable: chmod +x makes it so (EACCES)");
  expect_not_found("./", NULL, UV_EACCES, "/./\" is a directory (EACCES)");
  expect_not_found("plain", place.directory, UV_EACCES,
                   "/plain\": the file is not executable: chmod +x makes it so (EACCES)");
  expect_not_found("/dev/null", NULL, UV_EACCES, "cannot execute the program \"/dev/null\"");

  /* Neither ends the search; without another it is reported, and not that there is none. */
  (void)snprintf(search, sizeof(search), "%s/..", place.directory);
  expect_not_found(name, search, UV_EACCES, "is a directory (EACCES)");
  (void)snprintf(search, sizeof(search), "%s/..:%s", place.directory, place.directory);
  (void)scratch_path(&place, name, tool);
  assert_int_equal(symlink("tool", tool), 0);
  expect_found(name, search, tool);
}

/* A place that may not be looked into counts as one that has nothing. Root may look everywhere, so it is somebody else
 * meanwhile. */
static void test_closed_place(void **state)
{
  (void)state;
  char closed[SCRATCH_PATH_MAX];
  bool root = geteuid() == 0;
  assert_int_equal(mkdir(scratch_path(&place, "closed", closed), 0), 0);
  if (root && setresuid(65534, 65534, 0) != 0) {
    assert_int_equal(rmdir(closed), 0);
    skip();
  }
  expect_not_found("tool", closed, UV_ENOENT, "not in any directory");
  (void)strcat(closed, "/tool");
  expect_not_found(closed, NULL, UV_EACCES, "permission denied (EACCES)");
  assert_int_equal(root ? setresuid(0, 0, 0) : 0, 0);
  assert_int_equal(rmdir(scratch_path(&place, "closed", closed)), 0);
}

/* Without a current directory only what is relative to it is missing. */
static void test_no_directory(void **state)
{
  (void)state;
  char gone[SCRATCH_PATH_MAX];
  assert_int_equal(mkdir(scratch_path(&place, "gone", gone), 0700), 0);
  assert_int_equal(chdir(gone), 0);
  assert_int_equal(rmdir(gone), 0);
  expect_found("sh", ":.:/bin", "/bin/sh");
  expect_not_found("tool", ":.", UV_ENOENT, "PATH, \":.\" (ENOENT)");
  expect_not_found("./sh", NULL, UV_ENOENT, "cannot search for a program");
  assert_int_equal(chdir(place.directory), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_path),           cmocka_unit_test(test_environment),  cmocka_unit_test(test_place),
      cmocka_unit_test(test_not_executable), cmocka_unit_test(test_closed_place), cmocka_unit_test(test_no_directory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
