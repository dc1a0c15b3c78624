/* What serve tells the service manager: see manager.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/os/notify.h"
#include "cli/output/text_line.h"
#include "cli/serve/manager.h"

enum { DELAY_MS = 2000 };

static const char *plural(size_t number)
{
  return number == 1 ? "" : "s";
}

static void add_routes(const uvr_server *server, uvr_text_line *line)
{
  size_t lost = 0;
  for (size_t i = 0; i < server->count; i++) {
    lost += server->served[i]->lost ? 1 : 0;
  }
  uvr_text_line_add(line, "%" PRIu64 " route%s", (uint64_t)server->count, plural(server->count));
  if (lost > 0) {
    uvr_text_line_add(line, " (%" PRIu64 " lost)", (uint64_t)lost);
  }
}

static void add_connections(size_t open, uvr_text_line *line)
{
  uvr_text_line_add(line, ", %" PRIu64 " connection%s", (uint64_t)open, plural(open));
}

static void add_far_end(const uvr_server *server, uvr_text_line *line)
{
  uvr_supervisor_view view;
  if (!server->supervised || server->spare) {
    return;
  }
  uvr_supervisor_look(&server->supervisor, &view);
  uvr_text_line_add(line, ", far end %s", view.state);
  if (strcmp(view.state, "down") == 0 && view.error != NULL) {
    uvr_text_line_add(line, ": ");
    uvr_text_line_text(line, view.error);
  }
}

/* Appends the status line. */
static void add_line(const uvr_server *server, uvr_text_line *line)
{
  uvrelay_counters_t counters = {0};
  uvrelay_get_counters(server->relay, &counters, sizeof(counters));
  uvr_text_line_add(line, "STATUS=");
  add_routes(server, line);
  add_connections(counters.active, line);
  add_far_end(server, line);
  uvr_text_line_bytes(line, "", 1);
}

/* Keeps the line that was sent, as far as there is room. */
static bool keep(uvr_server *server, const char *line)
{
  char kept[sizeof(server->manager.line)];
  (void)snprintf(kept, sizeof(kept), "%s", line);
  bool same = strcmp(kept, server->manager.line) == 0;
  memcpy(server->manager.line, kept, sizeof(kept));
  return !same;
}

static void on_timer(uv_timer_t *timer)
{
  uvr_server *server = timer->data;
  uvr_text_line line = {.text = NULL};
  add_line(server, &line);
  /* The relay must not wait for a manager that does not listen. */
  if (!line.failed && keep(server, line.text) && uvr_notify_at_once(line.text) != 0) {
    server->manager.line[0] = '\0'; /* the next change sends it */
  }
  uvr_text_line_clear(&line);
}

int uvr_manager_ready(uvr_server *server)
{
  static const char ready[] = "READY=1\n";
  uvr_text_line line = {.text = NULL};
  uvr_text_line_bytes(&line, ready, strlen(ready));
  add_line(server, &line);
  if (line.failed) {
    uvr_text_line_clear(&line);
    return uvr_notify("READY=1");
  }
  int code = uvr_notify(line.text);
  (void)keep(server, line.text + strlen(ready));
  uvr_text_line_clear(&line);
  bool there = code == 0 || code == UV_ETIMEDOUT;
  if (there && uvr_notify_is_wanted() && uv_timer_init(&server->loop, &server->manager.timer) == 0) {
    server->manager.timer.data = server;
    server->manager.timed = true;
    uv_unref((uv_handle_t *)&server->manager.timer);
  }
  return code;
}

void uvr_manager_changed(uvr_server *server)
{
  const uv_handle_t *timer = (uv_handle_t *)&server->manager.timer;
  if (server->manager.timed && !uv_is_active(timer)) {
    (void)uv_timer_start(&server->manager.timer, on_timer, DELAY_MS, 0);
  }
}

void uvr_manager_stopping(uvr_server *server, size_t open)
{
  static const char stopping[] = "STOPPING=1\nSTATUS=stopping";
  uvr_text_line line = {.text = NULL};
  uvr_text_line_bytes(&line, stopping, strlen(stopping));
  add_connections(open, &line);
  uvr_text_line_bytes(&line, "", 1);
  (void)uvr_notify(line.failed ? "STOPPING=1" : line.text);
  uvr_text_line_clear(&line);
  uvr_manager_close(server);
}

void uvr_manager_close(uvr_server *server)
{
  if (server->manager.timed) {
    server->manager.timed = false;
    uv_close((uv_handle_t *)&server->manager.timer, NULL);
  }
}
