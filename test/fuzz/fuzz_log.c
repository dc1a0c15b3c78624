/* What the program says: reports of events whose texts come from others, limited, as text and as JSON.
 *
 * The first byte of the input chooses the kind of log; each byte after it begins an event, the texts of which follow
 * it, each up to a form feed. Each line is one that can be shown, or one JSON object, whatever mark it has; no line is
 * left out without being counted; and the memory of the limiter is bounded. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/output/child_lines.h"
#include "cli/output/log_limit.h"
#include "cli/output/log_style.h"
#include "cli/output/report.h"
#include "cli/output/report_far_end.h"

enum { TOPICS_MOST = 1024, PIECE_MOST = 4096 };

typedef struct game {
  fuzz_input in;
  bool json;
  uvr_report report;
  uvr_log_limit limit;
  uint64_t now;
  uint64_t added; /* lines to the limiter */
  uint64_t told;  /* for how many the written ones stand */
} game;

/* For how many lines this one stands: in JSON, where no text can look like a number of the limiter's. */
static uint64_t worth(const char *text, size_t length)
{
  static const char *const members[] = {",\"repeated\":", ",\"lines\":"};
  for (size_t i = 0; i < 2; i++) {
    const char *found = memmem(text, length, members[i], strlen(members[i]));
    if (found != NULL) {
      return strtoull(found + strlen(members[i]), NULL, 10);
    }
  }
  return 1;
}

/* Plain, no piece is a part of a line. */
static void check_piece(void *user, const char *text, size_t length)
{
  const game *g = user;
  fuzz_check_lines(text, length, g->json);
}

/* What the journal gets: a priority before each line. */
static void check_priorities(void *user, const char *text, size_t length)
{
  (void)user;
  for (const char *end = text + length; length <= PIECE_MOST && text < end;) {
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    CHECK(feed != NULL && feed > text + 2 && text[0] == '<' && text[1] >= '3' && text[1] <= '6' && text[2] == '>',
          "a line has no priority: %.20s", text);
    text = feed + 1;
  }
}

static void check_lines(game *g, const char *text, size_t length)
{
  static const uvr_log_style plain = {.times = false};
  static const uvr_log_style journal = {.priorities = true};
  if (!g->report.marked) {
    fuzz_check_lines(text, length, g->json);
    return;
  }
  uvr_log_style_render(&plain, text, length, check_piece, g);
  if (length < PIECE_MOST - 8) { /* longer ones come in pieces */
    uvr_log_style_render(&journal, text, length, check_priorities, g);
  }
}

static void write_limited(void *user, const char *text, size_t length)
{
  game *g = user;
  check_lines(g, text, length);
  g->told += worth(text, length);
}

static void write_line(void *user, const char *text, size_t length)
{
  game *g = user;
  check_lines(g, text, length);
}

static void write_topic(void *user, const uvr_log_topic *topic, const char *text, size_t length)
{
  game *g = user;
  check_lines(g, text, length);
  CHECK(memchr(text, '\n', length) == text + length - 1, "an event has several lines");
  g->added++;
  uvr_log_limit_add(&g->limit, topic, text, length);
  CHECK(g->limit.count <= TOPICS_MOST, "%u sorts of lines are kept", (unsigned)g->limit.count);
}

static uint64_t now(void *user)
{
  return ((game *)user)->now;
}

static void on_window(void *user)
{
  (void)user;
}

/* Events. */

static void set_text(uvrelay_error_t *error, const char *text)
{
  (void)snprintf(error->text, sizeof(error->text), "%s", text);
}

static void report_route(game *g, unsigned what)
{
  char *listen = fuzz_text(&g->in, '\f');
  char *target = fuzz_text(&g->in, '\f');
  char *text = fuzz_text(&g->in, '\f');
  uvr_report_route route = {.listen = listen, .target = target, .error = what % 2 != 0 ? text : NULL};
  uvrelay_error_t error = {.code = UV_EIO, .system = what % 3};
  uvrelay_result_t result = {.reason = (uvrelay_reason_t)(what / 5 % 5), .to_right = what, .duration_ms = what};
  const uvrelay_event_t event = {
      .type = (uvrelay_event_type_t)(what % 5), .number = what, .result = &result, .error = &error};
  set_text(&error, text);
  set_text(&result.error, text);
  result.error.code = result.reason == UVRELAY_REASON_FAILED ? UV_EIO : 0;
  if (what < 200) {
    uvr_report_event(&g->report, &route, &event);
  } else if (what < 230) {
    const uvr_report_route routes[] = {route, route};
    uvr_report_status(&g->report, routes, 1 + what % 2);
  } else {
    uvr_report_listening(&g->report, &route);
  }
  free(listen);
  free(target);
  free(text);
}

