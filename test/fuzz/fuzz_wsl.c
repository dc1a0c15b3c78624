/* What is read of WSL: its mount table, the processes above this one, the name of its kernel, its environment.
 *
 * The input is texts with form feeds between them: the mount table, a directory that is asked for, the line of this
 * process in /proc, the kernel's release, WSL_INTEROP. They become files in a directory that takes the place of
 * /proc. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/child/wsl.h"
#include "cli/child/wsl_drives_unix.h"
#include "scratch.h"

enum { PROCESS = 300 };

static const char *const directories[] = {"300", "sys", "sys/kernel"};

/* One for all runs: making it takes longer than all that is done in it. */
static scratch place;

static void remove_place(void)
{
  char path[SCRATCH_PATH_MAX];
  (void)unlink(scratch_path(&place, "300/stat", path));
  (void)unlink(scratch_path(&place, "sys/kernel/osrelease", path));
  for (size_t i = sizeof(directories) / sizeof(directories[0]); i > 0; i--) {
    (void)rmdir(scratch_path(&place, directories[i - 1], path));
  }
  scratch_clear(&place);
}

static const scratch *find_place(void)
{
  char path[SCRATCH_PATH_MAX];
  if (place.directory[0] == '\0') {
    scratch_init(&place);
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
      CHECK(mkdir(scratch_path(&place, directories[i], path), 0700) == 0, "there is no directory");
    }
    (void)atexit(remove_place);
  }
  return &place;
}

/* What it says is either right or a sentence. */
static void check_code(int code, const uvrelay_error_t *error)
{
  CHECK(code == 0 || code == UV_ENOENT || code == UV_ENOTSUP, "the code is %d", code);
  if (code != 0) {
    fuzz_check_error(error, code);
  }
}

static void find_drives(const scratch *s, const char *mounts, const char *asked)
{
  uvr_wsl_drives drives = uvr_wsl_find_drives(s->directory, s->directory, asked);
  CHECK(drives.c == NULL || drives.first != NULL, "there is a drive C, but no first one");
  bool possible = strstr(mounts, "drvfs") != NULL || strstr(mounts, "9p") != NULL || strstr(mounts, "virtiofs") != NULL;
  possible = possible || strchr(mounts, '\\') != NULL; /* a word may be escaped */
  CHECK(possible || (drives.first == NULL && !drives.within), "there is a drive in a table without any");
  CHECK(strchr(mounts, ':') != NULL || strchr(mounts, '\\') != NULL || drives.first == NULL,
        "there is a drive without a letter");
  uvr_wsl_drives_clear(&drives);
}

/* The path of a path of Windows is on what is mounted, and has what is below that. */
static void find_path(const scratch *s, const char *windows)
{
  char *path = uvr_wsl_find_path(s->directory, s->directory, windows);
  CHECK(path == NULL || windows[1] == ':', "a path without a drive is found");
  CHECK(path == NULL || strchr(path, '\\') == NULL, "%s has a backslash", path);
  free(path);
}

static void prepare(const uvr_wsl *wsl, bool is_wsl)
{
  char file[SCRATCH_PATH_MAX];
  (void)snprintf(file, sizeof(file), "%s/uvrelay.exe", wsl->proc);
  uvr_wsl_start start;
  uvrelay_error_t error = {0};
  int code = uvr_wsl_prepare(wsl, file, &start, &error);
  check_code(code, &error);
  CHECK(is_wsl || (code == 0 && start.directory == NULL && start.environment == NULL),
        "something is prepared where there is no WSL");
  CHECK(!start.has_socket, "there is a socket although nobody listens");
  for (char *const *text = start.environment; text != NULL && *text != NULL; text++) {
    CHECK(strncmp(*text, "WSL_INTEROP=", 12) != 0 || strcmp(*text + 12, "/dev/null") == 0, "%s leads somewhere", *text);
  }
  CHECK(start.directory == NULL || access(start.directory, X_OK) == 0, "it is to be started in %s", start.directory);
  uvr_wsl_start_clear(&start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  fuzz_input in = {data, size};
  char *mounts = fuzz_text(&in, '\f');
  char *asked = fuzz_text(&in, '\f');
  char *process = fuzz_text(&in, '\f');
  char *release = fuzz_text(&in, '\f');
  char *interop = fuzz_text(&in, '\f');
  const scratch *s = find_place();
  scratch_write(s, "mounts", mounts, strlen(mounts));
  scratch_write(s, "300/stat", process, strlen(process));
  scratch_write(s, "sys/kernel/osrelease", release, strlen(release));
  const uvr_wsl wsl = {.run = "/nowhere",
                       .virtiofs = s->directory,
                       .proc = s->directory,
                       .mount = "/nowhere/c",
                       .directory = "/nowhere/bin",
                       .path = asked,
                       .interop = *interop != '\0' ? interop : NULL,
                       .process = PROCESS};
  find_drives(s, mounts, asked);
  find_path(s, asked);
  bool is_wsl = uvr_wsl_is(&wsl);
  CHECK(is_wsl || *interop == '\0', "WSL_INTEROP is set, and it is no WSL");
  prepare(&wsl, is_wsl);
  char *file = NULL;
  uvrelay_error_t error = {0};
  const uvr_wsl no_path = {.run = wsl.run,
                           .virtiofs = wsl.virtiofs,
                           .proc = wsl.proc,
                           .mount = wsl.mount,
                           .directory = *asked == '/' ? asked : wsl.directory};
  int code = uvr_wsl_find_far_end(&no_path, &file, &error);
  CHECK((code == 0) == (file != NULL), "a program is found, and not told");
  CHECK(code == 0 || code == UV_ENOENT || code == UV_EACCES, "the code is %d", code);
  if (code != 0) {
    fuzz_check_error(&error, code);
  }
  free(file);
  free(mounts);
  free(asked);
  free(process);
  free(release);
  free(interop);
  return 0;
}
