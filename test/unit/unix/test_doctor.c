/* The doctor's checks of Linux against a fake system in a directory: the system, wsl.conf, the interop socket, drives,
 * and who holds the place of a listener. What it starts is started in test/e2e/test_doctor.py. */
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
#include "cli/doctor/check.c"            /* NOLINT(bugprone-suspicious-include) */
#include "cli/doctor/patience.c"         /* NOLINT(bugprone-suspicious-include) */

#include "cli/child/wsl_unix.c" /* NOLINT(bugprone-suspicious-include) */

#include "cli/doctor/holder_unix.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/doctor/interop_unix.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/doctor/listener_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/doctor/wsl_unix.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/os/paths_unix.c"        /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a start would be. */
static struct {
  int code;
  uvr_capture result;
  char file[SCRATCH_PATH_MAX];
} script;

int uvr_capture_run(uvr_capture *self, uvrelay_error_t *error)
{
  (void)snprintf(script.file, sizeof(script.file), "%s", self->file);
  (void)snprintf(self->errors, sizeof(self->errors), "%s", script.result.errors);
  self->status = script.result.status;
  self->timed_out = script.result.timed_out;
  self->duration_ms = script.result.duration_ms;
  return script.code == 0 ? 0 : uvr_error_set(error, UVRELAY_PHASE_NONE, script.code, "cannot start it");
}

void uvr_capture_clear(uvr_capture *self)
{
  (void)self;
}

/* A serve that says nothing. */
void uvr_doctor_ask_served(const uvr_doctor *self, const uvr_doctor_route *route, int process, uvr_check *out)
{
  (void)self;
  (void)route;
  (void)process;
  (void)out;
}

static uvr_doctor doctor;
static uvr_check check;

static int set_up(void **state)
{
  static char systemd[SCRATCH_PATH_MAX];
  (void)fake_wsl_set_up(state);
  memset(&script, 0, sizeof(script));
  doctor = (uvr_doctor){.own = "uvrelay", .wsl = fake.wsl};
  (void)scratch_path(&fake.place, "systemd", systemd);
  doctor.wsl.systemd = systemd;
  make_parents("etc/");
  doctor.is_wsl = true;
  return 0;
}

static void examine(void (*run)(uvr_doctor *self, uvr_check *out))
{
  check = (uvr_check){.state = UVR_CHECK_NONE};
  run(&doctor, &check);
}

static void expect(uvr_check_state state, const char *text, const char *remedy)
{
  if (check.state != state || strstr(check.text, text) == NULL || strstr(check.remedy, remedy) == NULL) {
    fail_msg("%s: %s / %s", uvr_check_word(check.state), check.text, check.remedy);
  }
}

/* The system. */

static void test_system(void **state)
{
  (void)state;
  put("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", 0600);
  put("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", 0600);
  doctor.wsl.distro_name = "Debian";
  examine(uvr_doctor_check_system);
  expect(UVR_CHECK_OK, "WSL 2, distribution Debian, Debian GNU/Linux 12, kernel 5.15.90.1-microsoft-standard-WSL2", "");
  put("proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n", 0600);
  doctor.wsl.distro_name = NULL;
  examine(uvr_doctor_check_system);
  expect(UVR_CHECK_OK, "WSL 1, distribution unknown (WSL_DISTRO_NAME is not set)", "");
  assert_true(doctor.is_wsl);

  assert_int_equal(rmdir(fake.run), 0);
  put("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n", 0600);
  examine(uvr_doctor_check_system);
  expect(UVR_CHECK_OK, "this is not WSL: Debian GNU/Linux 12, kernel 6.1.0-18-amd64", "");
  assert_false(doctor.is_wsl);
  assert_int_equal(unlink(at("etc/os-release")), 0);
  examine(uvr_doctor_check_system);
  expect(UVR_CHECK_OK, "this is not WSL: Linux, kernel", "");

  /* Of WSL nothing is checked then. */
  void (*const checks[])(uvr_doctor *, uvr_check *) = {uvr_doctor_check_wsl_conf, uvr_doctor_check_handler,
                                                       uvr_doctor_check_interop, uvr_doctor_check_drive,
                                                       uvr_doctor_check_start};
  for (size_t i = 0; i < COUNT(checks); i++) {
    examine(checks[i]);
    assert_int_equal(check.state, UVR_CHECK_NONE);
  }
}

