/* What is made of what `uvrelay.exe facts` prints, and of its ways to fail. The program is scripted here; setup's and
 * doctor's tests run real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

/* The program's own files are in no library. */
#include "cli/child/failure.c"        /* NOLINT(bugprone-suspicious-include) */
#include "cli/facts/ask_facts_unix.c" /* NOLINT(bugprone-suspicious-include) */

/* What the program does next. */
static struct {
  int code;
  const char *output;
  size_t length; /* 0: that of the text */
  const char *errors;
  bool timed_out;
  int64_t status;
  int signal;
  const char *obstacle;
  const char *warning;
} script;

int uvr_capture_run(uvr_capture *self, uvrelay_error_t *error)
{
  (void)error;
  assert_string_equal(self->words[1], "facts");
  assert_null(self->words[2]);
  self->length = script.length > 0 ? script.length : strlen(script.output);
  self->output = malloc(self->length + 1);
  assert_non_null(self->output);
  memset(self->output, 'x', self->length);
  memcpy(self->output, script.output, strlen(script.output) + (script.length > 0 ? 1 : 0));
  self->output[self->length] = '\0';
  (void)snprintf(self->errors, sizeof(self->errors), "%s", script.errors == NULL ? "" : script.errors);
  self->timed_out = script.timed_out;
  self->status = script.status;
  self->signal = script.signal;
  self->duration_ms = 7;
  return script.code;
}

void uvr_capture_clear(uvr_capture *self)
{
  free(self->output);
  self->output = NULL;
}

int uvr_program_check(const char *name, const char *file, uvrelay_error_t *error)
{
  (void)name;
  (void)file;
  (void)error;
  return 0;
}

const char *uvr_program_obstacle(const char *file)
{
  (void)file;
  return script.obstacle;
}

const char *uvr_program_doubt(const char *file, long long status)
{
  (void)file;
  (void)status;
  return NULL;
}

void uvr_wsl_init(uvr_wsl *self)
{
  *self = (uvr_wsl){.run = NULL};
}

int uvr_wsl_prepare(const uvr_wsl *self, const char *file, uvr_wsl_start *start, uvrelay_error_t *error)
{
  (void)self;
  (void)file;
  *start = (uvr_wsl_start){.directory = NULL};
  return script.warning == NULL ? 0 : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT, "%s", script.warning);
}

const char *uvr_wsl_explain(const char *line)
{
  return strstr(line, "accept4 failed 110") != NULL ? "type wsl.exe --shutdown" : NULL;
}

void uvr_wsl_start_clear(uvr_wsl_start *start)
{
  (void)start;
}

static void expect_facts(const char *output, const char *const expected[])
{
  uvr_facts facts;
  script.output = output;
  assert_int_equal(uvr_facts_ask("/mnt/c/uvrelay.exe", &facts, NULL), 0);
  assert_int_equal(facts.duration_ms, 7);
  const char *line = facts.text;
  for (; *expected != NULL; expected++) {
    assert_true(line < facts.end);
    assert_string_equal(line, *expected);
    line += strlen(line) + 1;
  }
  assert_ptr_equal(line, facts.end);
  uvr_facts_clear(&facts);
  assert_null(facts.text);
}

static void test_lines(void **state)
{
  (void)state;
  expect_facts("facts=1\n", (const char *const[]){"facts=1", NULL});
  expect_facts("facts=1\r\nuser=Some Body\r\n\r\nsid=\r\n",
               (const char *const[]){"facts=1", "user=Some Body", "", "sid=", NULL});
  expect_facts("facts=1\nuser=x", (const char *const[]){"facts=1", "user=x", NULL}); /* no newline at the end */
  expect_facts("facts=1\r\nuser=x", (const char *const[]){"facts=1", "user=x", NULL});
  expect_facts("facts=1\nuser=a=b\ra\n", (const char *const[]){"facts=1", "user=a=b\ra", NULL});
}

static void test_get(void **state)
{
  (void)state;
  uvr_facts facts;
  script.output = "facts=1\r\npipe=a\r\npipes=no\r\nuser=\r\npipe=b=c\r\nnothing\r\n";
  assert_int_equal(uvr_facts_ask("/mnt/c/uvrelay.exe", &facts, NULL), 0);
  const char *pipe = uvr_facts_get(&facts, "pipe", NULL);
  assert_string_equal(pipe, "a");
  pipe = uvr_facts_get(&facts, "pipe", pipe);
  assert_string_equal(pipe, "b=c");
  assert_null(uvr_facts_get(&facts, "pipe", pipe));
  assert_string_equal(uvr_facts_get(&facts, "user", NULL), "");
  assert_null(uvr_facts_get(&facts, "sid", NULL));
  assert_null(uvr_facts_get(&facts, "nothing", NULL));
  uvr_facts_clear(&facts);
  assert_null(uvr_facts_get(&facts, "facts", NULL));
}

