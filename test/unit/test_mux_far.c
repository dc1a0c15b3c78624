/* The far end of a mux, asked by hand: requests of every kind, cut in every way, and what becomes of their streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mux_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static mux_raw *begin(const uvrelay_mux_options_t *far_options)
{
  route_host *h = mux_host_new(NULL, far_options);
  mux_raw *raw = raw_new(h, h->muxes.far_end.mux);
  raw_greet(raw, true);
  ROUTE_WAIT(h, h->muxes.far_end.ups == 1);
  return raw;
}

static void end(mux_raw *raw)
{
  route_host *h = raw->h;
  raw_free(raw);
  route_host_free(h);
}

static void ask(mux_raw *raw, uint32_t id, const char *address)
{
  char line[ROUTE_ADDRESS + 32];
  (void)snprintf(line, sizeof(line), "CONNECT %s\n", address);
  raw_frame(raw, Y_UPDATE, Y_SYN, id, 0);
  raw_data(raw, 0, id, line);
}

/* Makes a connection to the target, and asserts the answer. */
static peer_connection *connect_one(mux_raw *raw, uint32_t id)
{
  route_host *h = raw->h;
  unsigned before = h->target.accepted;
  char expected[32];
  ask(raw, id, h->target_address);
  (void)snprintf(expected, sizeof(expected), "%uA %u\"OK\\n\" ", (unsigned)id, (unsigned)id);
  raw_expect(raw, expected);
  ROUTE_WAIT(h, h->target.accepted == before + 1);
  return &h->target.connections[before];
}

static void wait_closed(mux_raw *raw, unsigned count)
{
  ROUTE_WAIT(raw->h, raw->h->muxes.far_end.closed == count);
}

/* What becomes of a connection. */

static void test_connect(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  mux_end *far_end = &raw->h->muxes.far_end;
  (void)connect_one(raw, 1);
  assert_string_equal(far_end->journal, "U O ");
  assert_string_equal(far_end->address, raw->h->target_address);
  raw_data(raw, 0, 1, "hello");
  raw_expect(raw, "1\"OK\\nhello\" ");
  raw_frame(raw, Y_DATA, Y_FIN, 1, 0);
  raw_expect(raw, "1F ");
  wait_closed(raw, 1);
  assert_string_equal(raw->talk, "1A 1\"OK\\nhello\" 1F ");
  assert_int_equal(far_end->result.reason, UVRELAY_REASON_ENDED);
  assert_int_equal(far_end->result.to_right, 5);
  assert_int_equal(far_end->result.to_left, 5);
  assert_string_equal(far_end->journal, "U O C ");
  uvrelay_counters_t counters;
  uvrelay_get_counters(raw->h->relay, &counters, sizeof(counters));
  assert_true(counters.started == 1 && counters.active == 0 && counters.failed == 0);
  assert_true(counters.to_right == 5 && counters.to_left == 5);
  end(raw);
}

/* The request in single bytes, each a frame; the end of the line and data in one; data and FIN with the request. */
static void test_request_cut(void **state)
{
  (void)state;
  for (unsigned cut = 0; cut < 4; cut++) {
    mux_raw *raw = begin(NULL);
    char line[ROUTE_ADDRESS + 32];
    (void)snprintf(line, sizeof(line), "CONNECT %s\nhello\nx", raw->h->target_address);
    size_t length = strlen(line);
    if (cut == 0) { /* frames of one byte, the first with the SYN */
      for (size_t i = 0; i < length; i++) {
        char one[2] = {line[i], '\0'};
        raw_data(raw, i == 0 ? Y_SYN : i + 1 == length ? Y_FIN : 0, 1, one);
      }
    } else if (cut == 1) { /* all in one frame */
      raw_data(raw, Y_SYN | Y_FIN, 1, line);
    } else if (cut == 2) { /* one frame, that comes byte by byte */
      char frame[12];
      yframe_put(frame, Y_DATA, Y_SYN | Y_FIN, 1, (uint32_t)length);
      for (size_t i = 0; i < 12 + length; i++) {
        raw_send(raw, i < 12 ? frame + i : line + i - 12, 1);
        rig_turns(&raw->h->r, 1);
      }
    } else { /* the newline in a frame of its own, and empty frames */
      char start[ROUTE_ADDRESS + 32];
      (void)snprintf(start, sizeof(start), "CONNECT %s", raw->h->target_address);
      raw_data(raw, Y_SYN, 1, start);
      raw_data(raw, 0, 1, "");
      route_run_ms(raw->h, 2);
      raw_data(raw, 0, 1, "\n");
      raw_data(raw, 0, 1, "");
      raw_data(raw, 0, 1, "hello\nx");
      raw_data(raw, Y_FIN, 1, "");
    }
    raw_expect(raw, "1F ");
    assert_string_equal(raw->talk, "1A 1\"OK\\nhello\\nx\" 1F ");
    wait_closed(raw, 1);
    assert_int_equal(raw->h->muxes.far_end.result.reason, UVRELAY_REASON_ENDED);
    end(raw);
  }
}

