/* What serve says: see report.h. A line is put together piece by piece in memory of its own; should that run out, it is
 * left out. Text that came from outside gets no control character, and no byte that is not UTF-8, into a line. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "text.h"

typedef struct line {
  char *text;
  size_t length;
  size_t capacity;
  bool failed; /* there was no memory */
} line;

static void add_bytes(line *self, const char *bytes, size_t length)
{
  if (self->capacity - self->length < length && !self->failed) {
    size_t capacity = (self->length + length) * 2 + 256;
    char *text = realloc(self->text, capacity);
    self->failed = text == NULL;
    if (text != NULL) {
      self->text = text;
      self->capacity = capacity;
    }
  }
  if (!self->failed && length > 0) {
    memcpy(self->text + self->length, bytes, length);
    self->length += length;
  }
}

static void add(line *self, const char *format, ...) UVR_PRINTF(2, 3);

/* Adds what printf makes of it, 256 bytes at most. */
static void add(line *self, const char *format, ...)
{
  char text[256];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (length > 0) {
    add_bytes(self, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
  }
}

/* Adds text that came from outside, for people. */
static void add_text(line *self, const char *text)
{
  while (*text != '\0') {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(text, &point);
    if (length == 0) {
      add_bytes(self, "?", 1);
      text++;
      continue;
    }
    add_bytes(self, uvr_is_control(point) ? "?" : text, uvr_is_control(point) ? 1 : length);
    text += length;
  }
}

/* Adds it as a JSON string. */
static void add_string(line *self, const char *text)
{
  add_bytes(self, "\"", 1);
  while (*text != '\0') {
    uint32_t point = 0;
    size_t length = uvr_utf8_next(text, &point);
    if (length == 0) {
      add(self, "\\ufffd");
      length = 1;
    } else if (uvr_is_control(point)) {
      add(self, "\\u%04x", (unsigned)point);
    } else {
      if (point == '"' || point == '\\') {
        add_bytes(self, "\\", 1);
      }
      add_bytes(self, text, length);
    }
    text += length;
  }
  add_bytes(self, "\"", 1);
}

static void add_member(line *self, const char *name, const char *text)
{
  add(self, ",\"%s\":", name);
  add_string(self, text);
}

static void add_number(line *self, const char *name, uint64_t number)
{
  add(self, ",\"%s\":%" PRIu64, name, number);
}

/* Gives the line away, and ends it. */
static void say(const uvr_report *self, line *text)
{
  if (!text->failed && text->length > 0) {
    self->write(self->user, text->text, text->length);
  }
  free(text->text);
}

/* The day of a time in days since 1970, by the Gregorian calendar, whose years here begin in March: so the day that is
 * sometimes there is a year's last. */
static void add_date(line *self, int64_t days)
{
  int64_t day = days + 719468; /* since the 1st of March of the year 0 */
  int64_t era = day / 146097;  /* of 400 years */
  int64_t of_era = day % 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int64_t month = (5 * of_year + 2) / 153; /* 0: March */
  int64_t of_month = of_year - (153 * month + 2) / 5 + 1;
  add(self, "%04d-%02d-%02d", (int)(era * 400 + year + (month >= 10 ? 1 : 0)),
      (int)(month < 10 ? month + 3 : month - 9), (int)of_month);
}

/* RFC 3339, UTC. */
static void add_time(line *self, int64_t seconds, int milliseconds)
{
  const int64_t day = 86400;
  int of_day = (int)(seconds % day);
  add_date(self, seconds / day);
  add(self, "T%02d:%02d:%02d.%03dZ", of_day / 3600, of_day / 60 % 60, of_day % 60, milliseconds);
}

static void begin_json(line *self, const char *event)
{
  uv_timeval64_t now = {0};
  (void)uv_gettimeofday(&now);
  add(self, "{\"time\":\"");
  add_time(self, now.tv_sec, (int)(now.tv_usec / 1000));
  add(self, "\",\"event\":\"%s\"", event);
}

static void begin_json_route(line *self, const char *event, const uvr_report_route *route)
{
  line both = {NULL, 0, 0, false};
  begin_json(self, event);
  add_bytes(&both, route->listen, strlen(route->listen));
  add_bytes(&both, "=", 1);
  add_bytes(&both, route->target, strlen(route->target) + 1);
  add_member(self, "route", both.failed ? "" : both.text);
  free(both.text);
  add_member(self, "listen", route->listen);
  add_member(self, "target", route->target);
}

static void add_json_error(line *self, const uvrelay_error_t *error)
{
  add_member(self, "text", error->text);
  if (error->code != 0) {
    add_member(self, "code", uv_err_name(error->code));
  }
  if (error->system != 0) {
    add_number(self, "system", error->system);
  }
}

static void end_json(const uvr_report *self, line *text)
{
  add(text, "}\n");
  say(self, text);
}

static void begin_text(line *self, const uvr_report_route *route)
{
  add(self, "uvrelay: ");
  add_text(self, route->listen);
  add(self, "=");
  add_text(self, route->target);
}

void uvr_report_listening(const uvr_report *self, const uvr_report_route *route)
{
  line text = {NULL, 0, 0, false};
  if (self->json) {
    begin_json_route(&text, "listening", route);
    end_json(self, &text);
  } else if (self->verbose) {
    begin_text(&text, route);
    add(&text, ": listening\n");
    say(self, &text);
  }
}

static const char *reason_name(uvrelay_reason_t reason)
{
  static const char *const names[] = {"ended", "gone", "silent", "stopped", "failed"};
  return (size_t)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

static const char *plural(uint64_t number)
{
  return number == 1 ? "" : "s";
}

static void event_in_json(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  static const char *const names[] = {"opened", "closed", "paused", "resumed", "failed"};
  line text = {NULL, 0, 0, false};
  if ((size_t)event->type >= sizeof(names) / sizeof(names[0])) {
    return;
  }
  begin_json_route(&text, names[event->type], route);
  if (event->type == UVRELAY_EVENT_OPENED || event->type == UVRELAY_EVENT_CLOSED) {
    add_number(&text, "number", event->number);
  }
  if (event->type == UVRELAY_EVENT_CLOSED) {
    add_number(&text, "duration_ms", event->result->duration_ms);
    add_number(&text, "to_target", event->result->to_right);
    add_number(&text, "to_client", event->result->to_left);
    add_member(&text, "reason", reason_name(event->result->reason));
    add_json_error(&text, &event->result->error);
  } else if (event->error != NULL && (event->type == UVRELAY_EVENT_PAUSED || event->type == UVRELAY_EVENT_FAILED)) {
    add_json_error(&text, event->error);
  }
  end_json(self, &text);
}

static void closed_in_text(const uvr_report *self, line *text, const uvrelay_event_t *event)
{
  const uvrelay_result_t *result = event->result;
  add(text, " #%" PRIu64 ": ", event->number);
  if (self->verbose) {
    add(text, "closed after %" PRIu64 " ms: %s: ", result->duration_ms, reason_name(result->reason));
  }
  add_text(text, result->error.text);
  if (self->verbose) {
    add(text, "; %" PRIu64 " byte%s to the target, %" PRIu64 " byte%s to the client", result->to_right,
        plural(result->to_right), result->to_left, plural(result->to_left));
  }
}

static void event_in_text(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  line text = {NULL, 0, 0, false};
  begin_text(&text, route);
  switch (event->type) {
  case UVRELAY_EVENT_OPENED:
    add(&text, " #%" PRIu64 ": opened", event->number);
    break;
  case UVRELAY_EVENT_CLOSED:
    closed_in_text(self, &text, event);
    break;
  case UVRELAY_EVENT_PAUSED:
  case UVRELAY_EVENT_FAILED:
    add(&text, event->type == UVRELAY_EVENT_PAUSED ? ": paused: " : ": failed: ");
    add_text(&text, event->error == NULL ? "" : event->error->text);
    break;
  case UVRELAY_EVENT_RESUMED:
    add(&text, ": accepting again");
    break;
  }
  add(&text, "\n");
  say(self, &text);
}

void uvr_report_event(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  bool failure = event->type == UVRELAY_EVENT_CLOSED && event->result->reason == UVRELAY_REASON_FAILED;
  bool usual = event->type == UVRELAY_EVENT_OPENED || event->type == UVRELAY_EVENT_CLOSED;
  if (usual && !failure && !self->verbose) {
    return;
  }
  (self->json ? event_in_json : event_in_text)(self, route, event);
}

static void status_in_json(const uvr_report *self, const uvr_report_route *routes, size_t count)
{
  line text = {NULL, 0, 0, false};
  begin_json(&text, "status");
  add(&text, ",\"routes\":[");
  for (size_t i = 0; i < count; i++) {
    const uvrelay_route_counters_t *counters = &routes[i].counters;
    add(&text, "%s{\"listen\":", i == 0 ? "" : ",");
    add_string(&text, routes[i].listen);
    add_member(&text, "target", routes[i].target);
    add_number(&text, "open", counters->open);
    add_number(&text, "total", counters->total);
    add_number(&text, "failed", counters->failed);
    add_number(&text, "to_target", counters->to_target);
    add_number(&text, "to_client", counters->to_client);
    if (routes[i].error == NULL) {
      add(&text, ",\"error\":null");
    } else {
      add_member(&text, "error", routes[i].error);
    }
    add(&text, "}");
  }
  add(&text, "]");
  end_json(self, &text);
}

/* Columns of a fixed least width, so that lines of one table stand below each other and those of several, too. */
static void status_in_text(const uvr_report *self, const uvr_report_route *routes, size_t count)
{
  line text = {NULL, 0, 0, false};
  size_t widest = 0;
  for (size_t i = 0; i < count; i++) {
    size_t width = strlen(routes[i].listen) + strlen(routes[i].target) + 1;
    widest = width > widest ? width : widest;
  }
  add(&text, "%6s %9s %9s %15s %15s  ", "open", "total", "failed", "to target", "to client");
  add(&text, "%-*s  last error\n", (int)(widest < 200 ? widest : 200), "route");
  for (size_t i = 0; i < count; i++) {
    const uvrelay_route_counters_t *counters = &routes[i].counters;
    add(&text, "%6" PRIu64 " %9" PRIu64 " %9" PRIu64 " %15" PRIu64 " %15" PRIu64 "  ", (uint64_t)counters->open,
        counters->total, counters->failed, counters->to_target, counters->to_client);
    add_text(&text, routes[i].listen);
    add(&text, "=");
    add_text(&text, routes[i].target);
    size_t width = strlen(routes[i].listen) + strlen(routes[i].target) + 1;
    add(&text, "%*s", (int)(width < widest && widest < 200 ? widest - width : 0) + 2, "");
    add_text(&text, routes[i].error == NULL ? "-" : routes[i].error);
    add(&text, "\n");
  }
  say(self, &text);
}

void uvr_report_status(const uvr_report *self, const uvr_report_route *routes, size_t count)
{
  (self->json ? status_in_json : status_in_text)(self, routes, count);
}

void uvr_report_stopping(const uvr_report *self, size_t open)
{
  line text = {NULL, 0, 0, false};
  if (self->json) {
    begin_json(&text, "stopping");
    add_number(&text, "open", open);
    end_json(self, &text);
  } else if (self->verbose) {
    add(&text, "uvrelay: stopping: %" PRIu64 " connection%s open\n", (uint64_t)open, open == 1 ? " is" : "s are");
    say(self, &text);
  }
}

void uvr_report_stopped(const uvr_report *self, uint64_t cut)
{
  line text = {NULL, 0, 0, false};
  if (self->json) {
    begin_json(&text, "stopped");
    add_number(&text, "cut", cut);
    end_json(self, &text);
  } else if (cut > 0) {
    add(&text, "uvrelay: %" PRIu64 " connection%s cut\n", cut, cut == 1 ? " was" : "s were");
    say(self, &text);
  }
}

void uvr_report_error(const uvr_report *self, const uvr_place *place, const uvrelay_error_t *error)
{
  line text = {NULL, 0, 0, false};
  line where = {NULL, 0, 0, false};
  if (place != NULL && place->file != NULL) {
    add_bytes(&where, place->file, strlen(place->file));
    add(&where, ":%u:%u: ", place->line, place->column);
  }
  add_bytes(&where, error->text, strlen(error->text) + 1);
  const char *sentence = where.failed ? error->text : where.text;
  if (self->json) {
    begin_json(&text, "error");
    add_member(&text, "text", sentence);
    if (error->code != 0) {
      add_member(&text, "code", uv_err_name(error->code));
    }
    if (error->system != 0) {
      add_number(&text, "system", error->system);
    }
    end_json(self, &text);
  } else {
    add(&text, "uvrelay: ");
    add_text(&text, sentence);
    add(&text, "\n");
    say(self, &text);
  }
  free(where.text);
}

void uvr_report_lost(const uvr_report *self, uint64_t lines)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, 0, "nobody read the log: %" PRIu64 " of its lines are lost", lines);
  uvr_report_error(self, NULL, &error);
}
