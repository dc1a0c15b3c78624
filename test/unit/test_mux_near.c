/* The near end of a mux before a far end that is played by hand: what it asks for, what it makes of every answer, and
 * what its clients see of resets, ends and lost carriers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "address/address.h"
#include "mux/core.h"
#include "mux_raw.h"
#include "relay/relay.h"
#include "relay/through_mux.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TARGET       "tcp://127.0.0.1:1"
#define ASKS         "1S 1\"CONNECT tcp://127.0.0.1:1\\n\" "

static const uvrelay_mux_options_t quiet = {.size = sizeof(quiet), .ping_ms = UINT64_MAX};

static mux_raw *begin_with(bool foreign)
{
  route_host *h = mux_host_new(&quiet, NULL);
  h->muxes.attaches = false;
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, foreign);
  ROUTE_WAIT(h, h->muxes.near_end.ups == 1);
  return raw;
}

static mux_raw *begin(void)
{
  return begin_with(false);
}

/* The same, with a client of a route to TARGET, which is asked for as stream 1. */
static mux_raw *begin_client(size_t to_send, const uvrelay_route_options_t *options)
{
  mux_raw *raw = begin();
  mux_add_via(raw->h, 0, TARGET, options);
  (void)route_client_start(raw->h, raw->h->routes[0].address, to_send, false);
  raw_expect(raw, ASKS);
  return raw;
}

static void end(mux_raw *raw)
{
  route_host *h = raw->h;
  raw_free(raw);
  route_host_free(h);
}

static const uvrelay_result_t *wait_result(mux_raw *raw)
{
  ROUTE_WAIT(raw->h, raw->h->routes[0].opened == 1 && raw->h->routes[0].open == 0);
  return &raw->h->routes[0].results[1];
}

static void check_failed(mux_raw *raw, int code, const char *text)
{
  const uvrelay_result_t *result = wait_result(raw);
  assert_int_equal(result->reason, UVRELAY_REASON_FAILED);
  assert_int_equal(result->side, UVRELAY_RIGHT);
  if (result->error.code != code || strstr(result->error.text, text) == NULL) {
    fail_msg("not %s (%d) but %s (%d)", text, code, result->error.text, result->error.code);
  }
  ROUTE_WAIT(raw->h, raw->h->clients[0].over);
}

/* Sends the client what it has sent itself. */
static void give_back(mux_raw *raw, unsigned flags, uint32_t id, size_t from, size_t size)
{
  char data[256];
  assert_in_range(size, 0, sizeof(data));
  for (size_t i = 0; i < size; i++) {
    data[i] = rig_byte(raw->h->clients[0].seed, from + i);
  }
  raw_frame(raw, Y_DATA, flags, id, (uint32_t)size);
  raw_send(raw, data, size);
}

/* Requests. */

static void check_request(const char *target, const uvrelay_route_options_t *options, const char *request)
{
  char expected[2048];
  mux_raw *raw = begin();
  mux_add_via(raw->h, 0, target, options);
  route_client *c = route_client_start(raw->h, raw->h->routes[0].address, 0, false);
  (void)snprintf(expected, sizeof(expected), "1S 1\"CONNECT %s\\n\" ", request);
  raw_expect(raw, "\\n\" ");
  assert_string_equal(raw->talk, expected);
  route_client_hang_up(c);
  end(raw);
}

#define OPTIONS .size = sizeof(uvrelay_route_options_t)
#define DAY_MS  86400000U

