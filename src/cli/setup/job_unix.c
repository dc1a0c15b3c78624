/* A run of setup: see job_unix.h. */
#include "cli/setup/job_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/own_program_unix.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/shell_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/tool_unix.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

static int find_home(uvr_job *self, uvrelay_error_t *error)
{
  char home[PATH_MAX];
  char quoted[UVR_QUOTED_SIZE];
  size_t size = sizeof(home);
  struct stat status;
  if (uv_os_homedir(home, &size) != 0 || *home != '/') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "your home directory is not known: set HOME to its path");
  }
  if (stat(home, &status) != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, -errno, 0, "cannot use the home directory %s: %s",
                                uvr_quote(quoted, home), uv_strerror(-errno));
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, UV_EACCES,
        "the home directory %s is %s: run `uvrelay setup` as the user whose programs will use the routes, without sudo",
        uvr_quote(quoted, home), S_ISDIR(status.st_mode) ? "another user's" : "not a directory");
  }
  self->home = strdup(home);
  return self->home == NULL ? no_memory(error) : 0;
}

/* Two at once would each write what it has read before the other one wrote. Where nothing can be locked, nothing is. */
static int lock_home(uvr_job *self, uvrelay_error_t *error)
{
  self->lock = open(self->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->lock >= 0 && flock(self->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EBUSY,
                         "another `uvrelay setup` of yours is running: wait until it ends, then run this one again");
  }
  return 0;
}

int uvr_job_init(uvr_job *self, const uvr_setup_options *options, uvrelay_error_t *error)
{
  *self = (uvr_job){.options = options, .preset_count = options->preset_count, .lock = -1};
  memcpy(self->presets, options->presets, sizeof(self->presets));
  uvr_wsl_init(&self->wsl);
  int code = find_home(self, error);
  code = code == 0 && !options->dry_run ? lock_home(self, error) : code;
  if (code != 0) {
    return code;
  }
  const char *config_home = getenv("XDG_CONFIG_HOME");
  bool set = config_home != NULL && *config_home == '/';
  self->config_home = set ? strdup(config_home) : uvr_setup_format("%s/.config", self->home);
  self->config = self->config_home == NULL ? NULL : uvr_setup_format("%s/uvrelay/routes.conf", self->config_home);
  self->directory = uvr_setup_format("%s/.uvrelay", self->home);
  self->link = uvr_setup_format("%s/%s", self->home, UVR_WSL_LINK);
  self->program = uvr_own_program(&self->on_path);
  char *record = self->directory == NULL ? NULL : uvr_setup_format("%s/setup", self->directory);
  if (self->config == NULL || self->link == NULL || record == NULL) {
    free(record);
    return no_memory(error);
  }
  if (self->program == NULL) {
    free(record);
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, UV_ENOENT,
        "cannot find out where this program is, as there is no /proc: type `mount -t proc proc /proc` as root");
  }
  code = uvr_record_open(&self->record, record, error);
  free(record);
  self->manager = code == 0 && uvr_tool_has_manager();
  return code;
}

void uvr_job_clear(uvr_job *self)
{
  if (self->lock >= 0) {
    (void)close(self->lock);
  }
  free(self->home);
  free(self->config_home);
  free(self->config);
  free(self->directory);
  free(self->link);
  free(self->program);
  uvr_record_close(&self->record);
  free(self->windows.source);
  free(self->windows.version);
  free(self->windows.copy);
  free(self->windows.copy_shown);
  uvr_facts_clear(&self->windows.facts);
}

char *uvr_job_command(const uvr_job *self)
{
  return self->on_path                           ? strdup("uvrelay")
         : uvr_shell_of_user() == UVR_SHELL_FISH ? uvr_setup_fish_word(self->program)
                                                 : uvr_setup_shell_word(self->program);
}

bool uvr_job_concerns(const uvr_job *self, const char *name, size_t length)
{
  for (size_t i = 0; i < self->preset_count; i++) {
    if (strlen(self->presets[i]->name) == length && memcmp(self->presets[i]->name, name, length) == 0) {
      return true;
    }
  }
  return self->preset_count == 0;
}

int uvr_job_make_directory(uvr_job *self, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  struct stat status;
  if (lstat(self->directory, &status) == 0 &&
      (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 022) != 0)) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EACCES,
                         "%s is not a directory that only you can write to: check it with `ls -ld`, and move it away "
                         "or run `chmod 700` on it",
                         uvr_quote(quoted, self->directory));
  }
  return uvr_setup_make_directory(self->directory, &self->record, error);
}
