/* The command line: every flag in every spelling that Go takes, every refusal with what its sentence must say, and
 * a long run of random command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/input/flags.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/options.c" /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ARGS     8
#define T            "//./pipe/x"

/* Parses the arguments up to the first NULL, the program's name put before them. */
static uvr_options_action parse(const char *const args[], uvr_options *out, uvrelay_error_t *error)
{
  char copies[MAX_ARGS + 2][2048];
  char *argv[MAX_ARGS + 2];
  int argc = 1;
  (void)snprintf(copies[0], sizeof(copies[0]), "uvrelay");
  argv[0] = copies[0];
  for (; argc <= MAX_ARGS && args[argc - 1] != NULL; argc++) {
    assert_true(strlen(args[argc - 1]) < sizeof(copies[0]));
    (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", args[argc - 1]);
    argv[argc] = copies[argc];
  }
  argv[argc] = NULL;
  memset(out, 0x55, sizeof(*out));
  uvr_options_action action = uvr_options_parse(argc, argv, out, error);
  /* The target must be one of the arguments, not a copy; what it points to is checked here, while it lives. */
  if (action == UVR_OPTIONS_RUN) {
    int which = 1;
    while (which < argc && argv[which] != out->target) {
      which++;
    }
    assert_true(which == argc - 1);
    out->target = args[which - 1];
  } else {
    assert_null(out->target);
  }
  return action;
}

static const struct right {
  const char *args[MAX_ARGS + 1];
  uvr_options options;
} right[] = {
    {{T}, {.target = T}},
    {{"-p", T}, {.retry = true, .target = T}},
    {{"-s", T}, {.send_end = true, .target = T}},
    {{"-ep", T}, {.end_at_target_end = true, .target = T}},
    {{"-ei", T}, {.end_at_input_end = true, .target = T}},
    {{"-a", T}, {.assuan = true, .target = T}},
    {{"-bg", T}, {.hide_console = true, .target = T}},
    {{"-v", T}, {.verbose = true, .target = T}},
    {{"--verbose", T}, {.verbose = true, .target = T}},
    {{"--timestamps", T}, {.timestamps = true, .target = T}},
    {{"-p", "-s", "-ep", "-ei", "-a", "-bg", "-v", T},
     {.retry = true,
      .send_end = true,
      .end_at_target_end = true,
      .end_at_input_end = true,
      .assuan = true,
      .hide_console = true,
      .verbose = true,
      .target = T}},
    {{"--ei", "--s=true", T}, {.end_at_input_end = true, .send_end = true, .target = T}},
    {{"-ei=true", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei=1", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei=t", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei=T", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei=TRUE", T}, {.end_at_input_end = true, .target = T}},
    {{"--ei=True", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei=false", T}, {.target = T}},
    {{"-ei=0", T}, {.target = T}},
    {{"-ei=f", T}, {.target = T}},
    {{"-ei=F", T}, {.target = T}},
    {{"-ei=FALSE", T}, {.target = T}},
    {{"--ei=False", T}, {.target = T}},
    {{"-ei", "-ei=false", T}, {.target = T}},
    {{"-ei=false", "-ei", T}, {.end_at_input_end = true, .target = T}},
    {{"-ei", "--", T}, {.end_at_input_end = true, .target = T}},
    {{"--", "-ei"}, {.target = "-ei"}},
    {{"--", "--"}, {.target = "--"}},
    {{"-"}, {.target = "-"}},
    {{"-v", "-"}, {.verbose = true, .target = "-"}},
    {{""}, {.target = ""}},
    {{"--", ""}, {.target = ""}},
    {{"--impersonation=anonymous", T}, {.impersonation = UVRELAY_IMPERSONATION_ANONYMOUS, .target = T}},
    {{"--impersonation=identification", T}, {.impersonation = UVRELAY_IMPERSONATION_IDENTIFICATION, .target = T}},
    {{"-impersonation", "impersonation", T}, {.impersonation = UVRELAY_IMPERSONATION_IMPERSONATION, .target = T}},
    {{"--impersonation", "delegation", T}, {.impersonation = UVRELAY_IMPERSONATION_DELEGATION, .target = T}},
    {{"--impersonation=delegation", "-impersonation=anonymous", T}, {.target = T}},
    {{"--owner=user", T}, {.owner = "user", .target = T}},
    {{"-owner", "S-1-5-18,root", T}, {.owner = "S-1-5-18,root", .target = T}},
    {{"--owner=user", "--owner=any", T}, {.target = T}},
    {{"-timeout", "5", T}, {.timeout_ms = 5000, .target = T}},
    {{"--timeout=5", T}, {.timeout_ms = 5000, .target = T}},
    {{"--timeout=2.5", T}, {.timeout_ms = 2500, .target = T}},
    {{"--timeout=9.19", T}, {.timeout_ms = 9190, .target = T}},
    {{"--timeout=.25", T}, {.timeout_ms = 250, .target = T}},
    {{"--timeout=3.", T}, {.timeout_ms = 3000, .target = T}},
    {{"--timeout=0.001", T}, {.timeout_ms = 1, .target = T}},
    {{"--timeout=0.0000000000000000000000001", T}, {.timeout_ms = 1, .target = T}},
    {{"--timeout=1.0000", T}, {.timeout_ms = 1000, .target = T}},
    {{"--timeout=1.0001", T}, {.timeout_ms = 1001, .target = T}},
    {{"--timeout=007", T}, {.timeout_ms = 7000, .target = T}},
    {{"--timeout=500ms", T}, {.timeout_ms = 500, .target = T}},
    {{"--timeout", "5s", T}, {.timeout_ms = 5000, .target = T}},
    {{"--timeout=1.5m", T}, {.timeout_ms = 90000, .target = T}},
    {{"--timeout=24h", T}, {.timeout_ms = 86400000, .target = T}},
    {{"--timeout=86400", T}, {.timeout_ms = 86400000, .target = T}},
    {{"--timeout=86400.000", T}, {.timeout_ms = 86400000, .target = T}},
    {{"--timeout=1", "--timeout=2", T}, {.timeout_ms = 2000, .target = T}},
    {{"--version=false", T}, {.target = T}},
};

static void assert_same(const uvr_options *a, const uvr_options *b)
{
  assert_int_equal(a->retry, b->retry);
  assert_int_equal(a->send_end, b->send_end);
  assert_int_equal(a->end_at_target_end, b->end_at_target_end);
  assert_int_equal(a->end_at_input_end, b->end_at_input_end);
  assert_int_equal(a->assuan, b->assuan);
  assert_int_equal(a->hide_console, b->hide_console);
  assert_int_equal(a->verbose, b->verbose);
  assert_int_equal(a->timestamps, b->timestamps);
  assert_int_equal(a->impersonation, b->impersonation);
  assert_string_equal(a->owner, b->owner);
  assert_int_equal(a->timeout_ms, b->timeout_ms);
  assert_string_equal(a->target, b->target);
}

static void test_right(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(right); i++) {
    uvr_options out;
    uvrelay_error_t error = {0};
    if (parse(right[i].args, &out, &error) != UVR_OPTIONS_RUN) {
      fail_msg("case %u: %s", (unsigned)i, error.text);
    }
    assert_int_equal(error.code, 0);
    assert_same(&out, &right[i].options);
  }
}

static const struct shown {
  const char *args[MAX_ARGS + 1];
  uvr_options_action action;
} shown[] = {
    {{"-h"}, UVR_OPTIONS_SHOW_HELP},
    {{"--h"}, UVR_OPTIONS_SHOW_HELP},
    {{"-help"}, UVR_OPTIONS_SHOW_HELP},
    {{"--help"}, UVR_OPTIONS_SHOW_HELP},
    {{"--help=false"}, UVR_OPTIONS_SHOW_HELP},
    {{"--help", "-bogus"}, UVR_OPTIONS_SHOW_HELP},
    {{"-ei", "--help", T, T}, UVR_OPTIONS_SHOW_HELP},
    {{"--version", "--help"}, UVR_OPTIONS_SHOW_HELP},
    {{"-version"}, UVR_OPTIONS_SHOW_VERSION},
    {{"-V"}, UVR_OPTIONS_SHOW_VERSION},
    {{"--version"}, UVR_OPTIONS_SHOW_VERSION},
    {{"--version=1"}, UVR_OPTIONS_SHOW_VERSION},
    {{"--version", T}, UVR_OPTIONS_SHOW_VERSION},
    {{"--version", "-ei", T, T}, UVR_OPTIONS_SHOW_VERSION},
    {{"--version", "--", "--help"}, UVR_OPTIONS_SHOW_VERSION},
};

static void test_shown(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(shown); i++) {
    uvr_options out;
    uvrelay_error_t error = {0};
    assert_int_equal(parse(shown[i].args, &out, &error), shown[i].action);
    assert_int_equal(error.code, 0);
  }
}

static const struct wrong {
  const char *args[MAX_ARGS + 1];
  const char *words[3]; /* must be in the sentence */
} wrong[] = {
    {{NULL}, {"TARGET is missing", "//./pipe/NAME"}},
    {{"-ei"}, {"TARGET is missing"}},
    {{"--"}, {"TARGET is missing"}},
    {{"-timeout", T}, {"\"" T "\"", "--timeout"}},
    {{T, T}, {"2 arguments", "one TARGET", "quotes"}},
    {{"C:\\Program", "Files\\x"}, {"2 arguments", "\"Files\\x\"", "quotes"}},
    {{"", ""}, {"2 arguments", "\"\""}},
    {{T, "-"}, {"2 arguments", "\"-\""}},
    {{"-v", "serve", "tcp://127.0.0.1:1=" T}, {"serve must be the first", "uvrelay serve"}},
    {{"-v", "mux"}, {"mux must be the first", "uvrelay mux"}},
    {{T, "-ei"}, {"\"-ei\" comes after TARGET", "put flags before TARGET"}},
    {{"-ei", T, "--timeout=5"}, {"\"--timeout=5\"", "put flags before TARGET"}},
    {{T, T, "-s"}, {"\"-s\"", "put flags before TARGET"}},
    {{T, "--"}, {"put flags before TARGET"}},
    {{"---ei", T}, {"bad flag syntax \"---ei\"", "one or two hyphens"}},
    {{"---", T}, {"bad flag syntax \"---\""}},
    {{"-=x", T}, {"bad flag syntax \"-=x\""}},
    {{"--=x", T}, {"bad flag syntax \"--=x\""}},
    {{"-x", T}, {"unknown flag \"-x\"", "-help"}},
    {{"-x=1", T}, {"unknown flag \"-x=1\""}},
    {{"-\x1B[2J", T}, {"unknown flag \"-\\x1b[2J\""}},
    {{"-bogus", "--help"}, {"unknown flag \"-bogus\""}},
    {{"-ei ", T}, {"unknown flag \"-ei \""}},
    {{"-ei:true", T}, {"unknown flag"}},
    {{"-EI", T}, {"did you mean -ei?"}},
    {{"-A", T}, {"did you mean -a?"}},
    {{"--tmeout=1", T}, {"did you mean --timeout?"}},
    {{"--timmeout=1", T}, {"did you mean --timeout?"}},
    {{"--timmmeout=1", T}, {"did you mean --timeout?"}},
    {{"--tymeuxt=1", T}, {": --help lists all flags"}},
    {{"--xelp"}, {"did you mean --help?"}},
    {{"--helxx"}, {"did you mean --help?"}},
    {{"--xxelp"}, {"did you mean --help?"}},
    {{"--xxxelp"}, {": --help lists all flags"}},
    {{"-i", T}, {": --help lists all flags"}},
    {{"-x", T}, {": --help lists all flags"}},
    {{"-d", T}, {"unknown flag \"-d\"", "-v logs"}},
    {{"-t", "5", T}, {"unknown flag \"-t\"", "--linger"}},
    {{"-T", "5", T}, {"--idle"}},
    {{"-L", "8080:h:80", "me@host"},
     {"unknown flag \"-L\"", "--via=\"ssh HOST uvrelay mux\"", "tcp://127.0.0.1:8080=via:tcp://h:80"}},
    {{"-L8080:h:80"}, {"tcp://127.0.0.1:8080=via:tcp://h:80"}},
    {{"-L"}, {"unknown flag \"-L\"", "uvrelay serve tcp://127.0.0.1:8080=tcp://HOST:80"}},
    {{"-l", T}, {"uvrelay serve LISTEN=TARGET"}},
    {{"--verbos", T}, {"did you mean --verbose?"}},
    {{"-S", T}, {"did you mean -s?"}},
    {{"-sv", T}, {"cannot be combined", "-s -v"}},
    {{"-psa", T}, {"cannot be combined", "-p -s"}},
    {{"-timeuot=5", T}, {"did you mean --timeout?"}},
    {{"--time", "5", T}, {"did you mean --timeout?"}},
    {{"--Timeout=5", T}, {"did you mean --timeout?"}},
    {{"--timeouts=5", T}, {"did you mean --timeout?"}},
    {{"--impersonate=delegation", T}, {"did you mean --impersonation?"}},
    {{"--impersonation-level=delegation", T}, {"did you mean --impersonation?"}},
    {{"--ver"}, {"did you mean --version?"}},
    {{"--retry", T}, {"unknown flag", "-help"}},
    {{"-eis", T}, {"unknown flag", "-help"}},
    {{"--verson"}, {"did you mean --version?"}},
    {{"--hlep"}, {"did you mean --help?"}},
    {{"-ei=", T}, {"bad value in \"-ei=\"", "true or false"}},
    {{"-ei=yes", T}, {"bad value in \"-ei=yes\"", "true or false"}},
    {{"-ei=tRUE", T}, {"bad value in"}},
    {{"-ei=true ", T}, {"bad value in"}},
    {{"--version=2"}, {"bad value in \"--version=2\""}},
    {{"-timeout"}, {"--timeout needs a value", "--timeout=SECONDS"}},
    {{"-impersonation"}, {"--impersonation needs a value", "anonymous, identification, impersonation or delegation"}},
    {{"--impersonation=", T}, {"bad value \"\" for --impersonation", "anonymous, identification"}},
    {{"--impersonation=Anonymous", T}, {"bad value \"Anonymous\"", "write anonymous"}},
    {{"--owner"}, {"--owner needs a value", "--owner=user,system"}},
    {{"--owner=", T}, {"bad value \"\" for --owner", "user, system, admins"}},
    {{"--owner=user,,root", T}, {"bad value \"user,,root\" for --owner"}},
    {{"--impersonation=anon", T}, {"bad value \"anon\""}},
    {{"--timeout=", T}, {"bad value \"\" for --timeout", "number of seconds"}},
    {{"--timeout=0", T}, {"bad value \"0\"", "above 0"}},
    {{"--timeout=0.000", T}, {"bad value \"0.000\""}},
    {{"--timeout=.", T}, {"bad value \".\""}},
    {{"--timeout=1.2.3", T}, {"bad value"}},
    {{"--timeout=1,5", T}, {"bad value"}},
    {{"--timeout=5 s", T}, {"bad value \"5 s\"", "2.5", "90s"}},
    {{"--timeout=-1s", T}, {"bad value \"-1s\""}},
    {{"--timeout=25h", T}, {"bad value"}},
    {{"--timeout=1m30s", T}, {"bad value"}},
    {{"--timeout=0ms", T}, {"bad value"}},
    {{"--timeout=1e3", T}, {"bad value"}},
    {{"--timeout=0x10", T}, {"bad value"}},
    {{"--timeout=inf", T}, {"bad value"}},
    {{"--timeout=+5", T}, {"bad value"}},
    {{"--timeout", "-5", T}, {"bad value \"-5\""}},
    {{"--timeout= 5", T}, {"bad value"}},
    {{"--timeout=86400.001", T}, {"bad value", "up to 86400"}},
    {{"--timeout=86400.0000001", T}, {"bad value", "up to 86400"}},
    {{"--timeout=86401", T}, {"bad value"}},
    {{"--timeout=4294967296", T}, {"bad value"}},
    {{"--timeout=18446744073709551617", T}, {"bad value"}},
    {{"--timeout=99999999999999999999999999999999999999999", T}, {"bad value"}},
};

static void assert_wrong(const uvrelay_error_t *error)
{
  assert_int_equal(error->code, UV_EINVAL);
  assert_int_equal(error->phase, UVRELAY_PHASE_NONE);
  assert_true(error->text[0] != '\0' && strlen(error->text) < UVRELAY_ERROR_TEXT_SIZE - 1);
  for (const unsigned char *c = (const unsigned char *)error->text; *c != '\0'; c++) {
    assert_true(*c >= 0x20 && *c != 0x7F);
  }
}

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(wrong); i++) {
    uvr_options out;
    uvrelay_error_t error = {0};
    uvr_options_action action = parse(wrong[i].args, &out, &error);
    if (action != UVR_OPTIONS_WRONG_USAGE) {
      fail_msg("case %u is taken, but should be refused with: %s", (unsigned)i, wrong[i].words[0]);
    }
    assert_wrong(&error);
    for (size_t k = 0; k < COUNT(wrong[i].words) && wrong[i].words[k] != NULL; k++) {
      if (strstr(error.text, wrong[i].words[k]) == NULL) {
        fail_msg("\"%s\" is not in: %s", wrong[i].words[k], error.text);
      }
    }
    assert_int_equal(parse(wrong[i].args, &out, NULL), UVR_OPTIONS_WRONG_USAGE);
  }
}