static void test_requests(void **state)
{
  (void)state;
  static const struct {
    const char *target;
    uvrelay_route_options_t options;
    const char *request;
  } cases[] = {
      {"tcp://127.0.0.1:1", {OPTIONS}, "tcp://127.0.0.1:1"},
      {"TCP://localhost:080", {OPTIONS}, "tcp://localhost:80"},
      {"tcp://[::1]:1", {OPTIONS}, "tcp://[::1]:1"},
      {"npipe:x", {OPTIONS}, "//./pipe/x"},
      {"\\\\.\\pipe\\x", {OPTIONS}, "//./pipe/x"},
      {"\\\\?\\pipe\\x", {OPTIONS}, "//./pipe/x"},
      {"\\\\?\\pipe\\x?eof=marker", {OPTIONS}, "//./pipe/x?eof=marker"},
      {"//host/pipe/a&b", {OPTIONS, .linger_ms = 1}, "//host/pipe/a&b?linger=0.001"},
      {"unix:///run/a b", {OPTIONS}, "unix:///run/a b"},
      {"assuan:///C:/a/S.gpg-agent", {OPTIONS}, "assuan:///C:/a/S.gpg-agent"},
      {"tcp://127.0.0.1:1?linger=2.5", {OPTIONS}, "tcp://127.0.0.1:1?linger=2.500"},
      {"tcp://127.0.0.1:1?linger=off&timeout=5&idle=7&max=3", {OPTIONS}, "tcp://127.0.0.1:1?linger=off"},
      {"tcp://127.0.0.1:1?linger=25&eof=none", {OPTIONS}, "tcp://127.0.0.1:1"},
      {"tcp://127.0.0.1:1?absent=wait&linger=3", {OPTIONS}, "tcp://127.0.0.1:1?linger=3.000&absent=wait"},
      {"tcp://127.0.0.1:1", {OPTIONS, .wait_for_absent = 1}, "tcp://127.0.0.1:1?absent=wait"},
      {"npipe:x?impersonation=identification&eof=marker&linger=3",
       {OPTIONS},
       "//./pipe/x?linger=3.000&impersonation=identification&eof=marker"},
      {"npipe:x?impersonation=anonymous&eof=auto", {OPTIONS}, "//./pipe/x"},
      {"npipe:x", {OPTIONS, .impersonation = UVRELAY_IMPERSONATION_DELEGATION}, "//./pipe/x?impersonation=delegation"},
      {"npipe:x", {OPTIONS, .eof_to_target = UVRELAY_EOF_MARKER}, "//./pipe/x?eof=marker"},
      {"npipe:x", {OPTIONS, .eof_to_client = UVRELAY_EOF_MARKER}, "//./pipe/x"},
      {"npipe:x?owner=user,S-1-5-18", {OPTIONS}, "//./pipe/x?owner=user,S-1-5-18"},
      {"npipe:x", {OPTIONS, .owner = "system", .linger_ms = 1}, "//./pipe/x?linger=0.001&owner=system"},
      {"npipe:x?owner=any", {OPTIONS, .owner = "system"}, "//./pipe/x"},
      {"unix:///x?owner=alice&absent=wait", {OPTIONS}, "unix:///x?owner=alice&absent=wait"},
      {"npipe:x", {OPTIONS, .linger_ms = UINT64_MAX}, "//./pipe/x?linger=off"},
      {"npipe:x", {OPTIONS, .linger_ms = DAY_MS}, "//./pipe/x?linger=86400.000"},
      /* Where the far end would refuse what is ignored here. */
      {"tcp://127.0.0.1:1", {OPTIONS, .eof_to_target = UVRELAY_EOF_MARKER}, "tcp://127.0.0.1:1"},
      {"tcp://127.0.0.1:1", {OPTIONS, .impersonation = UVRELAY_IMPERSONATION_IDENTIFICATION}, "tcp://127.0.0.1:1"},
      {"npipe:x", {OPTIONS, .linger_ms = 2 * DAY_MS}, "//./pipe/x?linger=86400.000"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    check_request(cases[i].target, &cases[i].options, cases[i].request);
  }
}

/* The longest address, with all options. */
static void test_longest_request(void **state)
{
  (void)state;
  char target[1100] = "assuan:///";
  char address[1200];
  char expected[1600];
  char owner[UVRELAY_USERS_SIZE] = "";
  memset(target + 10, 'x', 1000);
  uvrelay_session_t *session = NULL;
  mux_raw *raw = begin();
  (void)snprintf(address, sizeof(address), "via:%s", target);
  uvrelay_endpoint_t right = uvrelay_address(address);
  uvrelay_endpoint_t left = uvrelay_stdio(-1, -1);
  right.via = raw->h->muxes.near_end.mux;
  uvrelay_session_options_t options = {.size = sizeof(options), .linger_ms = 1234};
  while (strlen(owner) + strlen("4294967294,0") < sizeof(owner)) {
    (void)strcat(owner, "4294967294,");
  }
  (void)strcat(owner, "0");
  (void)strcpy(options.owner, owner);
  assert_int_equal(uvrelay_start(raw->h->relay, &left, &right, &options, NULL, NULL, &session), 0);
  (void)snprintf(expected, sizeof(expected), "1S 1\"CONNECT %s?linger=1.234&owner=%s\\n\" ", target, owner);
  raw_expect(raw, expected);
  uvrelay_session_cancel(session);
  raw_expect(raw, "1R ");
  end(raw);
}

/* A path with a question mark cannot be asked for: the far end would take what follows for options. */
static void test_question_mark(void **state)
{
  (void)state;
  mux_raw *raw = begin();
  uvrelay_endpoint_t right = uvrelay_address("via:unix:///run/a?max=1");
  uvrelay_endpoint_t left = uvrelay_stdio(-1, -1);
  right.via = raw->h->muxes.near_end.mux;
  assert_int_equal(uvrelay_start(raw->h->relay, &left, &right, NULL, NULL, NULL, NULL), UV_EINVAL);
  assert_int_equal(uvrelay_error(raw->h->relay)->code, UV_EINVAL);
  end(raw);
}

/* `via` must be an open near end of the same relay, and be there. */
static void test_bad_via(void **state)
{
  (void)state;
  mux_raw *raw = begin();
  route_host *h = raw->h;
  uvrelay_endpoint_t left = uvrelay_stdio(-1, -1);
  uvrelay_endpoint_t right = uvrelay_address("via:" TARGET);
  assert_int_equal(uvrelay_start(h->relay, &left, &right, NULL, NULL, NULL, NULL), UV_ENOTSUP);
  right.via = h->muxes.far_end.mux;
  assert_int_equal(uvrelay_start(h->relay, &left, &right, NULL, NULL, NULL, NULL), UV_EINVAL);
  uvrelay_route_options_t options = {.size = sizeof(options)};
  assert_int_equal(route_add(h, 1, "tcp://127.0.0.1:0", "via:" TARGET, &options), UV_ENOTSUP);
  options.via = h->muxes.far_end.mux;
  assert_int_equal(route_add(h, 1, "tcp://127.0.0.1:0", "via:" TARGET, &options), UV_EINVAL);
  options.via = h->muxes.near_end.mux;
  assert_int_equal(route_add(h, 1, "tcp://127.0.0.1:0", "via:via:" TARGET, &options), UV_EINVAL);
  assert_int_equal(route_add(h, 1, "via:" TARGET, TARGET, &options), UV_EINVAL);
  assert_int_equal(route_add(h, 1, "tcp://127.0.0.1:0", "via:", &options), UV_EINVAL);
  assert_string_equal(raw->talk, "");
  end(raw);
}

/* What this system lacks goes through the far end by itself, but not without one. */
static void test_lacking(void **state)
{
  (void)state;
#ifdef _WIN32
  static const char target[] = "unix:///run/none";
#else
  static const char target[] = "//./pipe/none";
#endif
  char expected[64];
  mux_raw *raw = begin();
  uvrelay_route_options_t options = {.size = sizeof(options)};
  assert_int_equal(route_add(raw->h, 0, "tcp://127.0.0.1:0", target, &options), UV_ENOTSUP);
  options.via = raw->h->muxes.near_end.mux;
  assert_int_equal(route_add(raw->h, 0, "tcp://127.0.0.1:0", target, &options), 0);
  (void)snprintf(expected, sizeof(expected), "via:%s", target);
  assert_string_equal(uvrelay_route_get_target(raw->h->routes[0].route), expected);
  /* What it has goes directly. */
  assert_int_equal(route_add(raw->h, 1, "tcp://127.0.0.1:0", raw->h->target_address, &options), 0);
  assert_string_equal(uvrelay_route_get_target(raw->h->routes[1].route), raw->h->target_address);
  route_client *c = route_client_start(raw->h, raw->h->routes[1].address, 10, true);
  ROUTE_WAIT(raw->h, c->over);
  assert_string_equal(raw->talk, "");
  (void)route_client_start(raw->h, raw->h->routes[0].address, 0, false);
  (void)snprintf(expected, sizeof(expected), "1S 1\"CONNECT %s\\n\" ", target);
  raw_expect(raw, expected);
  end(raw);
}

/* Answers. */

static void check_refusal(const char *answer, unsigned flags, int code, const char *text)
{
  mux_raw *raw = begin_client(0, NULL);
  raw_data(raw, Y_ACK | flags, 1, answer);
  check_failed(raw, code, text);
  const uvrelay_error_t *error = &raw->h->routes[0].results[1].error;
  for (const char *at = error->text; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20 || *at == 0x7F) {
      fail_msg("a control character of the far end's is in the text");
    }
  }
  end(raw);
}