static void report_far_end(game *g, unsigned what)
{
  char *text = fuzz_text(&g->in, '\f');
  uvrelay_error_t error = {.code = UV_EIO};
  uvrelay_result_t result = {.reason = UVRELAY_REASON_FAILED};
  set_text(&error, text);
  set_text(&result.error, text);
  unsigned kind = what % 8;
  kind = g->json && (kind == 5 || kind == 6) ? 3 : kind; /* the far end, which tells these, has no JSON */
  switch (kind) {
  case 0:
    uvr_report_far_end_started(&g->report, text, (int)what);
    break;
  case 1:
    uvr_report_far_end_ready(&g->report, text);
    break;
  case 2:
    uvr_report_far_end_down(&g->report, text, strlen(text) / 2, what, what > 128);
    break;
  case 3:
    uvr_report_warning(&g->report, text);
    break;
  case 4: {
    const uvr_place place = {.file = text, .line = what, .column = what};
    uvr_report_error(&g->report, what > 128 ? &place : NULL, &error);
    break;
  }
  case 5: {
    const uvrelay_mux_event_t event = {.type = (uvrelay_mux_event_type_t)(what / 8 % 6),
                                       .down = (uvrelay_mux_down_t)(what % 7),
                                       .error = &error,
                                       .address = text,
                                       .result = &result};
    uvr_report_mux_event(&g->report, &event);
    break;
  }
  case 6:
    uvr_report_carrier_lost(&g->report, text, what);
    break;
  default:
    uvr_report_lost(&g->report, what);
  }
  free(text);
}

/* What a child writes, which may be cut anywhere. */
static void on_child_line(void *user, const char *line)
{
  game *g = user;
  size_t length = strlen(line);
  CHECK(length > 0 && length <= UVR_CHILD_LINES_MAX, "a line of a child has %u bytes", (unsigned)length);
  char *plain = strdup(line); /* a tab stays */
  CHECK(plain != NULL, "there is no memory");
  for (char *next = plain; *next != '\0'; next++) {
    if (*next == '\t') {
      *next = ' ';
    }
  }
  fuzz_check_shown(plain, length);
  free(plain);
  uvr_report_far_end_line(&g->report, line);
}

static void report_child(game *g)
{
  uvr_child_lines lines = {.on_line = on_child_line, .user = g};
  for (unsigned pieces = 1 + fuzz_byte(&g->in) % 8U; pieces > 0 && g->in.size > 0; pieces--) {
    size_t length = fuzz_byte(&g->in);
    length = length < g->in.size ? length : g->in.size;
    uvr_child_lines_add(&lines, (const char *)g->in.data, length);
    g->in.data += length;
    g->in.size -= length;
    if (length % 3 == 1) {
      uvr_child_lines_settle(&lines);
    }
  }
  uvr_child_lines_end(&lines);
}

static void quote(game *g)
{
  char *text = fuzz_text(&g->in, '\f');
  char quoted[UVR_QUOTED_SIZE];
  (void)uvr_quote(quoted, text);
  fuzz_check_shown(quoted, strlen(quoted));
  CHECK(strlen(quoted) >= 2 && quoted[strlen(quoted) - 1] == '"', "a quote does not end: %s", quoted);
  const char *next = text;
  while (*next != '\0') {
    char escaped[UVR_ESCAPED_SIZE];
    const char *before = next;
    size_t length = uvr_escape_next(&next, escaped);
    CHECK(next > before && length > 0 && length <= sizeof(escaped), "nothing is escaped");
    fuzz_check_shown(escaped, length);
  }
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  game *g = calloc(1, sizeof(*g));
  CHECK(g != NULL, "there is no memory");
  g->in = (fuzz_input){data, size};
  unsigned first = fuzz_byte(&g->in);
  g->json = (first & 1U) != 0;
  g->now = 5000;
  g->limit = (uvr_log_limit){.json = g->json,
                             .allowance = {.same = 1 + first / 4 % 4, .alike = 2 + first / 16, .all = 4 + first / 8},
                             .write = write_limited,
                             .now = now,
                             .on_window = on_window,
                             .user = g};
  g->report = (uvr_report){.json = g->json,
                           .verbose = (first & 2U) != 0,
                           .marked = (first & 4U) != 0,
                           .timed = !g->json,
                           .write = write_line,
                           .write_topic = write_topic,
                           .user = g};
  while (g->in.size > 0) {
    unsigned what = fuzz_byte(&g->in);
    if (what < 40) {
      g->now += what * 300U;
      uvr_log_limit_tick(&g->limit);
    } else if (what < 150) {
      report_route(g, fuzz_byte(&g->in));
    } else if (what < 220) {
      report_far_end(g, fuzz_byte(&g->in));
    } else if (what < 240) {
      report_child(g);
    } else if (what < 250) {
      quote(g);
    } else {
      uvr_report_stopping(&g->report, what);
      uvr_report_stopped(&g->report, what - 250U);
    }
  }
  uvr_log_limit_end(&g->limit);
  CHECK(!g->json || g->told == g->added, "%u lines are told of %u", (unsigned)g->told, (unsigned)g->added);
  free(g);
  return 0;
}
