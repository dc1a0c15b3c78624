/* Reports: see report.h. A line for which there is no memory is dropped. Lines contain no control characters and only
 * valid UTF-8, whatever the text from outside contains. */
#include "cli/output/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/output/status_table.h"
#include "cli/output/text_line.h"
#include "relay/route_hint.h"

static void mark(const uvr_report *self, uvr_log_level level, uvr_text_line *text)
{
  if (self->marked && text->length > 0) {
    uvr_log_mark(text, level, self->timed);
  }
}

void uvr_report_say(const uvr_report *self, uvr_log_level level, uvr_text_line *text)
{
  mark(self, level, text);
  if (!text->failed && text->length > 0) {
    self->write(self->user, text->text, text->length);
  }
  uvr_text_line_clear(text);
}

void uvr_report_say_topic(const uvr_report *self, uvr_log_level level, const uvr_log_topic *topic, uvr_text_line *text)
{
  if (self->write_topic == NULL) {
    uvr_report_say(self, level, text);
    return;
  }
  mark(self, level, text);
  if (!text->failed && text->length > 0) {
    self->write_topic(self->user, topic, text->text, text->length);
  }
  uvr_text_line_clear(text);
}

static void begin_json_route(uvr_text_line *self, const char *event, const uvr_report_route *route)
{
  uvr_text_line both = {.text = NULL};
  uvr_text_line_begin(self, event);
  uvr_text_line_bytes(&both, route->listen, strlen(route->listen));
  uvr_text_line_bytes(&both, "=", 1);
  uvr_text_line_bytes(&both, route->target, strlen(route->target) + 1);
  uvr_text_line_member(self, "route", both.failed ? "" : both.text);
  uvr_text_line_clear(&both);
  uvr_text_line_member(self, "listen", route->listen);
  uvr_text_line_member(self, "target", route->target);
  if (uvr_report_has_name(route)) {
    uvr_text_line_member(self, "name", route->name);
  }
}

/* Adds an error, and what can be done about it. */
static void add_error(uvr_text_line *self, const uvrelay_error_t *error)
{
  const char *hint = uvr_route_hint(error);
  uvr_text_line_text(self, error->text);
  if (hint != NULL) {
    uvr_text_line_add(self, ": %s", hint);
  }
}

static void add_json_codes(uvr_text_line *self, const uvrelay_error_t *error, const char *hint)
{
  if (error->code != 0) {
    uvr_text_line_member(self, "code", uv_err_name(error->code));
  }
  if (error->system != 0) {
    uvr_text_line_number(self, "system", error->system);
  }
  if (hint != NULL) {
    uvr_text_line_member(self, "hint", hint);
  }
}

static void add_json_error(uvr_text_line *self, const uvrelay_error_t *error, const char *hint)
{
  uvr_text_line_member(self, "text", error->text);
  add_json_codes(self, error, hint);
}

static void end_json(const uvr_report *self, uvr_log_level level, uvr_text_line *text)
{
  uvr_text_line_add(text, "}\n");
  uvr_report_say(self, level, text);
}

static void add_route(uvr_text_line *self, const uvr_report_route *route)
{
  uvr_text_line_text(self, route->listen);
  uvr_text_line_add(self, "=");
  uvr_text_line_text(self, route->target);
}

/* A route that has a name is called by it. */
static void begin_text(uvr_text_line *self, const uvr_report_route *route)
{
  uvr_text_line_add(self, "uvrelay: ");
  if (uvr_report_has_name(route)) {
    uvr_text_line_text(self, route->name);
  } else {
    add_route(self, route);
  }
}

void uvr_report_listening(const uvr_report *self, const uvr_report_route *route)
{
  uvr_text_line text = {.text = NULL};
  if (self->json) {
    begin_json_route(&text, "listening", route);
    end_json(self, UVR_LOG_INFO, &text);
  } else if (self->verbose) {
    begin_text(&text, route);
    if (uvr_report_has_name(route)) {
      uvr_text_line_add(&text, ": ");
      add_route(&text, route);
    }
    uvr_text_line_add(&text, ": listening\n");
    uvr_report_say(self, UVR_LOG_INFO, &text);
  }
}