static void test_refusals(void **state)
{
  (void)state;
  check_refusal("ERR ENOENT there is no pipe\n", Y_FIN, UV_ENOENT, "far end: there is no pipe");
  check_refusal("ERR ENOENT there is no pipe\n", 0, UV_ENOENT, "far end: there is no pipe");
  check_refusal("ERR EACCES not allowed: \xc3\xa4\n", Y_FIN, UV_EACCES, "far end: not allowed: \xc3\xa4");
  check_refusal("ERR ENOENT\n", Y_FIN, UV_ENOENT, "no such file");
  check_refusal("ERR ENOENT \n", Y_FIN, UV_ENOENT, "no such file");
  check_refusal("ERR EWHATEVER what a pity\n", Y_FIN, UV_UNKNOWN, "far end: what a pity");
  check_refusal("ERR EWHATEVER\n", Y_FIN, UV_UNKNOWN, "far end: ");
  check_refusal("ERR \n", Y_FIN, UV_UNKNOWN, "far end: ");
  check_refusal("ERR ECONNREFUSED \x1b[2J\a\x7f\xff\n", Y_FIN, UV_ECONNREFUSED, "far end: ");
  check_refusal("ERR\n", Y_FIN, UV_EPROTO, "\"ERR\"");
  check_refusal("\n", Y_FIN, UV_EPROTO, "\"\"");
  check_refusal("OK \n", Y_FIN, UV_EPROTO, "\"OK \"");
  check_refusal("OK\r\n", Y_FIN, UV_EPROTO, "\"OK\\x0d\"");
  check_refusal("ok\n", Y_FIN, UV_EPROTO, "\"ok\"");
  check_refusal("\x1b[2J\n", Y_FIN, UV_EPROTO, "\"\\x1b[2J\"");
  check_refusal("OK", Y_FIN, UV_ECONNRESET, "gave no valid answer");
  check_refusal("", Y_FIN, UV_ECONNRESET, "gave no valid answer");
  check_refusal("", Y_RST, UV_ECONNRESET, "gave no valid answer");
  check_refusal("OK", Y_RST, UV_ECONNRESET, "gave no valid answer");
  char line[2100];
  memset(line, 'x', sizeof(line));
  memcpy(line, "ERR EPERM ", 10);
  line[2047] = '\n';
  line[2048] = '\0';
  check_refusal(line, Y_FIN, UV_EPERM, "far end: xxxx");
  line[2047] = 'x';
  line[2048] = 'x';
  line[2049] = '\0';
  check_refusal(line, 0, UV_EMSGSIZE, "too long");
}