/* A second line is the target's. */
static void test_two_requests(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  char line[2 * ROUTE_ADDRESS + 64];
  const char *address = raw->h->target_address;
  (void)snprintf(line, sizeof(line), "CONNECT %s\nCONNECT x\n", address);
  raw_data(raw, Y_SYN | Y_FIN, 1, line);
  raw_expect(raw, "1F ");
  assert_string_equal(raw->talk, "1A 1\"OK\\nCONNECT x\\n\" 1F ");
  end(raw);
}

/* Refusals. */

static void refused(const char *request, size_t length, const uvrelay_mux_options_t *options, int code,
                    const char *answer)
{
  mux_raw *raw = begin(options);
  mux_end *far_end = &raw->h->muxes.far_end;
  raw_frame(raw, Y_DATA, Y_SYN, 1, (uint32_t)length);
  raw_send(raw, request, length);
  raw_expect(raw, "1F ");
  const char expected_start[] = "1A 1\"ERR ";
  if (strncmp(raw->talk, expected_start, sizeof(expected_start) - 1) != 0 || strstr(raw->talk, answer) == NULL ||
      strstr(raw->talk, "\\n\" 1F ") == NULL) {
    fail_msg("not %s but %s", answer, raw->talk);
  }
  assert_ptr_equal(strstr(raw->talk, "\\n"), strrchr(raw->talk, '\\')); /* one line */
  assert_string_equal(far_end->journal, "U R ");
  assert_int_equal(far_end->error.code, code);
  assert_non_null(strstr(raw->talk, far_end->error.text));
  raw_frame(raw, Y_DATA, Y_FIN, 1, 0);
  route_run_ms(raw->h, 2);
  assert_int_equal(raw->h->target.accepted, 0);
  (void)connect_one(raw, 3); /* it goes on as before */
  end(raw);
}

static void refused_text(const char *request, const uvrelay_mux_options_t *options, int code, const char *answer)
{
  refused(request, strlen(request), options, code, answer);
}