/* A caller of exec may give no arguments at all, or long ones. */
static void test_odd_argv(void **state)
{
  (void)state;
  uvr_options out;
  uvrelay_error_t error = {0};
  char *none[] = {NULL};
  assert_int_equal(uvr_options_parse(0, none, &out, &error), UVR_OPTIONS_WRONG_USAGE);
  assert_non_null(strstr(error.text, "TARGET is missing"));

  char text[2000];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  assert_int_equal(parse((const char *[]){text, NULL}, &out, &error), UVR_OPTIONS_RUN);
  assert_int_equal(parse((const char *[]){text, text, NULL}, &out, &error), UVR_OPTIONS_WRONG_USAGE);
  assert_wrong(&error);
  text[0] = '-';
  assert_int_equal(parse((const char *[]){text, NULL}, &out, &error), UVR_OPTIONS_WRONG_USAGE);
  assert_wrong(&error);
  memcpy(text, "-timeout=", 9);
  assert_int_equal(parse((const char *[]){text, NULL}, &out, &error), UVR_OPTIONS_WRONG_USAGE);
  assert_wrong(&error);
  memset(text + 9, '0', sizeof(text) - 10);
  text[sizeof(text) - 2] = '7';
  assert_int_equal(parse((const char *[]){text, T, NULL}, &out, &error), UVR_OPTIONS_RUN);
  assert_int_equal(out.timeout_ms, 7000);
}