static void test_nul_in_answer(void **state)
{
  (void)state;
  mux_raw *raw = begin_client(0, NULL);
  raw_frame(raw, Y_DATA, 0, 1, 4);
  raw_send(raw, "OK\0\n", 4);
  check_failed(raw, UV_EPROTO, "NUL");
  end(raw);
}

/* A refused client leaves an end or a reset, and no bytes. */
static void test_refused_stream(void **state)
{
  (void)state;
  mux_raw *raw = begin_client(10, NULL);
  raw_data(raw, Y_ACK | Y_FIN, 1, "ERR ENOENT no\n");
  check_failed(raw, UV_ENOENT, "no");
  assert_int_equal(raw->h->clients[0].received, 0);
  ROUTE_WAIT(raw->h, strlen(raw->talk) > strlen(ASKS));
  route_run_ms(raw->h, 5);
  assert_true(strcmp(raw->talk, ASKS "1F ") == 0 || strcmp(raw->talk, ASKS "1R ") == 0 ||
              strcmp(raw->talk, ASKS "1F 1R ") == 0);
  end(raw);
}

/* The answer in single bytes, with the first of the target's bytes right after it. */
static void test_split_answer(void **state)
{
  (void)state;
  for (unsigned split = 0; split <= 8; split++) {
    char answer[9] = "OK\n";
    mux_raw *raw = begin_client(5, NULL);
    route_client *c = &raw->h->clients[0];
    for (size_t i = 0; i < 5; i++) {
      answer[3 + i] = rig_byte(c->seed, i);
    }
    raw_frame(raw, Y_DATA, Y_ACK, 1, split);
    raw_send(raw, answer, split);
    route_run_ms(raw->h, 2);
    raw_frame(raw, Y_DATA, Y_FIN, 1, 8 - split);
    raw_send(raw, answer + split, 8 - split);
    ROUTE_WAIT(raw->h, c->over);
    assert_int_equal(c->received, 5);
    assert_int_equal(c->code, 0);
    const uvrelay_result_t *result = wait_result(raw);
    assert_int_equal(result->reason, UVRELAY_REASON_ENDED);
    assert_int_equal(result->to_left, 5);
    assert_int_equal(result->to_right, 5);
    end(raw);
  }
}

/* A busy target is asked for again, until the timeout, whose text says why. */
static void test_busy(void **state)
{
  (void)state;
  mux_raw *raw = begin_client(0, NULL);
  for (uint32_t id = 1; id < 9; id += 2) {
    char asks[64];
    (void)snprintf(asks, sizeof(asks), "%uS %u\"CONNECT tcp://127.0.0.1:1\\n\" ", (unsigned)id, (unsigned)id);
    raw_expect(raw, asks);
    raw_data(raw, Y_ACK | (id < 7 ? Y_FIN : 0), id, id < 7 ? "ERR EBUSY all is busy\n" : "OK\n");
    if (id < 7) {
      ROUTE_WAIT(raw->h, strstr(raw->talk + strlen(asks), "F ") != NULL || strstr(raw->talk, "R ") != NULL);
    }
  }
  route_client_end(&raw->h->clients[0]);
  raw_expect(raw, "7F ");
  raw_frame(raw, Y_UPDATE, Y_FIN, 7, 0);
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_ENDED);
  end(raw);
  const uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = 400};
  raw = begin_client(0, &options);
  raw_data(raw, Y_ACK | Y_FIN, 1, "ERR EBUSY all is busy\n");
  raw_expect(raw, "3\"CONNECT tcp://127.0.0.1:1\\n\" "); /* it gets no answer this time */
  check_failed(raw, UV_ETIMEDOUT, "all is busy");
  end(raw);
}

/* No answer comes in time: the request is taken back. */
static void test_timeout(void **state)
{
  (void)state;
  const uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = 50};
  mux_raw *raw = begin_client(5, &options);
  check_failed(raw, UV_ETIMEDOUT, "did not answer within 0.05 s");
  raw_expect(raw, "1R ");
  raw_data(raw, Y_ACK, 1, "OK\n"); /* too late */
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(raw->h, raw->pongs == 1);
  assert_string_equal(raw->h->muxes.near_end.journal, "U ");
  end(raw);
}