static void test_bad_requests(void **state)
{
  (void)state;
  static const struct {
    const char *request;
    const char *answer;
  } cases[] = {
      {"\n", "ERR EINVAL \"\" is not a request"},
      {"garbage\n", "ERR EINVAL \"garbage\" is not a request"},
      {"connect tcp://127.0.0.1:1\n", "ERR EINVAL \"connect tcp"},
      {"CONNECT\n", "ERR EINVAL \"CONNECT\" is not a request"},
      {"CONNECT \n", "ERR EINVAL the address"},
      {"CONNECT  tcp://127.0.0.1:1\n", "ERR EINVAL the address"},
      {"CONNECT nonsense\n", "ERR EINVAL the address \"nonsense\""},
      {"CONNECT tcp://127.0.0.1:0\n", "ERR EINVAL"},
      {"CONNECT fd://3\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1\r\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1 \n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1?nonsense=1\n", "there is no option \"nonsense\""},
      {"CONNECT tcp://127.0.0.1:1?linger=x\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1?perm=0600\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1?linger=1&linger=2\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1?eof=marker\n", "ERR EINVAL"},
      {"CONNECT tcp://127.0.0.1:1?\n", "ERR EINVAL"},
      {"CONNECT \x1b[2J\n", "ERR EINVAL the address \"\\x1b[2J\""},
      {"\xff\x1b\n", "ERR EINVAL \"\\xff\\x1b\" is not a request"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    refused_text(cases[i].request, NULL, UV_EINVAL, cases[i].answer);
  }
  static const char nul[] = "CONNECT tcp://127.0.0.1:1\0\n";
  refused(nul, sizeof(nul) - 1, NULL, UV_EINVAL, "ERR EINVAL");
  static const char first[] = "\0CONNECT tcp://127.0.0.1:1\n";
  refused(first, sizeof(first) - 1, NULL, UV_EINVAL, "ERR EINVAL");
}

/* A via: inside would be a chain, for which there is no mux. */
static void test_other_refusals(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  char line[ROUTE_ADDRESS + 32];
  (void)snprintf(line, sizeof(line), "CONNECT via:%s\n", raw->h->target_address);
  end(raw);
  refused_text(line, NULL, UV_ENOTSUP, "ERR ENOTSUP");
#ifdef _WIN32
  refused_text("CONNECT unix:///run/none\n", NULL, UV_ENOTSUP, "ERR ENOTSUP");
  refused_text("CONNECT //./pipe/uvrelay-none?impersonation=identification\n", NULL, UV_ENOENT, "ERR ENOENT");
#else
  refused_text("CONNECT npipe:x\n", NULL, UV_ENOTSUP, "ERR ENOTSUP");
  refused_text("CONNECT unix:///nonexistent/x\n", NULL, UV_ENOENT,
               "ERR ENOENT there is no socket unix:///nonexistent/x");
#endif
  refused_text("CONNECT assuan:///nonexistent/x\n", NULL, UV_ENOENT, "ERR ENOENT");
}

static void test_refused_connect(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  ask(raw, 1, raw->h->absent_address);
  raw_expect(raw, "1F ");
  assert_non_null(strstr(raw->talk, "1A 1\"ERR ECONNREFUSED cannot connect to tcp://127.0.0.1:"));
  assert_string_equal(raw->h->muxes.far_end.journal, "U R ");
  assert_string_equal(raw->h->muxes.far_end.address, raw->h->absent_address);
  end(raw);
}

/* The longest line is 2048 bytes, with its newline. */
static void test_long_lines(void **state)
{
  (void)state;
  char line[2050];
  memset(line, 'x', sizeof(line));
  memcpy(line, "CONNECT unix:///", 16);
  line[2047] = '\n';
  refused(line, 2048, NULL, UV_EINVAL, "ERR EINVAL the address");
  line[2047] = 'x';
  line[2048] = '\n';
  refused(line, 2049, NULL, UV_EINVAL, "ERR EINVAL the request is too long");
  line[2048] = 'x';
  refused(line, 2050, NULL, UV_EINVAL, "ERR EINVAL the request is too long"); /* it does not wait for more */
  mux_raw *raw = begin(NULL);
  raw_frame(raw, Y_UPDATE, Y_SYN, 1, 0);
  for (size_t i = 0; i < 2048; i += 128) { /* cut, and without an end */
    raw_frame(raw, Y_DATA, 0, 1, 128);
    raw_send(raw, line + i, 128);
  }
  route_run_ms(raw->h, 3);
  assert_string_equal(raw->h->muxes.far_end.journal, "U ");
  raw_data(raw, 0, 1, "\n");
  raw_expect(raw, "1F ");
  assert_non_null(strstr(raw->talk, "too long"));
  end(raw);
}

/* Patterns. */

static void test_allow(void **state)
{
  (void)state;
  char own[] = "tcp://127.0.0.1:*";
  const char *patterns[] = {"unix:///run/*", own};
  const uvrelay_mux_options_t options = {.size = sizeof(options), .allow = patterns, .allow_count = 2};
  refused_text("CONNECT tcp://127.0.0.2:1?linger=1\n", &options, UV_EACCES,
               "ERR EACCES tcp://127.0.0.2:1 is not allowed: the patterns are unix:///run/*, tcp://127.0.0.1:*\\n");
  refused_text("CONNECT TCP://127.0.0.3:1\n", &options, UV_EACCES, "ERR EACCES tcp://127.0.0.3:1 is not allowed");
  mux_raw *raw = begin(&options);
  own[0] = 'x'; /* it was copied */
  patterns[1] = NULL;
  (void)connect_one(raw, 1);
  end(raw);
}

/* Dots lead out of what a pattern names; names that only begin with them do not. */
static void test_dots(void **state)
{
  (void)state;
  static const char *const patterns[] = {"assuan:///run/*", "tcp://127.0.0.1:*"};
  const uvrelay_mux_options_t options = {.size = sizeof(options), .allow = patterns, .allow_count = 2};
  refused_text("CONNECT assuan:///run/../etc/x\n", &options, UV_EACCES,
               "ERR EACCES assuan:///run/../etc/x is not allowed");
  refused_text("CONNECT assuan:///run/a/..\n", &options, UV_EACCES, "ERR EACCES ");
  refused_text("CONNECT assuan:///run/a\\..\\b\n", &options, UV_EACCES, "ERR EACCES ");
  refused_text("CONNECT assuan:///run/..nonexistent\n", &options, UV_ENOENT, "ERR ENOENT ");
  refused_text("CONNECT assuan:///run/nonexistent../x\n", &options, UV_ENOENT, "ERR ENOENT ");
  refused_text("CONNECT assuan:///run/../nonexistent/x\n", NULL, UV_ENOENT, "ERR ENOENT ");
}

/* A long list is cut. */
static void test_many_patterns(void **state)
{
  (void)state;
  const char *patterns[100];
  for (size_t i = 0; i < COUNT(patterns); i++) {
    patterns[i] = "unix:///run/a-long-pattern-of-many-letters/*";
  }
  const uvrelay_mux_options_t options = {.size = sizeof(options), .allow = patterns, .allow_count = COUNT(patterns)};
  char *line = malloc(1100);
  assert_non_null(line);
  (void)snprintf(line, 1100, "CONNECT assuan:///%0900d\n", 1);
  mux_raw *raw = begin(&options);
  raw_data(raw, Y_SYN, 1, line);
  free(line);
  raw_expect(raw, "\\n\" 1F ");
  assert_non_null(strstr(raw->talk, "is not allowed: the patterns are unix:///run/a-long"));
  assert_string_equal(raw->talk + strlen(raw->talk) - strlen("...\\n\" 1F "), "...\\n\" 1F ");
  end(raw);
}

/* Ends and resets. */

/* The near end leaves, in each way, at each turn while the far end reads, dials, answers and relays. */
static void leave(unsigned flags, bool data, unsigned turns)
{
  mux_raw *raw = begin(NULL);
  route_host *h = raw->h;
  ask(raw, 1, h->target_address);
  rig_turns(&h->r, turns);
  if (data) {
    raw_data(raw, flags, 1, "bye");
  } else {
    raw_frame(raw, Y_UPDATE, flags, 1, 0);
  }
  const mux_end *f = &h->muxes.far_end;
  route_run_ms(h, 3);
  ROUTE_WAIT(h, f->opened == f->closed);
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  unsigned pongs = raw->pongs;
  ROUTE_WAIT(h, raw->pongs > pongs);
  if ((flags & Y_RST) != 0) {
    assert_null(strstr(raw->talk, "1F ")); /* it says nothing more of it */
    assert_true(f->closed == 0 || f->result.reason == UVRELAY_REASON_GONE);
  } else {
    raw_expect(raw, "1F ");
    wait_closed(raw, 1);
    assert_int_equal(f->result.reason, UVRELAY_REASON_ENDED);
    assert_int_equal(f->result.to_right, data ? 3 : 0);
  }
  (void)connect_one(raw, 3);
  end(raw);
}

static void test_leave(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 16; turns++) {
    leave(Y_RST, false, turns);
    leave(Y_FIN, false, turns);
    leave(Y_FIN, true, turns);
  }
}

