/* WSL's interop: see interop_unix.h. */
#include "cli/doctor/interop_unix.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/text.h"
#include "cli/child/capture.h"
#include "cli/child/wsl_drives_unix.h"
#include "cli/child/wsl_handler_unix.h"
#include "cli/child/wsl_interop_unix.h"
#include "cli/doctor/wsl_unix.h"

enum {
  START_MS = 12000, /* WSL itself gives up after 10 s */
  SLOW_MS = 3000
};

void uvr_doctor_check_handler(uvr_doctor *doctor, uvr_check *check)
{
  uvr_wsl_handler handler;
  char text[sizeof(check->text)];
  char remedy[sizeof(check->remedy)];
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  uvr_wsl_handler_look(doctor->wsl.proc, &handler);
  (void)uvr_wsl_handler_text(&handler, text, sizeof(text));
  (void)uvr_wsl_handler_remedy(&handler, remedy, sizeof(remedy));
  if (*text == '\0') {
    uvr_check_set(check, UVR_CHECK_OK, "the kernel gives Windows programs to %s (binfmt_misc/%s)",
                  handler.entry.interpreter, handler.entry.name);
    return;
  }
  bool may_work = handler.state == UVR_WSL_HANDLER_HIDDEN || handler.state == UVR_WSL_HANDLER_READY;
  uvr_check_set(check, may_work ? UVR_CHECK_WARNING : UVR_CHECK_BAD, "%s", text);
  uvr_check_add_remedy(check, "%s", remedy);
  if (handler.state == UVR_WSL_HANDLER_MISSING) {
    uvr_check_add_remedy(
        check,
        "# if systemd-binfmt keeps removing it, this keeps it in place:\n"
        "sudo sh -c 'mkdir -p /etc/binfmt.d && echo :WSLInterop:M::MZ::/init:PF > /etc/binfmt.d/WSLInterop.conf'");
  }
}

/* The socket. */

/* How long ago that was, in the unit that suits it. */
static void describe_age(time_t since, char *text, size_t size)
{
  long long seconds = (long long)time(NULL) - (long long)since;
  seconds = seconds < 0 ? 0 : seconds;
  if (seconds < 120) {
    (void)snprintf(text, size, "%lld s", seconds);
  } else if (seconds < 7200) {
    (void)snprintf(text, size, "%lld min", seconds / 60);
  } else if (seconds < 172800) {
    (void)snprintf(text, size, "%lld h", seconds / 3600);
  } else {
    (void)snprintf(text, size, "%lld days", seconds / 86400);
  }
}

static const char *owner_name(uid_t user)
{
  return user == 0 ? "root" : "this user";
}

/* The socket that is open is the one that is used. */
static void describe_socket(const uvr_doctor *doctor, int fd, uvr_check *check)
{
  char link[64];
  char path[PATH_MAX] = "?";
  char quoted[UVR_QUOTED_SIZE];
  char given[UVR_QUOTED_SIZE];
  char age[32];
  struct stat status = {.st_uid = 0};
  (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof(path) - 1);
  path[length < 0 ? 0 : length] = '\0';
  (void)fstat(fd, &status);
  describe_age(status.st_mtime, age, sizeof(age));
  const char *wanted = doctor->wsl.interop;
  struct stat named;
  bool is_given = wanted != NULL && *wanted != '\0';
  bool is_named =
      is_given && stat(wanted, &named) == 0 && named.st_ino == status.st_ino && named.st_dev == status.st_dev;
  uvr_check_set(check, UVR_CHECK_OK, "WSL is listening at %s, which belongs to %s and was created %s ago%s%s%s",
                uvr_quote(quoted, path), owner_name(status.st_uid), age,
                is_named    ? ""
                : !is_given ? "; WSL_INTEROP is not set"
                            : "; no trusted process is listening at WSL_INTEROP, ",
                !is_named && is_given ? uvr_quote(given, wanted) : "", is_named ? "" : ", but uvrelay does without");
}

void uvr_doctor_check_interop(uvr_doctor *doctor, uvr_check *check)
{
  const uvr_wsl *wsl = &doctor->wsl;
  char quoted[UVR_QUOTED_SIZE];
  unsigned foreign = 0;
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  const uvr_wsl_interop search = {.run = wsl->run, .proc = wsl->proc, .given = wsl->interop, .process = wsl->process};
  int fd = uvr_wsl_interop_find(&search, &foreign);
  if (fd >= 0) {
    describe_socket(doctor, fd, check);
    (void)close(fd);
    return;
  }
  bool is_given = wsl->interop != NULL && *wsl->interop != '\0';
  uvr_check_set(check, UVR_CHECK_BAD, "nothing is listening at WSL_INTEROP (%s) or at another socket in %s",
                is_given ? uvr_quote(quoted, wsl->interop) : "not set", wsl->run);
  if (foreign > 0) {
    size_t length = strlen(check->text);
    (void)snprintf(check->text + length, sizeof(check->text) - length,
                   "; %u of other users %s ignored, because their owners could read what is started", foreign,
                   foreign == 1 ? "is" : "are");
  }
  uvr_check_add_remedy(check, "# open a new WSL terminal; if that does not help,");
  uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
}

