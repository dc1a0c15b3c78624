/* What setup writes into files of others: blocks of lines, quoted words, the record of what was done, whole files. */
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

#include "fake_wsl.h"

/* The program's own files are in no library. */
#include "cli/input/file.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/setup/block_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/setup/text_unix.c"  /* NOLINT(bugprone-suspicious-include) */
#undef fail                       /* of cmocka */
#define fail   fail_to_write
#define rename rename_unless_busy
static int rename_unless_busy(const char *old, const char *new);
#include "cli/setup/files_unix.c" /* NOLINT(bugprone-suspicious-include) */
#undef fail
#undef rename
#define fail fail_to_record
#include "cli/setup/record_unix.c" /* NOLINT(bugprone-suspicious-include) */
#undef fail

/* A file that Windows runs: nothing takes its place, but it can be renamed. */
static const char *busy;

static int rename_unless_busy(const char *old, const char *new)
{
  if (busy != NULL && strcmp(new, busy) == 0 && access(busy, F_OK) == 0) {
    errno = EACCES;
    return -1;
  }
  return rename(old, new);
}

/* Blocks. */

#define BEGIN UVR_BLOCK_BEGIN " [0123456789abcdef]\n"
#define END   UVR_BLOCK_END "\n"

static void expect_block(const char *text, const char *before, const char *inside, const char *after)
{
  uvr_block block;
  assert_int_equal(uvr_block_find(text, &block), UVR_BLOCK_FOUND);
  assert_int_equal(block.start, strlen(before));
  assert_int_equal(block.last - block.inside, strlen(inside));
  assert_memory_equal(text + block.inside, inside, strlen(inside));
  assert_string_equal(text + block.end, after);
}

static void test_find(void **state)
{
  (void)state;
  uvr_block block;
  assert_int_equal(uvr_block_find("", &block), UVR_BLOCK_NONE);
  assert_int_equal(uvr_block_find("a\nb", &block), UVR_BLOCK_NONE);
  assert_int_equal(uvr_block_find(" " BEGIN, &block), UVR_BLOCK_NONE);
  expect_block(BEGIN END, "", "", "");
  expect_block("a\n" BEGIN "x\ny\n" END "b\n", "a\n", "x\ny\n", "b\n");
  expect_block("a\n" BEGIN "x\n" UVR_BLOCK_END, "a\n", "x\n", ""); /* without a newline at the end */
  assert_int_equal(uvr_block_find(BEGIN "x\n", &block), UVR_BLOCK_DAMAGED);
  assert_int_equal(uvr_block_find("x\n" END, &block), UVR_BLOCK_DAMAGED);
  assert_int_equal(uvr_block_find(BEGIN BEGIN END, &block), UVR_BLOCK_DAMAGED);
  assert_int_equal(uvr_block_find(BEGIN END END, &block), UVR_BLOCK_DAMAGED);
  assert_int_equal(uvr_block_find(BEGIN END BEGIN END, &block), UVR_BLOCK_DAMAGED);
}

static void expect_replaced(const char *text, size_t start, size_t end, const char *bytes, const char *expected)
{
  char *out = uvr_block_replace(text, start, end, bytes);
  assert_string_equal(out, expected);
  free(out);
}

static void test_replace(void **state)
{
  (void)state;
  expect_replaced("", 0, 0, "x\n", "x\n");
  expect_replaced("a\n", 2, 2, "x\n", "a\nx\n");
  expect_replaced("a", 1, 1, "x\n", "a\nx\n");
  expect_replaced("a\nb\nc\n", 2, 4, "x\n", "a\nx\nc\n");
  expect_replaced("a\nb\nc\n", 2, 4, "", "a\nc\n");
  expect_replaced("a", 1, 1, "", "a");
}

static void test_hash(void **state)
{
  (void)state;
  uvr_block block;
  char *made = uvr_block_make("x\ny\n");
  assert_int_equal(uvr_block_find(made, &block), UVR_BLOCK_FOUND);
  assert_true(uvr_block_is_unchanged(made, &block));
  strstr(made, "\ny\n")[1] = 'z';
  assert_false(uvr_block_is_unchanged(made, &block));
  free(made);
  assert_int_equal(uvr_block_find(UVR_BLOCK_BEGIN "\n" END, &block), UVR_BLOCK_FOUND); /* without a hash */
  assert_false(uvr_block_is_unchanged(UVR_BLOCK_BEGIN "\n" END, &block));
  assert_true(uvr_setup_hash("", 0) == 0xcbf29ce484222325U); /* those of FNV's authors */
  assert_true(uvr_setup_hash("foobar", 6) == 0x85944171f73967e8U);
}

/* Words. */

static void expect_word(char *(*make)(const char *), const char *text, const char *expected)
{
  char *word = make(text);
  assert_string_equal(word, expected);
  free(word);
}