/* Before the line is whole, in each way: nothing comes of it. */
static void test_leave_inside(void **state)
{
  (void)state;
  static const unsigned flags[] = {Y_RST, Y_FIN, Y_FIN | Y_RST};
  mux_raw *raw = begin(NULL);
  for (uint32_t i = 0; i < 6; i++) {
    uint32_t id = 2 * i + 1;
    raw_frame(raw, Y_UPDATE, Y_SYN, id, 0);
    if (i % 2 == 0) {
      raw_data(raw, 0, id, "CONN");
    }
    route_run_ms(raw->h, 2);
    raw_frame(raw, Y_UPDATE, flags[i / 2], id, 0);
  }
  route_run_ms(raw->h, 5);
  assert_true(raw->h->muxes.far_end.opened == 0 && raw->h->target.accepted == 0);
  (void)connect_one(raw, 99);
  end(raw);
}

/* Bytes before a reset are passed on, and then the target sees the end; the session was cut short: the near end is
 * gone. */
static void test_reset_behind_data(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  raw->h->target.echo = false;
  peer_connection *c = connect_one(raw, 1);
  raw_data(raw, 0, 1, "0123456789");
  raw_frame(raw, Y_UPDATE, Y_RST, 1, 0);
  wait_closed(raw, 1);
  ROUTE_WAIT(raw->h, c->ended);
  assert_int_equal(c->received, 10);
  assert_int_equal(raw->h->muxes.far_end.result.reason, UVRELAY_REASON_GONE);
  assert_int_equal(raw->h->muxes.far_end.result.side, UVRELAY_LEFT);
  assert_null(strstr(raw->talk, "1R"));
  assert_null(strstr(raw->talk, "1F"));
  end(raw);
}

