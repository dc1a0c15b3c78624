/* How a serve is doing: see status_text.h. */
#include "cli/serve/status_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "uvrelay/version.h"

#define AGE_SIZE 48

/* A duration in its two largest units: "5 s", "2 min 3 s", "1 h 0 min", "3 d 4 h". */
static const char *age_text(char text[AGE_SIZE], uint64_t ms)
{
  uint64_t s = ms / 1000;
  if (s < 60) {
    (void)snprintf(text, AGE_SIZE, "%" PRIu64 " s", s);
  } else if (s < 3600) {
    (void)snprintf(text, AGE_SIZE, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
  } else if (s < 86400) {
    (void)snprintf(text, AGE_SIZE, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
  } else {
    (void)snprintf(text, AGE_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
  }
  return text;
}

static void add_head(const uvr_status *self, uvr_text_line *out)
{
  char age[AGE_SIZE];
  uvr_text_line_add(out, "uvrelay serve %s, process %d, since ", UVRELAY_VERSION, self->process);
  uvr_text_line_time(out, self->since, 0);
  uvr_text_line_add(out, " (%s)%s\n", age_text(age, self->age_ms), self->stopping ? ", stopping" : "");
  for (size_t i = 0; i < self->config_count; i++) {
    uvr_text_line_add(out, "  configuration: ");
    uvr_text_line_text(out, self->configs[i]);
    uvr_text_line_add(out, "\n");
  }
}

static void add_far_end(const uvr_status_far_end *self, uvr_text_line *out)
{
  char age[AGE_SIZE];
  uvr_text_line_add(out, "  far end: %s", self->state);
  if (self->process != 0) {
    uvr_text_line_add(out, ", process %d for %s", self->process, age_text(age, self->age_ms));
  }
  uvr_text_line_add(out, ", started %" PRIu64 " time%s: ", self->starts, self->starts == 1 ? "" : "s");
  uvr_text_line_text(out, self->command);
  uvr_text_line_add(out, "\n");
  if (self->error != NULL) {
    uvr_text_line_add(out, "  far end's last error, %s ago: ", age_text(age, self->error_age_ms));
    uvr_text_line_text(out, self->error);
    uvr_text_line_add(out, "\n");
  }
}

static void add_route(const uvr_status_route *self, int name_width, uvr_text_line *out)
{
  char age[AGE_SIZE];
  uvr_text_line_add(out, "  %-*.200s %6" PRIu64 " %8" PRIu64 " %7" PRIu64 " %13" PRIu64 " %13" PRIu64 "  ", name_width,
                    self->name == NULL ? "-" : self->name, (uint64_t)self->counters.open, self->counters.total,
                    self->counters.failed, self->counters.to_target, self->counters.to_client);
  uvr_text_line_text(out, self->listen);
  uvr_text_line_add(out, "=");
  uvr_text_line_text(out, self->target);
  uvr_text_line_add(out, "%s\n", self->lost ? " (no longer listening)" : "");
  if (self->error != NULL) {
    uvr_text_line_add(out, "    last error, %s ago: ", age_text(age, self->error_age_ms));
    uvr_text_line_text(out, self->error);
    uvr_text_line_add(out, "\n");
  }
}

void uvr_status_text(const uvr_status *self, uvr_text_line *out)
{
  size_t widest = strlen("name");
  add_head(self, out);
  if (self->far_end != NULL) {
    add_far_end(self->far_end, out);
  }
  for (size_t i = 0; i < self->route_count; i++) {
    size_t width = self->routes[i].name == NULL ? 0 : strlen(self->routes[i].name);
    widest = width > widest ? width : widest;
  }
  int name_width = (int)(widest < 40 ? widest : 40);
  uvr_text_line_add(out, "  %-*s %6s %8s %7s %13s %13s  %s\n", name_width, "name", "open", "total", "failed",
                    "to target", "to client", "route");
  for (size_t i = 0; i < self->route_count; i++) {
    add_route(&self->routes[i], name_width, out);
  }
  if (self->draining > 0) {
    uvr_text_line_add(out, "  %" PRIu64 " route%s removed by a reload still %s connections\n", (uint64_t)self->draining,
                      self->draining == 1 ? "" : "s", self->draining == 1 ? "has" : "have");
  }
}

static void add_json_error(uvr_text_line *out, const char *error, uint64_t age_ms)
{
  if (error != NULL) {
    uvr_text_line_member(out, "error", error);
    uvr_text_line_number(out, "error_age_ms", age_ms);
  }
}

static void add_json_route(const uvr_status_route *self, uvr_text_line *out)
{
  uvr_text_line_add(out, "{\"listen\":");
  uvr_text_line_string(out, self->listen);
  uvr_text_line_member(out, "target", self->target);
  if (self->name != NULL) {
    uvr_text_line_member(out, "name", self->name);
  }
  uvr_text_line_add(out, ",\"listening\":%s", self->lost ? "false" : "true");
  uvr_text_line_number(out, "open", self->counters.open);
  uvr_text_line_number(out, "total", self->counters.total);
  uvr_text_line_number(out, "failed", self->counters.failed);
  uvr_text_line_number(out, "to_target", self->counters.to_target);
  uvr_text_line_number(out, "to_client", self->counters.to_client);
  add_json_error(out, self->error, self->error_age_ms);
  uvr_text_line_add(out, "}");
}

static void add_json_far_end(const uvr_status_far_end *self, uvr_text_line *out)
{
  uvr_text_line_add(out, ",\"far_end\":{\"state\":");
  uvr_text_line_string(out, self->state);
  uvr_text_line_member(out, "command", self->command);
  if (self->process != 0) {
    uvr_text_line_number(out, "pid", (uint64_t)self->process);
    uvr_text_line_number(out, "age_ms", self->age_ms);
  }
  uvr_text_line_number(out, "starts", self->starts);
  add_json_error(out, self->error, self->error_age_ms);
  uvr_text_line_add(out, "}");
}

void uvr_status_json(const uvr_status *self, uvr_text_line *out)
{
  uvr_text_line_add(out, "{\"pid\":%d,\"version\":\"%s\",\"since\":\"", self->process, UVRELAY_VERSION);
  uvr_text_line_time(out, self->since, 0);
  uvr_text_line_add(out, "\"");
  uvr_text_line_number(out, "age_ms", self->age_ms);
  uvr_text_line_add(out, ",\"stopping\":%s,\"configurations\":[", self->stopping ? "true" : "false");
  for (size_t i = 0; i < self->config_count; i++) {
    uvr_text_line_add(out, "%s", i == 0 ? "" : ",");
    uvr_text_line_string(out, self->configs[i]);
  }
  uvr_text_line_add(out, "],\"routes\":[");
  for (size_t i = 0; i < self->route_count; i++) {
    uvr_text_line_add(out, "%s", i == 0 ? "" : ",");
    add_json_route(&self->routes[i], out);
  }
  uvr_text_line_add(out, "]");
  uvr_text_line_number(out, "draining_routes", self->draining);
  if (self->far_end != NULL) {
    add_json_far_end(self->far_end, out);
  }
  uvr_text_line_add(out, "}\n");
}