/* Without a carrier the text says why there is none. */
static void test_timeout_reasons(void **state)
{
  (void)state;
  const uvrelay_route_options_t options = {.size = sizeof(options), .timeout_ms = 200};
  for (int explained = 0; explained < 3; explained++) {
    route_host *h = mux_host_new(&quiet, NULL);
    h->muxes.attaches = false;
    if (explained < 2) { /* a carrier that failed */
      uvrelay_endpoint_t none = uvrelay_address(h->absent_address);
      assert_int_equal(uvrelay_mux_attach(h->muxes.near_end.mux, &none), 0);
      ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
    }
    mux_add_via(h, 0, TARGET, &options);
    (void)route_client_start(h, h->routes[0].address, 0, false);
    ROUTE_WAIT(h, h->muxes.near_end.needs == 1);
    if (explained == 1) {
      uvrelay_error_t why = {.code = UV_ENOENT, .text = "there is no such program"};
      uvrelay_mux_explain(h->muxes.near_end.mux, &why);
      memset(&why, 'x', sizeof(why)); /* it was copied */
    }
    ROUTE_WAIT(h, h->routes[0].opened == 1 && h->routes[0].open == 0);
    const uvrelay_error_t *error = &h->routes[0].results[1].error;
    assert_int_equal(error->code, UV_ETIMEDOUT);
    const char *expected = explained == 0   ? h->absent_address
                           : explained == 1 ? "there is no such program"
                                            : "did not answer within 0.2 s";
    if (strstr(error->text, expected) == NULL || strstr(error->text, "via:" TARGET) == NULL) {
      fail_msg("%s", error->text);
    }
    assert_int_equal(h->muxes.near_end.needs, 1);
    route_host_free(h);
  }
}

/* Sessions that end. */

/* A client with a connection, that has sent 10 bytes. */
static mux_raw *begin_session(void)
{
  mux_raw *raw = begin_client(10, NULL);
  raw_data(raw, Y_ACK, 1, "OK\n");
  ROUTE_WAIT(raw->h, raw->bytes == strlen("CONNECT " TARGET "\n") + 10);
  return raw;
}

static bool said_of_1(const mux_raw *raw, const char *flag)
{
  return strstr(raw->talk, flag) != NULL;
}

static void test_reset(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  give_back(raw, 0, 1, 0, 7); /* bytes before a reset arrive */
  raw_frame(raw, Y_UPDATE, Y_RST, 1, 0);
  check_failed(raw, UV_ECONNRESET, "reset by the far end");
  assert_int_equal(raw->h->clients[0].received, 7);
  assert_int_equal(raw->h->routes[0].results[1].to_left, 7);
  assert_false(said_of_1(raw, "1R ") || said_of_1(raw, "1F "));
  end(raw);
}

static void test_end_and_reset(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  give_back(raw, Y_FIN, 1, 0, 7);
  ROUTE_WAIT(raw->h, raw->h->clients[0].received == 7);
  raw_frame(raw, Y_UPDATE, Y_RST, 1, 0);
  const uvrelay_result_t *result = wait_result(raw);
  if (result->reason != UVRELAY_REASON_GONE && result->reason != UVRELAY_REASON_ENDED) {
    fail_msg("%d: %s", (int)result->reason, result->error.text);
  }
  assert_int_equal(raw->h->clients[0].code, 0);
  end(raw);
}

/* While the client stays the session is: the target has ended, and then it is gone. */
static void test_gone(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_client *c = &raw->h->clients[0];
  c->stays = true;
  raw_frame(raw, Y_UPDATE, Y_FIN, 1, 0);
  ROUTE_WAIT(raw->h, c->ended);
  route_run_ms(raw->h, 3);
  assert_int_equal(raw->h->routes[0].open, 1);
  route_client_send(c, 5); /* late data still goes */
  ROUTE_WAIT(raw->h, raw->bytes == strlen("CONNECT " TARGET "\n") + 15);
  raw_frame(raw, Y_UPDATE, Y_RST, 1, 0);
  const uvrelay_result_t *result = wait_result(raw);
  assert_int_equal(result->reason, UVRELAY_REASON_GONE);
  assert_int_equal(result->side, UVRELAY_RIGHT);
  assert_int_equal(result->to_right, 15);
  route_client_hang_up(c);
  end(raw);
}

/* The client ends, and the target still sends. */
static void test_late_data(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_client *c = &raw->h->clients[0];
  route_client_end(c);
  raw_expect(raw, "1F ");
  route_run_ms(raw->h, 3);
  give_back(raw, 0, 1, 0, 4);
  ROUTE_WAIT(raw->h, c->received == 4);
  give_back(raw, 0, 1, 4, 4);
  give_back(raw, Y_FIN, 1, 8, 2);
  ROUTE_WAIT(raw->h, c->over);
  assert_int_equal(c->received, 10);
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_ENDED);
  assert_false(said_of_1(raw, "1R "));
  end(raw);
}

/* A client that vanishes is no client that has ended: the target must not take what it has for all. */
static void test_vanished_client(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_client *c = &raw->h->clients[0];
  c->open = false;
  assert_int_equal(uv_tcp_close_reset(&c->as.tcp, NULL), 0);
  raw_expect(raw, "1R ");
  assert_false(said_of_1(raw, "1F "));
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_GONE);
  end(raw);
}

