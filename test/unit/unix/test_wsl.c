/* WSL's parts against a fake system in a directory: whether it is WSL, where uvrelay.exe is, on which drive a Windows
 * program is started, and whether the kernel knows such. */
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

/* Whether it is WSL. */

static void test_is(void **state)
{
  (void)state;
  assert_true(uvr_wsl_is(&fake.wsl));
  assert_int_equal(rmdir(fake.run), 0);
  assert_false(uvr_wsl_is(&fake.wsl));
  put("run", "", 0600); /* a file */
  assert_false(uvr_wsl_is(&fake.wsl));

  fake.wsl.interop = fake.wsl.distro_name = "";
  assert_false(uvr_wsl_is(&fake.wsl));
  fake.wsl.interop = "x";
  assert_true(uvr_wsl_is(&fake.wsl));
  fake.wsl.interop = NULL;
  fake.wsl.distro_name = "Debian";
  assert_true(uvr_wsl_is(&fake.wsl));
  fake.wsl.distro_name = NULL;

  put("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n", 0600);
  assert_false(uvr_wsl_is(&fake.wsl));
  put("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", 0600);
  assert_true(uvr_wsl_is(&fake.wsl));
  put("proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n", 0600);
  assert_true(uvr_wsl_is(&fake.wsl));
}

static void test_init(void **state)
{
  (void)state;
  uvr_wsl wsl;
  uvr_wsl_init(&wsl);
  assert_string_equal(wsl.run, "/run/WSL");
  assert_string_equal(wsl.proc, "/proc");
  assert_int_equal(wsl.process, getpid());
  assert_int_equal(uvr_wsl_parent_of(wsl.proc, wsl.process), getppid());
  char *directory = own_directory(&wsl);
  assert_non_null(directory);
  assert_int_equal(access(directory, X_OK), 0);
  free(directory);
}

/* The far end. */

static void expect_far_end(const char *expected)
{
  char *file = NULL;
  uvrelay_error_t error;
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, &error), 0);
  assert_string_equal(file, expected);
  free(file);
}

static void test_far_end(void **state)
{
  (void)state;
  char path[2 * SCRATCH_PATH_MAX];
  (void)snprintf(path, sizeof(path), "/nonexistent:%s", at("path"));
  fake.wsl.path = path;

  /* Each place goes before those that were there already. */
  put("lib/uvrelay/uvrelay.exe", "", 0700); /* as a package has it, whose program is in bin */
  make_parents("bin/uvrelay");
  expect_far_end(at("lib/uvrelay/uvrelay.exe"));
  put("mnt/c/" UVR_WSL_PLACE, "", 0700);
  expect_far_end(at("mnt/c/" UVR_WSL_PLACE));
  put("proc/mounts", "C:\\134 /nonexistent/c 9p rw 0 0\n", 0600);
  put("elsewhere/c/" UVR_WSL_PLACE, "", 0700);
  char line[SCRATCH_PATH_MAX + 64];
  (void)snprintf(line, sizeof(line), "drvfs %s 9p rw,aname=drvfs;path=C:\\;uid=1000 0 0\n", at("elsewhere/c"));
  put("proc/mounts", line, 0600);
  expect_far_end(at("elsewhere/c/" UVR_WSL_PLACE));
  put("path/uvrelay.exe", "", 0700);
  expect_far_end(at("path/uvrelay.exe"));
  put("bin/uvrelay.exe", "", 0700);
  expect_far_end(at("bin/uvrelay.exe"));

  /* The program's own directory as the system tells it, also after the program was replaced. */
  assert_int_equal(unlink(at("bin/uvrelay.exe")), 0);
  put("own/uvrelay.exe", "", 0700);
  make_parents("proc/self/");
  fake.wsl.directory = NULL;
  expect_far_end(at("path/uvrelay.exe"));
  assert_int_equal(symlink(at("own/uvrelay"), at("proc/self/exe")), 0);
  expect_far_end(at("own/uvrelay.exe"));
  assert_int_equal(unlink(at("proc/self/exe")), 0);
  assert_int_equal(symlink(at("own/uvrelay (deleted)"), at("proc/self/exe")), 0);
  expect_far_end(at("own/uvrelay.exe"));
}