/* The target ends first: half-close, and what the near end says later still arrives. */
static void half_close(peer_connection *c)
{
  uv_shutdown_t *request = c->server->user;
  assert_int_equal(uv_shutdown(request, (uv_stream_t *)&c->tcp, NULL), 0);
}

static void test_target_ends_first(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  uv_shutdown_t request;
  raw->h->target.echo = false;
  raw->h->target.user = &request;
  raw->h->target.on_connect = half_close;
  ask(raw, 1, raw->h->target_address);
  raw_expect(raw, "1A 1\"OK\\n\" 1F ");
  route_run_ms(raw->h, 5);
  raw_data(raw, 0, 1, "late");
  raw_data(raw, Y_FIN, 1, "r");
  wait_closed(raw, 1);
  ROUTE_WAIT(raw->h, raw->h->target.connections[0].received == 5);
  assert_int_equal(raw->h->muxes.far_end.result.reason, UVRELAY_REASON_ENDED);
  assert_string_equal(raw->talk, "1A 1\"OK\\n\" 1F ");
  end(raw);
}

/* A target that is reset cuts the stream: a reset alone. */
static void test_target_resets(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  peer_connection *c = connect_one(raw, 1);
  c->open = false;
  assert_int_equal(uv_tcp_close_reset(&c->tcp, NULL), 0);
  wait_closed(raw, 1);
  raw_expect(raw, "1R ");
  assert_string_equal(raw->talk, "1A 1\"OK\\n\" 1R ");
  assert_int_equal(raw->h->muxes.far_end.result.reason, UVRELAY_REASON_FAILED);
  assert_int_equal(raw->h->muxes.far_end.result.side, UVRELAY_RIGHT);
  end(raw);
}

/* The carrier is cut: sessions fail, dials are abandoned; the event counts the former. */
static void test_cut(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  route_host *h = raw->h;
  peer_connection *c = connect_one(raw, 1);
  raw_frame(raw, Y_UPDATE, Y_SYN, 3, 0); /* has not even asked */
  raw_frame(raw, Y_PING, Y_SYN, 0, 1);
  ROUTE_WAIT(h, raw->pongs == 1);
  raw_end(raw);
  ROUTE_WAIT(h, h->muxes.far_end.downs == 1 && h->muxes.far_end.closed == 1);
  assert_int_equal(h->muxes.far_end.down, UVRELAY_MUX_DOWN_ENDED);
  assert_int_equal(h->muxes.far_end.streams, 1); /* the other one was none yet */
  ROUTE_WAIT(h, c->ended);
  ROUTE_WAIT(h, raw->ended);
  end(raw);
}

/* A go-away: what is open goes on. */
static void test_go_away(void **state)
{
  (void)state;
  mux_raw *raw = begin(NULL);
  route_host *h = raw->h;
  (void)connect_one(raw, 1);
  raw_frame(raw, Y_GO_AWAY, 0, 0, 0);
  raw_data(raw, 0, 1, "on");
  raw_expect(raw, "on\" ");
  assert_int_equal(h->muxes.far_end.downs, 0);
  raw_frame(raw, Y_UPDATE, Y_FIN, 1, 0);
  ROUTE_WAIT(h, h->muxes.far_end.downs == 1);
  assert_int_equal(h->muxes.far_end.down, UVRELAY_MUX_DOWN_ENDED);
  assert_int_equal(h->muxes.far_end.streams, 0);
  raw_expect(raw, "1F ");
  end(raw);
}

