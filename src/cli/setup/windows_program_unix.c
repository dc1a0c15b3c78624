/* Finding the program for Windows: see windows_program_unix.h.
 *
 * Where it is looked for: where setup's link leads; beside this program and in lib/uvrelay beside that directory; on
 * PATH; in /usr/lib/uvrelay; in C:\Program Files\uvrelay. Those on a drive of Windows are asked first, as they start
 * fast.
 *
 * Ways to fail: there is none; none can be started, and the first one's reason is reported; the directory that it
 * belongs into is on no drive that is mounted. */
#include "cli/setup/windows_program_unix.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/find_program.h"
#include "cli/child/wsl_drives_unix.h"
#include "cli/setup/text_unix.h"
#include "uvrelay/version.h"

enum { CANDIDATES_MAX = 8 };

static const char NAME[] = "uvrelay.exe";

/* Files that are there, each by its real name and once. */
typedef struct candidates {
  char *files[CANDIDATES_MAX];
  size_t count;
  uvrelay_error_t error; /* of one that is there and cannot be executed; its code is 0 if there is none */
} candidates;

static void add(candidates *self, const char *name, const char *path)
{
  char real[PATH_MAX];
  char *file = NULL;
  uvrelay_error_t error;
  int code = name == NULL ? UV_ENOMEM : uvr_find_program(name, path, &file, &error);
  if (code == UV_EACCES && self->error.code == 0) {
    self->error = error;
  }
  if (code != 0 || realpath(file, real) == NULL || self->count == CANDIDATES_MAX) {
    free(file);
    return;
  }
  free(file);
  for (size_t i = 0; i < self->count; i++) {
    if (strcmp(self->files[i], real) == 0) {
      return;
    }
  }
  self->files[self->count] = strdup(real);
  self->count += self->files[self->count] == NULL ? 0 : 1;
}

static void add_format(candidates *self, char *path)
{
  add(self, path, NULL);
  free(path);
}

static void collect(const uvr_job *job, candidates *out)
{
  uvr_wsl_drives drives = uvr_wsl_find_drives(job->wsl.proc, job->wsl.virtiofs, "");
  char real[PATH_MAX];
  add(out, job->link, NULL);
  if (realpath(job->program, real) != NULL) {
    *strrchr(real, '/') = '\0';
    add_format(out, uvr_setup_format("%s/%s", real, NAME));
  }
  char *installed = uvr_wsl_installed_program(&job->wsl);
  if (installed != NULL) {
    add(out, installed, NULL);
    free(installed);
  }
  add(out, NAME, job->wsl.path);
  add(out, "/usr/lib/uvrelay/uvrelay.exe", NULL);
  add_format(out, uvr_setup_format("%s/%s", drives.c != NULL ? drives.c : job->wsl.mount, UVR_WSL_PLACE));
  uvr_wsl_drives_clear(&drives);
}

bool uvr_windows_has(const uvr_job *job, const char *file)
{
  char *directory = strdup(file);
  char *slash = directory == NULL ? NULL : strrchr(directory, '/');
  if (slash != NULL) {
    slash[slash == directory ? 1 : 0] = '\0';
  }
  uvr_wsl_drives drives = uvr_wsl_find_drives(job->wsl.proc, job->wsl.virtiofs, directory == NULL ? "" : directory);
  bool within = drives.within;
  uvr_wsl_drives_clear(&drives);
  free(directory);
  return within;
}

/* Asks one, and takes it if it is of this version, or the first one that answers. */
static void ask(uvr_job *job, const char *file, uvrelay_error_t *first)
{
  uvr_job_windows *windows = &job->windows;
  uvr_facts facts;
  uvrelay_error_t error;
  if (uvr_facts_ask(file, &facts, &error) != 0) {
    if (first->code == 0) {
      *first = error;
    }
    return;
  }
  const char *version = uvr_facts_get(&facts, "version", NULL);
  if (windows->source != NULL && (version == NULL || strcmp(version, UVRELAY_VERSION) != 0)) {
    uvr_facts_clear(&facts);
    return;
  }
  free(windows->source);
  free(windows->version);
  uvr_facts_clear(&windows->facts);
  windows->source = strdup(file);
  windows->version = strdup(version == NULL ? "?" : version);
  windows->facts = facts;
}

static bool is_settled(const uvr_job *job)
{
  return job->windows.version != NULL && strcmp(job->windows.version, UVRELAY_VERSION) == 0;
}

static int find_place(uvr_job *job, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uvr_job_windows *windows = &job->windows;
  const char *local = uvr_facts_get(&windows->facts, "localappdata", NULL);
  if (windows->source == NULL || windows->version == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  if (local == NULL || *local == '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "Windows does not say where your programs belong, because LOCALAPPDATA is not set there");
  }
  windows->copy_shown = uvr_setup_format("%s\\uvrelay\\%s", local, NAME);
  if (windows->copy_shown != NULL) {
    windows->copy = uvr_wsl_find_path(job->wsl.proc, job->wsl.virtiofs, windows->copy_shown);
  }
  if (windows->copy == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "%s is not on a Windows drive that is mounted in WSL: see [automount] in /etc/wsl.conf",
                         uvr_quote(quoted, local));
  }
  return 0;
}

static int fail(const candidates *found, const uvrelay_error_t *first, uvrelay_error_t *error)
{
  if (first->code != 0) {
    *error = *first;
    return first->code;
  }
  if (found->error.code != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, found->error.code, "%s: type `chmod +x` and its path",
                         found->error.text);
  }
  return uvr_error_set(
      error, UVRELAY_PHASE_NONE, UV_ENOENT,
      "cannot find uvrelay.exe, the program for Windows: put it beside this program, or use --windows-program=FILE");
}

int uvr_windows_program_find(uvr_job *job, uvrelay_error_t *error)
{
  candidates found = {.count = 0};
  uvrelay_error_t first = {.code = 0};
  if (job->windows.copy != NULL) {
    return 0;
  }
  if (job->options->windows_program != NULL) {
    char *file = NULL;
    int code = uvr_find_program(job->options->windows_program, NULL, &file, error);
    if (code != 0) {
      return code;
    }
    free(file);
    add(&found, job->options->windows_program, NULL);
  } else {
    collect(job, &found);
  }
  for (int on_windows = 1; on_windows >= 0; on_windows--) {
    for (size_t i = 0; i < found.count && !is_settled(job); i++) {
      if (uvr_windows_has(job, found.files[i]) == (on_windows != 0)) {
        ask(job, found.files[i], &first);
      }
    }
  }
  int code = job->windows.source != NULL ? find_place(job, error) : fail(&found, &first, error);
  for (size_t i = 0; i < found.count; i++) {
    free(found.files[i]);
  }
  return code;
}
