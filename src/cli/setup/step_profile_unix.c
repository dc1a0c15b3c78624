/* The step where systemd does not run for the user: a line in the file that the user's shell reads at login starts
 * serve in the background, unless it runs. It may be read by any shell, any number of times. Another line sets the
 * variables, as ~/.profile reads ~/.bashrc, and the line that the user has put there, before serve is started here.
 *
 * Ways to fail: the file cannot be written, or the lines that setup has written there are damaged; serve does not
 * start, and its message is reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "cli/setup/background_unix.h"
#include "cli/setup/block_unix.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/shell_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/text_unix.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

/* The lines, each with its newline. */
static char *make_lines(const uvr_job *job, uvr_shell shell)
{
  char *(*word)(const char *) = shell == UVR_SHELL_FISH ? uvr_setup_fish_word : uvr_setup_shell_word;
  char *program = word(job->program);
  char *flag = uvr_setup_format("--config=%s", job->config);
  char *config = flag == NULL ? NULL : word(flag);
  char *lines = NULL;
  if (program != NULL && config != NULL && shell == UVR_SHELL_FISH) {
    lines = uvr_setup_format("if test -x %s; and begin; status is-login; or status is-interactive; end\n"
                             "  %s serve --background %s </dev/null >/dev/null; or true\nend\n",
                             program, program, config);
  } else if (program != NULL && config != NULL) {
    lines = uvr_setup_format("if [ -x %s ]; then\n  %s serve --background %s </dev/null >/dev/null || :\n"
                             "  eval \"$(%s env)\"\nfi\n",
                             program, program, config, program);
  }
  free(program);
  free(flag);
  free(config);
  return lines;
}

typedef enum profile_state {
  PROFILE_ABSENT,
  PROFILE_RIGHT,
  PROFILE_OLD, /* setup has written the lines, but would write others now */
  PROFILE_CHANGED
} profile_state;

/* A file with setup's lines, or where they belong. */
typedef struct profile {
  char *path;
  char *text;   /* NULL: there is no such file */
  char *wanted; /* the whole block */
  uvr_block block;
  profile_state state;
} profile;

static void profile_clear(profile *self)
{
  free(self->path);
  free(self->text);
  free(self->wanted);
  *self = (profile){.path = NULL};
}

static int read_profile(const uvr_job *job, uvr_shell shell, profile *out, uvrelay_error_t *error)
{
  char *lines = make_lines(job, shell);
  *out = (profile){.path = uvr_shell_profile(shell, job->home, job->config_home)};
  out->wanted = lines == NULL ? NULL : uvr_block_make(lines);
  free(lines);
  if (out->path == NULL || out->wanted == NULL) {
    return no_memory(error);
  }
  int code = uvr_setup_read(out->path, &out->text, error);
  uvr_block_state state = code != 0 || out->text == NULL ? UVR_BLOCK_NONE : uvr_block_find(out->text, &out->block);
  if (state == UVR_BLOCK_DAMAGED) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, UV_EINVAL,
        "%.200s: one of the two lines between which `uvrelay setup` writes is missing or repeated: fix it by hand",
        out->path);
  }
  if (state == UVR_BLOCK_FOUND) {
    const char *block = out->text + out->block.start;
    bool same = strncmp(block, out->wanted, strlen(out->wanted)) == 0;
    out->state = same ? PROFILE_RIGHT : uvr_block_is_unchanged(out->text, &out->block) ? PROFILE_OLD : PROFILE_CHANGED;
  }
  return code;
}

static int write_profile(uvr_job *job, const profile *self, uvrelay_error_t *error)
{
  const char *text = self->text == NULL ? "" : self->text;
  bool found = self->state != PROFILE_ABSENT;
  size_t end = strlen(text);
  char *new = uvr_block_replace(text, found ? self->block.start : end, found ? self->block.end : end, self->wanted);
  int code = new == NULL ? no_memory(error)
                         : uvr_setup_write_recorded(self->path, self->text == NULL, new, 0644, &job->record, error);
  free(new);
  return code;
}

/* Takes the lines out, and the file away, if there was none before. */
static int clean_profile(uvr_job *job, const profile *self, uvrelay_error_t *error)
{
  char *new = uvr_block_replace(self->text, self->block.start, self->block.end, "");
  if (new == NULL) {
    return no_memory(error);
  }
  int code = uvr_setup_restore_newline(self->path, self->text[self->block.end] == '\0', new, &job->record, error);
  if (code == 0) {
    bool empty = *new == '\0' && uvr_record_has(&job->record, UVR_RECORD_FILE, self->path);
    code = empty ? uvr_setup_unlink(self->path, false, error)
                 : uvr_setup_write(self->path, new, strlen(new), 0644, false, &job->record, error);
  }
  code = code == 0 ? uvr_record_drop(&job->record, UVR_RECORD_FILE, self->path, error) : code;
  free(new);
  return code;
}

