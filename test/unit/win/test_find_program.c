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
#include "cli/os/wide_win.c"            /* NOLINT(bugprone-suspicious-include) */

static void expect_found(const char *name, const char *path, const char *end)
{
  char *file = NULL;
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, path, &file, &error), 0);
  assert_true(file[1] == ':' && strlen(file) > strlen(end)); /* absolute */
  assert_true(uvr_is_same_word(file + strlen(file) - strlen(end), end));
  free(file);
}

/* `text` is a part of the sentence. */
static void expect_not_found(const char *name, const char *path, int code, const char *text)
{
  char *file = (char *)"";
  uvrelay_error_t error;
  assert_int_equal(uvr_find_program(name, path, &file, &error), code);
  assert_null(file);
  assert_int_equal(error.code, code);
  assert_true(strlen(error.text) > strlen(text));
  if (strstr(error.text, text) == NULL) {
    assert_string_equal(error.text, text);
  }
  assert_int_equal(uvr_find_program(name, path, &file, NULL), code);
}

static void test_system(void **state)
{
  (void)state;
  expect_found("cmd.exe", NULL, "\\cmd.exe");
  expect_found("cmd", NULL, "\\cmd.exe");
  expect_not_found("uvrelay-nothing", NULL, UV_ENOENT, "\"uvrelay-nothing\": it is not in any directory of PATH, \"");
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

static void write_file(const scratch *place, const char *name)
{
  scratch_write(place, name, "", 0);
}

/* Nothing is found in the current directory, in whatever way PATH has it. */
static void test_current_directory(void **state)
{
  (void)state;
  static const char *const paths[] = {"",      ";",  ".",    ".\\", "sub\\..", "\"\"",
                                      "\".\"", "\\", "%CD%", "C:",  "c:.",     ";;.;"};
  scratch place;
  wchar_t before[MAX_PATH];
  char text[64 + SCRATCH_PATH_MAX];
  scratch_init(&place);
  write_file(&place, "planted.exe");
  assert_true(GetCurrentDirectoryW(MAX_PATH, before) > 0);
  assert_true(SetCurrentDirectoryA(place.directory));
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    expect_not_found("planted", paths[i], UV_ENOENT, ", and the current directory is not searched: write .\\planted (");
    expect_not_found("planted.exe", paths[i], UV_ENOENT, "write .\\planted.exe (");
  }
  expect_not_found("planted", NULL, UV_ENOENT, "write .\\planted (");
  (void)snprintf(text, sizeof(text), ".;C:\\nonexistent;\"%s\";x", place.directory);
  expect_found("planted", text, "\\planted.exe");
  expect_found(".\\planted", "", "\\planted.exe");
  expect_found("./planted.exe", "", "\\planted.exe");
  assert_true(SetCurrentDirectoryW(before));
  scratch_clear(&place);
}

static void test_extensions(void **state)
{
  (void)state;
  scratch place;
  scratch_init(&place);
  write_file(&place, "a.cmd");
  write_file(&place, "b.exe");
  write_file(&place, "b.com");
  write_file(&place, "b.cmd");
  write_file(&place, "c.vbs");
  write_file(&place, "d.1.exe");
  write_file(&place, "e");
  assert_true(SetEnvironmentVariableW(L"PATHEXT", NULL));
  expect_found("a", place.directory, "\\a.cmd");
  expect_found("A.CMD", place.directory, "\\a.cmd");
  expect_found("b", place.directory, "\\b.com");
  expect_found("b.cmd", place.directory, "\\b.cmd");
  expect_found("d.1", place.directory, "\\d.1.exe");
  expect_not_found("c", place.directory, UV_ENOENT, "not in any directory"); /* nothing that is started by itself */
  expect_not_found("e", place.directory, UV_ENOENT, "not in any directory");
  assert_true(SetEnvironmentVariableW(L"PATHEXT", L".VBS;.Cmd;.EXE"));
  expect_found("b", place.directory, "\\b.cmd");
  expect_not_found("c", place.directory, UV_ENOENT, "not in any directory");
  scratch_clear(&place);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system),
      cmocka_unit_test(test_place),
      cmocka_unit_test(test_current_directory),
      cmocka_unit_test(test_extensions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