/* The drive. */

#define MOUNT_C "sudo mkdir -p /mnt/c && sudo mount -t drvfs C: /mnt/c"

void uvr_doctor_check_drive(uvr_doctor *doctor, uvr_check *check)
{
  const uvr_wsl *wsl = &doctor->wsl;
  char quoted[UVR_QUOTED_SIZE];
  struct stat status;
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  uvr_wsl_drives drives = uvr_wsl_find_drives(wsl->proc, wsl->virtiofs, "");
  if (drives.c == NULL) {
    uvr_check_set(check, UVR_CHECK_WARNING, "drive C is not mounted");
    uvr_check_add_remedy(check, MOUNT_C);
  } else if (stat(drives.c, &status) != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "drive C, at %s, cannot be read: %s", uvr_quote(quoted, drives.c),
                  strerror(errno));
    uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
  } else {
    uvr_check_set(check, UVR_CHECK_OK, "drive C is mounted at %s", uvr_quote(quoted, drives.c));
  }
  uvr_wsl_drives_clear(&drives);
}

/* A start. */

/* A Windows program that every Windows has, or NULL. To be freed. */
static char *find_trivial_program(const uvr_wsl *wsl)
{
  static const char *const names[] = {"Windows/System32/cmd.exe", "windows/system32/cmd.exe"};
  uvr_wsl_drives drives = uvr_wsl_find_drives(wsl->proc, wsl->virtiofs, "");
  char *file = NULL;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && file == NULL; i++) {
    if (asprintf(&file, "%s/%s", drives.c != NULL ? drives.c : wsl->mount, names[i]) < 0) {
      file = NULL;
      break;
    }
    if (access(file, X_OK) != 0) {
      free(file);
      file = NULL;
    }
  }
  uvr_wsl_drives_clear(&drives);
  return file;
}

static void judge_start(const uvr_capture *run, uvr_check *check)
{
  char line[UVR_QUOTED_SIZE];
  const char *newline = strrchr(run->errors, '\n');
  const char *last = newline == NULL ? run->errors : newline + 1;
  const char *meaning = uvr_wsl_explain(run->errors);
  if (run->timed_out) {
    uvr_check_set(check, UVR_CHECK_BAD, "cmd.exe did not exit within %d s: Windows does not answer WSL",
                  START_MS / 1000);
    uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
  } else if (run->status != 0 || run->signal != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "cmd.exe exited with status %" PRId64 "%s%s%s%s", run->status,
                  *last == '\0' ? "" : ": ", *last == '\0' ? "" : uvr_quote(line, last), meaning == NULL ? "" : "; ",
                  meaning == NULL ? "" : meaning);
    uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
  } else {
    bool slow = run->duration_ms >= SLOW_MS;
    uvr_check_set(check, slow ? UVR_CHECK_WARNING : UVR_CHECK_OK,
                  "a Windows program starts and exits in %" PRIu64 " ms%s", run->duration_ms,
                  slow ? ", which is slow" : "");
    if (slow) {
      uvr_check_add_remedy(check, "# a Windows antivirus program or a busy computer may be the cause");
    }
  }
}

void uvr_doctor_check_start(uvr_doctor *doctor, uvr_check *check)
{
  uvrelay_error_t error;
  char *words[] = {(char[]){"cmd.exe"}, (char[]){"/d"}, (char[]){"/c"}, (char[]){"exit 0"}, NULL};
  if (!uvr_doctor_uses_interop(doctor)) {
    return;
  }
  char *file = find_trivial_program(&doctor->wsl);
  if (file == NULL) {
    uvr_check_set(check, UVR_CHECK_WARNING, "no mounted drive C has Windows/System32/cmd.exe to try it with");
    return;
  }
  uvr_capture run = {.file = file, .words = words, .timeout_ms = START_MS};
  if (uvr_capture_run(&run, &error) != 0) {
    uvr_check_set(check, UVR_CHECK_BAD, "%s", error.text);
    uvr_check_add_remedy(check, UVR_DOCTOR_RESTART);
  } else {
    judge_start(&run, check);
  }
  uvr_capture_clear(&run);
  free(file);
}
