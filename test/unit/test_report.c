/* What serve says: each line for people and its JSON, what is said without -v, and text that could break a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/output/log_style.c"      /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/report.c"         /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/report_far_end.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/status_table.c"   /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c"      /* NOLINT(bugprone-suspicious-include) */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TIME         "{\"time\":\"0000-00-00T00:00:00.000Z\",\"event\":"

typedef struct paper {
  char text[8192];
  size_t length;
} paper;

static void write_paper(void *user, const char *text, size_t length)
{
  paper *self = user;
  assert_true(length > 0 && text[length - 1] == '\n' && self->length + length < sizeof(self->text));
  memcpy(self->text + self->length, text, length);
  self->length += length;
  self->text[self->length] = '\0';
}

/* What was written since the last call; a time's digits are 0. */
static const char *written(paper *self)
{
  for (char *time = self->text; (time = strstr(time, "{\"time\":\"")) != NULL;) {
    for (time += 9; *time != '"'; time++) {
      *time = *time >= '0' && *time <= '9' ? '0' : *time;
    }
  }
  self->text[self->length] = '\0';
  self->length = 0;
  return self->text;
}

typedef struct way {
  bool json;
  bool verbose;
} way;

static const way plain = {false, false};
static const way verbose = {false, true};
static const way json = {true, false};
static const way verbose_json = {true, true};

static uvr_report report_to(paper *self, way how)
{
  self->length = 0;
  return (uvr_report){.json = how.json, .verbose = how.verbose, .write = write_paper, .user = self};
}

static const uvr_report_route route = {.listen = "unix:///a", .target = "tcp://h:1"};

#define ROUTE_JSON ",\"route\":\"unix:///a=tcp://h:1\",\"listen\":\"unix:///a\",\"target\":\"tcp://h:1\""

static void assert_said(way how, const uvrelay_event_t *event, const char *expected)
{
  paper p;
  uvr_report report = report_to(&p, how);
  uvr_report_event(&report, &route, event);
  assert_string_equal(written(&p), expected);
}

static void test_opened(void **state)
{
  (void)state;
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_OPENED, .number = 12};
  assert_said(plain, &event, "");
  assert_said(json, &event, "");
  assert_said(verbose, &event, "uvrelay: unix:///a=tcp://h:1 #12: opened\n");
  assert_said(verbose_json, &event, TIME "\"opened\"" ROUTE_JSON ",\"number\":12}\n");
}

/* What is known of a client is reported. */
static void test_peer(void **state)
{
  (void)state;
  static const struct {
    uvrelay_peer_t peer;
    const char *text;
    const char *json;
  } cases[] = {
      {{.pid = 345, .uid = 0}, " by process 345 of user 0", ",\"peer_pid\":345,\"peer_uid\":0"},
      {{.pid = 0, .uid = UINT32_MAX}, " by user 4294967295", ",\"peer_uid\":4294967295"},
      {{.pid = UINT32_MAX, .uid = -1}, " by process 4294967295", ",\"peer_pid\":4294967295"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[256];
    const uvrelay_event_t event = {.type = UVRELAY_EVENT_OPENED, .number = 1, .peer = &cases[i].peer};
    (void)snprintf(text, sizeof(text), "uvrelay: unix:///a=tcp://h:1 #1: opened%s\n", cases[i].text);
    assert_said(verbose, &event, text);
    (void)snprintf(text, sizeof(text), "%s\"opened\"%s,\"number\":1%s}\n", TIME, ROUTE_JSON, cases[i].json);
    assert_said(verbose_json, &event, text);
  }
}

/* At the end, too, and where it is a failure without -v. Its number does not make a failure another one. */
static void test_peer_at_the_end(void **state)
{
  (void)state;
  const uvrelay_peer_t peer = {.pid = 345, .uid = 1000};
  const uvrelay_result_t failure = {.reason = UVRELAY_REASON_FAILED, .error = {.text = "e"}};
  const uvrelay_result_t silence = {
      .reason = UVRELAY_REASON_SILENT, .side = UVRELAY_RIGHT, .to_right = 1, .error = {.text = "e"}};
  const uvrelay_event_t failed = {.type = UVRELAY_EVENT_CLOSED, .number = 1, .peer = &peer, .result = &failure};
  const uvrelay_event_t silent = {.type = UVRELAY_EVENT_CLOSED, .number = 1, .peer = &peer, .result = &silence};
  assert_said(plain, &failed, "uvrelay: unix:///a=tcp://h:1 #1: e (client: process 345 of user 1000)\n");
  assert_said(verbose, &failed,
              "uvrelay: unix:///a=tcp://h:1 #1: closed after 0 ms: failed: e; 0 bytes to the target, 0 bytes to the "
              "client (client: process 345 of user 1000)\n");
  paper p;
  uvr_report report = report_to(&p, plain);
  uvr_report_event(&report, &route, &silent);
  const char *warning = written(&p);
  static const char end[] = " (client: process 345 of user 1000)\n";
  assert_ptr_equal(strstr(warning, "uvrelay: unix:///a=tcp://h:1 #1: warning: "), warning);
  assert_ptr_equal(strstr(warning, end), warning + strlen(warning) - strlen(end));
  assert_said(json, &failed,
              TIME "\"closed\"" ROUTE_JSON ",\"number\":1,\"peer_pid\":345,\"peer_uid\":1000,\"duration_ms\":0,"
                   "\"to_target\":0,\"to_client\":0,\"reason\":\"failed\",\"text\":\"e\"}\n");
}

/* A client that was refused is reported without -v, too. */
static void test_refused(void **state)
{
  (void)state;
  const uvrelay_error_t error = {.code = UV_EACCES, .text = "nobody\nknows"};
  const uvrelay_peer_t peer = {.pid = 7, .uid = 8};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_REFUSED, .number = 3, .error = &error, .peer = &peer};
  assert_said(plain, &event, "uvrelay: unix:///a=tcp://h:1 #3: nobody\\x0aknows\n");
  assert_said(verbose, &event, "uvrelay: unix:///a=tcp://h:1 #3: nobody\\x0aknows\n");
  assert_said(json, &event,
              TIME "\"refused\"" ROUTE_JSON
                   ",\"number\":3,\"peer_pid\":7,\"peer_uid\":8,\"text\":\"nobody\\u000aknows\","
                   "\"code\":\"EACCES\"}\n");
}

