/* The step for the place of gpg's socket, where @gpg-agent listens: systemd's sockets for the gpg-agent of Linux hold
 * it, so they are masked; so may a gpg-agent that runs, which is ended.
 *
 * Ways to fail: systemctl fails, and its message is reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/tool_unix.h"

enum { UNITS = 4 };

/* The other ones start the same agent, which systemd does not start without the first. */
static const char *const units[UNITS] = {"gpg-agent.socket", "gpg-agent-extra.socket", "gpg-agent-browser.socket",
                                         "gpg-agent-ssh.socket"};

static const char ASKED[] = "gpg-agent";

static bool holds(const char *unit)
{
  return uvr_tool_unit_is("is-active", unit, "active") || uvr_tool_unit_is("is-enabled", unit, "enabled") ||
         uvr_tool_unit_is("is-enabled", unit, "enabled-runtime");
}

/* The words of a command for systemctl: the verb, an option or NULL, and the units for which `wanted` is set. */
static void make_words(const char *verb, const char *option, const bool wanted[UNITS], const char *words[UNITS + 3])
{
  size_t count = 0;
  words[count++] = verb;
  if (option != NULL) {
    words[count++] = option;
  }
  for (size_t i = 0; i < UNITS; i++) {
    if (wanted[i]) {
      words[count++] = units[i];
    }
  }
  words[count] = NULL;
}

static bool is_asked_for(const uvr_job *job)
{
  for (size_t i = 0; i < job->preset_count; i++) {
    if (strcmp(job->presets[i]->name, ASKED) == 0) {
      return true;
    }
  }
  return false;
}

/* The units as a list. To be freed. */
static char *list(const bool wanted[UNITS])
{
  char *text = strdup("");
  for (size_t i = 0; i < UNITS && text != NULL; i++) {
    if (wanted[i]) {
      char *more = uvr_setup_format("%s%s%s", text, *text == '\0' ? "" : " ", units[i]);
      free(text);
      text = more;
    }
  }
  return text;
}

static bool find_holders(const uvr_job *job, bool wanted[UNITS])
{
  bool any = false;
  for (size_t i = 0; i < UNITS; i++) {
    wanted[i] = job->manager && holds(units[i]);
    any = any || wanted[i];
  }
  return any;
}

static int look(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  bool wanted[UNITS];
  if (!is_asked_for(job) || (!find_holders(job, wanted) && !job->config_changes)) {
    return 0;
  }
  if (!find_holders(job, wanted)) {
    /* gpg starts an agent by itself when it needs one. */
    return uvr_tool_is_there("gpgconf")
               ? uvr_step_say(&step->text,
                              strdup("Stop the Linux gpg-agent, if it is running (`gpgconf --kill gpg-agent`)"), error)
               : 0;
  }
  char *names = list(wanted);
  int code = uvr_step_say(
      &step->text,
      names == NULL
          ? NULL
          : uvr_setup_format("Mask systemd's %s, which occupy gpg's socket, and stop the Linux gpg-agent", names),
      error);
  free(names);
  return code != 0
             ? code
             : uvr_step_say(&step->question, strdup("Let gpg use the Windows agent instead of the Linux one?"), error);
}

static int mask(uvr_job *job, const bool wanted[UNITS], uvrelay_error_t *error)
{
  const char *words[UNITS + 3];
  char *place = uvr_setup_format("%s/systemd/user", job->config_home); /* systemctl would make it, unrecorded */
  int code = place == NULL ? uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory")
                           : uvr_setup_make_directory(place, &job->record, error);
  make_words("mask", "--now", wanted, words);
  code = code == 0 ? uvr_tool_systemctl(words, error) : code;
  free(place);
  for (size_t i = 0; i < UNITS && code == 0; i++) {
    code = wanted[i] ? uvr_record_add(&job->record, UVR_RECORD_MASK, units[i], error) : 0;
  }
  (void)uvr_tool_systemctl((const char *const[]){"stop", "gpg-agent.service", NULL}, NULL);
  return code;
}

static int act(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  bool wanted[UNITS];
  int code = uvr_job_make_directory(job, error);
  if (code == 0 && find_holders(job, wanted)) {
    code = mask(job, wanted, error);
  }
  if (code == 0 && uvr_tool_is_there("gpgconf")) {
    (void)uvr_tool_run("gpgconf", (const char *const[]){"--kill", "gpg-agent", NULL}, NULL, NULL);
  }
  return code;
}

/* Taking back. */

static bool find_masked(const uvr_job *job, bool masked[UNITS])
{
  bool any = false;
  for (size_t i = 0; i < UNITS; i++) {
    masked[i] = uvr_record_has(&job->record, UVR_RECORD_MASK, units[i]);
    any = any || masked[i];
  }
  return any && (job->nothing_left || uvr_job_concerns(job, ASKED, strlen(ASKED)));
}

static int look_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  bool masked[UNITS];
  if (!find_masked(job, masked)) {
    return 0;
  }
  char *names = list(masked);
  int code = uvr_step_say(&step->text, names == NULL ? NULL : uvr_setup_format("Unmask systemd's %s", names), error);
  free(names);
  return code;
}

static int act_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  bool masked[UNITS];
  const char *words[UNITS + 3];
  if (!find_masked(job, masked)) {
    return 0;
  }
  make_words("unmask", NULL, masked, words);
  int code = uvr_tool_systemctl(words, error);
  code = code == 0 ? uvr_record_drop(&job->record, UVR_RECORD_MASK, NULL, error) : code;
  for (size_t i = 0; i < UNITS && code == 0; i++) {
    masked[i] = masked[i] && uvr_tool_unit_is("is-enabled", units[i], "enabled");
  }
  make_words("start", NULL, masked, words);
  if (code == 0 && words[1] != NULL) {
    (void)uvr_tool_systemctl(words, NULL); /* at the next login they start in any case */
  }
  return code;
}

const uvr_step_kind uvr_step_gpg = {.set_up = {look, act}, .take_back = {look_back, act_back}};