/* The usage fits a terminal and leaves nothing out. */
static void test_usage(void **state)
{
  (void)state;
  static const char *const words[] = {
      "Usage: uvrelay [flags] TARGET\n",
      "//./pipe/NAME",
      "\\\\.\\pipe\\NAME",
      "npipe:////./pipe/NAME",
      "npipe:NAME",
      "//HOST/pipe/NAME",
      "npipe:////HOST/pipe/NAME",
      "unix:///PATH",
      "tcp://HOST:PORT",
      "[IPv6]",
      "assuan:///PATH",
      "--impersonation=",
      "anonymous",
      "identification",
      "impersonation",
      "delegation",
      "--timeout=SECONDS",
      "\nExamples:\n",
      "Exit status",
  };
  const char *usage = uvr_options_usage();
  for (size_t i = 0; i < COUNT(words); i++) {
    if (strstr(usage, words[i]) == NULL) {
      fail_msg("the usage lacks %s", words[i]);
    }
  }
  for (size_t i = 0; i < FLAG_COUNT; i++) {
    char line[64];
    (void)snprintf(line, sizeof(line), " %s%s", strlen(flags[i].name) > 2 ? "--" : "-", flags[i].name);
    if (strcmp(flags[i].name, "h") != 0 && strstr(usage, line) == NULL) {
      fail_msg("the usage lacks the flag %s", flags[i].name);
    }
  }
  for (const char *line = usage; *line != '\0';) {
    size_t length = strcspn(line, "\n");
    assert_true(length <= 80);
    assert_int_equal(line[length], '\n');
    assert_true(length == 0 || line[length - 1] != ' ');
    assert_int_equal(strcspn(line, "\t\r") < length, false);
    line += length + 1;
  }
}

