/* The step for the Windows program: it is copied to a drive of Windows, unless it is on one, and a link is made to it
 * where serve looks first.
 *
 * Ways to fail: see windows_program_unix.c; the copy cannot be written; it does not run, and is removed again. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/file.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/windows_program_unix.h"
#include "uvrelay/version.h"

static bool is_same_file(const char *one, const char *other)
{
  char *bytes[2] = {NULL, NULL};
  size_t lengths[2] = {0, 0};
  bool same = uvr_file_read(one, &bytes[0], &lengths[0]) == 0 && uvr_file_read(other, &bytes[1], &lengths[1]) == 0 &&
              lengths[0] == lengths[1] && memcmp(bytes[0], bytes[1], lengths[0]) == 0;
  free(bytes[0]);
  free(bytes[1]);
  return same;
}

/* Whether the found program stays where it is. */
static bool stays(const uvr_job *job)
{
  return uvr_windows_has(job, job->windows.source);
}

static const char *chosen(const uvr_job *job)
{
  return stays(job) ? job->windows.source : job->windows.copy;
}

static bool must_copy(const uvr_job *job)
{
  return !stays(job) && !is_same_file(job->windows.source, job->windows.copy);
}

/* Whether the link is missing, or leads elsewhere. serve might find the program without it, but not with each PATH. */
static bool must_link(const uvr_job *job)
{
  char target[PATH_MAX];
  ssize_t length = readlink(job->link, target, sizeof(target) - 1);
  target[length < 0 ? 0 : length] = '\0';
  return strcmp(target, chosen(job)) != 0;
}

static int look(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  int code = uvr_windows_program_find(job, error);
  if (code != 0) {
    return code;
  }
  const uvr_job_windows *windows = &job->windows;
  bool copy = must_copy(job);
  bool link = must_link(job);
  if (strcmp(windows->version, UVRELAY_VERSION) != 0) {
    code = uvr_step_say(&step->note,
                        uvr_setup_format("%s is version %s, and this program is version %s: install the same version "
                                         "of both, then run `uvrelay setup` again",
                                         windows->source, windows->version, UVRELAY_VERSION),
                        error);
  }
  job->program_changes = copy || link;
  if (code == 0 && copy) {
    code = uvr_step_say(&step->text,
                        uvr_setup_format("Copy %s to %s, because Windows is slow to start programs from the Linux disk",
                                         windows->source, windows->copy_shown),
                        error);
    if (code == 0) {
      code = uvr_step_say(&step->question, uvr_setup_format("Write %s on Windows?", windows->copy_shown), error);
    }
  } else if (code == 0 && link) {
    code = uvr_step_say(&step->text, uvr_setup_format("Make `uvrelay serve` use %s", chosen(job)), error);
  }
  if (code == 0 && link) {
    code = uvr_step_say(&step->detail, uvr_setup_format("%s -> %s\n", job->link, chosen(job)), error);
  }
  return code;
}

/* Whether the copy runs and is of the source's version. */
static int check_copy(const uvr_job *job, uvrelay_error_t *error)
{
  uvr_facts facts;
  int code = uvr_facts_ask(job->windows.copy, &facts, error);
  const char *version = code == 0 ? uvr_facts_get(&facts, "version", NULL) : NULL;
  if (code == 0 && (version == NULL || strcmp(version, job->windows.version) != 0)) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "%s was replaced meanwhile", job->windows.copy_shown);
  }
  uvr_facts_clear(&facts);
  return code;
}

static int copy(uvr_job *job, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char *bytes = NULL;
  size_t length = 0;
  const uvr_job_windows *windows = &job->windows;
  int code = uvr_file_read(windows->source, &bytes, &length);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                                uvr_quote(quoted, windows->source), uv_strerror(code));
  }
  bool new = !uvr_setup_is_there(windows->copy);
  char *entry = uvr_setup_format("%016" PRIx64 " %s", uvr_setup_hash(bytes, length), windows->copy);
  code = entry == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory")
                       : uvr_setup_write(windows->copy, bytes, length, 0755, true, &job->record, error);
  free(bytes);
  if (code == 0) {
    uvr_setup_remove_old(windows->copy);
    code = uvr_record_drop(&job->record, UVR_RECORD_COPY, NULL, error);
    code = code == 0 ? uvr_record_add(&job->record, UVR_RECORD_COPY, entry, error) : code;
    code = code == 0 ? check_copy(job, error) : code;
    if (code != 0 && new) {
      (void)uvr_setup_unlink(windows->copy, true, NULL);
      (void)uvr_record_drop(&job->record, UVR_RECORD_COPY, NULL, NULL);
    }
  }
  free(entry);
  return code;
}