static void test_words(void **state)
{
  (void)state;
  expect_word(uvr_setup_shell_word, "/home/x/.local/bin/uvrelay", "/home/x/.local/bin/uvrelay");
  expect_word(uvr_setup_shell_word, "/a b/$(x)`y`\\", "'/a b/$(x)`y`\\'");
  expect_word(uvr_setup_shell_word, "it's", "'it'\\''s'");
  expect_word(uvr_setup_shell_word, "", "''");
  expect_word(uvr_setup_fish_word, "a", "'a'");
  expect_word(uvr_setup_fish_word, "it's \\ $x", "'it\\'s \\\\ $x'");
  expect_word(uvr_setup_unit_program, "/a b/%h/$x/\"\\", "\"/a b/%%h/$x/\\\"\\\\\"");
  expect_word(uvr_setup_unit_word, "/a b/%h/$x/\"\\", "\"/a b/%%h/$$x/\\\"\\\\\"");
}

/* The record. */

static void test_record(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  assert_false(uvr_record_has(&record, "mask", NULL));
  assert_null(uvr_record_last(&record, "mask"));
  assert_int_equal(uvr_record_add(&record, "mask", "a.socket", &error), 0);
  assert_int_equal(uvr_record_add(&record, "mask", "b.socket", &error), 0);
  assert_int_equal(uvr_record_add(&record, "mask", "a.socket", &error), 0);
  assert_int_equal(uvr_record_add(&record, "copy", "1 /x y", &error), 0);
  assert_int_equal(uvr_record_add(&record, "copy", "a\nb", &error), UV_EINVAL);
  uvr_record_close(&record);

  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  assert_string_equal(record.text, "mask=a.socket\nmask=b.socket\ncopy=1 /x y\n");
  char *last = uvr_record_last(&record, "mask");
  assert_string_equal(last, "b.socket");
  free(last);
  assert_true(uvr_record_has(&record, "mask", "a.socket"));
  assert_false(uvr_record_has(&record, "mask", "a.sock"));
  assert_false(uvr_record_has(&record, "mas", NULL));
  assert_int_equal(uvr_record_finish(&record, &error), 0); /* there is something left */
  assert_int_equal(access(at("home/setup"), F_OK), 0);
  assert_int_equal(uvr_record_drop(&record, "mask", NULL, &error), 0);
  assert_int_equal(uvr_record_drop(&record, "copy", "1 /x y", &error), 0);
  assert_string_equal(record.text, "");
  assert_int_equal(uvr_record_finish(&record, &error), 0);
  assert_int_not_equal(access(at("home/setup"), F_OK), 0);
  uvr_record_close(&record);
}

/* Directories that were made go away again, if they are empty. */
static void test_directories(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  struct stat status;
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  assert_int_equal(uvr_setup_make_directory(at("home"), &record, &error), 0);
  assert_string_equal(record.text, "");
  assert_int_equal(uvr_setup_make_directory(at("home/a/b/c"), &record, &error), 0);
  assert_int_equal(stat(at("home/a/b"), &status), 0);
  assert_int_equal(status.st_mode & 0777, 0700);
  assert_int_equal(uvr_setup_make_directory(at("home/d/e"), &record, &error), 0);
  put("home/d/own", "", 0600);
  assert_int_equal(uvr_record_finish(&record, &error), 0);
  assert_int_not_equal(access(at("home/a"), F_OK), 0);
  assert_int_not_equal(access(at("home/d/e"), F_OK), 0);
  assert_int_equal(access(at("home/d/own"), F_OK), 0);
  put("home/file", "", 0600);
  assert_int_equal(uvr_setup_make_directory(at("home/file/x"), &record, &error), UV_ENOTDIR);
  uvr_record_close(&record);
}

/* Whole files. */

static void expect_file(const char *name, const char *expected, mode_t mode)
{
  struct stat status;
  char *text = NULL;
  assert_int_equal(uvr_setup_read(at(name), &text, NULL), 0);
  assert_string_equal(text, expected);
  assert_int_equal(stat(at(name), &status), 0);
  assert_int_equal(status.st_mode & 07777, mode);
  free(text);
}

