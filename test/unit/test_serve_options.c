/* The command line of serve: each flag, each refusal with what its sentence must say, what is kept of the options of
 * routes, and a long run of random command lines. How flags are written is tested in test_options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/input/flags.c"         /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/serve_options.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/serve_usage.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/input/window.c"        /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ARGS     24
#define R            "unix:///s=tcp://127.0.0.1:1"

/* Parses the arguments up to the first NULL, "serve" put before them. */
static uvr_serve_action parse(const char *const args[], uvr_serve_options *out, uvrelay_error_t *error)
{
  char *argv[MAX_ARGS + 2] = {(char *)"serve"};
  int argc = 1;
  for (; argc <= MAX_ARGS && args[argc - 1] != NULL; argc++) {
    argv[argc] = (char *)args[argc - 1];
  }
  argv[argc] = NULL;
  memset(out, 0x55, sizeof(*out));
  uvr_serve_action action = uvr_serve_options_parse(argc, argv, out, error);
  if (action == UVR_SERVE_RUN && out->route_count > 0) {
    /* They are argv's end; what they point to is looked at here, while it lives. */
    assert_ptr_equal(out->routes + out->route_count, argv + argc);
    int last = argc - 2; /* an argument that is the last route, if it is not a flag */
    if (args[last][0] != '-' && (last == 0 || args[last - 1][0] != '-')) {
      assert_string_equal(out->routes[out->route_count - 1], args[last]);
    }
    out->routes = NULL;
  }
  return action;
}

static const struct right {
  const char *args[MAX_ARGS + 1];
  uvr_serve_options options; /* `control` stands for --control=off */
} right[] = {
    {{NULL}, {.drain_ms = 5000}},
    {{"-v"}, {.verbose = true, .drain_ms = 5000}},
    {{"--timestamps", R}, {.drain_ms = 5000, .timestamps = UVR_TIMESTAMPS_ON, .route_count = 1}},
    {{"--timestamps=off", R}, {.drain_ms = 5000, .timestamps = UVR_TIMESTAMPS_OFF, .route_count = 1}},
    {{"--control=off", "--log-file=x", R}, {.drain_ms = 5000, .control = true, .log_file = "x", .route_count = 1}},
    {{"--control=0", "--control", R}, {.drain_ms = 5000, .route_count = 1}},
    {{R}, {.drain_ms = 5000, .route_count = 1}},
    {{R, R, "x", ""}, {.drain_ms = 5000, .route_count = 4}},
    {{"-v", R}, {.verbose = true, .drain_ms = 5000, .route_count = 1}},
    {{"--verbose", R}, {.verbose = true, .drain_ms = 5000, .route_count = 1}},
    {{R, "-v"}, {.verbose = true, .drain_ms = 5000, .route_count = 1}},
    {{R, "--drain", "7", R, "-v", "--", R, R}, {.verbose = true, .drain_ms = 7000, .route_count = 4}},
    {{R, "--via", "--", R, "--json"}, {.via = "--", .json = true, .drain_ms = 5000, .route_count = 2}},
    {{"help", R}, {.drain_ms = 5000, .route_count = 2}},
    {{"--json", "--allow-remote", R}, {.json = true, .allow_remote = true, .drain_ms = 5000, .route_count = 1}},
    {{"--json", "--json=false", R}, {.drain_ms = 5000, .route_count = 1}},
    {{"--drain=0", R}, {.drain_ms = 0, .route_count = 1}},
    {{"--drain", "0.25", R}, {.drain_ms = 250, .route_count = 1}},
    {{"-drain=86400", R}, {.drain_ms = 86400000, .route_count = 1}},
    {{"--status=2.5", R}, {.drain_ms = 5000, .status_ms = 2500, .route_count = 1}},
    {{"--via=a b", "--eager", "--window-total=1m", R},
     {.drain_ms = 5000, .via = "a b", .eager = true, .window_total = 1048576, .route_count = 1}},
    {{"--via", "-x", "--via", "", "--eager", "--eager=false", R}, {.drain_ms = 5000, .via = "", .route_count = 1}},
    {{"--config=a"}, {.drain_ms = 5000, .config_count = 1, .configs = {"a"}}},
    {{"--config", "-", "--config=b", R},
     {.drain_ms = 5000, .config_count = 2, .configs = {"-", "b"}, .route_count = 1}},
    {{"--timeout=1", "--linger=off", "--idle=2", "--max=3", "--perm=0660", "--mode=message",
      "--impersonation=delegation", "--eof=marker", "--absent=wait", "--owner=user", "--peer-uid=root", R},
     {.drain_ms = 5000,
      .values = {"1", "off", "2", "3", "0660", "message", "delegation", "marker", "wait", "user", "root"},
      .route_count = 1}},
    {{"--max=3", "--max", "4", R}, {.drain_ms = 5000, .values = {[UVR_SERVE_MAX] = "4"}, .route_count = 1}},
};

