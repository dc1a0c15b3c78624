/* The command setup in WSL: see setup.h. What it does is in plan_unix.h; this file begins it, and says what to do then.
 *
 * Ways to fail: this is not WSL; the user says no; a step fails. In the end the doctor says whether all works. */
#include "cli/setup/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "cli/doctor/doctor.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"
#include "cli/setup/background_unix.h"
#include "cli/setup/job_unix.h"
#include "cli/setup/offers_unix.h"
#include "cli/setup/plan_unix.h"
#include "cli/setup/setup_options_unix.h"
#include "cli/setup/shell_unix.h"
#include "cli/setup/talk_unix.h"
#include "cli/setup/text_unix.h"

static void say(const char *before, const char *text)
{
  uvr_text_line line = {.text = NULL};
  uvr_text_line_add(&line, "uvrelay: %s", before);
  uvr_text_line_text(&line, text);
  uvr_text_line_add(&line, "\n");
  if (!line.failed) {
    (void)fwrite(line.text, 1, line.length, stderr);
  }
  uvr_text_line_clear(&line);
}

static int check_wsl(const uvr_job *job, uvrelay_error_t *error)
{
  if (uvr_wsl_is(&job->wsl) || job->options->remove) {
    return 0;
  }
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTSUP,
                       "this is not WSL, which `uvrelay setup` connects with Windows: on Windows, type `uvrelay.exe "
                       "setup`; on other Linux systems, write routes to %s and start `uvrelay serve`",
                       job->config);
}

static void warn_of_root(void)
{
  const char *user = getenv("SUDO_USER");
  if (geteuid() == 0 && user != NULL && *user != '\0' && strcmp(user, "root") != 0) {
    say("warning: ", "this sets up the routes of root: run `uvrelay setup` without sudo to set up your own");
  } else if (geteuid() == 0) {
    say("warning: ", "this sets up the routes of root, which other users cannot use");
  }
}

static int tell_of_gpg(const uvr_job *job, uvrelay_error_t *error)
{
  for (size_t i = 0; i < job->preset_count; i++) {
    if (strcmp(job->presets[i]->name, "gpg-agent") == 0) {
      return uvr_talk(error, "To keep gpg from starting a Linux agent instead, put this line into ~/.gnupg/gpg.conf:\n"
                             "  no-autostart\n");
    }
  }
  return 0;
}

/* The variables of the routes as a list, which may be empty. To be freed; NULL: there is no memory. */
static char *list_variables(const uvr_job *job)
{
  char *list = strdup("");
  for (size_t i = 0; i < job->preset_count && list != NULL; i++) {
    const char *variable = job->presets[i]->variable;
    if (variable != NULL && strstr(list, variable) == NULL) {
      char *more = uvr_setup_format("%s%s%s", list, *list == '\0' ? "" : ", ", variable);
      free(list);
      list = more;
    }
  }
  return list;
}

/* What is to be put into the shell. */
static int tell_of_shell(const uvr_job *job, uvrelay_error_t *error)
{
  uvr_shell shell = uvr_shell_of_user();
  char *command = uvr_job_command(job);
  char *variables = list_variables(job);
  int code = 0;
  if (variables == NULL) {
    free(command);
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  }
  if (command == NULL) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  } else if (*variables != '\0') {
    code = uvr_talk(error,
                    shell == UVR_SHELL_FISH
                        ? "To let programs find it (through %s), type this now, and add it to the end of %s:\n"
                          "  %s env --shell=fish | source\n"
                        : "To let programs find it (through %s), type this now, and add it to the end of %s:\n"
                          "  eval \"$(%s env)\"\n",
                    variables, uvr_shell_rc(shell), command);
  }
  free(command);
  free(variables);
  return code == 0 ? tell_of_gpg(job, error) : code;
}

static int finish(const uvr_job *job, bool changed, uvrelay_error_t *error)
{
  const char *text = job->options->remove
                         ? (changed ? "Done.\n" : "There is nothing to undo.\n")
                         : (changed ? "Done.\n" : "Everything is already set up: nothing was changed.\n");
  int code = uvr_talk(error, "%s", text);
  if (code == 0 && !job->options->remove) {
    code = tell_of_shell(job, error);
  }
  return code;
}

/* Returns 0; or a negative code and *error. *checks: the doctor is to be asked. */
static int run(uvr_job *job, bool *checks, uvrelay_error_t *error)
{
  bool changed = false;
  int code = check_wsl(job, error);
  if (code == 0 && job->preset_count == 0 && !job->options->remove) {
    code = uvr_offers_make(job, error);
    if (code != 0 || (job->preset_count == 0 && !job->own_routes)) {
      return code;
    }
  }
  code = code == 0 ? uvr_plan_run(job, &changed, error) : code;
  if (code != 0) {
    return code;
  }
  if (job->options->dry_run) {
    return changed ? 0 : uvr_talk(error, "There is nothing to do.\n");
  }
  if (job->nothing_left) {
    code = uvr_background_clean(job, error);
    code = code == 0 ? uvr_record_finish(&job->record, error) : code;
    (void)rmdir(job->directory); /* which serve may have made, if it is empty */
  }
  *checks = code == 0 && !job->options->remove;
  return code == 0 ? finish(job, changed, error) : code;
}

static int check(void)
{
  uvrelay_error_t error;
  return uvr_talk(&error, "\n") == 0 ? uvr_doctor_confirm() : 1;
}

int uvr_cli_setup(int argc, char **argv)
{
  uvr_setup_options options;
  uvrelay_error_t error;
  uvr_job job;
  bool checks = false;
  switch (uvr_setup_options_parse(argc, argv, &options, &error)) {
  case UVR_SETUP_SHOW_HELP:
    return uvr_print(uvr_setup_usage());
  case UVR_SETUP_SHOW_VERSION:
    return uvr_print_version();
  case UVR_SETUP_WRONG_USAGE:
    say("", error.text);
    uvr_print_try("setup");
    return 2;
  case UVR_SETUP_RUN:
    break;
  }
  int code = uvr_job_init(&job, &options, &error);
  if (code == 0) {
    if (!options.remove) {
      warn_of_root();
    }
    code = run(&job, &checks, &error);
  }
  uvr_job_clear(&job);
  if (code != 0) {
    say("", error.text);
    return 1;
  }
  return checks ? check() : 0;
}
