/* The step for systemd: a unit of the user's, which serves the routes now and after each login.
 *
 * A unit that setup has written has a hash in its first line, by which it is seen whether somebody has changed it
 * since; such a one, and one that setup has not written, stays as it is. Where systemd has a unit of the name from
 * elsewhere, as a package installs it, and it runs this program with the user's routes, that one is used, and nothing
 * is written.
 *
 * Ways to fail: it cannot be written; systemctl fails, and its message is reported, with where to look. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/setup/background_unix.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/text_unix.h"
#include "cli/setup/tool_unix.h"

#define UNIT "uvrelay.service"
#define LINK "default.target.wants/" UNIT
#define HEAD "# Written by `uvrelay setup`. To change it, type: systemctl --user edit uvrelay ["

typedef enum unit_state {
  UNIT_ABSENT,
  UNIT_INSTALLED, /* there is none of the user's, and that of a package does the same */
  UNIT_RIGHT,
  UNIT_OLD, /* setup has written it, but would write another one now */
  UNIT_FOREIGN
} unit_state;

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

static char *path_of(const uvr_job *job, const char *name)
{
  return uvr_setup_format("%s/systemd/user/%s", job->config_home, name);
}

static char *make_unit(const uvr_job *job)
{
  char *program = uvr_setup_unit_program(job->program);
  char *flag = uvr_setup_format("--config=%s", job->config);
  char *config = flag == NULL ? NULL : uvr_setup_unit_word(flag);
  char *body = program == NULL || config == NULL
                   ? NULL
                   : uvr_setup_format("[Unit]\n"
                                      "Description=Relays between WSL and Windows (uvrelay)\n"
                                      "\n"
                                      "[Service]\n"
                                      "Type=notify\n"
                                      "KillMode=mixed\n"
                                      "ExecStart=%s serve %s\n"
                                      "ExecReload=%s reload $MAINPID\n"
                                      "Restart=on-failure\n"
                                      "RestartPreventExitStatus=2\n"
                                      "TimeoutStopSec=15\n"
                                      "NoNewPrivileges=yes\n"
                                      "\n"
                                      "[Install]\n"
                                      "WantedBy=default.target\n",
                                      program, config, program);
  char *unit =
      body == NULL ? NULL : uvr_setup_format(HEAD "%016" PRIx64 "]\n%s", uvr_setup_hash(body, strlen(body)), body);
  free(program);
  free(flag);
  free(config);
  free(body);
  return unit;
}

/* Whether setup has written it, and it has not been changed since. */
static bool is_own(const char *text)
{
  char hash[32];
  size_t first = strcspn(text, "\n");
  if (strncmp(text, HEAD, sizeof(HEAD) - 1) != 0 || text[first] == '\0') {
    return false;
  }
  const char *body = text + first + 1;
  (void)snprintf(hash, sizeof(hash), "%016" PRIx64 "]\n", uvr_setup_hash(body, strlen(body)));
  return strncmp(text + sizeof(HEAD) - 1, hash, strlen(hash)) == 0;
}

/* Whether the file of the unit that systemctl shows is there. systemd knows a unit whose file was removed until it
 * reads all units again. */
static bool has_file(const char *shown)
{
  static const char name[] = "FragmentPath=";
  const char *line = strstr(shown, name);
  const char *path = line == NULL ? "" : line + sizeof(name) - 1;
  char *file = strndup(path, strcspn(path, "\n"));
  bool is = file != NULL && *file == '/' && uvr_setup_is_there(file);
  free(file);
  return is;
}

/* Whether the unit that systemd has, if it is not the user's own, runs this program with these routes. systemctl shows
 * it in lines such as these, with what stands for `%` in units:
 *
 *   FragmentPath=/usr/lib/systemd/user/uvrelay.service
 *   ExecStart={ path=/usr/bin/uvrelay ; argv[]=/usr/bin/uvrelay serve --config=/home/me/.config/uvrelay/routes.conf ;
 * ... }
 */
static bool is_installed(const uvr_job *job)
{
  static const char *const words[] = {"--user", "show", "--property=FragmentPath,ExecStart", UNIT, NULL};
  char *shown = NULL;
  char *start =
      uvr_setup_format("ExecStart={ path=%s ; argv[]=%s serve --config=%s ; ", job->program, job->program, job->config);
  bool is = job->manager && start != NULL && uvr_tool_run("systemctl", words, &shown, NULL) == 0 && shown != NULL &&
            has_file(shown) && strstr(shown, start) != NULL;
  free(shown);
  free(start);
  return is;
}