static void test_systemd(void **state)
{
  (void)state;
  examine(uvr_doctor_check_systemd);
  expect(UVR_CHECK_OK, "it is not running", "");
  make_parents("systemd/");
  examine(uvr_doctor_check_systemd);
  expect(UVR_CHECK_OK, "it is running", "");
}

#define BINFMT "proc/sys/fs/binfmt_misc/"
#define OWN    "enabled\ninterpreter /init\nflags: PF\noffset 0\nmagic 4d5a\n"

static void test_wsl_conf(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    bool disabled;
    bool off_path;
  } files[] = {
      {"", false, false},
      {"[interop]\nenabled=false\n", true, false},
      {"[interop]\n  Enabled = False  \r\n", true, false},
      {"[ Interop ]\nenabled=\"false\"\n", true, false},
      {"[interop]\nenabled=true\nappendWindowsPath=false\n", false, true},
      {"[automount]\nenabled=false\n", false, false},
      {"enabled=false\n", false, false},
      {"[interop]\n#enabled=false\n", false, false},
      {"[interop]\nenabled=false\n[boot]\nsystemd=true\nenabled=true\n", true, false},
      {"[interop]\nenabled=false\nenabled=true\n", false, false},
      {"[interop\nenabled=false\n[]\n=\n[interop", false, false},
  };
  examine(uvr_doctor_check_wsl_conf); /* there is none */
  expect(UVR_CHECK_OK, "may be started", "");
  put(BINFMT "status", "enabled\n", 0600);
  for (size_t i = 0; i < COUNT(files); i++) {
    put("etc/wsl.conf", files[i].text, 0600);
    examine(uvr_doctor_check_wsl_conf);
    expect(files[i].disabled ? UVR_CHECK_BAD : UVR_CHECK_OK, files[i].off_path ? "appendWindowsPath=false" : "",
           files[i].disabled ? "wsl.exe --shutdown" : "");
  }
  put("etc/wsl.conf", "[interop]\nenabled=false\n", 0600);
  put(BINFMT "WSLInterop", OWN, 0600);
  examine(uvr_doctor_check_wsl_conf);
  expect(UVR_CHECK_WARNING, "takes effect when WSL starts next", "sudo nano");
}

/* Interop. */

static void test_handler(void **state)
{
  (void)state;
  examine(uvr_doctor_check_handler);
  expect(UVR_CHECK_WARNING, "is not mounted", "sudo mount -t binfmt_misc");
  put(BINFMT "status", "enabled\n", 0600);
  examine(uvr_doctor_check_handler);
  expect(UVR_CHECK_BAD, "there is no /proc/sys/fs/binfmt_misc/WSLInterop",
         "sudo sh -c 'echo :WSLInterop:M::MZ::/init:PF > /proc/sys/fs/binfmt_misc/register'\n# if systemd-binfmt");
  put(BINFMT "WSLInterop", OWN, 0600);
  examine(uvr_doctor_check_handler);
  expect(UVR_CHECK_OK, "the kernel gives Windows programs to /init (binfmt_misc/WSLInterop)", "");
  put(BINFMT "cli", "enabled\ninterpreter /usr/bin/mono\nflags: \noffset 0\nmagic 4d5a\n", 0600);
  examine(uvr_doctor_check_handler);
  expect(UVR_CHECK_WARNING, "cli gives them to /usr/bin/mono", "echo 0 > /proc/sys/fs/binfmt_misc/cli");
}

