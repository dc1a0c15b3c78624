/* The command `uvrelay serve [flags] LISTEN=TARGET...`: a thin client of the library.
 *
 * It parses and checks all routes, listens on each of them, and runs the loop. A signal stops the relay, which drains
 * its connections and is closed when that is done; a second signal closes it at once. It is closed in the same way when
 * the start fails or when every listener is lost. The supervisor of the far end, if a route needs one, is closed
 * together with the relay. When both are closed, the handles of the signals are closed, too, and the loop ends.
 *
 * The exit status is 2 for an error in the command line or a file, 1 for a failure of the system, 0 after a signal. */
#include "cli/serve/serve.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/child/far_command.h"
#include "cli/child/supervisor.h"
#include "cli/input/serve_options.h"
#include "cli/input/serve_usage.h"
#include "cli/os/notify.h"
#include "cli/os/process.h"
#include "cli/os/signals.h"
#include "cli/os/slim_start.h"
#include "cli/output/log.h"
#include "cli/output/print.h"
#include "cli/serve/load.h"
#include "uvrelay.h"

enum { LOG_PATIENCE_MS = 1000, CLOSE_PATIENCE_MS = 1000, THREADS_PATIENCE_MS = 100, FAR_END_PATIENCE_MS = 8000 };

typedef struct served {
  uvrelay_route_t *route;
} served;

typedef struct server {
  uvr_serve_options given;   /* the command line */
  uvr_serve_options options; /* what holds: the command line and the files */
  uvr_log log;
  uvr_config config;
  served *served;         /* one for each route of the config */
  uvr_report_route *rows; /* memory for the table of the status */
  uv_loop_t loop;
  uvrelay_t *relay;
  uvr_command command; /* of the far end; without words if none is needed */
  const char *command_line;
  uvr_supervisor supervisor; /* of the far end */
  bool supervised;           /* it was made and is not closed yet */
  bool busy;                 /* the loop could not be closed: a thread may use it until the process ends */
  uvr_signals signals;
  uv_timer_t timer; /* of --status */
  size_t lost;      /* listeners that have failed */
  uint64_t cut;     /* connections that did not end by themselves */
  bool stopping;
  bool closing;
  int status;
} server;

static void write_warning(void *user, const char *text)
{
  uvr_report_warning(&((server *)user)->log.report, text);
}

/* Reports why it cannot start, and sets the exit status. */
static int refuse(server *self, int status, const uvr_place *place, const uvrelay_error_t *error)
{
  uvr_report_error(&self->log.report, place, error);
  self->status = status;
  return -1;
}

static int no_memory(server *self)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory");
  return refuse(self, 1, NULL, &error);
}

/* The end. */

/* Not everything can be cancelled: the look-up of a name, for example. */
static void on_patience(uv_timer_t *timer)
{
  uv_stop(timer->loop);
}

/* The loop then ends by itself, unless a thread is still busy, as one that accepts on a shared socket may be. */
static void finish_close(server *self)
{
  if (self->relay == NULL && !self->supervised) {
    uvr_signals_close(&self->signals);
    uvr_log_stop_timer(&self->log);
    (void)uv_timer_start(&self->timer, on_patience, THREADS_PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)&self->timer);
  }
}

static void on_supervisor_closed(void *user)
{
  server *self = user;
  self->supervised = false;
  if (self->relay != NULL) {
    (void)uv_timer_start(&self->timer, on_patience, CLOSE_PATIENCE_MS, 0);
  }
  finish_close(self);
}

static void on_relay_closed(uvrelay_t *relay)
{
  server *self = uvrelay_get_data(relay);
  self->relay = NULL;
  finish_close(self);
}

/* After this the routes must not be used any more. */
static void close_relay(server *self)
{
  if (self->closing) {
    if (self->supervised) {
      uvr_supervisor_kill(&self->supervisor);
    }
    return;
  }
  self->closing = true;
  bool process = self->supervised && uvr_supervisor_has_process(&self->supervisor);
  (void)uv_timer_start(&self->timer, on_patience, process ? FAR_END_PATIENCE_MS : CLOSE_PATIENCE_MS, 0);
  if (self->supervised) {
    uvr_supervisor_close(&self->supervisor, on_supervisor_closed, self);
  }
  uvrelay_close(self->relay, on_relay_closed);
}

static void on_relay_stopped(uvrelay_t *relay)
{
  close_relay(uvrelay_get_data(relay));
}

static void stop(void *user)
{
  server *self = user;
  if (self->stopping) {
    close_relay(self);
    return;
  }
  uvrelay_counters_t counters = {0};
  self->stopping = true;
  uvrelay_get_counters(self->relay, &counters, sizeof(counters));
  uvr_report_stopping(&self->log.report, counters.active);
  (void)uvr_notify("STOPPING=1");
  (void)uvrelay_stop(self->relay, self->options.drain_ms, on_relay_stopped);
}

