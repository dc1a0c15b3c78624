/* The command `uvrelay doctor`: see doctor.h.
 *
 * It goes through the table of checks (checks.h), each on a thread of its own with a limit in time, prints each result
 * at once, and leaves out what needs a check that was bad. Then it goes through the routes. It changes nothing. */
#include "cli/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/config.h"
#include "cli/doctor/patience.h"
#include "cli/doctor/place.h"
#include "cli/doctor/print.h"
#include "cli/os/slim_start.h"
#include "cli/output/print.h"

enum { CHECKS_MAX = 32, ALL_MS = 18000, LEAST_MS = 1500, OWN_MS = 1000, NOBODY = -1 };

typedef struct session {
  uvr_doctor doctor;
  uvr_doctor_print print;
  char own[UVR_SHELL_WORD_SIZE]; /* of a thread that may have been given up */
  uint64_t until;                /* the end of its time, in ms */
  int blame[CHECKS_MAX];         /* for each check: the one that is the reason why it is bad or skipped, or NOBODY */
  const uvr_doctor_route *route; /* that is being checked */
  const uvr_doctor_route_check *route_check;
  const uvr_doctor_check *check; /* that is being made */
  int failed;                    /* not 0: nothing can be printed */
  bool brief;                    /* as setup has it: see uvr_doctor_confirm() */
  bool no_routes;                /* a thread that was given up may be reading them still */
} session;

static const char usage[] = "Usage: uvrelay doctor [--json] [--config=FILE | LISTEN=TARGET...]\n"
                            "\n"
                            "Finds out what keeps uvrelay serve from working. It checks how WSL starts\n"
                            "Windows programs, uvrelay.exe, the configuration, and the listener and target of\n"
                            "each route. It prints a line per check, and below each problem the commands that\n"
                            "fix it. It changes nothing and takes at most 20 seconds.\n"
                            "\n"
                            "Without routes it checks those in serve's configuration file; it also accepts\n"
                            "the other flags of serve.\n"
                            "\n"
                            "Flags:\n"
                            "  --config=FILE  check the routes in this file\n"
                            "  --json         print an array of objects with check, state (ok, warning, bad,\n"
                            "                 skipped), text and remedy\n"
                            "  --help         print this help and exit\n"
                            "\n"
                            "Exit status: 0 if nothing is bad, 1 if something is, 2 for wrong usage.\n";

static uint64_t now_ms(void)
{
  return uv_hrtime() / 1000000;
}

/* How long a check may take: its limit, but not beyond the end of all. */
static uint64_t limit_of(const session *self, unsigned limit_ms)
{
  uint64_t now = now_ms();
  uint64_t left = now < self->until ? self->until - now : 0;
  left = left < LEAST_MS ? LEAST_MS : left;
  return left < limit_ms ? left : limit_ms;
}

static void print(session *self, const uvr_check *check)
{
  bool shown = !self->brief || check->state == UVR_CHECK_BAD || check->state == UVR_CHECK_WARNING;
  if (shown && self->failed == 0) {
    self->failed = uvr_doctor_print_check(&self->print, check);
  }
}

static void set_late(uvr_check *check, uint64_t limit_ms, const char *remedy)
{
  uvr_check_set(check, UVR_CHECK_BAD, "it did not finish within %g s", (double)limit_ms / 1000);
  if (remedy != NULL) {
    uvr_check_add_remedy(check, "%s", remedy);
  }
}

/* The table. */

static int find_blame(const session *self, uint32_t needs)
{
  for (int i = 0; i < CHECKS_MAX; i++) {
    if ((needs & UINT32_C(1) << i) != 0 && self->blame[i] != NOBODY) {
      return self->blame[i];
    }
  }
  return NOBODY;
}

static void set_skipped(uvr_check *check, const char *reason)
{
  uvr_check_set(check, UVR_CHECK_SKIPPED, "see %s above", reason);
}

static bool is_over(const session *self)
{
  return now_ms() >= self->until;
}

static void run_check(void *user, uvr_check *check)
{
  session *self = user;
  self->check->run(&self->doctor, check);
}

static void make_checks(session *self)
{
  size_t count = 0;
  const uvr_doctor_check *checks = uvr_doctor_checks(&count);
  for (size_t i = 0; i < count && self->failed == 0; i++) {
    uvr_check check = {.state = UVR_CHECK_NONE};
    (void)snprintf(check.name, sizeof(check.name), "%s", checks[i].name);
    uint64_t limit_ms = limit_of(self, checks[i].limit_ms);
    self->blame[i] = find_blame(self, checks[i].needs);
    self->check = &checks[i];
    if (self->blame[i] != NOBODY) {
      set_skipped(&check, checks[self->blame[i]].name);
    } else if (!uvr_doctor_call(run_check, self, limit_ms, &check)) {
      set_late(&check, limit_ms, checks[i].late);
      self->no_routes = self->no_routes || checks[i].run == uvr_doctor_check_config;
    }
    if (check.state == UVR_CHECK_BAD) {
      self->blame[i] = (int)i;
    }
    print(self, &check);
  }
}

/* The routes. */

static void run_route_check(void *user, uvr_check *check)
{
  const session *self = user;
  self->route_check->run(&self->doctor, self->route, check);
}

