/* The command line of mux: each flag, each refusal with what its sentence must say; and the sizes of --window-total.
 * How flags are written is tested in test_options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/input/flags.c"       /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/mux_options.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/window.c"      /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ARGS     (UVR_MUX_ALLOW_MAX + 4)

/* Parses the arguments up to the first NULL, "mux" put before them. */
static uvr_mux_action parse(const char *const args[], uvr_mux_options *out, uvrelay_error_t *error)
{
  char *argv[MAX_ARGS + 2] = {(char *)"mux"};
  int argc = 1;
  for (; argc <= MAX_ARGS && args[argc - 1] != NULL; argc++) {
    argv[argc] = (char *)args[argc - 1];
  }
  memset(out, 0x55, sizeof(*out));
  return uvr_mux_options_parse(argc, argv, out, error);
}

static const struct right {
  const char *args[8];
  uvr_mux_options options;
} right[] = {
    {{NULL}, {0}},
    {{"-v"}, {.verbose = true}},
    {{"--verbose"}, {.verbose = true}},
    {{"--timestamps"}, {.timestamps = true}},
    {{"-v", "--v=false", "--"}, {0}},
    {{"--window-total=128K"}, {.window_total = 131072}},
    {{"--window-total", "1G", "--window-total=2M"}, {.window_total = 2097152}},
    {{"--allow=unix:*", "--allow=unix:/[/]/x", "--allow=tcp://h:*", "--allow=assuan:///C:/*", "--allow=tcp:?/h"},
     {.allow = {"unix:*", "unix:/[/]/x", "tcp://h:*", "assuan:///C:/*", "tcp:?/h"}, .allow_count = 5}},
    {{"--allow=//./pipe/*", "--allow", "unix:///a b", "-allow=*"},
     {.allow = {"//./pipe/*", "unix:///a b", "*"}, .allow_count = 3}},
};

static void test_right(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(right); i++) {
    uvr_mux_options out;
    uvrelay_error_t error = {0};
    if (parse(right[i].args, &out, &error) != UVR_MUX_RUN) {
      fail_msg("case %u: %s", (unsigned)i, error.text);
    }
    assert_int_equal(error.code, 0);
    assert_int_equal(out.verbose, right[i].options.verbose);
    assert_int_equal(out.timestamps, right[i].options.timestamps);
    assert_int_equal(out.window_total, right[i].options.window_total);
    assert_int_equal(out.allow_count, right[i].options.allow_count);
    for (size_t k = 0; k < out.allow_count; k++) {
      assert_string_equal(out.allow[k], right[i].options.allow[k]);
    }
  }
}

static const struct wrong {
  const char *args[8];
  const char *words[3]; /* must be in the sentence */
} wrong[] = {
    {{"unix:///x"}, {"\"unix:///x\": mux takes no target"}},
    {{"-v", "--", "-v"}, {"\"-v\": mux takes no target"}},
    {{"--colour"},
     {"unknown flag \"--colour\"",
      "the flags of mux are --allow, --allow-remote-files, --window-total, --timestamps, -v, --version and "
      "--help"}},
    {{"--alow=x"}, {"did you mean --allow?"}},
    {{"--allow"}, {"--allow needs a value: write --allow=PATTERN"}},
    {{"--allow="}, {"--allow has no pattern"}},
    {{"--allow=npipe:x"}, {"\"npipe:x\"", "//./pipe/NAME"}},
    {{"--allow=via:tcp://h:1"}, {"//./pipe/NAME"}},
    {{"--allow=NPipe:x"}, {"//./pipe/NAME"}},
    {{"--allow=unix:/run/*"}, {"\"unix:/run/*\"", "for a Unix socket is unix:///PATH"}},
    {{"--allow=unix:"}, {"unix:///PATH"}},
    {{"--allow=unix://~/x"}, {"unix:///PATH"}},
    {{"--allow=UNIX:///x"}, {"unix:///PATH"}},
    {{"--allow=tcp:h:1"}, {"tcp://HOST:PORT"}},
    {{"--allow=assuan:C:/x"}, {"assuan:///PATH"}},
    {{"--allow=assuan://C:/x"}, {"assuan:///PATH"}},
    {{"--allow=\\\\.\\pipe\\x"}, {"//./pipe/NAME"}},
    {{"--window-total=x"}, {"bad value \"x\" for --window-total"}},
    {{"help", "me"}, {"\"help\": mux takes no target"}},
    {{"-v=2"}, {"bad value in \"-v=2\""}},
};

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(wrong); i++) {
    uvr_mux_options out;
    uvrelay_error_t error = {0};
    assert_int_equal(parse(wrong[i].args, &out, &error), UVR_MUX_WRONG_USAGE);
    assert_int_equal(error.code, UV_EINVAL);
    for (size_t k = 0; k < COUNT(wrong[i].words) && wrong[i].words[k] != NULL; k++) {
      if (strstr(error.text, wrong[i].words[k]) == NULL) {
        fail_msg("\"%s\" is not in: %s", wrong[i].words[k], error.text);
      }
    }
    assert_int_equal(parse(wrong[i].args, &out, NULL), UVR_MUX_WRONG_USAGE);
  }
}

