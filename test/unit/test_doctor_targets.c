/* What the doctor says of targets and of variables of the environment: each way to fail, and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/doctor/check.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/doctor/config.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What only reading the configuration needs. */

int uvr_serve_load(const uvr_serve_options *given, uvr_serve_options *options, uvr_config *config, uvr_place *place,
                   uvrelay_error_t *error)
{
  (void)given;
  (void)options;
  (void)config;
  *place = (uvr_place){.file = "routes.conf", .line = 3, .column = 7};
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "it is wrong");
}

const uvr_config_route *uvr_config_first_far(const uvr_config *self)
{
  (void)self;
  return NULL;
}

int uvr_far_command_find(const char *line, const uvr_config_route *route, uvr_command *out, const char **shown,
                         uvrelay_error_t *error)
{
  (void)line;
  (void)route;
  (void)out;
  (void)shown;
  (void)error;
  return 0;
}

int uvr_paths_config(char path[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  (void)error;
  (void)snprintf(path, UVR_PATH_SIZE, "/nonexistent/routes.conf");
  return 0;
}

void uvr_doctor_check_file(const char *path, uvr_check *check)
{
  (void)path;
  (void)check;
}

void uvr_doctor_add_setup_remedy(const char *own, uvr_check *check)
{
  uvr_check_add_remedy(check, "%s setup", own == NULL ? "no" : own);
}

void uvr_probe_run(uvr_probe *self)
{
  for (size_t i = 0; i < self->count; i++) {
    self->targets[i]->tried = true;
  }
}

static uvr_doctor doctor;
static uvr_config_route config;
static uvr_doctor_route route;
static uvr_check check;

static int set_up(void **state)
{
  (void)state;
  doctor = (uvr_doctor){.own = "uvrelay", .is_wsl = false};
  config = (uvr_config_route){.listen = NULL};
  route = (uvr_doctor_route){.config = &config};
  check = (uvr_check){.state = UVR_CHECK_NONE};
  return 0;
}

static void expect(uvr_check_state state, const char *text, const char *remedy)
{
  if (check.state != state || strstr(check.text, text) == NULL || strstr(check.remedy, remedy) == NULL ||
      (*remedy == '\0' && check.remedy[0] != '\0')) {
    fail_msg("%s: %s / %s", uvr_check_word(check.state), check.text, check.remedy);
  }
}

static void test_targets(void **state)
{
  (void)state;
  static const struct {
    int code;
    const char *address;
    const char *remedy;
  } failures[] = {
      {UV_ENOENT, "//./pipe/openssh-ssh-agent",
       "\nSet-Service ssh-agent -StartupType Automatic; Start-Service ssh-agent"},
      {UV_ENOENT, "via://./pipe/docker_engine", "# start Docker Desktop in Windows"},
      {UV_ENOENT, "via:assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent.ssh", "\ngpg-connect-agent.exe /bye"},
      {UV_ECONNREFUSED, "assuan:///C:/gnupg/S.gpg-agent", "\ngpg-connect-agent.exe /bye"},
      {UV_ENOENT, "via://./pipe/pageant.me.*", "# start Pageant in Windows"},
      {UV_ECONNREFUSED, "tcp://localhost:1", "# start the program that should listen there"},
      {UV_EBUSY, "//./pipe/x", "keep it busy"},
      {UV_ETIMEDOUT, "//./pipe/x", "keep it busy"},
      {UV_EPERM, "//./pipe/x", "owner="},
      {UV_EACCES, "//./pipe/x", "as the same user"},
      {UV_EIO, "//./pipe/x", ""},
  };
  uvr_doctor_check_target(&doctor, &route, &check);
  expect(UVR_CHECK_BAD, "did not answer in time", "");
  route.target.tried = true;
  route.target.took_us = 1234;
  (void)snprintf(route.target.address.canonical, UVR_ADDRESS_CANONICAL_SIZE, "//./pipe/x");
  uvr_doctor_check_target(&doctor, &route, &check);
  expect(UVR_CHECK_OK, "connected to \"//./pipe/x\" in 1.2 ms", "");
  for (size_t i = 0; i < COUNT(failures); i++) {
    check = (uvr_check){.state = UVR_CHECK_NONE};
    (void)snprintf(route.target.address.canonical, UVR_ADDRESS_CANONICAL_SIZE, "%s", failures[i].address);
    (void)uvr_error_set(&route.target.error, UVRELAY_PHASE_CONNECT, failures[i].code, "why");
    uvr_doctor_check_target(&doctor, &route, &check);
    expect(UVR_CHECK_BAD, "why", failures[i].remedy);
  }
}

/* With absent=wait it is no fault that a target is not there. */
static void test_a_target_that_is_waited_for(void **state)
{
  (void)state;
  route.target.tried = true;
  route.target.options.wait_for_absent = 1;
  (void)uvr_error_set(&route.target.error, UVRELAY_PHASE_CONNECT, UV_ENOENT, "why");
  uvr_doctor_check_target(&doctor, &route, &check);
  expect(UVR_CHECK_WARNING, "why", "#");
  (void)uvr_error_set(&route.target.error, UVRELAY_PHASE_CONNECT, UV_EPERM, "why");
  uvr_doctor_check_target(&doctor, &route, &check);
  assert_int_equal(check.state, UVR_CHECK_BAD);
}

static void examine_variable(const char *value)
{
  check = (uvr_check){.state = UVR_CHECK_NONE};
  (void)uv_os_unsetenv("UVRELAY_TEST_SOCKET");
  if (value != NULL) {
    assert_int_equal(uv_os_setenv("UVRELAY_TEST_SOCKET", value), 0);
  }
  uvr_doctor_check_variable(&doctor, &route, &check);
}

static void test_variables(void **state)
{
  (void)state;
  uvr_preset preset = {.name = "x", .variable = "UVRELAY_TEST_SOCKET", .prefix = ""};
  examine_variable("/home/me/s");
  assert_int_equal(check.state, UVR_CHECK_NONE); /* it is not a preset */
  config.preset = &preset;
  examine_variable("/home/me/s");
  assert_int_equal(check.state, UVR_CHECK_NONE); /* it has no path */
  (void)snprintf(config.listener.path, sizeof(config.listener.path), "/home/me/s");
  examine_variable("/home/me/s");
  expect(UVR_CHECK_OK, "UVRELAY_TEST_SOCKET leads to it", "");
  examine_variable(NULL);
  expect(UVR_CHECK_WARNING, "UVRELAY_TEST_SOCKET is not set here", "eval \"$(uvrelay env)\"\n#");
  examine_variable("/tmp/ssh-x/agent.1");
  expect(UVR_CHECK_WARNING, "UVRELAY_TEST_SOCKET leads programs to \"/tmp/ssh-x/agent.1\" instead", "uvrelay env");
  preset.prefix = "unix://";
  examine_variable("/home/me/s");
  expect(UVR_CHECK_WARNING, "instead", "uvrelay env");
  examine_variable("unix:///home/me/s");
  expect(UVR_CHECK_OK, "leads to it", "");
  /* Another route may have it. */
  uvr_config_route other_config = {.preset = &preset, .listener = {.path = "/home/me/other"}};
  uvr_doctor_route routes[] = {route, {.config = &other_config, .name = "other"}};
  doctor.routes = routes;
  doctor.config.count = COUNT(routes);
  examine_variable("unix:///home/me/other");
  expect(UVR_CHECK_OK, "UVRELAY_TEST_SOCKET leads to another route, other", "");
  doctor.lacks_serve = true; /* what sets it would print nothing */
  examine_variable("unix:///tmp/x");
  expect(UVR_CHECK_SKIPPED, "see serve above", "");
  preset.variable = NULL;
  examine_variable("unix:///home/me/s");
  assert_int_equal(check.state, UVR_CHECK_NONE);
}

static void test_configuration(void **state)
{
  (void)state;
  uvr_doctor_check_config(&doctor, &check);
  expect(UVR_CHECK_WARNING, "there is no file \"/nonexistent/routes.conf\"", "no setup");
  check = (uvr_check){.state = UVR_CHECK_NONE};
  doctor.is_wsl = true;
  uvr_doctor_check_config(&doctor, &check);
  expect(UVR_CHECK_WARNING, "there is no file \"/nonexistent/routes.conf\"", "uvrelay setup");
  doctor.is_wsl = false;
  check = (uvr_check){.state = UVR_CHECK_NONE};
  doctor.usual[0] = '\0';
  doctor.given.config_count = 1;
  doctor.given.configs[0] = "routes.conf";
  uvr_doctor_check_config(&doctor, &check);
  expect(UVR_CHECK_BAD, "routes.conf:3:7: it is wrong", "uvrelay serve --check --config=routes.conf");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_targets, set_up),
      cmocka_unit_test_setup(test_a_target_that_is_waited_for, set_up),
      cmocka_unit_test_setup(test_variables, set_up),
      cmocka_unit_test_setup(test_configuration, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