static void test_closed(void **state)
{
  (void)state;
  const uvrelay_result_t result = {.reason = UVRELAY_REASON_ENDED,
                                   .to_right = 1,
                                   .to_left = UINT64_MAX,
                                   .duration_ms = 34,
                                   .error = {.text = "both sides have ended"}};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_CLOSED, .number = 1, .result = &result};
  assert_said(plain, &event, "");
  assert_said(json, &event, "");
  assert_said(
      verbose, &event,
      "uvrelay: unix:///a=tcp://h:1 #1: closed after 34 ms: ended: both sides have ended; 1 byte to the target, "
      "18446744073709551615 bytes to the client\n");
  assert_said(verbose_json, &event,
              TIME "\"closed\"" ROUTE_JSON ",\"number\":1,\"duration_ms\":34,\"to_target\":1,\"to_client\":"
                   "18446744073709551615,\"reason\":\"ended\",\"text\":\"both sides have ended\"}\n");
}

#define WARNING                                                                                                        \
  "the target had sent nothing when linger= expired: set a longer linger=, or linger=off, if it needs more "           \
  "time"

/* An answer may be lost: that is said without -v. Not so where there was an answer, or nothing to answer, or where it
 * is the client that was silent. */
static void test_closed_unanswered(void **state)
{
  (void)state;
  uvrelay_result_t result = {.reason = UVRELAY_REASON_SILENT,
                             .side = UVRELAY_RIGHT,
                             .to_right = 5,
                             .error = {.text = "one side has ended, and the other is silent"}};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_CLOSED, .number = 3, .result = &result};
  assert_said(plain, &event, "uvrelay: unix:///a=tcp://h:1 #3: warning: " WARNING "\n");
  assert_said(verbose, &event,
              "uvrelay: unix:///a=tcp://h:1 #3: closed after 0 ms: silent: one side has ended, and the other is "
              "silent; 5 bytes to the target, 0 bytes to the client\n"
              "uvrelay: unix:///a=tcp://h:1 #3: warning: " WARNING "\n");
  const char *object = TIME "\"closed\"" ROUTE_JSON
                            ",\"number\":3,\"duration_ms\":0,\"to_target\":5,\"to_client\":0,\"reason\":\"silent\","
                            "\"text\":\"one side has ended, and the other is silent\",\"warning\":\"" WARNING "\"}\n";
  assert_said(json, &event, object);
  assert_said(verbose_json, &event, object);
  for (unsigned i = 0; i < 3; i++) {
    uvrelay_result_t other = result;
    other.to_left = i == 0 ? 1 : 0;
    other.to_right = i == 1 ? 0 : 5;
    other.side = i == 2 ? UVRELAY_LEFT : UVRELAY_RIGHT;
    const uvrelay_event_t usual = {.type = UVRELAY_EVENT_CLOSED, .number = 3, .result = &other};
    assert_said(plain, &usual, "");
    assert_said(json, &usual, "");
  }
}