static void test_interop(void **state)
{
  (void)state;
  examine(uvr_doctor_check_interop);
  expect(UVR_CHECK_BAD, "nothing is listening at WSL_INTEROP (not set)", "# open a new WSL terminal");
  (void)put_socket("run/20_interop", false);
  doctor.wsl.interop = "/run/WSL/8_interop";
  examine(uvr_doctor_check_interop);
  expect(UVR_CHECK_BAD, "nothing is listening at WSL_INTEROP (\"/run/WSL/8_interop\")", "wsl.exe --shutdown");
  (void)put_socket("run/1_interop", true);
  examine(uvr_doctor_check_interop);
  expect(UVR_CHECK_OK, "run/1_interop\", which belongs to ", "");
  expect(UVR_CHECK_OK, "is listening at WSL_INTEROP, \"/run/WSL/8_interop\", but uvrelay does without", "");
  doctor.wsl.interop = NULL;
  examine(uvr_doctor_check_interop);
  expect(UVR_CHECK_OK, "WSL_INTEROP is not set", "");
  char path[SCRATCH_PATH_MAX];
  doctor.wsl.interop = scratch_path(&fake.place, "run/1_interop", path);
  examine(uvr_doctor_check_interop);
  assert_null(strstr(check.text, "WSL_INTEROP"));
}

static void mount_drive(const char *directory)
{
  char table[2 * SCRATCH_PATH_MAX];
  (void)snprintf(table, sizeof(table), "C:\\134 %s 9p rw 0 0\n", at(directory));
  put("proc/mounts", table, 0600);
}

static void test_drive(void **state)
{
  (void)state;
  examine(uvr_doctor_check_drive);
  expect(UVR_CHECK_WARNING, "drive C is not mounted", "mount -t drvfs C: /mnt/c");
  mount_drive("c");
  examine(uvr_doctor_check_drive);
  expect(UVR_CHECK_BAD, "cannot be read: No such file", "wsl.exe --shutdown");
  make_parents("c/");
  examine(uvr_doctor_check_drive);
  expect(UVR_CHECK_OK, "drive C is mounted at ", "");
}

static void test_start(void **state)
{
  (void)state;
  mount_drive("c");
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_WARNING, "no mounted drive C has Windows/System32/cmd.exe", "");
  put("c/Windows/System32/cmd.exe", "MZ", 0700);
  script.result.duration_ms = 123;
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_OK, "starts and exits in 123 ms", "");
  assert_string_equal(script.file, at("c/Windows/System32/cmd.exe"));
  script.result.duration_ms = 3000;
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_WARNING, "which is slow", "antivirus");
  script.result.status = 1;
  (void)snprintf(script.result.errors, sizeof(script.result.errors), "first\n<3>WSL (7 - ) ERROR: accept4 failed 110");
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_BAD, "exited with status 1: \"<3>WSL (7 - ) ERROR: accept4 failed 110\"; Windows did not answer WSL",
         "wsl.exe --shutdown");
  script.result.timed_out = true;
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_BAD, "did not exit within 12 s", "wsl.exe --shutdown");
  script.code = UV_ENOENT;
  examine(uvr_doctor_check_start);
  expect(UVR_CHECK_BAD, "cannot start it", "wsl.exe --shutdown");
}

/* Holders. */

static void put_holder(int process, const char *program, const char *command, size_t length, const char *socket)
{
  char name[64];
  (void)snprintf(name, sizeof(name), "proc/%d/comm", process);
  put(name, program, 0600);
  (void)snprintf(name, sizeof(name), "proc/%d/cmdline", process);
  scratch_write(&fake.place, name, command, length);
  (void)snprintf(name, sizeof(name), "proc/%d/fd/", process);
  make_parents(name);
  (void)snprintf(name, sizeof(name), "proc/%d/fd/7", process);
  assert_int_equal(symlink(socket, at(name)), 0);
}

static uvr_address listener(const char *text)
{
  uvr_address address;
  assert_int_equal(uvr_address_parse(text, UVR_ADDRESS_LISTEN, &address, NULL), 0);
  return address;
}

#define UNIX_HEAD "Num       RefCount Protocol Flags    Type St Inode Path\n"
#define SERVE     "/home/me/uvrelay\0serve"