static void test_write(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  char *text = NULL;
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  assert_int_equal(uvr_setup_read(at("home/no/file"), &text, &error), 0);
  assert_null(text);
  assert_int_equal(uvr_setup_write(at("home/new/file"), "one\n", 4, 0600, false, &record, &error), 0);
  expect_file("home/new/file", "one\n", 0600);

  /* A file keeps its permissions, and a link leads to the same place. */
  put("home/old", "old\n", 0640);
  assert_int_equal(symlink("old", at("home/link")), 0);
  assert_int_equal(uvr_setup_write(at("home/link"), "two\n", 4, 0600, false, &record, &error), 0);
  expect_file("home/old", "two\n", 0640);
  char target[16] = "";
  assert_int_equal(readlink(at("home/link"), target, sizeof(target)), 3);
  assert_int_equal(symlink("nowhere", at("home/broken")), 0);
  assert_int_equal(uvr_setup_write(at("home/broken"), "x", 1, 0600, false, &record, &error), UV_ENOENT);

  /* A directory is none, and nothing is left over. */
  make_parents("home/place/x/");
  assert_int_equal(uvr_setup_write(at("home/place"), "x", 1, 0600, false, &record, &error), UV_EISDIR);
  assert_non_null(strstr(error.text, "cannot write \""));
  put("home/bad", "a", 0600);
  scratch_write(&fake.place, "home/bad", "a\0b", 3);
  assert_int_equal(uvr_setup_read(at("home/bad"), &text, &error), UV_EINVAL);
  assert_null(text);
  char command[SCRATCH_PATH_MAX + 32];
  (void)snprintf(command, sizeof(command), "! ls -R '%s' | grep -F .new", fake.place.directory);
  assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
  uvr_record_close(&record);
}

static void test_running(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  char path[SCRATCH_PATH_MAX];
  char away[SCRATCH_PATH_MAX + 32];
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  put("home/uvrelay.exe", "old", 0755);
  busy = scratch_path(&fake.place, "home/uvrelay.exe", path);
  (void)snprintf(away, sizeof(away), "%s" OLD "%ld", path, (long)getpid());
  assert_int_equal(uvr_setup_write(path, "new", 3, 0755, false, &record, &error), UV_EACCES);
  expect_file("home/uvrelay.exe", "old", 0755);
  assert_int_equal(uvr_setup_write(path, "new", 3, 0755, true, &record, &error), 0);
  expect_file("home/uvrelay.exe", "new", 0755);
  assert_int_equal(access(away, F_OK), 0);
  uvr_setup_remove_old(path);
  assert_int_not_equal(access(away, F_OK), 0);
  busy = NULL;
  uvr_record_close(&record);
}

/* A newline that was put after the last line goes away again. */
static void test_newline(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  char text[] = "a\n";
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  assert_int_equal(uvr_setup_record_newline("/a", NULL, &record, &error), 0);
  assert_int_equal(uvr_setup_record_newline("/a", "", &record, &error), 0);
  assert_int_equal(uvr_setup_record_newline("/a", "a\n", &record, &error), 0);
  assert_int_equal(uvr_setup_restore_newline("/a", true, text, &record, &error), 0);
  assert_string_equal(text, "a\n");
  assert_int_equal(uvr_setup_record_newline("/a", "a", &record, &error), 0);
  assert_int_equal(uvr_setup_restore_newline("/a", true, text, &record, &error), 0);
  assert_string_equal(text, "a");
  assert_string_equal(record.text, "");
  uvr_record_close(&record);
}

static void test_move_away(void **state)
{
  (void)state;
  uvr_record record;
  uvrelay_error_t error;
  make_parents("home/x");
  assert_int_equal(uvr_record_open(&record, at("home/setup"), &error), 0);
  put("home/[a]/uvrelay.exe", "old", 0755);
  put("home/[a]/uvrelay.exe" OLD "1", "", 0755);
  put("home/[a]/other", "", 0755);
  uvr_setup_remove_old(at("home/[a]/uvrelay.exe"));
  assert_int_not_equal(access(at("home/[a]/uvrelay.exe" OLD "1"), F_OK), 0);
  assert_int_equal(access(at("home/[a]/uvrelay.exe"), F_OK), 0);
  assert_int_equal(access(at("home/[a]/other"), F_OK), 0);
  assert_true(is_in_use(EACCES) && is_in_use(ETXTBSY) && !is_in_use(ENOSPC));
  assert_int_equal(uvr_setup_link("/one", at("home/link"), &record, &error), 0);
  assert_int_equal(uvr_setup_link("/two", at("home/link"), &record, &error), 0);
  char target[16] = "";
  assert_int_equal(readlink(at("home/link"), target, sizeof(target)), 4);
  assert_string_equal(target, "/two");
  assert_int_equal(uvr_setup_link("/two", at("home/[a]/other"), &record, &error), UV_EEXIST);
  assert_int_equal(uvr_setup_unlink(at("home/link"), false, &error), 0);
  assert_int_equal(uvr_setup_unlink(at("home/link"), true, &error), 0);
  uvr_record_close(&record);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_replace),
      cmocka_unit_test(test_hash),
      cmocka_unit_test(test_words),
      cmocka_unit_test_setup_teardown(test_record, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_directories, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_write, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_running, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_newline, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_move_away, fake_wsl_set_up, fake_wsl_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
