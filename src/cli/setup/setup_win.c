/* The command setup on Windows: see setup.h. It makes the scheduled task that starts serve at logon, or removes it, by
 * schtasks.exe. What is for programs in WSL is set up by `uvrelay setup` there.
 *
 * Normal case: the XML of the task is written to a file in the user's temporary directory, schtasks.exe reads it, and
 * the file is removed. Ways to fail: a path cannot be found out; the file cannot be written; schtasks.exe is not there,
 * or refuses, as where an administrator has forbidden tasks. Then nothing is changed. */
#include "cli/setup/setup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/capture.h"
#include "cli/os/paths.h"
#include "cli/os/slim_start.h"
#include "cli/os/wide_win.h"
#include "cli/output/print.h"
#include "cli/setup/logon_task_win.h"
#include "endpoint/sid_win.h"

#include <windows.h>

enum { SCHTASKS_MS = 30000, TEXT_SIZE = 3 * UVR_PATH_SIZE, NAME_SIZE = UVR_SID_SIZE + 16 };

static const char usage[] = "Usage: uvrelay setup --logon [--remove] [--dry-run]\n"
                            "\n"
                            "On Windows, setup creates a scheduled task that starts uvrelay serve without a\n"
                            "window whenever you log on. It serves the routes in\n"
                            "%APPDATA%\\uvrelay\\routes.conf and logs to %LOCALAPPDATA%\\uvrelay\\serve.log.\n"
                            "\n"
                            "Flags:\n"
                            "  --logon               create the task, or replace it\n"
                            "  --remove              with --logon: remove the task\n"
                            "  --dry-run             show the task and what would be done; change nothing\n"
                            "  --help                print this help and exit\n"
                            "\n"
                            "To let programs in WSL reach Windows, type uvrelay setup in WSL.\n"
                            "\n"
                            "Exit status: 0, 1 after a failure, 2 for wrong usage.\n";

typedef struct setup {
  bool logon;
  bool remove;
  bool dry_run;
  char name[NAME_SIZE]; /* of the task */
  char sid[UVR_SID_SIZE];
  char system[UVR_PATH_SIZE]; /* the system's directory */
  char schtasks[UVR_PATH_SIZE + 16];
  char conhost[UVR_PATH_SIZE + 16];
  char program[UVR_PATH_SIZE];
  char log[UVR_PATH_SIZE];
  char home[UVR_PATH_SIZE];
} setup;

static int fail(const char *text)
{
  (void)fprintf(stderr, "uvrelay: %s\n", text);
  return 1;
}

static int fail_by_code(const char *what, int code)
{
  (void)fprintf(stderr, "uvrelay: %s: %s (%s)\n", what, uv_strerror(code), uv_err_name(code));
  return 1;
}

/* What the task is made of. */

static int find_places(setup *self)
{
  uvrelay_error_t error;
  uvr_sid sid;
  size_t program = sizeof(self->program);
  size_t home = sizeof(self->home);
  WCHAR wide[MAX_PATH];
  UINT length = GetSystemDirectoryW(wide, MAX_PATH);
  if (length == 0 || length >= MAX_PATH ||
      WideCharToMultiByte(CP_UTF8, 0, wide, -1, self->system, sizeof(self->system), NULL, NULL) == 0) {
    return fail("cannot find the Windows directory");
  }
  if (uvr_sid_of_user(&sid) != 0) {
    return fail("cannot determine the user's SID");
  }
  int code = uv_exepath(self->program, &program);
  code = code == 0 ? uv_os_homedir(self->home, &home) : code;
  if (code != 0) {
    return fail_by_code("cannot find the file of this program or the user's directory", code);
  }
  if (uvr_paths_log(self->log, &error) != 0) {
    return fail(error.text);
  }
  (void)uvr_sid_text(self->sid, &sid);
  (void)snprintf(self->name, sizeof(self->name), "uvrelay-%s", self->sid);
  (void)snprintf(self->schtasks, sizeof(self->schtasks), "%s\\schtasks.exe", self->system);
  (void)snprintf(self->conhost, sizeof(self->conhost), "%s\\conhost.exe", self->system);
  return 0;
}

static char *make_xml(const setup *self)
{
  const uvr_logon_task task = {
      .sid = self->sid, .conhost = self->conhost, .program = self->program, .log = self->log, .home = self->home};
  return uvr_logon_task_xml(&task);
}