static const char *reason_name(uvrelay_reason_t reason)
{
  static const char *const names[] = {"ended", "gone", "silent", "stopped", "failed"};
  return (size_t)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

/* What a user must know of a connection that did not fail, or NULL. */
static const char *warning_of(const uvrelay_result_t *result)
{
  bool unanswered = result->reason == UVRELAY_REASON_SILENT && result->side == UVRELAY_RIGHT && result->to_right > 0 &&
                    result->to_left == 0;
  return unanswered ? "the target had sent nothing when linger= expired: set a longer linger=, or linger=off, if it "
                      "needs more time"
                    : NULL;
}

static uvr_log_level level_of_result(const uvrelay_result_t *result)
{
  return result->reason == UVRELAY_REASON_FAILED ? UVR_LOG_ERROR
         : warning_of(result) != NULL            ? UVR_LOG_WARNING
                                                 : UVR_LOG_INFO;
}

static const char *plural(uint64_t number)
{
  return number == 1 ? "" : "s";
}

static const char *const event_names[] = {"opened", "closed", "paused", "resumed", "failed", "refused"};

static uvr_log_level level_of(const uvrelay_event_t *event)
{
  switch (event->type) {
  case UVRELAY_EVENT_FAILED:
    return UVR_LOG_ERROR;
  case UVRELAY_EVENT_PAUSED:
  case UVRELAY_EVENT_REFUSED:
    return UVR_LOG_WARNING;
  case UVRELAY_EVENT_CLOSED:
    return level_of_result(event->result);
  case UVRELAY_EVENT_RESUMED:
    return UVR_LOG_NOTICE;
  case UVRELAY_EVENT_OPENED:
    break;
  }
  return UVR_LOG_INFO;
}

/* A route fails once. All its other events can be caused by its clients. */
static void say_event(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event,
                      uvr_text_line *text)
{
  const uvrelay_error_t *error = event->type == UVRELAY_EVENT_CLOSED ? &event->result->error : event->error;
  if (event->type == UVRELAY_EVENT_FAILED) {
    uvr_report_say(self, level_of(event), text);
    return;
  }
  uvr_report_say_topic(self, level_of(event),
                       &(uvr_log_topic){.kind = event_names[event->type],
                                        .listen = route->listen,
                                        .target = route->target,
                                        .text = error == NULL ? "" : error->text},
                       text);
}

static void event_in_json(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  uvr_text_line text = {.text = NULL};
  begin_json_route(&text, event_names[event->type], route);
  if (event->type == UVRELAY_EVENT_OPENED || event->type == UVRELAY_EVENT_CLOSED ||
      event->type == UVRELAY_EVENT_REFUSED) {
    uvr_text_line_number(&text, "number", event->number);
  }
  if (event->peer != NULL && event->peer->pid > 0) {
    uvr_text_line_number(&text, "peer_pid", event->peer->pid);
  }
  if (event->peer != NULL && event->peer->uid >= 0) {
    uvr_text_line_number(&text, "peer_uid", (uint64_t)event->peer->uid);
  }
  if (event->type == UVRELAY_EVENT_CLOSED) {
    uvr_text_line_number(&text, "duration_ms", event->result->duration_ms);
    uvr_text_line_number(&text, "to_target", event->result->to_right);
    uvr_text_line_number(&text, "to_client", event->result->to_left);
    uvr_text_line_member(&text, "reason", reason_name(event->result->reason));
    bool failed = event->result->reason == UVRELAY_REASON_FAILED;
    add_json_error(&text, &event->result->error, failed ? uvr_route_hint(&event->result->error) : NULL);
    if (warning_of(event->result) != NULL) {
      uvr_text_line_member(&text, "warning", warning_of(event->result));
    }
  } else if (event->error != NULL) {
    bool refused = event->type == UVRELAY_EVENT_REFUSED; /* whose text says what would let the client in */
    add_json_error(&text, event->error, refused ? NULL : uvr_route_hint(event->error));
  }
  uvr_text_line_add(&text, "}\n");
  say_event(self, route, event, &text);
}

/* Adds the result of a connection. */
static void add_result(const uvr_report *self, uvr_text_line *text, const uvrelay_result_t *result)
{
  if (self->verbose) {
    uvr_text_line_add(text, "closed after %" PRIu64 " ms: %s: ", result->duration_ms, reason_name(result->reason));
  }
  if (result->reason == UVRELAY_REASON_FAILED) {
    add_error(text, &result->error);
  } else {
    uvr_text_line_text(text, result->error.text);
  }
  if (self->verbose) {
    uvr_text_line_add(text, "; %" PRIu64 " byte%s to the target, %" PRIu64 " byte%s to the client", result->to_right,
                      plural(result->to_right), result->to_left, plural(result->to_left));
  }
}

/* Adds what is known of a client, between these two texts. */
static void add_peer(uvr_text_line *text, const char *before, const uvrelay_peer_t *peer, const char *after)
{
  if (peer == NULL) {
    return;
  }
  uvr_text_line_add(text, "%s", before);
  if (peer->pid > 0) {
    uvr_text_line_add(text, "process %" PRIu32 "%s", peer->pid, peer->uid >= 0 ? " of " : "");
  }
  if (peer->uid >= 0) {
    uvr_text_line_add(text, "user %" PRId64, peer->uid);
  }
  uvr_text_line_add(text, "%s", after);
}

/* The same at the end of a line. */
static void add_client(uvr_text_line *text, const uvrelay_peer_t *peer)
{
  add_peer(text, " (client: ", peer, ")");
}

static void event_in_text(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  uvr_text_line text = {.text = NULL};
  begin_text(&text, route);
  switch (event->type) {
  case UVRELAY_EVENT_OPENED:
    uvr_text_line_add(&text, " #%" PRIu64 ": opened", event->number);
    add_peer(&text, " by ", event->peer, "");
    break;
  case UVRELAY_EVENT_REFUSED:
    uvr_text_line_add(&text, " #%" PRIu64 ": ", event->number);
    uvr_text_line_text(&text, event->error == NULL ? "" : event->error->text);
    break;
  case UVRELAY_EVENT_CLOSED:
    uvr_text_line_add(&text, " #%" PRIu64 ": ", event->number);
    add_result(self, &text, event->result);
    add_client(&text, event->peer);
    break;
  case UVRELAY_EVENT_PAUSED:
  case UVRELAY_EVENT_FAILED:
    uvr_text_line_add(&text, event->type == UVRELAY_EVENT_PAUSED ? ": paused: " : ": failed: ");
    if (event->error != NULL) {
      add_error(&text, event->error);
    }
    break;
  case UVRELAY_EVENT_RESUMED:
    uvr_text_line_add(&text, ": accepting again");
    break;
  }
  uvr_text_line_add(&text, "\n");
  say_event(self, route, event, &text);
}

bool uvr_report_is_carrier_lost(const uvrelay_result_t *result, const char *name)
{
  static const char before[] = "the connection to ";
  static const char after[] = " broke: ";
  const char *text = result->error.text;
  size_t length = strlen(name);
  return result->reason == UVRELAY_REASON_FAILED && strncmp(text, before, sizeof(before) - 1) == 0 &&
         strncmp(text + sizeof(before) - 1, name, length) == 0 &&
         strncmp(text + sizeof(before) - 1 + length, after, sizeof(after) - 1) == 0;
}

static void warning_in_text(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event,
                            const char *warning)
{
  uvr_text_line text = {.text = NULL};
  begin_text(&text, route);
  uvr_text_line_add(&text, " #%" PRIu64 ": warning: %s", event->number, warning);
  add_client(&text, event->peer);
  uvr_text_line_add(&text, "\n");
  uvr_report_say_topic(
      self, UVR_LOG_WARNING,
      &(uvr_log_topic){.kind = "warning", .listen = route->listen, .target = route->target, .text = warning}, &text);
}

void uvr_report_event(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event)
{
  bool closed = event->type == UVRELAY_EVENT_CLOSED;
  bool failure = closed && event->result->reason == UVRELAY_REASON_FAILED &&
                 !uvr_report_is_carrier_lost(event->result, route->target);
  bool usual = closed || event->type == UVRELAY_EVENT_OPENED;
  const char *warning = closed ? warning_of(event->result) : NULL;
  if ((size_t)event->type >= sizeof(event_names) / sizeof(event_names[0])) {
    return;
  }
  if (self->json && (self->verbose || !usual || failure || warning != NULL)) {
    event_in_json(self, route, event);
  } else if (!self->json && (self->verbose || !usual || failure)) {
    event_in_text(self, route, event);
  }
  if (!self->json && warning != NULL) {
    warning_in_text(self, route, event, warning);
  }
}

/* Each line of the table is one of the log. */
static void say_table(const uvr_report *self, const uvr_text_line *table)
{
  for (size_t at = 0; !table->failed && at < table->length;) {
    const char *newline = memchr(table->text + at, '\n', table->length - at);
    size_t length = (size_t)(newline - (table->text + at)) + 1;
    uvr_text_line row = {.text = NULL};
    uvr_text_line_bytes(&row, table->text + at, length);
    uvr_report_say(self, UVR_LOG_INFO, &row);
    at += length;
  }
}

void uvr_report_status(const uvr_report *self, const uvr_report_route *routes, size_t count)
{
  uvr_text_line text = {.text = NULL};
  if (self->json) {
    uvr_status_table_json(&text, routes, count);
    uvr_report_say(self, UVR_LOG_INFO, &text);
  } else {
    uvr_status_table_text(&text, routes, count);
    say_table(self, &text);
    uvr_text_line_clear(&text);
  }
}

void uvr_report_stopping(const uvr_report *self, size_t open)
{
  uvr_text_line text = {.text = NULL};
  if (self->json) {
    uvr_text_line_begin(&text, "stopping");
    uvr_text_line_number(&text, "open", open);
    end_json(self, UVR_LOG_NOTICE, &text);
  } else if (self->verbose) {
    uvr_text_line_add(&text, "uvrelay: stopping: %" PRIu64 " connection%s open\n", (uint64_t)open,
                      open == 1 ? " is" : "s are");
    uvr_report_say(self, UVR_LOG_NOTICE, &text);
  }
}

void uvr_report_stopped(const uvr_report *self, uint64_t cut)
{
  uvr_text_line text = {.text = NULL};
  if (self->json) {
    uvr_text_line_begin(&text, "stopped");
    uvr_text_line_number(&text, "cut", cut);
    end_json(self, cut > 0 ? UVR_LOG_WARNING : UVR_LOG_NOTICE, &text);
  } else if (cut > 0) {
    uvr_text_line_add(&text, "uvrelay: %" PRIu64 " connection%s interrupted\n", cut, cut == 1 ? " was" : "s were");
    uvr_report_say(self, UVR_LOG_WARNING, &text);
  }
}

/* The mux at the far end. */

void uvr_report_carrier_lost(const uvr_report *self, const char *why, uint64_t connections)
{
  uvr_text_line text = {.text = NULL};
  uvr_text_line_add(&text, "uvrelay: ");
  uvr_text_line_text(&text, why);
  uvr_text_line_add(&text, ", which interrupted %" PRIu64 " connection%s\n", connections, plural(connections));
  uvr_report_say(self, UVR_LOG_WARNING, &text);
}

static void mux_event(const uvr_report *self, const uvrelay_mux_event_t *event)
{
  bool refused = event->type == UVRELAY_MUX_EVENT_REFUSED;
  bool closed = event->type == UVRELAY_MUX_EVENT_CLOSED;
  /* The near end learns why it was refused, and reports it, unless it tries again. */
  bool failed = closed && event->result->reason == UVRELAY_REASON_FAILED &&
                !uvr_report_is_carrier_lost(event->result, "the near end");
  if (!failed && (!self->verbose || !(closed || refused || event->type == UVRELAY_MUX_EVENT_OPENED))) {
    return;
  }
  uvr_text_line text = {.text = NULL};
  uvr_text_line_add(&text, "uvrelay: ");
  uvr_text_line_text(&text, event->address);
  uvr_text_line_add(&text, ": ");
  if (refused) {
    uvr_text_line_text(&text, event->error->text);
  } else if (closed) {
    add_result(self, &text, event->result);
  } else {
    uvr_text_line_add(&text, "opened");
  }
  uvr_text_line_add(&text, "\n");
  const uvrelay_error_t *error = closed ? &event->result->error : refused ? event->error : NULL;
  uvr_log_level level = refused ? UVR_LOG_WARNING : closed ? level_of_result(event->result) : UVR_LOG_INFO;
  uvr_report_say_topic(self, level,
                       &(uvr_log_topic){.kind = refused  ? "refused"
                                                : closed ? "closed"
                                                         : "opened",
                                        .text = error == NULL ? "" : error->text},
                       &text);
}

void uvr_report_mux_event(const uvr_report *self, const uvrelay_mux_event_t *event)
{
  const char *warning = event->type == UVRELAY_MUX_EVENT_CLOSED ? warning_of(event->result) : NULL;
  mux_event(self, event);
  if (warning != NULL) {
    uvr_text_line text = {.text = NULL};
    uvr_text_line_add(&text, "uvrelay: ");
    uvr_text_line_text(&text, event->address);
    uvr_text_line_add(&text, ": warning: %s\n", warning);
    uvr_report_say_topic(self, UVR_LOG_WARNING, &(uvr_log_topic){.kind = "warning", .text = warning}, &text);
  }
}

void uvr_report_error(const uvr_report *self, const uvr_place *place, const uvrelay_error_t *error)
{
  uvr_text_line text = {.text = NULL};
  uvr_text_line where = {.text = NULL};
  if (place != NULL && place->file != NULL) {
    uvr_text_line_bytes(&where, place->file, strlen(place->file));
    uvr_text_line_add(&where, ":%u:%u: ", place->line, place->column);
  }
  uvr_text_line_bytes(&where, error->text, strlen(error->text) + 1);
  const char *sentence = where.failed ? error->text : where.text;
  const char *hint = error->phase == UVRELAY_PHASE_LISTEN ? uvr_route_hint(error) : NULL;
  if (self->json) {
    uvr_text_line_begin(&text, "error");
    uvr_text_line_member(&text, "text", sentence);
    add_json_codes(&text, error, hint);
    end_json(self, UVR_LOG_ERROR, &text);
  } else {
    uvr_text_line_add(&text, "uvrelay: ");
    uvr_text_line_text(&text, sentence);
    if (hint != NULL) {
      uvr_text_line_add(&text, ": %s", hint);
    }
    uvr_text_line_add(&text, "\n");
    uvr_report_say(self, UVR_LOG_ERROR, &text);
  }
  uvr_text_line_clear(&where);
}

void uvr_report_try(const uvr_report *self, const char *command)
{
  uvr_text_line line = {.text = NULL};
  if (!self->json) {
    uvr_text_line_add(&line, "Try: uvrelay %s --help\n", command);
    uvr_report_say(self, UVR_LOG_NOTICE, &line);
  }
}

static void say_sentence(const uvr_report *self, uvr_log_level level, const char *event, const char *before,
                         const char *text)
{
  uvr_text_line line = {.text = NULL};
  if (self->json) {
    uvr_text_line_begin(&line, event);
    uvr_text_line_member(&line, "text", text);
    uvr_text_line_add(&line, "}\n");
  } else {
    uvr_text_line_add(&line, "uvrelay: %s", before);
    uvr_text_line_text(&line, text);
    uvr_text_line_add(&line, "\n");
  }
  uvr_report_say_topic(self, level, &(uvr_log_topic){.kind = event, .text = text}, &line);
}

void uvr_report_note(const uvr_report *self, const char *text)
{
  if (self->verbose) {
    say_sentence(self, UVR_LOG_INFO, "note", "", text);
  }
}

void uvr_report_warning(const uvr_report *self, const char *text)
{
  say_sentence(self, UVR_LOG_WARNING, "warning", "warning: ", text);
}

void uvr_report_lost(const uvr_report *self, uint64_t lines)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, 0, "the log was not read: %" PRIu64 " of its lines are lost", lines);
  uvr_report_error(self, NULL, &error);
}