/* So is one whose session is cancelled, in each state. */
static void test_cancel(void **state)
{
  (void)state;
  mux_raw *raw = begin_client(0, NULL);
  uvrelay_session_cancel(raw->h->routes[0].sessions[1]);
  raw_expect(raw, "1R ");
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_STOPPED);
  end(raw);
  raw = begin_session();
  uvrelay_session_cancel(raw->h->routes[0].sessions[1]);
  raw_expect(raw, "1R ");
  assert_false(said_of_1(raw, "1F "));
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_STOPPED);
  end(raw);
}

/* A request that is taken back is reset: a foreign far end need not wait for the rest of it. */
static void test_taken_back(void **state)
{
  (void)state;
  mux_raw *raw = begin_with(true);
  mux_add_via(raw->h, 0, TARGET, NULL);
  (void)route_client_start(raw->h, raw->h->routes[0].address, 10, false);
  raw_expect(raw, ASKS);
  uvrelay_session_cancel(raw->h->routes[0].sessions[1]);
  raw_expect(raw, "1R ");
  assert_string_equal(raw->talk, ASKS "1R ");
  end(raw);
}

/* A target that grants no window holds up its own stream, and its client's data comes once it does. */
static void test_no_window(void **state)
{
  (void)state;
  size_t all = 600 * 1024;
  mux_raw *raw = begin_client(all, NULL);
  raw_data(raw, Y_ACK, 1, "OK\n");
  uint64_t request = strlen("CONNECT " TARGET "\n");
  ROUTE_WAIT(raw->h, raw->bytes == 32 * 1024);
  route_run_ms(raw->h, 5);
  assert_int_equal(raw->bytes, 32 * 1024);
  raw_frame(raw, Y_UPDATE, 0, 1, 1024 * 1024);
  ROUTE_WAIT(raw->h, raw->bytes == all + request);
  route_client_end(&raw->h->clients[0]);
  raw_expect(raw, "1F ");
  raw_frame(raw, Y_UPDATE, Y_FIN, 1, 0);
  assert_int_equal(wait_result(raw)->to_right, all);
  end(raw);
}

/* Carriers that end. */

/* What was asked and not answered is asked again, over the next one; what was connected has failed. */
static void test_lost_carrier(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_host *h = raw->h;
  mux_end *near_end = &h->muxes.near_end;
  (void)route_client_start(h, h->routes[0].address, 3, false);
  raw_expect(raw, "3\"CONNECT tcp://127.0.0.1:1\\n\" ");
  (void)route_client_start(h, h->routes[0].address, 3, false);
  raw_expect(raw, "5\"CONNECT tcp://127.0.0.1:1\\n\" ");
  raw_data(raw, Y_ACK, 5, "O"); /* half an answer is none */
  route_run_ms(h, 3);
  raw_end(raw);
  ROUTE_WAIT(h, near_end->downs == 1 && h->clients[0].over);
  assert_int_equal(near_end->streams, 1);
  ROUTE_WAIT(h, h->routes[0].results[1].error.code == UV_ECONNRESET);
  assert_non_null(strstr(h->routes[0].results[1].error.text, "the far end ended"));
  ROUTE_WAIT(h, near_end->needs == 1);
  assert_string_equal(near_end->journal, "U D0 N ");
  assert_int_equal(h->routes[0].open, 2);
  assert_int_equal(uvrelay_mux_waiting(near_end->mux), 2);
  mux_raw *next = raw_new(h, near_end->mux);
  raw_greet(next, false);
  ROUTE_WAIT(h, strstr(next->talk, "3\"CONNECT tcp://127.0.0.1:1\\n\" ") != NULL);
  assert_non_null(strstr(next->talk, "1\"CONNECT tcp://127.0.0.1:1\\n\" "));
  assert_int_equal(uvrelay_mux_waiting(near_end->mux), 0);
  raw_data(next, Y_ACK | Y_FIN, 1, "OK\n");
  raw_data(next, Y_ACK | Y_FIN, 3, "OK\n");
  ROUTE_WAIT(h, h->clients[1].over && h->clients[2].over && h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[2].reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->routes[0].results[3].reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->routes[0].results[3].to_right, 3);
  assert_int_equal(near_end->needs, 1);
  raw_free(next);
  end(raw);
}

/* Far ends that have stopped running. */

/* The same as begin_client, but with pings: soon after something was sent, and else not for a long time. */
static mux_raw *begin_pinged(uint64_t ping_timeout_ms, bool answers)
{
  const uvrelay_mux_options_t options = {.size = sizeof(options), .ping_timeout_ms = ping_timeout_ms};
  route_host *h = mux_host_new(&options, NULL);
  h->relay->context.patience.unheard_ms = 20;
  h->muxes.attaches = false;
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw->answers = answers;
  raw_greet(raw, false);
  ROUTE_WAIT(h, h->muxes.near_end.ups == 1);
  mux_add_via(h, 0, TARGET, NULL);
  (void)route_client_start(h, h->routes[0].address, 3, false);
  raw_expect(raw, ASKS);
  return raw;
}

