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

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_wsl.h"

/* The program's own files are in no library. */
#include "cli/child/binfmt_unix.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/find_program_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/program_head.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/trusted_file_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/wsl_drives_unix.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/wsl_handler_unix.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/wsl_interop_unix.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/wsl_setting_unix.c"  /* NOLINT(bugprone-suspicious-include) */

#include "cli/child/wsl_unix.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { OTHER = 65534 /* a user */, PLANTED = 5000 };

/* What the environment of a Windows program would have as WSL_INTEROP. */
static const char *interop_of(const uvr_wsl_start *start)
{
  const char *found = NULL;
  size_t own = 0;
  size_t count = 0;
  assert_non_null(start->environment);
  for (; environ[own] != NULL; own++) {
  }
  for (; start->environment[count] != NULL; count++) {
    if (strncmp(start->environment[count], "WSL_INTEROP=", 12) == 0) {
      assert_null(found);
      found = start->environment[count] + 12;
    }
  }
  assert_int_equal(count, own + (getenv("WSL_INTEROP") == NULL ? 1 : 0));
  assert_non_null(found);
  return found;
}

/* The socket that a Windows program would be given. NULL: none, with a warning. */
static void expect_interop(const char *expected)
{
  uvr_wsl_start start;
  uvrelay_error_t error = {.code = 0};
  char path[64];
  char socket[SCRATCH_PATH_MAX] = "";
  int code = uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error);
  assert_int_equal(code, expected == NULL ? UV_ENOENT : 0);
  assert_int_equal(error.code, code);
  assert_int_equal(start.has_socket, expected != NULL);
  assert_string_equal(interop_of(&start), expected == NULL ? "/dev/null" : "/proc/self/fd/3");
  if (expected != NULL) {
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", start.socket);
    assert_true(readlink(path, socket, sizeof(socket) - 1) > 0);
    assert_string_equal(socket, expected);
    assert_true((fcntl(start.socket, F_GETFD) & FD_CLOEXEC) != 0);
  }
  int fd = start.socket;
  uvr_wsl_start_clear(&start);
  assert_null(start.environment);
  assert_true(expected == NULL || fcntl(fd, F_GETFD) < 0);
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
  expect_interop(name);
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
  expect_interop(at("run/9_interop"));
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
  expect_interop(at("run/9_interop"));
  put("proc/300/stat", "", 0600);
  expect_interop(at("run/9_interop"));
  put("proc/300/stat", "300 (x) S -5 ", 0600);
  expect_interop(at("run/9_interop"));
  put("proc/300/stat", "300 (x S 50", 0600);
  expect_interop(at("run/9_interop"));
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

  /* A socket that is asked too much by others: the program waits for none. */
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

/* A process that listens sees all, and /run/WSL is a directory that everybody can write to: what other users put there
 * is not used. Only root can make such things here. */

static void give_away(const char *name)
{
  assert_int_equal(lchown(at(name), OTHER, (gid_t)-1), 0);
}

static void test_interop_of_others(void **state)
{
  (void)state;
  if (geteuid() != 0) {
    skip(); /* only root can give files away */
  }
  put_process(FAKE_WSL_OWN, "uvrelay", 50);
  put_process(50, "init", 0);
  (void)put_socket("run/90_interop", true);
  (void)put_socket("run/50_interop", true);
  (void)put_socket("run/1_interop", true);
  char name[SCRATCH_PATH_MAX];
  fake.wsl.interop = scratch_path(&fake.place, "run/8_interop", name);
  (void)put_socket("run/8_interop", true);
  expect_interop(at("run/8_interop"));
  give_away("run/8_interop");
  expect_interop(at("run/50_interop"));
  give_away("run/50_interop");
  expect_interop(at("run/1_interop"));
  give_away("run/1_interop");
  expect_interop(at("run/90_interop"));
  give_away("run/90_interop");
  expect_interop(NULL);
  uvr_wsl_start start;
  uvrelay_error_t error;
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error), UV_ENOENT);
  assert_non_null(strstr(error.text, " that belongs to root or you (4 of other users are ignored)"));
  uvr_wsl_start_clear(&start);
}

/* Neither are their links, to whatever these lead, at each of the places and within a path. */
static void test_links_of_others(void **state)
{
  (void)state;
  if (geteuid() != 0) {
    skip(); /* only root can give files away */
  }
  char name[SCRATCH_PATH_MAX];
  put_process(FAKE_WSL_OWN, "uvrelay", 50);
  put_process(50, "init", 0);
  (void)put_socket("roots/socket", true);
  static const char *const names[] = {"run/50_interop", "run/1_interop", "run/7_interop"};
  for (size_t i = 0; i < COUNT(names); i++) {
    assert_int_equal(symlink(at("roots/socket"), at(names[i])), 0);
    expect_interop(at("roots/socket"));
    give_away(names[i]);
    expect_interop(NULL);
    assert_int_equal(unlink(at(names[i])), 0);
  }
  assert_int_equal(symlink(at("roots/socket"), at("given")), 0);
  fake.wsl.interop = scratch_path(&fake.place, "given", name);
  expect_interop(at("roots/socket"));
  give_away("given");
  expect_interop(NULL);

  /* A link to a link, and one of a directory. */
  assert_int_equal(symlink(at("given"), at("run/1_interop")), 0);
  expect_interop(NULL);
  assert_int_equal(symlink("roots", at("linked")), 0);
  fake.wsl.interop = scratch_path(&fake.place, "linked/../linked//socket", name);
  expect_interop(at("roots/socket"));
  give_away("linked");
  expect_interop(NULL);
}