/* While it runs. */

static uvr_report_route row_of(const uvrelay_route_t *route)
{
  return (uvr_report_route){.listen = uvrelay_route_get_listen(route), .target = uvrelay_route_get_target(route)};
}

static void say_status(void *user)
{
  server *self = user;
  for (size_t i = 0; i < self->config.count; i++) {
    const uvrelay_error_t *error = uvrelay_route_error(self->served[i].route);
    self->rows[i] = row_of(self->served[i].route);
    self->rows[i].error = error->code == 0 ? NULL : error->text;
    uvrelay_route_get_counters(self->served[i].route, &self->rows[i].counters, sizeof(self->rows[i].counters));
  }
  uvr_report_status(&self->log.report, self->rows, self->config.count);
}

static void on_timer(uv_timer_t *timer)
{
  say_status(timer->data);
}

static void on_status_signal(void *user)
{
  server *self = user;
  if (!self->closing) {
    say_status(self);
  }
}

static void on_event(uvrelay_route_t *route, const uvrelay_event_t *event, void *user)
{
  server *self = user;
  uvr_report_route row = row_of(route);
  uvr_report_event(&self->log.report, &row, event);
  if (event->type == UVRELAY_EVENT_OPENED && self->supervised && strncmp(row.target, "via:", 4) == 0) {
    uvr_supervisor_start(&self->supervisor);
  }
  if (event->type == UVRELAY_EVENT_CLOSED && event->result->reason == UVRELAY_REASON_STOPPED) {
    self->cut++;
  }
  if (event->type == UVRELAY_EVENT_FAILED && ++self->lost == self->config.count && !self->stopping) {
    self->status = 1; /* there is nothing left to serve */
    stop(self);
  }
}

/* The start. */

/* Reads all routes with their options. */
static int read_config(server *self)
{
  uvr_place place;
  uvrelay_error_t error;
  int code = uvr_serve_load(&self->given, &self->options, &self->config, &place, &error);
  uvr_log_init(&self->log, self->options.json, self->options.verbose);
  if (code != 0) {
    (void)refuse(self, 2, &place, &error);
    if (place.file == NULL && error.phase != UVRELAY_PHASE_ADDRESS) { /* an address says itself what to write */
      uvr_report_try(&self->log.report, "serve");
    }
    return -1;
  }
  for (size_t i = 0; i < self->config.count; i++) {
    self->config.routes[i].options.event_cb = on_event;
    self->config.routes[i].options.user = self;
  }
  self->served = calloc(self->config.count, sizeof(*self->served));
  self->rows = calloc(self->config.count, sizeof(*self->rows));
  return self->served == NULL || self->rows == NULL ? no_memory(self) : 0;
}

/* Finds the command of the far end, if one is needed. */
static int find_far_command(server *self)
{
  uvrelay_error_t error;
  const uvr_config_route *first = uvr_config_first_far(&self->config);
  if (self->options.via == NULL && !self->options.eager && first == NULL) {
    return 0;
  }
  int status = uvr_far_command_find(self->options.via, first, &self->command, &self->command_line, &error);
  const uvr_place *place = self->options.via != NULL ? &self->config.via_place : first != NULL ? &first->place : NULL;
  return status == 0 ? 0 : refuse(self, status, place, &error);
}

/* Listens on all routes. */
static int listen_on_all(server *self)
{
  for (size_t i = 0; i < self->config.count; i++) {
    const uvr_config_route *wanted = &self->config.routes[i];
    if (uvrelay_route_add(self->relay, wanted->listen, wanted->target, &wanted->options, &self->served[i].route) != 0) {
      const uvrelay_error_t *error = uvrelay_error(self->relay);
      bool usage = error->code == UV_EINVAL && error->phase == UVRELAY_PHASE_ADDRESS;
      return refuse(self, usage ? 2 : 1, &wanted->place, error);
    }
  }
  return 0;
}

/* How many bytes all connections have received from the far end so far. */
static uint64_t count_received(void *user)
{
  const server *self = user;
  uint64_t sum = 0;
  for (size_t i = 0; i < self->config.count; i++) {
    if (self->config.routes[i].needs_far_end) {
      uvrelay_route_counters_t counters = {0};
      uvrelay_route_get_counters(self->served[i].route, &counters, sizeof(counters));
      sum += counters.to_client;
    }
  }
  return sum;
}