/* The file that setup's link leads to goes before all others, by its own name. */
static void test_linked_far_end(void **state)
{
  (void)state;
  char home[SCRATCH_PATH_MAX];
  fake.wsl.home = scratch_path(&fake.place, "home", home);
  put("bin/uvrelay.exe", "", 0700);
  expect_far_end(at("bin/uvrelay.exe")); /* there is no link */
  make_parents("home/" UVR_WSL_LINK);
  assert_int_equal(symlink(at("mnt/c/Users/x/uvrelay.exe"), at("home/" UVR_WSL_LINK)), 0);
  expect_far_end(at("bin/uvrelay.exe")); /* it leads nowhere */
  put("mnt/c/Users/x/uvrelay.exe", "", 0600);
  expect_far_end(at("bin/uvrelay.exe")); /* that is not executable */
  assert_int_equal(chmod(at("mnt/c/Users/x/uvrelay.exe"), 0700), 0);
  expect_far_end(at("mnt/c/Users/x/uvrelay.exe"));
  fake.wsl.home = "";
  expect_far_end(at("bin/uvrelay.exe"));
  fake.wsl.home = home;
  if (geteuid() == 0) {
    assert_int_equal(lchown(at("home/" UVR_WSL_LINK), 1, 1), 0); /* another user's link */
    expect_far_end(at("bin/uvrelay.exe"));
    assert_int_equal(lchown(at("home/" UVR_WSL_LINK), 0, 0), 0);
    assert_int_equal(chown(at("home/.uvrelay"), 1, 1), 0); /* another user's directory */
    expect_far_end(at("bin/uvrelay.exe"));
  }
}

/* A program that another user has put below a directory that all can write to, such as /tmp, is not an installed one.
 */
static void test_planted_far_end(void **state)
{
  (void)state;
  char *file = NULL;
  if (geteuid() != 0) {
    skip();
  }
  put("lib/uvrelay/uvrelay.exe", "", 0755);
  make_parents("bin/uvrelay");
  expect_far_end(at("lib/uvrelay/uvrelay.exe"));
  assert_int_equal(chown(at("lib/uvrelay/uvrelay.exe"), 1, 1), 0);
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, NULL), UV_ENOENT);
  assert_int_equal(chown(at("lib/uvrelay/uvrelay.exe"), 0, 0), 0);
  assert_int_equal(chown(at("lib/uvrelay"), 1, 1), 0);
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, NULL), UV_ENOENT);
  assert_int_equal(chown(at("bin"), 1, 1), 0); /* that user could replace the program, too */
  expect_far_end(at("lib/uvrelay/uvrelay.exe"));
}

static void test_no_far_end(void **state)
{
  (void)state;
  char *file = (char *)"";
  char expected[UVRELAY_ERROR_TEXT_SIZE];
  uvrelay_error_t error;
  assert_int_equal(chdir(fake.place.directory), 0);
  put("uvrelay.exe", "", 0700); /* the current directory is none of the places, also with an empty PATH */
  fake.wsl.path = "";
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, &error), UV_ENOENT);
  assert_null(file);
  (void)snprintf(expected, sizeof(expected),
                 "cannot find uvrelay.exe: it is not beside this program (in \"%.80s\"), not in PATH, and there is no "
                 "\"%.80s/Program Files/uvrelay/uvrelay.exe\" (ENOENT)",
                 fake.bin, fake.mount);
  assert_string_equal(error.text, expected);
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, NULL), UV_ENOENT);

  /* One that is not executable is reported, unless there is another. */
  put("bin/uvrelay.exe", "", 0600);
  assert_int_equal(uvr_wsl_find_far_end(&fake.wsl, &file, &error), UV_EACCES);
  assert_null(file);
  assert_non_null(strstr(error.text, "/bin/uvrelay.exe\": the file is not executable: chmod +x makes it so (EACCES)"));
  put("mnt/c/" UVR_WSL_PLACE, "", 0700);
  expect_far_end(at("mnt/c/" UVR_WSL_PLACE));
  assert_int_equal(chdir("/"), 0);
}