static void test_many_patterns(void **state)
{
  (void)state;
  const char *args[MAX_ARGS + 1] = {NULL};
  uvr_mux_options out;
  uvrelay_error_t error = {0};
  for (int i = 0; i < UVR_MUX_ALLOW_MAX; i++) {
    args[i] = "--allow=*";
  }
  assert_int_equal(parse(args, &out, &error), UVR_MUX_RUN);
  assert_int_equal(out.allow_count, UVR_MUX_ALLOW_MAX);
  args[UVR_MUX_ALLOW_MAX] = "--allow=*";
  assert_int_equal(parse(args, &out, &error), UVR_MUX_WRONG_USAGE);
  assert_non_null(strstr(error.text, "more than 256 times"));
}

static void test_help(void **state)
{
  (void)state;
  static const char *const ways[] = {"-h", "--help", "-help=x"};
  uvr_mux_options out;
  for (size_t i = 0; i < COUNT(ways); i++) {
    const char *const args[] = {"-v", ways[i], "--colour", NULL};
    assert_int_equal(parse(args, &out, NULL), UVR_MUX_SHOW_HELP);
  }
}

/* The usage fits a terminal and leaves no flag out. */
static void test_usage(void **state)
{
  (void)state;
  const char *usage = uvr_mux_usage();
  for (size_t i = 0; i < MUX_FLAG_COUNT; i++) {
    char line[64];
    (void)snprintf(line, sizeof(line), " %s%s", strlen(mux_flags[i].name) > 2 ? "--" : "-", mux_flags[i].name);
    if (strcmp(mux_flags[i].name, "h") != 0 && strstr(usage, line) == NULL) {
      fail_msg("the usage lacks the flag %s", mux_flags[i].name);
    }
  }
  for (const char *line = usage; *line != '\0';) {
    size_t length = strcspn(line, "\n");
    assert_true(length <= 80);
    assert_int_equal(line[length], '\n');
    line += length + 1;
  }
}

static void test_sizes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint64_t bytes; /* 0: it is refused */
  } cases[] = {
      {"131072", 131072},
      {"131071", 0},
      {"000131072", 131072},
      {"128K", 131072},
      {"128k", 131072},
      {"127K", 0},
      {"64M", 67108864},
      {"1024G", (uint64_t)1 << 40},
      {"1099511627776", (uint64_t)1 << 40},
      {"1099511627777", 0},
      {"1025G", 0},
      {"99999999999999999999G", 0},
      {"18446744073709551617M", 0},
      {"", 0},
      {"K", 0},
      {"1T", 0},
      {"1MB", 0},
      {"1 M", 0},
      {"-1M", 0},
      {"+1M", 0},
      {"1.5M", 0},
      {"0x100000", 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    uint64_t bytes = 7;
    uvrelay_error_t error = {0};
    bool taken = uvr_window_parse(cases[i].text, &bytes, &error);
    if (taken != (cases[i].bytes != 0) || bytes != (taken ? cases[i].bytes : 7)) {
      fail_msg("\"%s\" is taken for %llu", cases[i].text, (unsigned long long)bytes);
    }
    assert_true(taken || error.code == UV_EINVAL);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_right), cmocka_unit_test(test_wrong), cmocka_unit_test(test_many_patterns),
      cmocka_unit_test(test_help),  cmocka_unit_test(test_usage), cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