/* Running schtasks.exe. */

/* Says why it was of no use. */
static int refuse(const setup *self, const char *what, const uvr_capture *run)
{
  char quoted[UVR_QUOTED_SIZE];
  const char *line = strrchr(run->errors, '\n');
  line = line != NULL ? line + 1 : run->errors;
  if (run->timed_out) {
    (void)fprintf(stderr, "uvrelay: cannot %s the task %s: schtasks.exe did not exit\n", what, self->name);
  } else {
    (void)fprintf(stderr, "uvrelay: cannot %s the task %s: schtasks.exe exited with status %d: %s\n", what, self->name,
                  (int)run->status, uvr_quote(quoted, line));
  }
  return 1;
}

/* Returns 0; 1 if it has failed and has reported that; or, if `may_fail` is set, -1 if schtasks.exe has refused. */
static int run_schtasks(const setup *self, const char *what, const char *const words[], bool may_fail)
{
  uvrelay_error_t error;
  char *copies[8] = {NULL};
  size_t count = 0;
  for (; words[count] != NULL; count++) {
    copies[count] = (char *)(uintptr_t)words[count]; /* they are read only */
  }
  uvr_capture run = {.file = self->schtasks, .words = copies, .timeout_ms = SCHTASKS_MS};
  int code = uvr_capture_run(&run, &error);
  if (code != 0) {
    return fail(error.text);
  }
  bool refused = run.timed_out || run.status != 0;
  int result = !refused ? 0 : may_fail && !run.timed_out ? -1 : refuse(self, what, &run);
  uvr_capture_clear(&run);
  return result;
}

/* Making the task. */