/* Drives. */

static void test_mounts(void **state)
{
  (void)state;
  static const struct {
    const char *table;
    const char *c;
    const char *first;
    bool within; /* /mnt/c/dir */
  } tables[] = {
      {"", NULL, NULL, false},
      {"C: /mnt/c drvfs rw,noatime 0 0\n", "/mnt/c", "/mnt/c", true},
      {"C:\\134 /mnt/c drvfs rw 0 0\n", "/mnt/c", "/mnt/c", true},
      {"C:\\134 /mnt/c 9p rw,dirsync,aname=drvfs;path=C:\\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,trans=fd 0 0\n",
       "/mnt/c", "/mnt/c", true},
      {"drvfsa /mnt/c 9p rw,aname=drvfs;path=c:\\134,cache=5 0 0\n", "/mnt/c", "/mnt/c", true},
      {"c:/ /my\\040c 9p rw 0 0\n", "/my c", "/my c", false},
      {"D:\\134 /mnt/d 9p rw 0 0\nC:\\134 /mnt/c 9p rw 0 0\n", "/mnt/c", "/mnt/d", true},
      {"D:\\134 /mnt/c 9p rw 0 0\n", NULL, "/mnt/c", true},
      {"C:\\134 /mnt/c 9p rw 0 0\nC:\\134 /mnt/other 9p rw 0 0\n", "/mnt/c", "/mnt/c", true},
      /* A directory of a drive is not a drive. */
      {"C:\\134Users /home drvfs rw 0 0\n", NULL, "/home", false},
      {"C:\\134Users / drvfs rw 0 0\n", NULL, "/", true},
      {"C:\\134Program\\040Files\\134Docker /Docker/host 9p rw,aname=drvfs;path=C:\\Program\\040Files\\Docker 0 0\n",
       NULL, "/Docker/host", false},
      /* The last one and the longest one count. */
      {"C:\\134 /mnt/c 9p rw 0 0\ntmpfs /mnt/c tmpfs rw 0 0\n", "/mnt/c", "/mnt/c", false},
      {"C:\\134 /mnt/c 9p rw 0 0\ntmpfs /mnt/c/dir tmpfs rw 0 0\n", "/mnt/c", "/mnt/c", false},
      {"C:\\134 /mnt/c 9p rw 0 0\ntmpfs /mnt tmpfs rw 0 0\n", "/mnt/c", "/mnt/c", true},
      {"C:\\134 /mnt/c/d 9p rw 0 0\n", "/mnt/c/d", "/mnt/c/d", false},
      {"C:\\134 /mnt/c/dir 9p rw 0 0\n", "/mnt/c/dir", "/mnt/c/dir", true},
      /* virtiofs: by its link. */
      {"tag-c /mnt/c virtiofs rw 0 0\n", "/mnt/c", "/mnt/c", true},
      {"tag-none /mnt/c virtiofs rw 0 0\n../virtiofs/tag-c /mnt/x virtiofs rw 0 0\n", NULL, NULL, false},
      /* No drives. */
      {"drivers /usr/lib/wsl/drivers 9p ro,aname=drivers;fmask=222 0 0\nC:\\134 /mnt/c ext4 rw 0 0\n"
       "\\134\\134host\\134share /mnt/s drvfs rw 0 0\ndrvfs /mnt/c 9p rw,aname=drvfs;path=UNC\\host\\share 0 0\n",
       NULL, NULL, false},
      {"C:\n\nC: /mnt/c\nC: /mnt/c drvfs\n   \n\\ \\1 \\12 \\999\n\\400 \\000 \\134 \\134", NULL, NULL, false},
  };
  make_parents("virtiofs/");
  assert_int_equal(symlink("C:\\", at("virtiofs/tag-c")), 0);
  for (size_t i = 0; i < COUNT(tables); i++) {
    put("proc/mounts", tables[i].table, 0600);
    uvr_wsl_drives drives = uvr_wsl_find_drives(fake.wsl.proc, fake.wsl.virtiofs, "/mnt/c/dir");
    assert_int_equal(drives.c == NULL, tables[i].c == NULL);
    assert_int_equal(drives.first == NULL, tables[i].first == NULL);
    assert_string_equal(drives.c == NULL ? "" : drives.c, tables[i].c == NULL ? "" : tables[i].c);
    assert_string_equal(drives.first == NULL ? "" : drives.first, tables[i].first == NULL ? "" : tables[i].first);
    assert_int_equal(drives.within, tables[i].within);
    uvr_wsl_drives_clear(&drives);
  }
  assert_int_equal(unlink(at("proc/mounts")), 0);
  uvr_wsl_drives drives = uvr_wsl_find_drives(fake.wsl.proc, fake.wsl.virtiofs, "/mnt/c");
  assert_true(drives.c == NULL && drives.first == NULL && !drives.within);
}