static int act(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  int code = uvr_job_make_directory(job, error);
  if (code == 0 && must_copy(job)) {
    code = copy(job, error);
  }
  if (code == 0 && must_link(job)) {
    code = uvr_setup_link(chosen(job), job->link, &job->record, error);
  }
  return code;
}

/* Taking back. */

/* The path of the copy that setup has made, or NULL; *changed: the file is another one now, or gone. */
static const char *recorded_copy(const char *entry, bool *changed)
{
  char hash[32];
  char *bytes = NULL;
  size_t length = 0;
  const char *path = entry == NULL ? NULL : strchr(entry, ' ');
  if (path == NULL) {
    return NULL;
  }
  path++;
  *changed = uvr_file_read(path, &bytes, &length) != 0;
  (void)snprintf(hash, sizeof(hash), "%016" PRIx64 " ", bytes == NULL ? 0 : uvr_setup_hash(bytes, length));
  *changed = *changed || strncmp(entry, hash, strlen(hash)) != 0;
  free(bytes);
  return path;
}

/* Whether the directory is there in which setup has made the copy's: else the drive is not. */
static bool has_grandparent(const char *path)
{
  char *directory = strdup(path);
  char *slash = NULL;
  for (int i = 0; i < 2 && directory != NULL; i++) {
    slash = strrchr(directory, '/');
    if (slash != NULL) {
      *slash = '\0';
    }
  }
  bool has = slash == NULL || uvr_setup_is_there(directory);
  free(directory);
  return has;
}

static int look_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  bool changed = false;
  char *entry = uvr_record_last(&job->record, UVR_RECORD_COPY);
  const char *path = recorded_copy(entry, &changed);
  bool link = uvr_setup_is_there(job->link);
  int code = 0;
  if (!job->nothing_left) {
    free(entry);
    return 0;
  }
  if (path != NULL && changed && !has_grandparent(path)) {
    code = uvr_step_say(&step->note,
                        uvr_setup_format("%s is on a drive that is not mounted now: remove it by hand", path), error);
  } else if (path != NULL && changed && uvr_setup_is_there(path)) {
    code = uvr_step_say(&step->note,
                        uvr_setup_format("%s stays, because it is no longer the file that setup wrote", path), error);
  }
  if (code == 0 && path != NULL && !changed) {
    code = uvr_step_say(&step->text,
                        uvr_setup_format("Remove %s%s%s", path, link ? " and " : "", link ? job->link : ""), error);
  } else if (code == 0 && link) {
    code = uvr_step_say(&step->text, uvr_setup_format("Remove %s", job->link), error);
  }
  free(entry);
  return code;
}

/* If it is empty. It is recorded as a directory only if setup was the first one to need it. */
static void remove_parent(const char *path)
{
  const char *slash = strrchr(path, '/');
  char *directory = slash == NULL ? NULL : strndup(path, (size_t)(slash - path));
  if (directory != NULL) {
    (void)rmdir(directory);
  }
  free(directory);
}

static int act_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  bool changed = false;
  char *entry = uvr_record_last(&job->record, UVR_RECORD_COPY);
  const char *path = recorded_copy(entry, &changed);
  int code = 0;
  if (path != NULL && !changed) {
    code = uvr_setup_unlink(path, true, error);
    uvr_setup_remove_old(path);
    remove_parent(path);
  }
  code = code == 0 ? uvr_setup_unlink(job->link, false, error) : code;
  code = code == 0 ? uvr_record_drop(&job->record, UVR_RECORD_COPY, NULL, error) : code;
  free(entry);
  return code;
}

const uvr_step_kind uvr_step_program = {.set_up = {look, act}, .take_back = {look_back, act_back}};