static void assert_same(const uvr_serve_options *a, const uvr_serve_options *b)
{
  assert_int_equal(a->verbose, b->verbose);
  assert_int_equal(a->json, b->json);
  assert_int_equal(a->allow_remote, b->allow_remote);
  assert_int_equal(a->eager, b->eager);
  assert_int_equal(a->window_total, b->window_total);
  assert_int_equal(a->via == NULL, b->via == NULL);
  assert_true(a->via == NULL || strcmp(a->via, b->via) == 0);
  assert_int_equal(a->timestamps, b->timestamps);
  assert_int_equal(a->log_file == NULL, b->log_file == NULL);
  assert_true(a->log_file == NULL || strcmp(a->log_file, b->log_file) == 0);
  assert_int_equal(a->control, !b->control);
  assert_int_equal(a->drain_ms, b->drain_ms);
  assert_int_equal(a->status_ms, b->status_ms);
  assert_int_equal(a->route_count, b->route_count);
  assert_int_equal(a->config_count, b->config_count);
  for (unsigned i = 0; i < a->config_count; i++) {
    assert_string_equal(a->configs[i], b->configs[i]);
  }
  for (size_t i = 0; i < UVR_SERVE_NAMES; i++) {
    assert_int_equal(a->values[i] == NULL, b->values[i] == NULL);
    assert_true(a->values[i] == NULL || strcmp(a->values[i], b->values[i]) == 0);
  }
}

static void test_right(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(right); i++) {
    uvr_serve_options out;
    uvrelay_error_t error = {0};
    uvr_serve_action action = parse(right[i].args, &out, &error);
    if (action != UVR_SERVE_RUN) {
      fail_msg("case %u: %s", (unsigned)i, error.text);
    }
    assert_int_equal(error.code, 0);
    assert_same(&out, &right[i].options);
  }
}

static const struct wrong {
  const char *args[MAX_ARGS + 1];
  const char *words[3]; /* must be in the sentence */
} wrong[] = {
    {{"--", "-v"}, {"expected a route, not \"-v\""}},
    {{R, "--", "-v"}, {"expected a route, not \"-v\"", "before the --"}},
    {{R, "--jsn"}, {"did you mean --json?"}},
    {{R, "--drain"}, {"--drain needs a value"}},
    {{R, "--json=x", R}, {"bad value in \"--json=x\""}},
    {{"-v", "--", "--version"}, {"expected a route, not"}},
    {{"--config"}, {"--config needs a value: write --config=FILE"}},
    {{"--config=", R}, {"--config has no file"}},
    {{"--drain"}, {"--drain needs a value"}},
    {{"--drain=x", R}, {"bad value \"x\" for --drain", "from 0"}},
    {{"--drain=-1", R}, {"bad value \"-1\" for --drain"}},
    {{"--drain=86400.001", R}, {"bad value \"86400.001\"", "up to 86400"}},
    {{"--status=0", R}, {"bad value \"0\" for --status", "above 0"}},
    {{"--status=", R}, {"bad value \"\" for --status"}},
    {{"--json=2", R}, {"bad value in \"--json=2\""}},
    {{"--max=0", R}, {"max", "\"0\""}},
    {{"--perm=8", R}, {"perm", "\"8\""}},
    {{"--eof=x", R}, {"eof", "\"x\"", "marker"}},
    {{"--peer-uid=system", R}, {"peer-uid", "\"system\"", "user, root, or a user's number or name"}},
    {{"--owner=x,", R}, {"owner", "\"x,\"", "user, system, admins"}},
    {{"--mode=x", R}, {"mode", "message"}},
    {{"--impersonation=x", R}, {"impersonation", "delegation"}},
    {{"--timeout=x", R}, {"timeout", "\"x\""}},
    {{"--linger=x", R}, {"linger", "\"x\""}},
    {{"--idle=x", R}, {"idle", "\"x\""}},
    {{"--via"}, {"--via needs a value: write --via=COMMAND"}},
    {{"--eager=x", R}, {"bad value in \"--eager=x\""}},
    {{"--log-file=", R}, {"--log-file has no file"}},
    {{"--control=maybe", R}, {"bad value in \"--control=maybe\"", "true or false"}},
    {{"--window-total=1", R}, {"bad value \"1\" for --window-total", "from 128K to 1024G"}},
    {{"--colour=red", R}, {"unknown flag \"--colour=red\"", "--timeout, --linger", "--via, --eager, --window-total"}},
    {{"-ei", R}, {"unknown flag \"-ei\"", "the flags of serve are"}},
    {{"--timestamp", R}, {"did you mean --timestamps?"}},
    {{"--timeouts=5", R}, {"did you mean --timeout?"}},
    {{"--drian=5", R}, {"did you mean --drain?"}},
    {{"--allow-remotes", R}, {"did you mean --allow-remote?"}},
    {{"--a=1", "--a=1"}, {"unknown flag"}},
};