static void expect_failure(int code, const char *text)
{
  uvr_facts facts;
  uvrelay_error_t error;
  script.output = script.output == NULL ? "" : script.output;
  assert_int_equal(uvr_facts_ask("/mnt/c/uvrelay.exe", &facts, &error), code);
  assert_string_equal(error.text, text);
  assert_int_equal(error.code, code);
  assert_null(facts.text);
  uvr_facts_clear(&facts);
  memset(&script, 0, sizeof(script));
}

static void test_other_output(void **state)
{
  (void)state;
  memset(&script, 0, sizeof(script));
  expect_failure(UV_EPROTO, "\"/mnt/c/uvrelay.exe\" facts prints nothing: is it uvrelay.exe?");
  script.output = "hello\r\n";
  expect_failure(UV_EPROTO,
                 "\"/mnt/c/uvrelay.exe\" facts prints \"hello\\x0d\" instead of facts=1: is it uvrelay.exe?");
  script.output = "facts=10\n";
  expect_failure(UV_EPROTO, "\"/mnt/c/uvrelay.exe\" facts prints \"facts=10\" instead of facts=1: is it uvrelay.exe?");
  script.output = "facts=1"; /* cut */
  expect_failure(UV_EPROTO, "\"/mnt/c/uvrelay.exe\" facts prints \"facts=1\" instead of facts=1: is it uvrelay.exe?");
  script.output = "facts=1\nuser=";
  script.length = 20; /* with a NUL in it */
  expect_failure(UV_EPROTO, "\"/mnt/c/uvrelay.exe\" facts prints \"facts=1\" instead of facts=1: is it uvrelay.exe?");
  script.output = "facts=1\n";
  script.length = UVR_CAPTURE_MAX;
  expect_failure(UV_EPROTO, "\"/mnt/c/uvrelay.exe\" facts prints too much: is it uvrelay.exe?");
}

static void test_failures(void **state)
{
  (void)state;
  memset(&script, 0, sizeof(script));
  script.code = UV_EACCES;
  expect_failure(UV_EACCES, "\"/mnt/c/uvrelay.exe\" cannot be started: permission denied (EACCES)");
  script.code = UV_EACCES;
  script.warning = "nobody listens";
  expect_failure(UV_EACCES, "\"/mnt/c/uvrelay.exe\" cannot be started: nobody listens");
  script.obstacle = "there is no handler";
  expect_failure(UV_EFTYPE, "\"/mnt/c/uvrelay.exe\" cannot be started: there is no handler");
  script.timed_out = true;
  script.signal = 9;
  expect_failure(
      UV_ETIMEDOUT,
      "\"/mnt/c/uvrelay.exe\" did not end within 45 s: restart WSL with `wsl.exe --shutdown`, typed on Windows");
  script.status = 2;
  script.errors = "uvrelay: bad address \"facts\"";
  expect_failure(UV_ENOSYS, "\"/mnt/c/uvrelay.exe\" does not know the command `facts`, because it is older than this "
                            "program: replace it with the same version");
  script.status = 1;
  script.errors = "one\n<3>WSL (12 - ) ERROR: UtilAcceptVsock:271: accept4 failed 110";
  expect_failure(UV_EIO, "\"/mnt/c/uvrelay.exe\" exited at once with status 1: \"<3>WSL (12 - ) ERROR: "
                         "UtilAcceptVsock:271: accept4 failed 110\": type wsl.exe --shutdown");
  script.status = 2;
  script.errors = "/mnt/c/uvrelay.exe: 1: MZ: not found\n/mnt/c/uvrelay.exe: 2: Syntax error";
  expect_failure(UV_EIO, "\"/mnt/c/uvrelay.exe\" exited at once with status 2: \"/mnt/c/uvrelay.exe: 2: Syntax "
                         "error\"");
  script.obstacle = "there is no handler";
  script.warning = "type this to bring it back";
  expect_failure(UV_EFTYPE, "\"/mnt/c/uvrelay.exe\" cannot be started: type this to bring it back");
  script.status = 1;
  script.warning = "nobody listens";
  expect_failure(UV_EIO, "\"/mnt/c/uvrelay.exe\" cannot be started: nobody listens");
  script.signal = 11;
  expect_failure(UV_EIO, "\"/mnt/c/uvrelay.exe\" was killed at once by signal 11");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_get),
                                     cmocka_unit_test(test_other_output), cmocka_unit_test(test_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