/* NULL: the current directory is to stay as it is. */
static void expect_directory(const char *file, const char *expected)
{
  uvr_wsl_start start;
  (void)uvr_wsl_prepare(&fake.wsl, file, &start, NULL);
  assert_int_equal(start.directory == NULL, expected == NULL);
  assert_string_equal(start.directory == NULL ? "" : start.directory, expected == NULL ? "" : expected);
  uvr_wsl_start_clear(&start);
  assert_null(start.directory);
}

static void expect_path(const char *windows, const char *expected)
{
  char *path = uvr_wsl_find_path(fake.proc, fake.virtiofs, windows);
  if (expected == NULL) {
    assert_null(path);
  } else {
    assert_string_equal(path, expected);
  }
  free(path);
}

static void expect_windows_path(const char *path, const char *expected)
{
  char *windows = uvr_wsl_find_windows_path(fake.proc, fake.virtiofs, path);
  if (expected == NULL) {
    assert_null(windows);
  } else {
    assert_string_equal(windows, expected);
  }
  free(windows);
}

static void test_windows_paths(void **state)
{
  (void)state;
  expect_windows_path("/mnt/c/x", NULL);
  put("proc/mounts",
      "/dev/sdb / ext4 rw 0 0\n"
      "C:\\134 /mnt/c 9p rw,aname=drvfs;path=C:\\;uid=1000,trans=fd 0 0\n"
      "D: /data drvfs rw 0 0\n"
      "drvfs /users/ 9p rw,aname=drvfs;path=E:\\Us\\;uid=0 0 0\n"
      "tmpfs /mnt/c/tmp tmpfs rw 0 0\n",
      0600);
  expect_windows_path("/mnt/c/Users/Some Body/S.gpg-agent", "C:/Users/Some Body/S.gpg-agent");
  expect_windows_path("/mnt/c/x", "C:/x");
  expect_windows_path("/mnt/cx", NULL);
  expect_windows_path("/mnt/c/tmp/x", NULL);
  expect_windows_path("/data/x", "D:/x");
  expect_windows_path("/users/Me/x", "E:/Us/Me/x");
  expect_windows_path("/home/me/x", NULL);
}