static void assert_wrong(const uvrelay_error_t *error)
{
  assert_int_equal(error->code, UV_EINVAL);
  assert_true(error->text[0] != '\0' && strlen(error->text) < UVRELAY_ERROR_TEXT_SIZE - 1);
  for (const unsigned char *c = (const unsigned char *)error->text; *c != '\0'; c++) {
    assert_true(*c >= 0x20 && *c != 0x7F);
  }
}

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(wrong); i++) {
    uvr_serve_options out;
    uvrelay_error_t error = {0};
    if (parse(wrong[i].args, &out, &error) != UVR_SERVE_WRONG_USAGE) {
      fail_msg("case %u is taken, but should be refused with: %s", (unsigned)i, wrong[i].words[0]);
    }
    assert_wrong(&error);
    for (size_t k = 0; k < COUNT(wrong[i].words) && wrong[i].words[k] != NULL; k++) {
      if (strstr(error.text, wrong[i].words[k]) == NULL) {
        fail_msg("\"%s\" is not in: %s", wrong[i].words[k], error.text);
      }
    }
    assert_int_equal(parse(wrong[i].args, &out, NULL), UVR_SERVE_WRONG_USAGE);
  }
}

/* What was taken before something wrong is still said: how to say what is wrong. */
static void test_json_is_kept(void **state)
{
  (void)state;
  uvr_serve_options out;
  const char *const args[] = {"--json", "--colour=red", NULL};
  assert_int_equal(parse(args, &out, NULL), UVR_SERVE_WRONG_USAGE);
  assert_true(out.json);
}

/* Routes keep their order, wherever the flags are. */
static void test_order(void **state)
{
  (void)state;
  char *argv[] = {(char *)"serve",  (char *)"a", (char *)"-v", (char *)"b", (char *)"--drain", (char *)"1",
                  (char *)"--json", (char *)"c", (char *)"--", (char *)"d", (char *)"e",       NULL};
  uvr_serve_options out;
  assert_int_equal(uvr_serve_options_parse((int)COUNT(argv) - 1, argv, &out, NULL), UVR_SERVE_RUN);
  assert_int_equal(out.route_count, 5);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(out.routes[i][0], 'a' + i);
  }
  assert_true(out.verbose && out.json && out.drain_ms == 1000);
}

static void test_many_configs(void **state)
{
  (void)state;
  const char *args[MAX_ARGS + 1] = {NULL};
  uvr_serve_options out;
  uvrelay_error_t error = {0};
  for (int i = 0; i < UVR_SERVE_CONFIGS_MAX; i++) {
    args[i] = "--config=x";
  }
  assert_int_equal(parse(args, &out, &error), UVR_SERVE_RUN);
  assert_int_equal(out.config_count, UVR_SERVE_CONFIGS_MAX);
  assert_int_equal(out.route_count, 0);
  args[UVR_SERVE_CONFIGS_MAX] = "--config=y";
  assert_int_equal(parse(args, &out, &error), UVR_SERVE_WRONG_USAGE);
  assert_non_null(strstr(error.text, "more than 16 times"));
}

static void test_help(void **state)
{
  (void)state;
  static const char *const ways[] = {"-h", "--h", "-help", "--help", "--help=x"};
  uvr_serve_options out;
  for (size_t i = 0; i < COUNT(ways); i++) {
    const char *const args[] = {"-v", ways[i], "--colour", NULL};
    assert_int_equal(parse(args, &out, NULL), UVR_SERVE_SHOW_HELP);
  }
  uvr_serve_action none = uvr_serve_options_parse(0, (char *[]){NULL}, &out, NULL);
  assert_int_equal(none, UVR_SERVE_RUN);
  assert_int_equal(out.route_count + (int)out.config_count, 0);
}