/* Stopped while it dials: no session begins afterwards. */
static void test_stop(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 12; turns++) {
    mux_raw *raw = begin(NULL);
    route_host *h = raw->h;
    ask(raw, 1, h->target_address);
    rig_turns(&h->r, turns);
    route_host_stop(h, 0);
    ROUTE_WAIT(h, h->stopped);
    unsigned opened = h->muxes.far_end.opened;
    ask(raw, 3, h->target_address);
    route_run_ms(h, 10);
    if (h->muxes.far_end.opened != opened) {
      fail_msg("a session has begun after the stop, at turn %u", turns);
    }
    assert_int_equal(h->muxes.far_end.opened, h->muxes.far_end.closed);
    end(raw);
  }
}

/* More streams than there is room for are refused in words. */
static void test_too_many(void **state)
{
  (void)state;
  const uvrelay_mux_options_t options = {.size = sizeof(options), .window_total = 131072};
  mux_raw *raw = begin(&options);
  (void)connect_one(raw, 1);
  (void)connect_one(raw, 3);
  ask(raw, 5, raw->h->target_address);
  raw_expect(raw, "5F ");
  assert_non_null(strstr(raw->talk, "5A 5\"ERR EBUSY "));
  assert_int_equal(raw->h->muxes.far_end.refused, 1);
  raw_frame(raw, Y_UPDATE, Y_FIN, 5, 0);
  raw_frame(raw, Y_UPDATE, Y_FIN, 1, 0);
  wait_closed(raw, 1);
  raw_expect(raw, "1F ");
  (void)connect_one(raw, 7);
  end(raw);
}

/* Closed from inside each of its events. */
static void close_relay(mux_end *e, const uvrelay_mux_event_t *event)
{
  route_host *h = ((mux_pair *)e->user)->user;
  (void)event;
  route_host_act(h, ROUTE_CLOSES);
}

static void close_mux(mux_end *e, const uvrelay_mux_event_t *event)
{
  (void)event;
  mux_end_close(e);
}

static void detach(mux_end *e, const uvrelay_mux_event_t *event)
{
  (void)event;
  mux_end_detach(e);
}

static void (*wanted)(mux_end *e, const uvrelay_mux_event_t *event);
static uvrelay_mux_event_type_t wanted_at;
static unsigned acts;

static void act(mux_end *e, const uvrelay_mux_event_t *event)
{
  if (event->type == wanted_at) {
    acts++;
    wanted(e, event);
  }
}

static void test_in_events(void **state)
{
  (void)state;
  void (*const actions[])(mux_end *, const uvrelay_mux_event_t *) = {close_relay, close_mux, detach};
  for (size_t i = 0; i < 3 * COUNT(actions); i++) {
    mux_raw *raw = begin(NULL);
    route_host *h = raw->h;
    wanted = actions[i / 3];
    wanted_at = (uvrelay_mux_event_type_t)(UVRELAY_MUX_EVENT_REFUSED + i % 3);
    acts = 0;
    h->muxes.far_end.on_event = act;
    ask(raw, 1, h->absent_address);
    ask(raw, 3, h->target_address);
    raw_data(raw, Y_FIN, 3, "x");
    ROUTE_WAIT(h, raw->ended);
    assert_true(acts > 0);
    ROUTE_WAIT(h, h->closed || h->muxes.far_end.mux == NULL || h->muxes.far_end.downs == 1);
    route_run_ms(h, 3);
    raw_free(raw);
    ROUTE_WAIT(h, h->closed || h->muxes.far_end.opened == h->muxes.far_end.closed);
    route_host_free(h);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_connect),
      cmocka_unit_test(test_request_cut),
      cmocka_unit_test(test_two_requests),
      cmocka_unit_test(test_bad_requests),
      cmocka_unit_test(test_other_refusals),
      cmocka_unit_test(test_refused_connect),
      cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_allow),
      cmocka_unit_test(test_dots),
      cmocka_unit_test(test_many_patterns),
      cmocka_unit_test(test_leave),
      cmocka_unit_test(test_leave_inside),
      cmocka_unit_test(test_reset_behind_data),
      cmocka_unit_test(test_target_ends_first),
      cmocka_unit_test(test_target_resets),
      cmocka_unit_test(test_cut),
      cmocka_unit_test(test_go_away),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_too_many),
      cmocka_unit_test(test_in_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