static void test_paths(void **state)
{
  (void)state;
  expect_path("C:\\Users", NULL);
  put("proc/mounts",
      "/dev/sdb / ext4 rw 0 0\n"
      "C:\\134 /mnt/c 9p rw,aname=drvfs;path=C:\\;uid=1000,trans=fd 0 0\n"
      "D: /data drvfs rw 0 0\n"
      "drvfs /users/ 9p rw,aname=drvfs;path=E:\\Us\\;uid=0 0 0\n",
      0600);
  expect_path("C:\\Users\\Some Body\\AppData\\Local", "/mnt/c/Users/Some Body/AppData/Local");
  expect_path("c:/Users", "/mnt/c/Users");
  expect_path("C:\\", "/mnt/c");
  expect_path("D:\\x", "/data/x");
  expect_path("D:x", NULL);
  expect_path("e:\\us\\Me", "/users/Me");
  expect_path("E:\\Us", "/users");
  expect_path("E:\\Usual", NULL);
  expect_path("E:\\", NULL);
  expect_path("F:\\x", NULL);
  expect_path("\\\\host\\share", NULL);
  expect_path("", NULL);
}

static void test_directory(void **state)
{
  (void)state;
  char table[4 * SCRATCH_PATH_MAX];
  const char *c = at("c");
  const char *d = at("d");
  (void)snprintf(table, sizeof(table), "D:\\134 %s 9p rw 0 0\nC:\\134 %s 9p rw 0 0\n", d, c);
  put("proc/mounts", table, 0600);
  put("c/windows/x.EXE", "", 0700);
  put("d/tools/x.exe", "", 0700);
  put("linux/x.exe", "", 0700);
  put("linux/x", "", 0700);
  assert_int_equal(symlink(at("d/tools/x.exe"), at("linux/link.exe")), 0);

  expect_directory(at("d/tools/x.exe"), at("d/tools"));
  expect_directory(at("c/windows/x.EXE"), at("c/windows"));
  expect_directory(at("linux/link.exe"), at("d/tools"));
  expect_directory(at("linux/x.exe"), at("c"));
  expect_directory(at("linux/nothing.exe"), at("c"));
  expect_directory(at("linux/x"), NULL);
  expect_directory(".exe", NULL);

  /* A drive that is not there. */
  assert_int_equal(rename(at("c"), at("c2")), 0);
  expect_directory(at("linux/x.exe"), at("d"));
  assert_int_equal(rename(at("d"), at("d2")), 0);
  expect_directory(at("linux/x.exe"), NULL);
  make_parents("mnt/c/");
  expect_directory(at("linux/x.exe"), at("mnt/c"));

  assert_int_equal(rmdir(fake.run), 0); /* this is not WSL */
  expect_directory(at("linux/x.exe"), NULL);
}

/* The kernel's table of handlers. */

static uvr_wsl_start start;
static uvrelay_error_t why;

static int prepare(const char *file)
{
  why.text[0] = '\0';
  int code = uvr_wsl_prepare(&fake.wsl, file, &start, &why);
  uvr_wsl_start with = start;
  uvr_wsl_start_clear(&with);
  return code;
}

#define BINFMT "proc/sys/fs/binfmt_misc"
#define OWN    "enabled\ninterpreter /init\nflags: PF\noffset 0\nmagic 4d5a\n"
#define OTHER  "enabled\ninterpreter /usr/bin/wine\nflags: \noffset 0\nmagic 4d5a\n"

static void test_handlers(void **state)
{
  (void)state;
  (void)put_socket("run/1_interop", true);
  put("x.exe", "MZ\x90", 0700);
  put("script.exe", "#!/bin/sh\n", 0700);
  put("short.exe", "M", 0700);
  assert_int_equal(prepare(at("x.exe")), 0); /* the table cannot be seen */
  put(BINFMT "/status", "enabled\n", 0600);
  put(BINFMT "/register", "", 0200);
  assert_int_equal(prepare(at("x.exe")), UV_ENOTSUP);
  assert_true(start.refused && start.lasting);
  assert_non_null(strstr(start.remedy, "to fix it, type sudo"));
  put("etc/wsl.conf", "[interop]\nenabled = false\n", 0600);
  assert_int_equal(prepare(at("x.exe")), UV_ENOTSUP); /* what would bring the handler back is of no use then */
  assert_non_null(strstr(why.text, "etc/wsl.conf has enabled=false below [interop]"));
  assert_non_null(strstr(start.remedy, "write enabled=true there"));
  assert_int_equal(unlink(at("etc/wsl.conf")), 0);
  assert_int_equal(prepare(at("script.exe")), 0);
  assert_int_equal(prepare(at("short.exe")), 0);
  assert_int_equal(prepare(at("absent.exe")), 0);
  assert_false(start.refused);
  put(BINFMT "/WSLInterop-late", OWN, 0600);
  assert_int_equal(prepare(at("x.exe")), 0);
  assert_int_equal(unlink(at(BINFMT "/WSLInterop-late")), 0);
  put(BINFMT "/WSLInterop", OWN, 0600);
  assert_int_equal(prepare(at("x.exe")), 0);
  assert_false(start.refused);
}