static void test_holder(void **state)
{
  (void)state;
  uvr_holder holder;
  uvr_address socket = listener("unix:///home/my place/a.sock");
  uvr_address name = listener("abstract:a");
  uvr_address port = listener("tcp://127.0.0.1:8080");
  uvr_holder_find(doctor.wsl.proc, &socket, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_NOBODY);
  put("proc/net/unix",
      UNIX_HEAD "0000000000000000: 00000003 00000000 00000000 0001 03 11 /home/my place/a.sock\n" /* a connection */
                "0000000000000000: 00000002 00000000 00010000 0001 01 12 /home/my place/a.sock2\n"
                "0000000000000000: 00000002 00000000 00010000 0001 01 13 @a\n"
                "0000000000000000: 00000002 00000000 00010000 0001 01 14\n"
                "rubbish\n\n",
      0600);
  uvr_holder_find(doctor.wsl.proc, &socket, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_NOBODY);
  uvr_holder_find(doctor.wsl.proc, &name, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_HIDDEN);
  put_holder(20, "uvrelay\n", SERVE, sizeof(SERVE), "socket:[13]");
  uvr_holder_find(doctor.wsl.proc, &name, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_SERVE);
  assert_int_equal(holder.process, 20);
  put("proc/net/unix", UNIX_HEAD "0000000000000000: 00000002 00000000 00010000 0001 01 15 /home/my place/a.sock\n",
      0600);
  put_holder(21, "systemd\n", "/lib/systemd/systemd\0--user", 27, "socket:[15]");
  uvr_holder_find(doctor.wsl.proc, &socket, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_SYSTEMD);
  put_holder(22, "python3\n", "python3\0serve", 14, "socket:[15]");
  uvr_holder_find(doctor.wsl.proc, &socket, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_OTHER);
  assert_string_equal(holder.program, "python3");

  put("proc/net/tcp",
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 0100007F:A2B4 01 00000000:00000000 00:00000000 00000000     0        0 16 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 "
      "0\n",
      0600);
  uvr_holder_find(doctor.wsl.proc, &port, &holder);
  assert_int_equal(holder.kind, UVR_HOLDER_SERVE);
}