/* One whose file is root's, while somebody else listens there, as a file system of that user's could show it. */
static void test_listener_of_others(void **state)
{
  (void)state;
  if (geteuid() != 0) {
    skip(); /* only root can give files away */
  }
  int fds[2];
  make_parents("run/");
  assert_int_equal(chmod(fake.place.directory, 0777), 0);
  assert_int_equal(chmod(fake.run, 0777), 0);
  (void)put_socket("run/3_interop", true);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, at("run/9_interop"));
  assert_int_equal(pipe(fds), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool good = setuid(OTHER) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 5) == 0 &&
                write(fds[1], "", 1) == 1;
    _exit(good ? pause() : 1);
  }
  char byte;
  assert_true(child > 0 && close(fds[1]) == 0);
  assert_int_equal(read(fds[0], &byte, 1), 1);
  assert_int_equal(chown(at("run/9_interop"), 0, 0), 0);
  expect_interop(at("run/3_interop"));
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_int_equal(close(fds[0]), 0);
}

/* However many names others make, of whatever numbers, root's is found. */
static void test_many_names_of_others(void **state)
{
  (void)state;
  if (geteuid() != 0) {
    skip(); /* only root can give files away */
  }
  (void)put_socket("run/600_interop", true);
  for (int i = 0; i < PLANTED; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "run/%d_interop", 1000 + i);
    assert_int_equal(i % 2 == 0 ? mknod(at(name), S_IFSOCK | 0777, 0) : symlink("600_interop", at(name)), 0);
    give_away(name);
  }
  expect_interop(at("run/600_interop"));
}

/* Of more than can be kept, the highest ones are. */
static void test_many_dead(void **state)
{
  (void)state;
  for (int i = 1; i < PLANTED; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "run/%d_interop", 1000 + (i * 7) % PLANTED);
    assert_int_equal(mknod(at(name), S_IFSOCK | 0777, 0), 0);
  }
  (void)put_socket("run/5990_interop2", true);
  assert_int_equal(rename(at("run/5990_interop2"), at("run/5990_interop")), 0);
  expect_interop(at("run/5990_interop"));
}

/* What was looked at is what is used, whatever takes its place. */
static void test_exchanged(void **state)
{
  (void)state;
  uvr_wsl_start start;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int right = put_socket("run/5_interop", true);
  int wrong = put_socket("run/wrong", true);
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, NULL), 0);
  assert_int_equal(rename(at("run/wrong"), at("run/5_interop")), 0);
  (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", start.socket);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(access(address.sun_path, F_OK), 0); /* as /init asks first */
  assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(write(fd, "secret", 6), 6);
  char text[8];
  assert_int_equal(fcntl(right, F_SETFL, O_NONBLOCK) | fcntl(wrong, F_SETFL, O_NONBLOCK), 0);
  int client = accept(right, NULL, NULL); /* the look was a client, too, which has gone */
  assert_int_equal(read(client, text, sizeof(text)), 0);
  assert_int_equal(close(client), 0);
  client = accept(right, NULL, NULL);
  assert_int_equal(read(client, text, sizeof(text)), 6);
  assert_int_equal(accept(wrong, NULL, NULL), -1);
  assert_int_equal(close(client) | close(fd), 0);
  uvr_wsl_start_clear(&start);
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
  uvr_wsl_start_clear(&start);
  assert_non_null(
      strstr(error.text, "nothing is listening at WSL_INTEROP (\"/run/WSL/8_interop\") or at another socket in "));
  fake.wsl.interop = NULL;
  fake.wsl.distro_name = "Debian";
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, &error), UV_ENOENT);
  uvr_wsl_start_clear(&start);
  assert_non_null(strstr(error.text, "nothing is listening at WSL_INTEROP (not set) or at another socket in "));
  assert_int_equal(uvr_wsl_prepare(&fake.wsl, "x.exe", &start, NULL), UV_ENOENT);
  uvr_wsl_start_clear(&start);
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
  expect_interop(at("live"));

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
      cmocka_unit_test_setup_teardown(test_links_of_others, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_listener_of_others, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_many_names_of_others, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_many_dead, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_exchanged, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_no_interop, fake_wsl_set_up, fake_wsl_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