/* Writes it in UTF-16, which schtasks.exe reads in every language. */
static int write_file(const char *path, const char *xml)
{
  WCHAR *name = uvr_to_wide(path);
  WCHAR *text = uvr_to_wide(xml);
  const WCHAR mark = 0xFEFF;
  DWORD done = 0;
  DWORD size = text != NULL ? (DWORD)(wcslen(text) * sizeof(*text)) : 0;
  HANDLE file = name == NULL || text == NULL
                    ? INVALID_HANDLE_VALUE
                    : CreateFileW(name, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
  bool written = file != INVALID_HANDLE_VALUE && WriteFile(file, &mark, sizeof(mark), &done, NULL) &&
                 WriteFile(file, text, size, &done, NULL) && done == size;
  int code = written ? 0 : uv_translate_sys_error((int)GetLastError());
  if (file != INVALID_HANDLE_VALUE) {
    (void)CloseHandle(file);
    if (!written) {
      (void)DeleteFileW(name);
    }
  }
  free(text);
  free(name);
  return code;
}

static void make_directory_of(const char *file)
{
  char path[UVR_PATH_SIZE];
  uv_fs_t request;
  (void)snprintf(path, sizeof(path), "%s", file);
  char *end = strrchr(path, '\\');
  if (end != NULL) {
    *end = '\0';
    (void)uv_fs_mkdir(NULL, &request, path, 0700, NULL); /* if it fails, serve says that it cannot open its log */
    uv_fs_req_cleanup(&request);
  }
}

/* What is still to be done. */
static int say_made(const setup *self)
{
  uvrelay_error_t error;
  uv_fs_t request;
  char config[UVR_PATH_SIZE];
  char text[TEXT_SIZE];
  bool there = uvr_paths_config(config, &error) == 0 && uv_fs_stat(NULL, &request, config, NULL) == 0;
  if (uvr_paths_config(config, &error) != 0) {
    return fail(error.text);
  }
  (void)snprintf(text, sizeof(text),
                 "The task %s starts uvrelay serve at each logon.\n"
                 "%s%s%s"
                 "Its log is %s.\n"
                 "To start it now, type: schtasks /Run /TN %s\n",
                 self->name, there ? "It serves the routes in this file: " : "First write the routes to the file ",
                 config, there ? ".\n" : ", which does not exist yet.\n", self->log, self->name);
  return uvr_print(text);
}

static int make_task(const setup *self)
{
  char directory[UVR_PATH_SIZE];
  char path[UVR_PATH_SIZE + 64];
  size_t size = sizeof(directory);
  uv_fs_t request;
  char *xml = make_xml(self);
  if (xml == NULL) {
    return fail("not enough memory for the task");
  }
  int code = uv_os_tmpdir(directory, &size);
  (void)snprintf(path, sizeof(path), "%s\\uvrelay-task-%d.xml", directory, (int)uv_os_getpid());
  code = code == 0 ? write_file(path, xml) : code;
  free(xml);
  if (code != 0) {
    return fail_by_code("cannot write the task to a file in the temporary directory", code);
  }
  make_directory_of(self->log);
  const char *const words[] = {"schtasks.exe", "/Create", "/TN", self->name, "/XML", path, "/F", NULL};
  int status = run_schtasks(self, "create", words, false);
  (void)uv_fs_unlink(NULL, &request, path, NULL);
  uv_fs_req_cleanup(&request);
  return status != 0 ? status : say_made(self);
}

static int remove_task(const setup *self)
{
  char text[NAME_SIZE + 64];
  const char *const query[] = {"schtasks.exe", "/Query", "/TN", self->name, NULL};
  const char *const words[] = {"schtasks.exe", "/Delete", "/TN", self->name, "/F", NULL};
  int status = run_schtasks(self, "look for", query, true);
  if (status > 0) {
    return status;
  }
  bool there = status == 0;
  status = there ? run_schtasks(self, "remove", words, false) : 0;
  if (status != 0) {
    return status;
  }
  (void)snprintf(text, sizeof(text),
                 there ? "The task %s is removed. A running serve keeps running.\n" : "There is no task %s.\n",
                 self->name);
  return uvr_print(text);
}

static int show(const setup *self)
{
  char text[TEXT_SIZE];
  (void)snprintf(text, sizeof(text),
                 self->remove ? "Would remove the task %s, with:\n"
                                "schtasks.exe /Delete /TN %s /F\n"
                              : "Would create the task %s, with:\n"
                                "schtasks.exe /Create /TN %s /XML FILE /F\n"
                                "with this file:\n",
                 self->name, self->name);
  int status = uvr_print(text);
  if (status != 0 || self->remove) {
    return status;
  }
  char *xml = make_xml(self);
  status = xml == NULL ? fail("not enough memory for the task") : uvr_print(xml);
  free(xml);
  return status;
}

/* The command line. */

static int wrong_usage(const char *text)
{
  (void)fprintf(stderr, "uvrelay: %s\n", text);
  uvr_print_try("setup");
  return 2;
}

/* Whether a word is a flag of this name, with one hyphen or two. */
static bool is_flag(const char *word, const char *name)
{
  return word[0] == '-' && strcmp(word + (word[1] == '-' ? 2 : 1), name) == 0;
}

int uvr_cli_setup(int argc, char **argv)
{
  char text[UVR_QUOTED_SIZE + 128];
  char quoted[UVR_QUOTED_SIZE];
  setup *self = calloc(1, sizeof(*self));
  uvr_slim_start(false);
  if (self == NULL) {
    return fail("not enough memory");
  }
  for (int i = 1; i < argc; i++) {
    bool help = is_flag(argv[i], "help") || is_flag(argv[i], "h") || (argc == 2 && strcmp(argv[i], "help") == 0);
    bool logon = is_flag(argv[i], "logon");
    bool removes = is_flag(argv[i], "remove");
    bool dry_run = is_flag(argv[i], "dry-run");
    if (help || (!logon && !removes && !dry_run)) {
      free(self);
      (void)snprintf(text, sizeof(text),
                     argv[i][0] != '-' ? "%s is set up in WSL: type uvrelay setup there"
                                       : "setup on Windows has no flag %s: its flags are --logon, --remove, --dry-run "
                                         "and --help",
                     uvr_quote(quoted, argv[i]));
      return help ? uvr_print(usage) : wrong_usage(text);
    }
    self->logon = self->logon || logon;
    self->remove = self->remove || removes;
    self->dry_run = self->dry_run || dry_run;
  }
  int status = 2;
  if (!self->logon) {
    status = wrong_usage(
        "on Windows, --logon makes setup start serve at each logon; for programs in WSL, type uvrelay setup in WSL");
  } else if (find_places(self) != 0) {
    status = 1;
  } else if (self->dry_run) {
    status = show(self);
  } else {
    status = self->remove ? remove_task(self) : make_task(self);
  }
  free(self);
  return status;
}