static void test_closed_by_failure(void **state)
{
  (void)state;
  const uvrelay_result_t result = {.reason = UVRELAY_REASON_FAILED,
                                   .error = {.code = UV_EBUSY, .system = 231, .text = "it is busy"}};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_CLOSED, .number = 2, .result = &result};
  const char *object =
      TIME "\"closed\"" ROUTE_JSON ",\"number\":2,\"duration_ms\":0,\"to_target\":0,\"to_client\":0,\"reason\":"
           "\"failed\",\"text\":\"it is busy\",\"code\":\"EBUSY\",\"system\":231}\n";
  assert_said(plain, &event, "uvrelay: unix:///a=tcp://h:1 #2: it is busy\n");
  assert_said(
      verbose, &event,
      "uvrelay: unix:///a=tcp://h:1 #2: closed after 0 ms: failed: it is busy; 0 bytes to the target, 0 bytes to "
      "the client\n");
  assert_said(json, &event, object);
  assert_said(verbose_json, &event, object);
}

/* What can be done about a failure follows it, and is a member of its own in JSON; not after other ends. */
static void test_hints(void **state)
{
  (void)state;
  uvrelay_result_t result = {.reason = UVRELAY_REASON_FAILED,
                             .error = {.code = UV_ENOENT, .phase = UVRELAY_PHASE_CONNECT, .text = "there is none"}};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_CLOSED, .number = 2, .result = &result};
  assert_said(plain, &event,
              "uvrelay: unix:///a=tcp://h:1 #2: there is none: start its server, or set absent=wait to wait for it\n");
  assert_said(verbose, &event,
              "uvrelay: unix:///a=tcp://h:1 #2: closed after 0 ms: failed: there is none: start its server, or set "
              "absent=wait to wait for it; 0 bytes to the target, 0 bytes to the client\n");
  assert_said(json, &event,
              TIME "\"closed\"" ROUTE_JSON ",\"number\":2,\"duration_ms\":0,\"to_target\":0,\"to_client\":0,\"reason\":"
                   "\"failed\",\"text\":\"there is none\",\"code\":\"ENOENT\",\"hint\":\"start its server, or set "
                   "absent=wait to wait for it\"}\n");
  result.reason = UVRELAY_REASON_GONE;
  assert_said(plain, &event, "");
  assert_said(verbose, &event,
              "uvrelay: unix:///a=tcp://h:1 #2: closed after 0 ms: gone: there is none; 0 bytes to the target, 0 bytes "
              "to the client\n");
}

/* A listener's error at the start and later, but not that of a client that was refused. */
static void test_hints_of_listeners(void **state)
{
  (void)state;
  static const char open_files[] = "raise the limit of open files with ulimit -n or LimitNOFILE=";
  char expected[512];
  paper p;
  const uvrelay_error_t error = {.code = UV_EMFILE, .phase = UVRELAY_PHASE_LISTEN, .text = "too many"};
  const uvrelay_error_t denied = {.code = UV_EACCES, .phase = UVRELAY_PHASE_LISTEN, .text = "no"};
  (void)snprintf(expected, sizeof(expected), "uvrelay: unix:///a=tcp://h:1: paused: too many: %s\n", open_files);
  assert_said(plain, &(uvrelay_event_t){.type = UVRELAY_EVENT_PAUSED, .error = &error}, expected);
  assert_said(plain, &(uvrelay_event_t){.type = UVRELAY_EVENT_REFUSED, .number = 1, .error = &denied},
              "uvrelay: unix:///a=tcp://h:1 #1: no\n");
  assert_said(json, &(uvrelay_event_t){.type = UVRELAY_EVENT_REFUSED, .number = 1, .error = &denied},
              TIME "\"refused\"" ROUTE_JSON ",\"number\":1,\"text\":\"no\",\"code\":\"EACCES\"}\n");
  uvr_report report = report_to(&p, plain);
  uvr_report_error(&report, NULL, &denied);
  assert_string_equal(written(&p), "uvrelay: no: choose a directory that you can write to, or a port above 1023\n");
  report = report_to(&p, json);
  uvr_report_error(&report, NULL, &denied);
  assert_non_null(strstr(written(&p), ",\"code\":\"EACCES\",\"hint\":\"choose a directory"));
}