static const struct {
  const char *status, *own, *late, *other; /* the table's files; NULL: absent */
  uvr_wsl_handler_state state;
  bool rival, lost;
  const char *text, *remedy; /* parts; NULL: there is none */
} handlers[] = {
    {NULL, NULL, NULL, NULL, UVR_WSL_HANDLER_HIDDEN, false, false, "is not mounted",
     "sudo mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"},
    {"enabled\n", OWN, NULL, NULL, UVR_WSL_HANDLER_READY, false, false, NULL, NULL},
    {"enabled\n", NULL, OWN, NULL, UVR_WSL_HANDLER_READY, false, false, NULL, NULL},
    {"enabled\n", OWN, OWN, NULL, UVR_WSL_HANDLER_READY, false, false, NULL, NULL},
    {"enabled\n", NULL, NULL, NULL, UVR_WSL_HANDLER_MISSING, false, true,
     "there is no /proc/sys/fs/binfmt_misc/WSLInterop",
     "sudo sh -c 'echo :WSLInterop:M::MZ::/init:PF > /proc/sys/fs/binfmt_misc/register'"},
    {"enabled\n", "disabled\ninterpreter /init\n", NULL, NULL, UVR_WSL_HANDLER_OFF, false, true,
     "WSLInterop is disabled", "sudo sh -c 'echo 1 > /proc/sys/fs/binfmt_misc/WSLInterop'"},
    {"enabled\n", NULL, "disabled\ninterpreter /init\n", NULL, UVR_WSL_HANDLER_OFF, false, true,
     "WSLInterop-late is disabled", "sudo sh -c 'echo 1 > /proc/sys/fs/binfmt_misc/WSLInterop-late'"},
    {"disabled\n", OWN, NULL, NULL, UVR_WSL_HANDLER_TABLE_OFF, false, true, "all handlers in",
     "sudo sh -c 'echo 1 > /proc/sys/fs/binfmt_misc/status'"},
    {"enabled\n", OTHER, NULL, NULL, UVR_WSL_HANDLER_FOREIGN, false, false,
     "WSLInterop starts /usr/bin/wine instead of /init",
     "echo -1 > /proc/sys/fs/binfmt_misc/WSLInterop; echo :WSLInterop:M::MZ::/init:PF"},
    {"enabled\n", OWN, NULL, OTHER, UVR_WSL_HANDLER_READY, true, false, "cli gives them to /usr/bin/wine",
     "sudo sh -c 'echo 0 > /proc/sys/fs/binfmt_misc/cli'"},
    {"enabled\n", NULL, NULL, OTHER, UVR_WSL_HANDLER_MISSING, true, false, "cli gives them to /usr/bin/wine",
     "echo :WSLInterop:M::MZ::/init:PF"},
    {"enabled\n", OWN, NULL, "disabled\ninterpreter /usr/bin/wine\nmagic 4d5a\n", UVR_WSL_HANDLER_READY, false, false,
     NULL, NULL},
};