static void test_random(void **state)
{
  (void)state;
  static const char *const pieces[] = {
      "-",     "--",       "=",         "ei",      "s",  "a",  "timeout", "impersonation", "version", "true",
      "false", "5",        ".",         "0",       "x",  T,    "h",       "\x01",          "\xFF",    "--timeout=",
      "",      "-timeout", "-ei=false", "--bogus", "-p", "-v", "--help",  "--version",
  };
  uint32_t seed = 3;
  size_t counts[4] = {0, 0, 0, 0};
  for (int round = 0; round < 60000; round++) {
    char texts[4][200];
    const char *args[5] = {NULL};
    seed = seed * 1664525 + 1013904223;
    size_t number = (seed >> 16) % 5;
    for (size_t i = 0; i < number; i++) {
      size_t used = 0;
      do {
        seed = seed * 1664525 + 1013904223;
        const char *piece = pieces[(seed >> 16) % COUNT(pieces)];
        used += (size_t)snprintf(texts[i] + used, sizeof(texts[i]) - used, "%s", piece);
      } while (seed >> 30 == 0 && used < 150);
      args[i] = texts[i];
    }
    args[number < 4 ? number : 4] = NULL;
    uvr_options out;
    uvrelay_error_t error = {0};
    uvr_options_action action = parse(args, &out, &error);
    if (action == UVR_OPTIONS_WRONG_USAGE) {
      assert_wrong(&error);
    } else {
      assert_int_equal(error.code, 0);
    }
    if (action == UVR_OPTIONS_RUN) {
      assert_true(out.timeout_ms <= UVR_OPTIONS_TIMEOUT_MAX_SECONDS * 1000U);
      assert_true(out.impersonation <= UVRELAY_IMPERSONATION_DELEGATION);
    }
    counts[action]++;
  }
  assert_true(counts[UVR_OPTIONS_RUN] > 500 && counts[UVR_OPTIONS_SHOW_HELP] > 100);
  assert_true(counts[UVR_OPTIONS_SHOW_VERSION] > 20 && counts[UVR_OPTIONS_WRONG_USAGE] > 5000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_right),    cmocka_unit_test(test_shown), cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_odd_argv), cmocka_unit_test(test_usage), cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