static void test_apply(void **state)
{
  (void)state;
  uvr_serve_options out;
  uvrelay_route_options_t routes = {.size = sizeof(routes), .max = 7, .idle_ms = 8};
  const char *const args[] = {"--timeout=1.5",
                              "--linger=off",
                              "--max=3",
                              "--perm=0660",
                              "--mode=message",
                              "--eof=none",
                              "--absent=wait",
                              "--owner=user,system",
                              "--peer-uid=1000,alice",
                              "--impersonation=delegation",
                              "--allow-remote",
                              R,
                              NULL};
  assert_int_equal(parse(args, &out, NULL), UVR_SERVE_RUN);
  uvr_serve_options_apply(&out, &routes);
  assert_int_equal(routes.timeout_ms, 1500);
  assert_true(routes.linger_ms == UINT64_MAX);
  assert_int_equal(routes.idle_ms, 8);
  assert_int_equal(routes.max, 3);
  assert_int_equal(routes.permissions, 0660);
  assert_int_equal(routes.message_mode, 1);
  assert_int_equal(routes.impersonation, UVRELAY_IMPERSONATION_DELEGATION);
  assert_int_equal(routes.eof_to_client, UVRELAY_EOF_NONE);
  assert_int_equal(routes.eof_to_target, UVRELAY_EOF_NONE);
  assert_int_equal(routes.allow_remote, 1);
  assert_int_equal(routes.wait_for_absent, 1);
  assert_string_equal(routes.owner, "user,system");
  assert_string_equal(routes.peer_uid, "1000,alice");
}

/* Each name of a route's option is at its place in the table, and is one that the library knows. */
static void test_names(void **state)
{
  (void)state;
  uvrelay_route_options_t options = {.size = sizeof(options)};
  uvrelay_error_t error;
  for (int id = 0; id < UVR_SERVE_NAMES; id++) {
    assert_int_equal(serve_flags[id].id, id);
    assert_int_equal(uvrelay_route_option(&options, UVRELAY_SIDE_NONE, serve_flags[id].name, "?", &error), UV_EINVAL);
    assert_null(strstr(error.text, "there is no option"));
    assert_non_null(strstr(ALL_FLAGS, serve_flags[id].name));
  }
}

/* Lines of files set what the command line does not have. */
static void test_settings(void **state)
{
  (void)state;
  uvr_serve_options out;
  uvrelay_error_t error = {0};
  const char *const args[] = {"--drain=7", "--eager=false", "-v=false", R, NULL};
  static const struct {
    const char *name, *value;
  } lines[] = {{"drain", "9"},
               {"eager", "true"},
               {"verbose", "on"},
               {"json", "T"},
               {"control", "off"},
               {"allow-remote", "1"},
               {"status", "2m"},
               {"via", "a b"},
               {"log-file", "f"},
               {"json", "off"},
               {"timestamps", "no"},
               {"window-total", "1M"},
               {"allow-remote-files", "on"}};
  assert_int_equal(parse(args, &out, &error), UVR_SERVE_RUN);
  for (size_t i = 0; i < COUNT(lines); i++) {
    assert_int_not_equal(uvr_serve_setting_find(lines[i].name), UVR_SETTING_NONE);
    assert_int_equal(uvr_serve_setting_set(&out, lines[i].name, lines[i].value, &error), 0);
  }
  assert_int_equal(out.drain_ms, 7000);
  assert_int_equal(out.status_ms, 120000);
  assert_int_equal(out.window_total, 1048576);
  assert_true(!out.eager && !out.verbose && !out.json && !out.control && out.allow_remote && out.allow_remote_files);
  assert_string_equal(out.via, "a b");
  assert_string_equal(out.log_file, "f");
  assert_int_equal(out.timestamps, UVR_TIMESTAMPS_OFF);
  /* A bad value is refused even if it would not count. */
  assert_int_equal(uvr_serve_setting_set(&out, "drain", "x", &error), UV_EINVAL);
  assert_int_equal(uvr_serve_setting_set(&out, "eager", "", &error), UV_EINVAL);
  assert_int_equal(uvr_serve_setting_set(&out, "verbose", "maybe", &error), UV_EINVAL);
  assert_int_equal(uvr_serve_setting_set(&out, "json", "yes", &error), 0);
  assert_true(out.json);
  assert_int_equal(uvr_serve_setting_set(&out, "json", "no", &error), 0);
  assert_false(out.json);
  assert_true(uvr_serve_setting_is_switch("json") && !uvr_serve_setting_is_switch("via") &&
              !uvr_serve_setting_is_switch("x"));
}