/* One that is slow to connect answers pings, as long as the request waits; then nothing more is asked. */
static void test_slow_far_end(void **state)
{
  (void)state;
  mux_raw *raw = begin_pinged(RIG_PATIENCE_MS, true);
  ROUTE_WAIT(raw->h, raw->pings >= 6);
  assert_string_equal(raw->h->muxes.near_end.journal, "U ");
  uint64_t before = raw->bytes;
  raw_data(raw, Y_ACK, 1, "OK\n");
  ROUTE_WAIT(raw->h, raw->bytes == before + 3);
  unsigned pings = raw->pings;
  ROUTE_WAIT(raw->h, raw->pings > pings); /* for the 3 bytes */
  route_run_ms(raw->h, 40);
  pings = raw->pings;
  route_run_ms(raw->h, 100);
  assert_int_equal(raw->pings, pings);
  raw_data(raw, Y_FIN, 1, "");
  assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_ENDED);
  end(raw);
}

/* One that is dead is found because somebody waits for it, or because it was sent something. A client that was not
 * answered is served by the next one. */
static void test_silent_far_end(void **state)
{
  (void)state;
  for (int connected = 0; connected < 2; connected++) {
    mux_raw *raw = begin_pinged(50, false);
    route_host *h = raw->h;
    if (connected) {
      raw_data(raw, Y_ACK, 1, "OK\n");
      ROUTE_WAIT(h, raw->bytes == strlen("CONNECT " TARGET "\n") + 3);
    }
    ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
    assert_int_equal(h->muxes.near_end.down, UVRELAY_MUX_DOWN_SILENT);
    assert_int_equal(h->muxes.near_end.streams, connected);
    if (!connected) {
      ROUTE_WAIT(h, h->muxes.near_end.needs == 1);
      mux_raw *next = raw_new(h, h->muxes.near_end.mux);
      next->answers = true;
      raw_greet(next, false);
      raw_expect(next, ASKS);
      raw_data(next, Y_ACK | Y_FIN, 1, "OK\n");
      assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_ENDED);
      raw_free(next);
    } else {
      assert_int_equal(wait_result(raw)->reason, UVRELAY_REASON_FAILED);
    }
    end(raw);
  }
}

/* A request that cannot even be sent, as the far end has all the streams it takes, waits for it like any other. */
static void test_silent_full_far_end(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .window_total = 131072, .ping_timeout_ms = 50};
  route_host *h = mux_host_new(&options, NULL);
  h->muxes.attaches = false;
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw->answers = true;
  raw_greet(raw, false);
  mux_add_via(h, 0, TARGET, NULL);
  for (unsigned i = 0; i < 2; i++) {
    (void)route_client_start(h, h->routes[0].address, 0, false);
    ROUTE_WAIT(h, h->routes[0].open == i + 1);
    raw_expect(raw, i == 0 ? ASKS : "3S 3\"CONNECT tcp://127.0.0.1:1\\n\" ");
    raw_data(raw, Y_ACK, 2 * i + 1, "OK\n");
  }
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(h, raw->pongs == 1);
  route_run_ms(h, 5);
  h->relay->context.patience.unheard_ms = 20;
  raw->answers = false;
  raw_frame(raw, Y_PING, Y_SYN, 0, 2); /* heard: whatever was sent before is forgotten */
  ROUTE_WAIT(h, raw->pongs == 2);
  (void)route_client_start(h, h->routes[0].address, 0, false);
  ROUTE_WAIT(h, h->muxes.near_end.downs == 1);
  assert_int_equal(h->muxes.near_end.down, UVRELAY_MUX_DOWN_SILENT);
  assert_int_equal(h->muxes.near_end.streams, 2);
  end(raw);
}

/* A far end that goes away gets no new streams; those that it has go on, and then its carrier is over. */
static void test_go_away(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_host *h = raw->h;
  mux_end *near_end = &h->muxes.near_end;
  raw_frame(raw, Y_GO_AWAY, 0, 0, 0);
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(h, raw->pongs == 1);
  (void)route_client_start(h, h->routes[0].address, 3, false);
  ROUTE_WAIT(h, h->routes[0].open == 2);
  route_run_ms(h, 5);
  assert_false(said_of_1(raw, "3S"));
  assert_int_equal(near_end->downs, 0);
  give_back(raw, Y_FIN, 1, 0, 10);
  ROUTE_WAIT(h, h->clients[0].over && near_end->downs == 1);
  assert_int_equal(h->clients[0].received, 10);
  assert_int_equal(near_end->down, UVRELAY_MUX_DOWN_ENDED);
  assert_int_equal(near_end->streams, 0);
  ROUTE_WAIT(h, near_end->needs == 1);
  mux_raw *next = raw_new(h, near_end->mux);
  raw_greet(next, false);
  raw_expect(next, ASKS);
  raw_free(next);
  end(raw);
}