static int read_unit(const uvr_job *job, unit_state *state, uvrelay_error_t *error)
{
  char *path = path_of(job, UNIT);
  char *wanted = make_unit(job);
  char *text = NULL;
  int code = path == NULL || wanted == NULL ? no_memory(error) : uvr_setup_read(path, &text, error);
  if (code == 0) {
    *state = text == NULL                ? is_installed(job) ? UNIT_INSTALLED : UNIT_ABSENT
             : strcmp(text, wanted) == 0 ? UNIT_RIGHT
             : is_own(text)              ? UNIT_OLD
                                         : UNIT_FOREIGN;
  }
  free(path);
  free(wanted);
  free(text);
  return code;
}

/* Setting up. */

/* What is to be done with the service. */
typedef enum service_need { SERVICE_NOTHING, SERVICE_ENABLE, SERVICE_RELOAD, SERVICE_RESTART } service_need;

static service_need need_of(const uvr_job *job, unit_state state)
{
  bool active = uvr_tool_unit_is("is-active", UNIT, "active");
  if (!active || state == UNIT_ABSENT || !uvr_tool_unit_is("is-enabled", UNIT, "enabled")) {
    return active && (job->program_changes || state == UNIT_OLD) ? SERVICE_RESTART : SERVICE_ENABLE;
  }
  return state == UNIT_OLD || job->program_changes ? SERVICE_RESTART
         : job->config_changes                     ? SERVICE_RELOAD
                                                   : SERVICE_NOTHING;
}

static int look(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  static const char *const with_unit[] = {"leave it as it is", "enable and start it", "make it read the routes again",
                                          "enable and restart it"};
  static const char *const alone[] = {"", "Enable and start " UNIT, "Make " UNIT " read the routes again",
                                      "Enable and restart " UNIT};
  unit_state state = UNIT_ABSENT;
  if (!job->manager) {
    return 0;
  }
  int code = read_unit(job, &state, error);
  if (code != 0) {
    return code;
  }
  bool writes = state == UNIT_ABSENT || state == UNIT_OLD;
  service_need need = need_of(job, state);
  char *path = path_of(job, UNIT);
  if (path == NULL) {
    return no_memory(error);
  }
  if (writes) {
    code = uvr_step_say(&step->text, uvr_setup_format("Write the unit %s, and %s", path, with_unit[need]), error);
    code = code == 0 ? uvr_step_say(&step->detail, make_unit(job), error) : code;
  } else if (need != SERVICE_NOTHING) {
    code = uvr_step_say(&step->text, strdup(alone[need]), error);
  }
  if (code == 0 && state == UNIT_FOREIGN) {
    code = uvr_step_say(
        &step->note,
        uvr_setup_format("%s stays as it is, because setup did not write it or it was changed since", path), error);
  }
  free(path);
  return code;
}

/* The directory of the link by which systemd starts it at each login; systemctl would make it, unrecorded. */
static int make_directory_of_link(uvr_job *job, uvrelay_error_t *error)
{
  char *path = path_of(job, "default.target.wants");
  int code = path == NULL ? no_memory(error) : uvr_setup_make_directory(path, &job->record, error);
  free(path);
  return code;
}

static int write_unit(uvr_job *job, uvrelay_error_t *error)
{
  char *path = path_of(job, UNIT);
  char *text = make_unit(job);
  int code = path == NULL || text == NULL ? no_memory(error)
                                          : uvr_setup_write(path, text, strlen(text), 0644, false, &job->record, error);
  code = code == 0 ? make_directory_of_link(job, error) : code;
  code = code == 0 ? uvr_tool_systemctl((const char *const[]){"daemon-reload", NULL}, error) : code;
  free(path);
  free(text);
  return code;
}

/* Asks the service itself, which answers when it is done and says what is wrong; systemd only sends it a signal. */
static int reload(const uvr_job *job, uvrelay_error_t *error)
{
  static const char *const words[] = {"--user", "show", "--property=MainPID", "--value", UNIT, NULL};
  char *number = NULL;
  (void)uvr_tool_run("systemctl", words, &number, NULL);
  long process = number == NULL ? 0 : strtol(number, NULL, 10);
  int code = process <= 0 ? UV_ENOTSUP : uvr_background_reload_one(job, process, error);
  free(number);
  return code == UV_ENOTSUP ? uvr_tool_service("reload", error) : code;
}