static void test_listener(void **state)
{
  (void)state;
  char text[SCRATCH_PATH_MAX + 16];
  uvr_config_route config = {.listen = NULL};
  uvr_doctor_route route = {.config = &config};
  (void)snprintf(text, sizeof(text), "unix://%s", at("home/.gnupg/S.gpg-agent"));
  config.listener = listener(text);
#define EXAMINE()                                                                                                      \
  check = (uvr_check){.state = UVR_CHECK_NONE};                                                                        \
  uvr_doctor_check_listener(&doctor, &route, &check)

  EXAMINE(); /* the directory is missing: serve makes it */
  expect(UVR_CHECK_BAD, "the running uvrelay serve does not have this route", "uvrelay reload");
  doctor.lacks_serve = true;
  EXAMINE();
  expect(UVR_CHECK_SKIPPED, "see serve above", "");
  doctor.lacks_serve = false;
  doctor.given.route_count = 1;
  EXAMINE();
  expect(UVR_CHECK_OK, "it is free", "");
  doctor.given.route_count = 0;

  make_parents("home/.gnupg/");
  assert_int_equal(chmod(at("home/.gnupg"), 0777), 0);
  EXAMINE();
  expect(UVR_CHECK_BAD, "other users can write to", "chmod go-w ");
  assert_int_equal(chmod(at("home/.gnupg"), 01777), 0);
  EXAMINE();
  expect(UVR_CHECK_BAD, "does not have this route", "");
  assert_int_equal(chmod(at("home/.gnupg"), 0700), 0);
  put("home/.gnupg/S.gpg-agent", "", 0600);
  EXAMINE();
  expect(UVR_CHECK_BAD, "it is not a socket", "mv ");
  assert_int_equal(unlink(at("home/.gnupg/S.gpg-agent")), 0);
  (void)put_socket("home/.gnupg/S.gpg-agent", false);
  EXAMINE();
  expect(UVR_CHECK_BAD, "is left over: nothing is listening there", "");

  char table[2 * UVR_ADDRESS_PATH_SIZE + 256];
  (void)snprintf(table, sizeof(table), UNIX_HEAD "0: 00000002 00000000 00010000 0001 01 15 %s\n", config.listener.path);
  put("proc/net/unix", table, 0600);
  EXAMINE();
  expect(UVR_CHECK_BAD, "probably the Linux gpg-agent", "gpgconf --kill gpg-agent");
  put_holder(21, "systemd\n", "/lib/systemd/systemd\0--user", 27, "socket:[15]");
  EXAMINE();
  expect(UVR_CHECK_BAD, "systemd's gpg-agent.socket (process 21)", "systemctl --user mask --now gpg-agent.socket");
  put_holder(22, "gpg-agent\n", "gpg-agent\0--supervised", 22, "socket:[15]");
  EXAMINE();
  expect(UVR_CHECK_BAD, "another program is listening there: \"gpg-agent\", process 22", "kill 22");
  put_holder(23, "uvrelay\n", SERVE, sizeof(SERVE), "socket:[15]");
  EXAMINE();
  expect(UVR_CHECK_OK, "uvrelay serve is listening, process 23", "");
  (void)snprintf(table, sizeof(table),
                 UNIX_HEAD "0: 00000002 00000000 00010000 0001 01 15 %s\n0: 00000002 00000000 00010000 0001 01 16 %s\n",
                 config.listener.path, config.listener.path);
  put("proc/net/unix", table, 0600);
  put_holder(24, "gpg-agent\n", "gpg-agent\0--daemon", 18, "socket:[16]"); /* has put a socket in its place */
  EXAMINE();
  expect(UVR_CHECK_BAD, "another program is listening there: \"gpg-agent\", process 24", "kill 24");
  (void)snprintf(table, sizeof(table), UNIX_HEAD "0: 00000002 00000000 00010000 0001 01 15 %s\n", config.listener.path);
  put("proc/net/unix", table, 0600);
  assert_int_equal(unlink(at("home/.gnupg/S.gpg-agent")), 0);
  EXAMINE();
  expect(UVR_CHECK_BAD, "was removed while uvrelay serve is listening there, process 23", "kill 23\n");
  (void)snprintf(text, sizeof(text), "unix://%s", at("home/x.sock"));
  config.listener = listener(text);
  (void)snprintf(table, sizeof(table), UNIX_HEAD "0: 00000002 00000000 00010000 0001 01 17 %s\n", config.listener.path);
  put("proc/net/unix", table, 0600);
  EXAMINE();
  expect(UVR_CHECK_BAD, "a process of another user is listening there", "# choose another address");
  config.listener = listener("fd://3");
  EXAMINE();
  expect(UVR_CHECK_OK, "systemd passes it", "");
}

static void test_serve(void **state)
{
  (void)state;
  char text[SCRATCH_PATH_MAX + 16];
  uvr_config_route config = {.listen = NULL};
  uvr_doctor_route route = {.config = &config, .name = "unix:///x"};
  (void)snprintf(text, sizeof(text), "unix://%s", at("home/s"));
  config.listener = listener(text);
  doctor.routes = &route;
  examine(uvr_doctor_check_serve); /* there are no routes */
  assert_int_equal(check.state, UVR_CHECK_NONE);
  doctor.config.count = 1;
  examine(uvr_doctor_check_serve);
  expect(UVR_CHECK_BAD, "no uvrelay serve of this user is running", "uvrelay serve --background");
  make_parents("systemd/");
  put_holder(20, "uvrelay\n", "uvrelay\0mux", 12, "socket:[1]"); /* is none */
  assert_int_equal(setenv("XDG_CONFIG_HOME", at("config"), 1), 0);
  examine(uvr_doctor_check_serve); /* systemd has no unit of it */
  expect(UVR_CHECK_BAD, "no uvrelay serve of this user is running", "uvrelay serve --background");
  make_parents("config/systemd/user/");
  put("config/systemd/user/uvrelay.service", "", 0600);
  examine(uvr_doctor_check_serve);
  expect(UVR_CHECK_BAD, "no uvrelay serve of this user is running", "systemctl --user restart uvrelay");
  put("home/s", "", 0600);
  examine(uvr_doctor_check_serve);
  expect(UVR_CHECK_SKIPPED, "none is running: see listener of unix:///x below", "");
  put_holder(21, "uvrelay\n", SERVE, sizeof(SERVE), "socket:[2]");
  examine(uvr_doctor_check_serve);
  expect(UVR_CHECK_OK, "uvrelay serve is running, process 21", "");
  assert_false(doctor.lacks_serve);
  assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
  doctor.given.route_count = 1;
  examine(uvr_doctor_check_serve);
  assert_int_equal(check.state, UVR_CHECK_NONE);
}

