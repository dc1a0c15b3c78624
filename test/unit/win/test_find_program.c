/* Finding a program's file: where the system looks, by a path, with and without ".exe", and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"

/* The program's own files are in no library. */
#include "cli/child/find_program_win.c" /* NOLINT(bugprone-suspicious-include) */

static void expect_found(const char *name, const char *path, const char *end)
{
  char *file = NULL;
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, path, &file, &error), 0);
  assert_true(file[1] == ':' && strlen(file) > strlen(end)); /* absolute */
  assert_true(uvr_is_same_word(file + strlen(file) - strlen(end), end));
  free(file);
}

/* `text` is the end of the sentence. */
static void expect_not_found(const char *name, const char *path, int code, const char *text)
{
  char *file = (char *)"";
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, path, &file, &error), code);
  assert_null(file);
  assert_int_equal(error.code, code);
  assert_true(strlen(error.text) > strlen(text));
  assert_string_equal(error.text + strlen(error.text) - strlen(text), text);
  assert_int_equal(uvr_find_program(name, path, &file, NULL), code);
}

static void test_system(void **state)
{
  (void)state;
  expect_found("cmd.exe", NULL, "\\cmd.exe");
  expect_found("cmd", NULL, "\\cmd.exe");
  expect_not_found("uvrelay-nothing", NULL, UV_ENOENT,
                   "\"uvrelay-nothing\": it is in none of the directories of PATH (ERROR_FILE_NOT_FOUND, 2)");
}

static void test_place(void **state)
{
  (void)state;
  scratch place;
  char path[SCRATCH_PATH_MAX];
  scratch_init(&place);
  char other[SCRATCH_PATH_MAX];
  uv_fs_t request;
  scratch_write(&place, "tool.exe", "", 0); /* only libuv takes names in UTF-8 */
  assert_int_equal(uv_fs_rename(NULL, &request, scratch_path(&place, "tool.exe", path),
                                scratch_path(&place, "t\xc3\xb6\xc3\xb6l.exe", other), NULL),
                   0);
  uv_fs_req_cleanup(&request);
  scratch_write(&place, "bare", "", 0);
  expect_found(scratch_path(&place, "t\xc3\xb6\xc3\xb6l.exe", path), NULL, "\\t\xc3\xb6\xc3\xb6l.exe");
  expect_found(scratch_path(&place, "t\xc3\xb6\xc3\xb6l", path), NULL, "\\t\xc3\xb6\xc3\xb6l.exe");
  expect_found(scratch_path(&place, "bare", path), NULL, "\\bare");
  expect_found("t\xc3\xb6\xc3\xb6l", place.directory, "l.exe");
  expect_not_found("cmd", place.directory, UV_ENOENT, "(ERROR_FILE_NOT_FOUND, 2)");
  expect_not_found(scratch_path(&place, "nothing", path), NULL, UV_ENOENT,
                   ": there is no such file (ERROR_FILE_NOT_FOUND, 2)");
  expect_not_found(place.directory, NULL, UV_EACCES, ": it is a directory (ERROR_ACCESS_DENIED, 5)");
  scratch_clear(&place);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system),
      cmocka_unit_test(test_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
