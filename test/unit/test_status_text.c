/* How a serve is doing, as text and as JSON, for each thing that there may be to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/output/text_line.c"  /* NOLINT(bugprone-suspicious-include) */
#include "cli/serve/status_text.c" /* NOLINT(bugprone-suspicious-include) */
#include "uvrelay/version.h"

static void assert_text(void (*write)(const uvr_status *self, uvr_text_line *out), const uvr_status *status,
                        const char *expected)
{
  uvr_text_line text = {.text = NULL};
  write(status, &text);
  uvr_text_line_bytes(&text, "", 1);
  assert_false(text.failed);
  assert_string_equal(text.text, expected);
  uvr_text_line_clear(&text);
}

static const uvr_status_route routes[] = {
    {.listen = "unix:///a", .target = "tcp://b:1"},
    {.name = "ssh-agent",
     .listen = "unix:///s",
     .target = "via://./pipe/x",
     .counters = {.open = 2, .total = 30, .failed = 4, .to_target = 5000000, .to_client = 60},
     .error = "it broke\x1b[0m",
     .error_age_ms = 65000,
     .lost = true},
};

static void test_text(void **state)
{
  (void)state;
  static const char *const configs[] = {"/home/me/routes.conf"};
  const uvr_status_far_end far_end = {.state = "running",
                                      .command = "uvrelay.exe mux",
                                      .process = 77,
                                      .age_ms = 3600000,
                                      .starts = 3,
                                      .error = "it has exited",
                                      .error_age_ms = 90061000};
  const uvr_status status = {.process = 12,
                             .since = 1700000000,
                             .age_ms = 7384000,
                             .stopping = true,
                             .configs = configs,
                             .config_count = 1,
                             .routes = routes,
                             .route_count = 2,
                             .draining = 2,
                             .far_end = &far_end};
  assert_text(uvr_status_text, &status,
              "uvrelay serve " UVRELAY_VERSION ", process 12, since 2023-11-14T22:13:20.000Z (2 h 3 min), stopping\n"
              "  configuration: /home/me/routes.conf\n"
              "  far end: running, process 77 for 1 h 0 min, started 3 times: uvrelay.exe mux\n"
              "  far end's last error, 1 d 1 h ago: it has exited\n"
              "  name        open    total  failed     to target     to client  route\n"
              "  -              0        0       0             0             0  unix:///a=tcp://b:1\n"
              "  ssh-agent      2       30       4       5000000            60  unix:///s=via://./pipe/x (no longer "
              "listening)\n"
              "    last error, 1 min 5 s ago: it broke\\x1b[0m\n"
              "  2 routes removed by a reload still have connections\n");
}

static void test_json(void **state)
{
  (void)state;
  static const char *const configs[] = {"/a \"b\"", "C:\\c"};
  const uvr_status_far_end far_end = {.state = "idle", .command = "x"};
  const uvr_status status = {.process = 12,
                             .since = 1700000000,
                             .age_ms = 5,
                             .configs = configs,
                             .config_count = 2,
                             .routes = routes,
                             .route_count = 2,
                             .far_end = &far_end};
  assert_text(
      uvr_status_json, &status,
      "{\"pid\":12,\"version\":\"" UVRELAY_VERSION
      "\",\"since\":\"2023-11-14T22:13:20.000Z\",\"age_ms\":5,\"stopping\":false,\"configurations\":[\"/a "
      "\\\"b\\\"\",\"C:\\\\c\"],\"routes\":[{\"listen\":\"unix:///a\",\"target\":\"tcp://b:1\",\"listening\":true,"
      "\"open\":0,\"total\":0,\"failed\":0,\"to_target\":0,\"to_client\":0},{\"listen\":\"unix:///s\",\"target\":"
      "\"via://./pipe/x\",\"name\":\"ssh-agent\",\"listening\":false,\"open\":2,\"total\":30,\"failed\":4,"
      "\"to_target\":5000000,\"to_client\":60,\"error\":\"it broke\\u001b[0m\",\"error_age_ms\":65000}],"
      "\"draining_routes\":0,\"far_end\":{\"state\":\"idle\",\"command\":\"x\",\"starts\":0}}\n");
}

static void test_nothing(void **state)
{
  (void)state;
  const uvr_status status = {.process = 1};
  assert_text(
      uvr_status_json, &status,
      "{\"pid\":1,\"version\":\"" UVRELAY_VERSION
      "\",\"since\":\"1970-01-01T00:00:00.000Z\",\"age_ms\":0,\"stopping\":false,\"configurations\":[],\"routes\":"
      "[],\"draining_routes\":0}\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_json),
                                     cmocka_unit_test(test_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