/* What all checks have. */

static void test_shell_words(void **state)
{
  (void)state;
  char word[UVR_SHELL_WORD_SIZE];
  char text[2 * UVR_SHELL_WORD_SIZE];
  assert_string_equal(uvr_shell_word(word, "/mnt/c/x.exe"), "/mnt/c/x.exe");
  assert_string_equal(uvr_shell_word(word, "/a b"), "'/a b'");
  assert_string_equal(uvr_shell_word(word, "it's $(x)"), "'it'\\''s $(x)'");
  assert_string_equal(uvr_shell_word(word, ""), "''");
  memset(text, '\'', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  assert_in_range(strlen(uvr_shell_word(word, text)), 1, UVR_SHELL_WORD_SIZE - 1);
  assert_int_equal(word[strlen(word) - 1], '\'');
}

static void test_texts(void **state)
{
  (void)state;
  uvr_check one = {.state = UVR_CHECK_NONE};
  uvr_check_set(&one, UVR_CHECK_WARNING, "%d", 1);
  uvr_check_worsen(&one, UVR_CHECK_OK, "2");
  uvr_check_worsen(&one, UVR_CHECK_WARNING, "3");
  assert_string_equal(one.text, "1");
  uvr_check_worsen(&one, UVR_CHECK_BAD, "4");
  assert_string_equal(one.text, "4");
  for (int i = 0; i < 2000; i++) {
    uvr_check_add_remedy(&one, "\xC3\xA4\xC3\xA4");
  }
  assert_in_range(strlen(one.remedy), sizeof(one.remedy) - 4, sizeof(one.remedy) - 1);
}

/* Patience. */

static void answer(void *user, uvr_check *out)
{
  (void)user;
  uvr_check_set(out, UVR_CHECK_OK, "it has ended");
}

static uv_sem_t hold;

static void hang(void *user, uvr_check *out)
{
  uv_sem_wait(&hold);
  uv_sem_post(user);
  uvr_check_set(out, UVR_CHECK_OK, "too late");
}

/* The thread that is left behind, and what it uses, stay until the process ends. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
  return "report_thread_leaks=0";
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
  return "leak:uvr_doctor_call\n";
}

static void test_patience(void **state)
{
  (void)state;
  uv_sem_t over;
  assert_int_equal(uv_sem_init(&hold, 0), 0);
  assert_int_equal(uv_sem_init(&over, 0), 0);
  check = (uvr_check){.name = "x"};
  assert_true(uvr_doctor_call(answer, NULL, 60000, &check));
  expect(UVR_CHECK_OK, "it has ended", "");
  assert_string_equal(check.name, "x");
  check = (uvr_check){.name = "x"};
  assert_false(uvr_doctor_call(hang, &over, 20, &check));
  assert_int_equal(check.state, UVR_CHECK_NONE);
  uv_sem_post(&hold);
  uv_sem_wait(&over);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_system, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_systemd, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_wsl_conf, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_handler, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_interop, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_drive, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_start, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_holder, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_listener, set_up, fake_wsl_tear_down),
      cmocka_unit_test_setup_teardown(test_serve, set_up, fake_wsl_tear_down),
      cmocka_unit_test(test_shell_words),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_patience),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