static void test_try(void **state)
{
  (void)state;
  paper p;
  uvr_report report = report_to(&p, plain);
  uvr_report_try(&report, "serve");
  assert_string_equal(written(&p), "Try: uvrelay serve --help\n");
  report = report_to(&p, json);
  uvr_report_try(&report, "serve");
  assert_string_equal(written(&p), "");
}

static void test_reasons(void **state)
{
  (void)state;
  static const char *const names[] = {"ended", "gone", "silent", "stopped", "failed"};
  for (unsigned i = 0; i < COUNT(names); i++) {
    char wanted[64];
    paper p;
    uvr_report report = report_to(&p, verbose);
    const uvrelay_result_t result = {.reason = (uvrelay_reason_t)i, .error = {.text = "why"}};
    uvr_report_event(&report, &route, &(uvrelay_event_t){.type = UVRELAY_EVENT_CLOSED, .result = &result});
    (void)snprintf(wanted, sizeof(wanted), " ms: %s: why; ", names[i]);
    assert_non_null(strstr(written(&p), wanted));
  }
}

/* What happens to a listener is always said. */
static void test_listeners(void **state)
{
  (void)state;
  const uvrelay_error_t error = {.code = UV_EMFILE, .text = "too many"};
  const uvrelay_event_t paused = {.type = UVRELAY_EVENT_PAUSED, .error = &error};
  const uvrelay_event_t resumed = {.type = UVRELAY_EVENT_RESUMED};
  const uvrelay_event_t failed = {.type = UVRELAY_EVENT_FAILED, .error = &error};
  for (int v = 0; v < 2; v++) {
    const way text = {false, v != 0};
    const way object = {true, v != 0};
    assert_said(text, &paused, "uvrelay: unix:///a=tcp://h:1: paused: too many\n");
    assert_said(text, &resumed, "uvrelay: unix:///a=tcp://h:1: accepting again\n");
    assert_said(text, &failed, "uvrelay: unix:///a=tcp://h:1: failed: too many\n");
    assert_said(object, &paused, TIME "\"paused\"" ROUTE_JSON ",\"text\":\"too many\",\"code\":\"EMFILE\"}\n");
    assert_said(object, &resumed, TIME "\"resumed\"" ROUTE_JSON "}\n");
    assert_said(object, &failed, TIME "\"failed\"" ROUTE_JSON ",\"text\":\"too many\",\"code\":\"EMFILE\"}\n");
  }
}