/* Makes the supervisor of the far end, if there is a command for it, and gives its mux to all routes. */
static int make_supervisor(server *self)
{
  const uvr_supervisor_options options = {.command = &self->command,
                                          .line = self->command_line,
                                          .report = &self->log.report,
                                          .eager = self->options.eager,
                                          .window_total = self->options.window_total,
                                          .count_received = count_received,
                                          .user = self};
  if (self->command.argc == 0) {
    return 0;
  }
  if (uvr_supervisor_init(&self->supervisor, self->relay, &options) != 0) {
    return refuse(self, 1, NULL, uvrelay_error(self->relay));
  }
  (void)uv_os_setenv("WSL_UTF8", "1"); /* without it wsl.exe writes UTF-16 */
  self->supervised = true;
  for (size_t i = 0; i < self->config.count; i++) {
    self->config.routes[i].options.via = self->supervisor.mux;
  }
  return 0;
}

static void say_ready(server *self)
{
  uvrelay_error_t error;
  for (size_t i = 0; i < self->config.count; i++) {
    uvr_report_route row = row_of(self->served[i].route);
    uvr_report_listening(&self->log.report, &row);
  }
  uvr_log_writer_flush(&self->log.writer, LOG_PATIENCE_MS); /* whoever is notified may look for the ports in the log */
  int code = uvr_notify("READY=1");
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot notify the socket in NOTIFY_SOCKET: %s",
                               uv_strerror(code));
    uvr_report_error(&self->log.report, NULL, &error);
  }
}

static int start_handles(server *self)
{
  int code = uv_timer_init(&self->loop, &self->timer);
  self->timer.data = self;
  (void)uvr_log_start_timer(&self->log, &self->loop);
  self->signals = (uvr_signals){.on_end = stop, .on_status = on_status_signal, .user = self};
  code = code == 0 ? uvr_signals_start(&self->signals, &self->loop) : code;
  if (code == 0 && self->options.status_ms > 0) {
    code = uv_timer_start(&self->timer, on_timer, self->options.status_ms, self->options.status_ms);
  }
  return code;
}

/* Makes the relay with its routes, or closes it again if that fails; then runs the loop until all is closed. */
static void run(server *self)
{
  uvrelay_error_t error;
  const uvrelay_options_t options = {.size = sizeof(options),
                                     .allow_remote_files = self->options.allow_remote_files,
                                     .warnings = {.write = write_warning, .user = self}};
  int code = uv_loop_init(&self->loop);
  if (code == 0) {
    code = uvrelay_new(&self->relay, &self->loop, &options);
  }
  if (code == 0) {
    uvrelay_set_data(self->relay, self);
    code = start_handles(self); /* before it listens: a signal must not leave socket files behind */
  }
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot start an event loop: %s",
                               uv_strerror(code));
    (void)refuse(self, 1, NULL, &error);
    return;
  }
  if (make_supervisor(self) == 0 && listen_on_all(self) == 0) {
    say_ready(self);
    if (self->options.eager) {
      uvr_supervisor_start(&self->supervisor);
    }
  } else {
    close_relay(self);
  }
  (void)uv_run(&self->loop, UV_RUN_DEFAULT);
  uv_close((uv_handle_t *)&self->timer, NULL);
  (void)uv_run(&self->loop, UV_RUN_NOWAIT);
  self->busy = uv_loop_close(&self->loop) != 0; /* on_patience has stopped it, and the process ends soon */
  uvr_log_write_counts(&self->log);
  if (self->stopping) {
    uvr_report_stopped(&self->log.report, self->cut);
  }
}

static void serve(server *self)
{
  uvr_process_raise_limits();
  if (read_config(self) == 0 && find_far_command(self) == 0) {
    uvr_process_set_threads(self->config.count);
    uvr_log_start(&self->log);
    run(self);
    uvr_log_end(&self->log, LOG_PATIENCE_MS);
  }
  if (!self->supervised) {
    uvr_command_clear(&self->command);
  }
  uvr_config_clear(&self->config);
  free(self->served);
  free(self->rows);
}

int uvr_cli_serve(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_slim_start(true);
  server *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    (void)fputs("uvrelay: there is no memory\n", stderr);
    return 1;
  }
  uvr_serve_action action = uvr_serve_options_parse(argc, argv, &self->given, &error);
  uvr_log_init(&self->log, self->given.json, self->given.verbose);
  if (action == UVR_SERVE_SHOW_HELP) {
    self->status = uvr_print_parts(uvr_serve_usage());
  } else if (action == UVR_SERVE_SHOW_VERSION) {
    self->status = uvr_print_version();
  } else if (action == UVR_SERVE_WRONG_USAGE) {
    (void)refuse(self, 2, NULL, &error);
    uvr_report_try(&self->log.report, "serve");
  } else {
    serve(self);
  }
  int status = self->status;
  if (!self->log.writer.threaded && !self->busy) {
    free(self); /* if not, a thread still uses it until the process ends */
  }
  return status;
}