/* Each flag is a setting or not, and each setting a flag with a name of more than one letter. */
static void test_which_are_settings(void **state)
{
  (void)state;
  static const char *const none[] = {"config", "help", "h", "version", "V", "v", "timeout", "owner", "", "check"};
  size_t count = 0;
  for (size_t i = 0; i < COUNT(none); i++) {
    assert_int_equal(uvr_serve_setting_find(none[i]), UVR_SETTING_NONE);
  }
  for (; uvr_serve_setting_name(count) != NULL; count++) {
    assert_int_not_equal(uvr_serve_setting_find(uvr_serve_setting_name(count)), UVR_SETTING_NONE);
    bool known = strstr(ALL_FLAGS, uvr_serve_setting_name(count)) != NULL;
    assert_true(known || strcmp(uvr_serve_setting_name(count), "verbose") == 0);
  }
  assert_int_equal(count, SERVE_CONFIG - SERVE_ALLOW_REMOTE);
  assert_int_equal(uvr_serve_setting_find("via"), UVR_SETTING_COMMAND);
  assert_int_equal(uvr_serve_setting_find("log-file"), UVR_SETTING_PATH);
}

/* The usage fits a terminal and leaves no flag out. */
static void test_usage(void **state)
{
  (void)state;
  char usage[16384] = "";
  for (const char *const *part = uvr_serve_usage(); *part != NULL; part++) {
    size_t length = strlen(usage);
    assert_true(length + strlen(*part) < sizeof(usage));
    memcpy(usage + length, *part, strlen(*part) + 1);
  }
  for (size_t i = 0; i < SERVE_FLAG_COUNT; i++) {
    char line[64];
    (void)snprintf(line, sizeof(line), " %s%s", strlen(serve_flags[i].name) > 2 ? "--" : "-", serve_flags[i].name);
    if (strcmp(serve_flags[i].name, "h") != 0 && strstr(usage, line) == NULL) {
      fail_msg("the usage lacks the flag %s", serve_flags[i].name);
    }
  }
  for (const char *line = usage; *line != '\0';) {
    size_t length = strcspn(line, "\n");
    assert_true(length <= 80);
    assert_int_equal(line[length], '\n');
    assert_true(length == 0 || line[length - 1] != ' ');
    line += length + 1;
  }
}

static void test_random(void **state)
{
  (void)state;
  static const char *const pieces[] = {"-",           "--",       "=",
                                       "--json",      "--max=",   "--max",
                                       "5",           "x",        R,
                                       "--config=",   "--config", "--drain",
                                       "--drain=",    "0",        "--status=1",
                                       "--perm=0600", "--via=",   "--window-total=5M",
                                       "-v",          "\xFF\x01", "--eof=",
                                       "none",        "",         "--idle",
                                       "--bogus"};
  uint32_t seed = 7;
  size_t counts[3] = {0, 0, 0};
  for (int round = 0; round < 60000; round++) {
    char texts[5][200];
    const char *args[6] = {NULL};
    seed = seed * 1664525 + 1013904223;
    size_t number = (seed >> 16) % 6;
    for (size_t i = 0; i < number && i < 5; i++) {
      size_t used = 0;
      do {
        seed = seed * 1664525 + 1013904223;
        used += (size_t)snprintf(texts[i] + used, sizeof(texts[i]) - used, "%s", pieces[(seed >> 16) % COUNT(pieces)]);
      } while (seed >> 30 == 0 && used < 150);
      args[i] = texts[i];
    }
    uvr_serve_options out;
    uvrelay_error_t error = {0};
    uvr_serve_action action = parse(args, &out, &error);
    if (action == UVR_SERVE_WRONG_USAGE) {
      assert_wrong(&error);
    } else {
      assert_int_equal(error.code, 0);
    }
    if (action == UVR_SERVE_RUN) {
      assert_true(out.drain_ms <= 86400000 && out.status_ms <= 86400000);
    }
    counts[action]++;
  }
  assert_true(counts[UVR_SERVE_RUN] > 1000 && counts[UVR_SERVE_WRONG_USAGE] > 1000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_right),
      cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_json_is_kept),
      cmocka_unit_test(test_many_configs),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_help),
      cmocka_unit_test(test_apply),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_usage),
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_which_are_settings),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