/* Calls it with each file that setup may have written to, as the user may have got another shell since. */
static int each_profile(uvr_job *job,
                        int (*what)(uvr_job *job, const profile *file, void *user, uvrelay_error_t *error), void *user,
                        uvrelay_error_t *error)
{
  static const uvr_shell shells[] = {UVR_SHELL_BASH, UVR_SHELL_ZSH, UVR_SHELL_FISH, UVR_SHELL_OTHER};
  char *first = NULL; /* that of bash may be the one of others, too */
  int code = 0;
  for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]) && code == 0; i++) {
    profile file;
    code = read_profile(job, shells[i], &file, error);
    if (code == 0 && file.state != PROFILE_ABSENT && (first == NULL || strcmp(first, file.path) != 0)) {
      code = what(job, &file, user, error);
    }
    first = first != NULL || file.path == NULL ? first : strdup(file.path);
    profile_clear(&file);
  }
  free(first);
  return code;
}

/* Setting up. */

static int add_text(char **text, const char *before, const char *path)
{
  char *more = uvr_setup_format("%s%s%s", *text == NULL ? "" : *text, *text == NULL ? before : " and ", path);
  free(*text);
  *text = more;
  return more == NULL ? UV_ENOMEM : 0;
}

static int look_at_one(uvr_job *job, const profile *file, void *user, uvrelay_error_t *error)
{
  (void)job;
  uvr_step *step = user;
  int code =
      file->state == PROFILE_CHANGED
          ? add_text(&step->note, "Lines between setup's two comments stay, because they were changed, in ", file->path)
          : add_text(&step->text, "Remove the lines that start uvrelay from ", file->path);
  return code == 0 ? 0 : no_memory(error);
}

static int look(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  profile file;
  if (job->manager) {
    return each_profile(job, look_at_one, step, error); /* the unit does it now */
  }
  int code = read_profile(job, uvr_shell_of_user(), &file, error);
  bool runs = uvr_background_runs(job);
  const char *start = !runs                                         ? ", and start it now"
                      : job->program_changes || job->config_changes ? ", and make it read the routes again"
                                                                    : "";
  if (code == 0 && (file.state == PROFILE_ABSENT || file.state == PROFILE_OLD)) {
    code = uvr_step_say(&step->text,
                        uvr_setup_format("Start uvrelay at each login, with lines in %s%s", file.path, start), error);
    code = code == 0 ? uvr_step_say(&step->detail, strdup(file.wanted), error) : code;
  } else if (code == 0 && *start != '\0') {
    code = uvr_step_say(
        &step->text,
        strdup(runs ? "Make the running uvrelay read the routes again" : "Start uvrelay in the background"), error);
  }
  if (code == 0 && file.state == PROFILE_CHANGED) {
    code = uvr_step_say(
        &step->note,
        uvr_setup_format("The lines of setup in %s stay as they are, because they were changed", file.path), error);
  }
  if (code == 0 && !uvr_shell_is_known() && file.state == PROFILE_ABSENT) {
    code = uvr_step_say(
        &step->note,
        uvr_setup_format(
            "Your shell may not read %s: if it does not, make it run `uvrelay serve --background` at login", file.path),
        error);
  }
  profile_clear(&file);
  return code;
}

static int clean_one(uvr_job *job, const profile *file, void *user, uvrelay_error_t *error)
{
  (void)user;
  return file->state == PROFILE_CHANGED ? 0 : clean_profile(job, file, error);
}

static int act(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  profile file;
  int code = uvr_job_make_directory(job, error);
  if (code != 0 || job->manager) {
    return code != 0 ? code : each_profile(job, clean_one, NULL, error);
  }
  code = read_profile(job, uvr_shell_of_user(), &file, error);
  if (code == 0 && (file.state == PROFILE_ABSENT || file.state == PROFILE_OLD)) {
    code = write_profile(job, &file, error);
  }
  profile_clear(&file);
  bool runs = code == 0 && uvr_background_runs(job);
  if (runs && job->program_changes) { /* it has looked for the Windows program when it was started */
    code = uvr_background_stop(job, error);
    runs = false;
  }
  if (code == 0 && runs && job->config_changes) {
    return uvr_background_reload(job, error);
  }
  return code == 0 ? uvr_background_start(job, error) : code;
}

/* Taking back. */

static int look_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  if (!job->nothing_left) {
    return job->config_changes && uvr_background_runs(job)
               ? uvr_step_say(&step->text, strdup("Make the running uvrelay read the routes again"), error)
               : 0;
  }
  int code = each_profile(job, look_at_one, step, error);
  if (code == 0 && uvr_background_runs(job)) {
    char *text = uvr_setup_format("Stop the uvrelay in the background%s%s", step->text == NULL ? "" : ". ",
                                  step->text == NULL ? "" : step->text);
    free(step->text);
    step->text = NULL;
    code = uvr_step_say(&step->text, text, error);
  }
  return code;
}

static int act_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  if (!job->nothing_left) {
    return uvr_background_reload(job, error);
  }
  int code = each_profile(job, clean_one, NULL, error);
  return code == 0 ? uvr_background_stop(job, error) : code;
}

const uvr_step_kind uvr_step_profile = {.set_up = {look, act}, .take_back = {look_back, act_back}};