static void put_handler(const char *name, const char *text)
{
  char path[128];
  (void)snprintf(path, sizeof(path), BINFMT "/%s", name);
  (void)unlink(at(path));
  if (text != NULL) {
    put(path, text, 0600);
  }
}

static void test_handler_states(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(handlers); i++) {
    uvr_wsl_handler found;
    char text[384];
    char remedy[256];
    put_handler("status", handlers[i].status);
    put_handler("WSLInterop", handlers[i].own);
    put_handler("WSLInterop-late", handlers[i].late);
    put_handler("cli", handlers[i].other);
    uvr_wsl_handler_look(fake.wsl.proc, &found);
    assert_int_equal(found.state, handlers[i].state);
    assert_int_equal(found.has_rival, handlers[i].rival);
    assert_int_equal(uvr_wsl_handler_is_lost(&found), handlers[i].lost);
    (void)uvr_wsl_handler_text(&found, text, sizeof(text));
    (void)uvr_wsl_handler_remedy(&found, remedy, sizeof(remedy));
    assert_true(handlers[i].text == NULL ? *text == '\0' : strstr(text, handlers[i].text) != NULL);
    assert_true(handlers[i].remedy == NULL ? *remedy == '\0' : strstr(remedy, handlers[i].remedy) != NULL);
  }
}

/* A program for Windows is not started without a socket; anything else may need none. */
static void test_refused_without_a_socket(void **state)
{
  (void)state;
  put("x.exe", "MZ\x90", 0700);
  put("script.exe", "#!/bin/sh\n", 0700);
  assert_int_equal(prepare(at("x.exe")), UV_ENOENT);
  assert_true(start.refused && !start.lasting);
  assert_non_null(strstr(why.text, "nothing is listening at WSL_INTEROP (not set)"));
  assert_int_equal(prepare(at("script.exe")), UV_ENOENT);
  assert_false(start.refused);
  (void)put_socket("run/1_interop", true);
  assert_int_equal(prepare(at("x.exe")), 0);
  assert_false(start.refused);
}

static void test_linux_disk(void **state)
{
  (void)state;
  char table[2 * SCRATCH_PATH_MAX];
  (void)put_socket("run/1_interop", true);
  put("linux/x.exe", "MZ\x90", 0700);
  put("c/x.exe", "MZ\x90", 0700);
  put("linux/script.exe", "#!/bin/sh\n", 0700);
  assert_int_equal(prepare(at("linux/x.exe")), 0);
  assert_false(start.on_linux_disk); /* there is no drive */
  (void)snprintf(table, sizeof(table), "C:\\134 %s 9p rw 0 0\n", at("c"));
  put("proc/mounts", table, 0600);
  assert_int_equal(prepare(at("linux/x.exe")), 0);
  assert_true(start.on_linux_disk);
  assert_int_equal(prepare(at("linux/script.exe")), 0);
  assert_false(start.on_linux_disk);
  assert_int_equal(prepare(at("c/x.exe")), 0);
  assert_false(start.on_linux_disk);
}

static void test_explain(void **state)
{
  (void)state;
  assert_non_null(
      strstr(uvr_wsl_explain("<3>WSL (217 - ) ERROR: UtilAcceptVsock:273: accept4 failed 110"), "wsl.exe --shutdown"));
  assert_non_null(uvr_wsl_explain("<3>init: (4258) ERROR: UtilConnectToInteropServer:307: connect failed 2"));
  assert_non_null(uvr_wsl_explain("<3>WSL (6658) ERROR: UtilConnectUnix:510: connect failed 111"));
  assert_null(uvr_wsl_explain("uvrelay: all is well"));
  assert_null(uvr_wsl_explain(""));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_is, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_init, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_far_end, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_linked_far_end, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_planted_far_end, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_windows_paths, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_paths, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_no_far_end, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_mounts, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_directory, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_handlers, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_handler_states, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_refused_without_a_socket, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_linux_disk, fake_wsl_set_up, fake_wsl_tear_down),
      cmocka_unit_test(test_explain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