static void test_begin_and_end(void **state)
{
  (void)state;
  static const struct {
    const way *how;
    const char *listening, *stopping, *one, *stopped, *cut, *two;
  } cases[] = {
      {&plain, "", "", "", "", "uvrelay: 1 connection was interrupted\n", "uvrelay: 2 connections were interrupted\n"},
      {&verbose, "uvrelay: unix:///a=tcp://h:1: listening\n", "uvrelay: stopping: 0 connections are open\n",
       "uvrelay: stopping: 1 connection is open\n", "", "uvrelay: 1 connection was interrupted\n",
       "uvrelay: 2 connections were interrupted\n"},
      {&json, TIME "\"listening\"" ROUTE_JSON "}\n", TIME "\"stopping\",\"open\":0}\n",
       TIME "\"stopping\",\"open\":1}\n", TIME "\"stopped\",\"cut\":0}\n", TIME "\"stopped\",\"cut\":1}\n",
       TIME "\"stopped\",\"cut\":2}\n"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    paper p;
    uvr_report report = report_to(&p, *cases[i].how);
    uvr_report_listening(&report, &route);
    assert_string_equal(written(&p), cases[i].listening);
    uvr_report_stopping(&report, 0);
    assert_string_equal(written(&p), cases[i].stopping);
    uvr_report_stopping(&report, 1);
    assert_string_equal(written(&p), cases[i].one);
    uvr_report_stopped(&report, 0);
    assert_string_equal(written(&p), cases[i].stopped);
    uvr_report_stopped(&report, 1);
    assert_string_equal(written(&p), cases[i].cut);
    uvr_report_stopped(&report, 2);
    assert_string_equal(written(&p), cases[i].two);
  }
}

/* A route that has a name is called by it; where it listens is reported once. */
static void test_name(void **state)
{
  (void)state;
  const uvr_report_route named = {.listen = "unix:///a", .target = "tcp://h:1", .name = "db"};
  const uvrelay_event_t event = {.type = UVRELAY_EVENT_RESUMED};
  paper p;
  uvr_report report = report_to(&p, verbose);
  uvr_report_listening(&report, &named);
  assert_string_equal(written(&p), "uvrelay: db: unix:///a=tcp://h:1: listening\n");
  uvr_report_event(&report, &named, &event);
  assert_string_equal(written(&p), "uvrelay: db: accepting again\n");
  uvr_report_status(&report, &named, 1);
  assert_non_null(strstr(written(&p), "  db: unix:///a=tcp://h:1  -\n"));
  report.json = true;
  uvr_report_listening(&report, &named);
  assert_string_equal(written(&p), TIME "\"listening\"" ROUTE_JSON ",\"name\":\"db\"}\n");
  uvr_report_status(&report, &named, 1);
  assert_non_null(strstr(written(&p), "\"target\":\"tcp://h:1\",\"name\":\"db\",\"open\""));
}

static void test_status(void **state)
{
  (void)state;
  const uvr_report_route routes[] = {
      {.listen = "unix:///a",
       .target = "tcp://h:1",
       .counters = {.open = 1, .total = 23, .failed = 4, .to_target = 567, .to_client = 1000000000000}},
      {.listen = "tcp://127.0.0.1:2", .target = "npipe:x", .error = "it is \"busy\""},
  };
  paper p;
  uvr_report report = report_to(&p, plain);
  uvr_report_status(&report, routes, 2);
  assert_string_equal(
      written(&p), "  open     total    failed       to target       to client  route                      last error\n"
                   "     1        23         4             567   1000000000000  unix:///a=tcp://h:1        -\n"
                   "     0         0         0               0               0  tcp://127.0.0.1:2=npipe:x  it is "
                   "\"busy\"\n");
  report.json = true;
  uvr_report_status(&report, routes, 2);
  assert_string_equal(
      written(&p), TIME
      "\"status\",\"routes\":[{\"listen\":\"unix:///a\",\"target\":\"tcp://h:1\",\"open\":1,\"total\":23,"
      "\"failed\":4,\"to_target\":567,\"to_client\":1000000000000,\"error\":null},{\"listen\":\"tcp://127.0.0.1:2\","
      "\"target\":\"npipe:x\",\"open\":0,\"total\":0,\"failed\":0,\"to_target\":0,\"to_client\":0,\"error\":\"it is "
      "\\\"busy\\\"\"}]}\n");
}

static void test_errors(void **state)
{
  (void)state;
  const uvrelay_error_t error = {.code = UV_EINVAL, .system = 87, .text = "it is wrong"};
  const uvr_place place = {"a \"file\"", 3, 4};
  const uvr_place command_line = {NULL, 0, 0};
  paper p;
  uvr_report report = report_to(&p, plain);
  uvr_report_error(&report, NULL, &error);
  assert_string_equal(written(&p), "uvrelay: it is wrong\n");
  uvr_report_error(&report, &command_line, &error);
  assert_string_equal(written(&p), "uvrelay: it is wrong\n");
  uvr_report_error(&report, &place, &error);
  assert_string_equal(written(&p), "uvrelay: a \"file\":3:4: it is wrong\n");
  report.json = true;
  uvr_report_error(&report, &place, &error);
  assert_string_equal(written(&p), TIME "\"error\",\"text\":\"a \\\"file\\\":3:4: it is wrong\",\"code\":\"EINVAL\","
                                        "\"system\":87}\n");
  uvr_report_lost(&report, 9);
  assert_non_null(strstr(written(&p), "9 of its lines"));
}

static void test_odd_text(void **state)
{
  (void)state;
  static const struct {
    const char *text, *line, *string;
  } cases[] = {
      {"", "", ""},
      {"a\nb\r\t\x1B[1m", "a\\x0ab\\x0d\\x09\\x1b[1m", "a\\u000ab\\u000d\\u0009\\u001b[1m"},
      {"\"\\/", "\"\\/", "\\\"\\\\/"},
      {"\xC3\xA4\xF0\x9F\x98\x80", "\xC3\xA4\xF0\x9F\x98\x80", "\xC3\xA4\xF0\x9F\x98\x80"},
      {"\xC2\x85\x7F", "\\xc2\\x85\\x7f", "\\u0085\\u007f"},
      {"\xE2\x80\xAE"
       "a\xE2\x80\xA8\xF3\xA0\x81\x81\xC2\xAD\xEF\xBB\xBF",
       "\\xe2\\x80\\xaea\\xe2\\x80\\xa8\\xf3\\xa0\\x81\\x81\\xc2\\xad\\xef\\xbb\\xbf",
       "\\u202ea\\u2028\\udb40\\udc41\\u00ad\\ufeff"},
      {"\xFF"
       "a\xC3",
       "\\xffa\\xc3", "\\ufffda\\ufffd"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char expected[256];
    paper p;
    uvr_report report = report_to(&p, plain);
    uvrelay_error_t error = {.code = 0};
    (void)snprintf(error.text, sizeof(error.text), "%s", cases[i].text);
    uvr_report_error(&report, NULL, &error);
    (void)snprintf(expected, sizeof(expected), "uvrelay: %s\n", cases[i].line);
    assert_string_equal(written(&p), expected);
    report.json = true;
    uvr_report_error(&report, NULL, &error);
    (void)snprintf(expected, sizeof(expected), TIME "\"error\",\"text\":\"%s\"}\n", cases[i].string);
    assert_string_equal(written(&p), expected);
  }
}

static void test_long_text(void **state)
{
  (void)state;
  char name[3001];
  paper p;
  uvr_report report = report_to(&p, verbose);
  memset(name, 'x', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  const uvr_report_route long_route = {.listen = name, .target = name};
  uvr_report_listening(&report, &long_route);
  assert_int_equal(strlen(written(&p)), 2 * 3000 + strlen("uvrelay: =: listening\n"));
  uvr_report_status(&report, &long_route, 1);
  assert_non_null(strstr(written(&p), "x  -\n"));
}

/* Each thing that is reported of a far end; what is only for -v is not reported otherwise. */
static void test_far_end(void **state)
{
  (void)state;
  const struct {
    way how;
    const char *started;
    const char *is_ready;
    const char *down;
    const char *says;
  } cases[] = {
      {plain, "", "", "uvrelay: far end: it \"ended\"; starting it again in 0.1 s\n", "uvrelay: far end: a \\x07\n"},
      {verbose, "uvrelay: far end: x mux started (process 7)\n", "uvrelay: far end: x mux is ready\n",
       "uvrelay: far end: it \"ended\"; starting it again in 0.1 s\n", "uvrelay: far end: a \\x07\n"},
      {json, "", "", TIME "\"far-end-down\",\"text\":\"it \\\"ended\\\"\",\"retry_ms\":100}\n",
       TIME "\"far-end-says\",\"text\":\"a \\u0007\"}\n"},
      {verbose_json, TIME "\"far-end-started\",\"command\":\"x mux\",\"pid\":7}\n",
       TIME "\"far-end-ready\",\"command\":\"x mux\"}\n",
       TIME "\"far-end-down\",\"text\":\"it \\\"ended\\\"\",\"retry_ms\":100}\n",
       TIME "\"far-end-says\",\"text\":\"a \\u0007\"}\n"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    paper p = {.length = 0};
    uvr_report report = report_to(&p, cases[i].how);
    uvr_report_far_end_started(&report, "x mux", 7);
    assert_string_equal(written(&p), cases[i].started);
    uvr_report_far_end_ready(&report, "x mux");
    assert_string_equal(written(&p), cases[i].is_ready);
    uvr_report_far_end_down(&report, "it \"ended\"", 10, 100, false);
    assert_string_equal(written(&p), cases[i].down);
    uvr_report_far_end_line(&report, "a \a");
    assert_string_equal(written(&p), cases[i].says);
  }
}

/* One that is not needed. */
static void test_far_end_rests(void **state)
{
  (void)state;
  paper p = {.length = 0};
  uvr_report report = report_to(&p, plain);
  uvr_report_far_end_down(&report, "it ended", 8, 100, true);
  assert_string_equal(written(&p), "uvrelay: far end: it ended; the next client starts it again\n");
  report.json = true;
  uvr_report_far_end_down(&report, "it ended", 8, 100, true);
  assert_string_equal(written(&p),
                      TIME "\"far-end-down\",\"text\":\"it ended\",\"retry_ms\":100,\"needs_client\":true}\n");
}

/* What a line is about, for the limit of the log: "kind|listen|target|text|same". */
static void write_topic(void *user, const uvr_log_topic *topic, const char *text, size_t length)
{
  char line[512];
  assert_true(length > 0 && text[length - 1] == '\n');
  int size = snprintf(line, sizeof(line), "%s|%s|%s|%s|%u\n", topic->kind, topic->listen == NULL ? "" : topic->listen,
                      topic->target == NULL ? "" : topic->target, topic->text, topic->same);
  write_paper(user, line, (size_t)size);
}

static void test_topics(void **state)
{
  (void)state;
  static const struct {
    const char *reason, *details;
  } reasons[] = {{"it ended", ""}, {"sh: a, 1 exited with status 3", ", which interrupted 7 connections: at 12:01"}};
  const uvrelay_error_t error = {.code = UV_EIO, .text = "why"};
  const uvrelay_result_t failed = {.reason = UVRELAY_REASON_FAILED, .error = {.text = "it failed"}};
  const uvrelay_result_t ended = {.reason = UVRELAY_REASON_ENDED, .error = {.text = "it ended"}};
  const uvrelay_event_t events[] = {{.type = UVRELAY_EVENT_OPENED},
                                    {.type = UVRELAY_EVENT_CLOSED, .result = &failed},
                                    {.type = UVRELAY_EVENT_CLOSED, .result = &ended},
                                    {.type = UVRELAY_EVENT_PAUSED, .error = &error},
                                    {.type = UVRELAY_EVENT_RESUMED},
                                    {.type = UVRELAY_EVENT_FAILED, .error = &error}};
  static const char *const expected[] = {
      "opened|unix:///a|tcp://h:1||0\n",         "closed|unix:///a|tcp://h:1|it failed|0\n",
      "closed|unix:///a|tcp://h:1|it ended|0\n", "paused|unix:///a|tcp://h:1|why|0\n",
      "resumed|unix:///a|tcp://h:1||0\n",        "uvrelay: unix:///a=tcp://h:1: failed: why\n"}; /* without a limit */
  static const char *const far_ends[] = {
      "far-end-down|it ended|||1\n",
      "far-end-down|sh: a, 1 exited with status 3||, which interrupted 7 connections: at "
      "12:01|1\n"};
  paper p = {.length = 0};
  uvr_report report = report_to(&p, verbose);
  report.write_topic = write_topic;
  for (size_t i = 0; i < COUNT(events); i++) {
    uvr_report_event(&report, &route, &events[i]);
    assert_string_equal(written(&p), expected[i]);
  }
  for (size_t i = 0; i < COUNT(reasons); i++) {
    char why[128];
    (void)snprintf(why, sizeof(why), "%s%s", reasons[i].reason, reasons[i].details);
    uvr_report_far_end_down(&report, why, strlen(reasons[i].reason), 100, false);
    assert_string_equal(written(&p), far_ends[i]);
  }
  uvr_report_far_end_line(&report, "a word");
  assert_string_equal(written(&p), "far-end-says|||a word|0\n");
  uvr_report_far_end_started(&report, "x", 1);
  assert_string_equal(written(&p), "far-end-started||||0\n");
  uvr_report_mux_event(
      &report, &(uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_REFUSED, .address = "tcp://h:1", .error = &error});
  assert_string_equal(written(&p), "refused|||why|0\n");
}

/* What fails because the far end is gone, or the near end, is reported once, by others. */
static void test_lost_carrier(void **state)
{
  (void)state;
  static const uvr_report_route far_route = {.listen = "unix:///a", .target = "via:tcp://h:1"};
  static const struct {
    uvrelay_reason_t reason;
    const char *text;
    bool lost;
  } cases[] = {{UVRELAY_REASON_FAILED, "the connection to via:tcp://h:1 broke: the far end ended", true},
               {UVRELAY_REASON_FAILED, "the connection to via:tcp://h:1 was reset by the far end", false},
               {UVRELAY_REASON_FAILED, "the connection to via:tcp://h:11 broke: x", false},
               {UVRELAY_REASON_ENDED, "the connection to via:tcp://h:1 broke: x", false},
               {UVRELAY_REASON_FAILED, "", false}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    paper p = {.length = 0};
    uvr_report report = report_to(&p, plain);
    uvrelay_result_t result = {.reason = cases[i].reason};
    (void)snprintf(result.error.text, sizeof(result.error.text), "%s", cases[i].text);
    assert_int_equal(uvr_report_is_carrier_lost(&result, far_route.target), cases[i].lost);
    uvr_report_event(&report, &far_route, &(uvrelay_event_t){.type = UVRELAY_EVENT_CLOSED, .result = &result});
    assert_int_equal(p.length > 0, cases[i].reason == UVRELAY_REASON_FAILED && !cases[i].lost);
    report.verbose = true;
    p.length = 0;
    uvr_report_event(&report, &far_route, &(uvrelay_event_t){.type = UVRELAY_EVENT_CLOSED, .result = &result});
    assert_true(p.length > 0);
  }
  paper p = {.length = 0};
  uvr_report report = report_to(&p, plain);
  uvr_report_carrier_lost(&report, "the near end ended", 754);
  assert_string_equal(written(&p), "uvrelay: the near end ended, which interrupted 754 connections\n");
  uvr_report_carrier_lost(&report, "the near end ended", 1);
  assert_string_equal(written(&p), "uvrelay: the near end ended, which interrupted 1 connection\n");
}

static void test_delays(void **state)
{
  (void)state;
  static const struct {
    uint64_t ms;
    const char *text;
  } cases[] = {{200, " 0.2 s\n"}, {1600, " 1.6 s\n"}, {5000, " 5 s\n"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    paper p = {.length = 0};
    uvr_report report = report_to(&p, plain);
    uvr_report_far_end_down(&report, "x", 1, cases[i].ms, false);
    assert_non_null(strstr(written(&p), cases[i].text));
  }
}

static void assert_mux_said(way how, const uvrelay_mux_event_t *event, const char *expected)
{
  paper p = {.length = 0};
  uvr_report report = report_to(&p, how);
  uvr_report_mux_event(&report, event);
  assert_string_equal(written(&p), expected);
}

static void test_mux_events(void **state)
{
  (void)state;
  const uvrelay_error_t busy = {.code = UV_EBUSY, .text = "it is busy"};
  const uvrelay_error_t absent = {.code = UV_ENOENT, .text = "it is not there"};
  const uvrelay_result_t ended = {
      .reason = UVRELAY_REASON_ENDED, .duration_ms = 5, .to_right = 1, .error = {.text = "e"}};
  const uvrelay_result_t failed = {.reason = UVRELAY_REASON_FAILED, .error = {.code = UV_EIO, .text = "f"}};
  uvrelay_mux_event_t event = {.type = UVRELAY_MUX_EVENT_OPENED, .address = "tcp://h:1"};
  assert_mux_said(plain, &event, "");
  assert_mux_said(verbose, &event, "uvrelay: tcp://h:1: opened\n");
  event.type = UVRELAY_MUX_EVENT_CLOSED;
  event.result = &ended;
  assert_mux_said(plain, &event, "");
  assert_mux_said(verbose, &event,
                  "uvrelay: tcp://h:1: closed after 5 ms: ended: e; 1 byte to the target, 0 bytes to the client\n");
  event.result = &failed;
  assert_mux_said(plain, &event, "uvrelay: tcp://h:1: f\n");
  event.type = UVRELAY_MUX_EVENT_REFUSED;
  event.error = &absent; /* which the near end reports */
  assert_mux_said(plain, &event, "");
  assert_mux_said(verbose, &event, "uvrelay: tcp://h:1: it is not there\n");
  event.error = &busy;
  assert_mux_said(plain, &event, "");
  assert_mux_said(verbose, &event, "uvrelay: tcp://h:1: it is busy\n");
  event.type = UVRELAY_MUX_EVENT_UP;
  assert_mux_said(verbose, &event, "");
}

static void test_times(void **state)
{
  (void)state;
  static const struct {
    int64_t seconds;
    int milliseconds;
    const char *text;
  } cases[] = {
      {0, 0, "1970-01-01T00:00:00.000Z"},           {951782399, 7, "2000-02-28T23:59:59.007Z"},
      {951782400, 999, "2000-02-29T00:00:00.999Z"}, {951868800, 0, "2000-03-01T00:00:00.000Z"},
      {1709251199, 10, "2024-02-29T23:59:59.010Z"}, {1735689599, 0, "2024-12-31T23:59:59.000Z"},
      {1735689600, 0, "2025-01-01T00:00:00.000Z"},  {4107542400, 0, "2100-03-01T00:00:00.000Z"},
      {4107542399, 0, "2100-02-28T23:59:59.000Z"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    uvr_text_line text = {.text = NULL};
    uvr_text_line_time(&text, cases[i].seconds, cases[i].milliseconds);
    assert_int_equal(text.length, strlen(cases[i].text));
    assert_memory_equal(text.text, cases[i].text, text.length);
    uvr_text_line_clear(&text);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opened),
      cmocka_unit_test(test_peer),
      cmocka_unit_test(test_peer_at_the_end),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_closed),
      cmocka_unit_test(test_closed_unanswered),
      cmocka_unit_test(test_closed_by_failure),
      cmocka_unit_test(test_hints),
      cmocka_unit_test(test_hints_of_listeners),
      cmocka_unit_test(test_try),
      cmocka_unit_test(test_reasons),
      cmocka_unit_test(test_listeners),
      cmocka_unit_test(test_begin_and_end),
      cmocka_unit_test(test_name),
      cmocka_unit_test(test_status),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_odd_text),
      cmocka_unit_test(test_long_text),
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_far_end),
      cmocka_unit_test(test_far_end_rests),
      cmocka_unit_test(test_topics),
      cmocka_unit_test(test_lost_carrier),
      cmocka_unit_test(test_delays),
      cmocka_unit_test(test_mux_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