/* The mux is closed with streams that wait, that are asked for, and that are open. */
static void test_close(void **state)
{
  (void)state;
  mux_raw *raw = begin_session();
  route_host *h = raw->h;
  mux_end *near_end = &h->muxes.near_end;
  (void)route_client_start(h, h->routes[0].address, 3, false);
  raw_expect(raw, "3\"CONNECT tcp://127.0.0.1:1\\n\" ");
  raw_frame(raw, Y_GO_AWAY, 0, 0, 0);
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(h, raw->pongs == 1);
  (void)route_client_start(h, h->routes[0].address, 3, false); /* waits */
  ROUTE_WAIT(h, h->routes[0].open == 3);
  route_run_ms(h, 2);
  mux_end_close(near_end);
  ROUTE_WAIT(h, h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[1].error.code, UV_ECONNRESET);
  assert_int_equal(h->routes[0].results[2].error.code, UV_ESHUTDOWN);
  assert_int_equal(h->routes[0].results[3].error.code, UV_ESHUTDOWN);
  (void)route_client_start(h, h->routes[0].address, 3, false); /* later */
  ROUTE_WAIT(h, h->routes[0].opened == 4 && h->routes[0].open == 0);
  assert_int_equal(h->routes[0].results[4].error.code, UV_ESHUTDOWN);
  assert_string_equal(near_end->journal, "U D6 "); /* a route still uses it */
  assert_non_null(near_end->mux);
  route_remove(h, 0, 0);
  ROUTE_WAIT(h, near_end->mux == NULL);
  assert_true(h->routes[0].removed);
  assert_string_equal(near_end->journal, "U D6 - ");
  end(raw);
}

/* A stream is opened in the call that makes it where the far end is there and has room, and its result comes later. */

typedef struct outcome {
  unsigned results;
  bool closed;
} outcome;

static void count_result(void *user, const uvrelay_error_t *error)
{
  outcome *of = user;
  assert_null(error);
  of->results++;
}

static void count_closed(void *user)
{
  outcome *of = user;
  of->closed = true;
}

static void test_asks_at_once(void **state)
{
  (void)state;
  mux_raw *raw = begin();
  uvr_mux *mux = &raw->h->muxes.near_end.mux->mux;
  uvr_address address;
  outcome of = {.results = 0};
  assert_int_equal(uvr_address_parse("via:" TARGET, UVR_ADDRESS_VIA, &address, NULL), 0);
  const uvr_via_target target = {.address = &address, .linger_ms = UVR_MUX_LINGER_MS};
  uvr_stream *stream;
  assert_int_equal(mux->via.ops->connect(&mux->via, &target, count_result, &of, &stream), 0);
  assert_int_equal(uvr_yamux_stream_count(uvr_mux_carrier_yamux(mux->carrier)), 1);
  assert_int_equal(of.results, 0);
  raw_expect(raw, ASKS);
  raw_data(raw, Y_ACK, 1, "OK\n");
  ROUTE_WAIT(raw->h, of.results == 1);
  uvr_stream_close(stream, UVR_CLOSE_NOW, count_closed, &of);
  ROUTE_WAIT(raw->h, of.closed);
  end(raw);
}

/* A relay that drains still serves those that wait for a carrier. */
static void test_drain(void **state)
{
  (void)state;
  route_host *h = mux_host_new(&quiet, NULL);
  h->muxes.attaches = false;
  mux_add_via(h, 0, TARGET, NULL);
  (void)route_client_start(h, h->routes[0].address, 3, false);
  ROUTE_WAIT(h, h->muxes.near_end.needs == 1);
  route_host_stop(h, UINT64_MAX);
  route_run_ms(h, 3);
  mux_raw *raw = raw_new(h, h->muxes.near_end.mux);
  raw_greet(raw, false);
  raw_expect(raw, ASKS);
  raw_data(raw, Y_ACK | Y_FIN, 1, "OK\n");
  ROUTE_WAIT(h, h->stopped);
  assert_int_equal(h->routes[0].results[1].reason, UVRELAY_REASON_ENDED);
  assert_int_equal(h->routes[0].results[1].to_right, 3);
  end(raw);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),
      cmocka_unit_test(test_longest_request),
      cmocka_unit_test(test_question_mark),
      cmocka_unit_test(test_bad_via),
      cmocka_unit_test(test_lacking),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_nul_in_answer),
      cmocka_unit_test(test_refused_stream),
      cmocka_unit_test(test_split_answer),
      cmocka_unit_test(test_busy),
      cmocka_unit_test(test_timeout),
      cmocka_unit_test(test_timeout_reasons),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_end_and_reset),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_late_data),
      cmocka_unit_test(test_vanished_client),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_taken_back),
      cmocka_unit_test(test_no_window),
      cmocka_unit_test(test_lost_carrier),
      cmocka_unit_test(test_slow_far_end),
      cmocka_unit_test(test_silent_far_end),
      cmocka_unit_test(test_silent_full_far_end),
      cmocka_unit_test(test_go_away),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_asks_at_once),
      cmocka_unit_test(test_drain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