static int act_on_service(const uvr_job *job, service_need need, uvrelay_error_t *error)
{
  if (need == SERVICE_NOTHING || need == SERVICE_RELOAD) {
    return need == SERVICE_RELOAD ? reload(job, error) : 0;
  }
  int code = uvr_tool_systemctl((const char *const[]){"enable", UNIT, NULL}, error);
  code = code == 0 ? uvr_background_stop(job, error) : code; /* it listens in the same places */
  return code != 0 ? code : uvr_tool_service(need == SERVICE_ENABLE ? "start" : "restart", error);
}

static int act(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  unit_state state = UNIT_ABSENT;
  int code = uvr_job_make_directory(job, error);
  code = code == 0 ? read_unit(job, &state, error) : code;
  if (code != 0) {
    return code;
  }
  service_need need = need_of(job, state);
  if (state == UNIT_ABSENT || state == UNIT_OLD) {
    code = write_unit(job, error);
  } else if (state == UNIT_INSTALLED && need != SERVICE_NOTHING) {
    code = make_directory_of_link(job, error);
  }
  return code == 0 ? act_on_service(job, need, error) : code;
}

/* Taking back. */

static int say_disable(const uvr_job *job, unit_state state, uvr_step *step, uvrelay_error_t *error)
{
  char *link = path_of(job, LINK);
  int code = link == NULL ? no_memory(error) : 0;
  if (code == 0 && uvr_setup_is_there(link)) { /* that of a unit whose package is gone, too */
    code =
        uvr_step_say(&step->text, strdup(state == UNIT_INSTALLED ? "Stop and disable " UNIT : "Disable " UNIT), error);
  } else if (code == 0 && state == UNIT_INSTALLED && uvr_tool_unit_is("is-active", UNIT, "active")) {
    code = uvr_step_say(&step->text, strdup("Stop " UNIT), error);
  }
  free(link);
  return code;
}

static int look_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  unit_state state = UNIT_ABSENT;
  int code = read_unit(job, &state, error);
  char *path = path_of(job, UNIT);
  if (code != 0 || path == NULL) {
    free(path);
    return code != 0 ? code : no_memory(error);
  }
  if (job->nothing_left && (state == UNIT_ABSENT || state == UNIT_INSTALLED)) {
    code = say_disable(job, state, step, error);
  } else if (job->nothing_left && (state == UNIT_RIGHT || state == UNIT_OLD)) {
    code = uvr_step_say(&step->text, uvr_setup_format("Stop uvrelay.service, and remove %s", path), error);
  } else if (job->nothing_left && state == UNIT_FOREIGN) {
    code = uvr_step_say(&step->note,
                        uvr_setup_format("%s stays, because setup did not write it or it was changed since: `systemctl "
                                         "--user disable --now uvrelay` stops it",
                                         path),
                        error);
  } else if (job->config_changes && job->manager && uvr_tool_unit_is("is-active", UNIT, "active")) {
    code = uvr_step_say(&step->text, strdup("Make uvrelay.service read the routes again"), error);
  }
  free(path);
  return code;
}

static int remove_unit(const uvr_job *job, uvrelay_error_t *error)
{
  unit_state state = UNIT_ABSENT;
  char *path = path_of(job, UNIT);
  char *link = path_of(job, LINK);
  int code = path == NULL || link == NULL ? no_memory(error) : read_unit(job, &state, error);
  if (code == 0 && job->manager && state != UNIT_ABSENT) {
    code = uvr_tool_systemctl((const char *const[]){"disable", "--now", UNIT, NULL}, error);
  } else if (code == 0) {
    code = uvr_setup_unlink(link, false, error);
  }
  code = code == 0 ? uvr_setup_unlink(path, false, error) : code;
  if (code == 0 && job->manager) {
    code = uvr_tool_systemctl((const char *const[]){"daemon-reload", NULL}, error);
  }
  free(path);
  free(link);
  return code;
}

static int act_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  return job->nothing_left ? remove_unit(job, error) : act_on_service(job, SERVICE_RELOAD, error);
}

const uvr_step_kind uvr_step_unit = {.set_up = {look, act}, .take_back = {look_back, act_back}};