/* Returns the state. */
static uvr_check_state check_route(session *self, const uvr_doctor_route *route, const uvr_doctor_route_check *with)
{
  size_t count = 0;
  const uvr_doctor_check *checks = uvr_doctor_checks(&count);
  size_t needed = uvr_doctor_far_check();
  int blame = with->far_only && route->config->needs_far_end && needed < count ? self->blame[needed] : NOBODY;
  uvr_check check = {.state = UVR_CHECK_NONE};
  uint64_t limit_ms = limit_of(self, with->limit_ms);
  (void)snprintf(check.name, sizeof(check.name), "%s of %s", with->name, route->name);
  self->route = route;
  self->route_check = with;
  if (blame != NOBODY) {
    set_skipped(&check, checks[blame].name);
  } else if (is_over(self)) {
    uvr_check_set(&check, UVR_CHECK_SKIPPED, "no time was left for it");
  } else if (!uvr_doctor_call(run_route_check, self, limit_ms, &check)) {
    set_late(&check, limit_ms, NULL);
  }
  print(self, &check);
  return check.state;
}

/* All that there is to say of a route that works; or, if something that it needs was reported above, that it does not.
 */
static void print_brief(session *self, const uvr_doctor_route *route, uvr_check_state worst)
{
  uvr_check check = {.state = worst <= UVR_CHECK_OK ? UVR_CHECK_OK : UVR_CHECK_SKIPPED};
  (void)snprintf(check.name, sizeof(check.name), "%s", route->name);
  if (check.state == UVR_CHECK_OK) {
    uvr_doctor_describe_route(route, check.text, sizeof(check.text));
  } else {
    (void)snprintf(check.text, sizeof(check.text), "see above");
  }
  if (self->failed == 0) {
    self->failed = uvr_doctor_print_check(&self->print, &check);
  }
}

static void examine_route(session *self, const uvr_doctor_route *route)
{
  size_t count = 0;
  const uvr_doctor_route_check *checks = uvr_doctor_route_checks(&count);
  uvr_check_state worst = UVR_CHECK_NONE;
  bool told = false;
  for (size_t i = 0; i < count && self->failed == 0; i++) {
    if (self->brief && checks[i].run == uvr_doctor_check_variable) {
      continue;
    }
    uvr_check_state state = check_route(self, route, &checks[i]);
    told = told || state == UVR_CHECK_BAD || state == UVR_CHECK_WARNING;
    worst = state > worst ? state : worst;
  }
  if (self->brief && !told) {
    print_brief(self, route, worst);
  }
}

static void make_route_checks(session *self)
{
  for (size_t i = 0; !self->no_routes && i < self->doctor.config.count; i++) {
    examine_route(self, &self->doctor.routes[i]);
  }
}

static void find_own_command(void *user, uvr_check *check)
{
  session *self = user;
  (void)check;
  (void)uvr_doctor_own_command(self->own);
}

/* A directory of PATH may be on a drive that hangs. */
static void set_own_command(session *self)
{
  uvr_check check = {.state = UVR_CHECK_NONE};
  bool found = uvr_doctor_call(find_own_command, self, OWN_MS, &check);
  (void)snprintf(self->doctor.own, sizeof(self->doctor.own), "%s", found ? self->own : "uvrelay");
}

/* Examines all. Returns the exit status. */
static int examine(session *self)
{
  self->until = now_ms() + ALL_MS;
  for (int i = 0; i < CHECKS_MAX; i++) {
    self->blame[i] = NOBODY;
  }
  set_own_command(self);
  uvr_wsl_init(&self->doctor.wsl);
  self->failed = uvr_doctor_print_begin(&self->print, self->doctor.given.json);
  make_checks(self);
  make_route_checks(self);
  bool well = self->print.counts[UVR_CHECK_BAD] == 0 && self->print.counts[UVR_CHECK_WARNING] == 0;
  if (self->failed == 0 && !(self->brief && well && self->doctor.config.count > 0)) {
    self->failed = uvr_doctor_print_end(&self->print, self->doctor.own);
  }
  return self->failed != 0 || self->print.counts[UVR_CHECK_BAD] > 0 ? 1 : 0;
}

/* Whether the routes of the command line are written right. Those of files are a check. */
static int check_usage(const uvr_serve_options *given, uvrelay_error_t *error)
{
  uvr_place place;
  uvr_config config = {.options = {.size = sizeof(config.options)}};
  int code = 0;
  uvr_serve_options_apply(given, &config.options);
  for (int i = 0; code == 0 && i < given->route_count; i++) {
    code = uvr_config_add_route(&config, given->routes[i], error);
  }
  code = code == 0 ? uvr_config_check(&config, &place, error) : code;
  uvr_config_clear(&config);
  return code;
}

static int refuse(const uvrelay_error_t *error)
{
  (void)fprintf(stderr, "uvrelay: %s\n", error->text);
  uvr_print_try("doctor");
  return 2;
}

int uvr_cli_doctor(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_slim_start(true);
  session *self = calloc(1, sizeof(*self)); /* not freed: threads that were given up use it */
  if (self == NULL) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  switch (uvr_serve_options_parse(argc, argv, &self->doctor.given, &error)) {
  case UVR_SERVE_SHOW_HELP:
    return uvr_print(usage);
  case UVR_SERVE_SHOW_VERSION:
    return uvr_print_version();
  case UVR_SERVE_WRONG_USAGE:
    return refuse(&error);
  case UVR_SERVE_RUN:
    break;
  }
  return check_usage(&self->doctor.given, &error) != 0 ? refuse(&error) : examine(self);
}

int uvr_doctor_confirm(void)
{
  session *self = calloc(1, sizeof(*self)); /* not freed, as above */
  uvrelay_error_t error;
  char word[] = "doctor";
  char *words[] = {word, NULL};
  uvr_slim_start(true);
  if (self == NULL || uvr_serve_options_parse(1, words, &self->doctor.given, &error) != UVR_SERVE_RUN) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  self->brief = true;
  return examine(self);
}
