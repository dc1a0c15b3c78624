/* The program `uvrelay serve [flags] LISTEN=TARGET...`: a thin client of the library.
 *
 * All routes are read and checked; then each is listened on; then the loop runs. A signal stops the relay, which
 * drains, and closes it when that is done; a second one closes it at once. A start that fails, and the loss of every
 * listener, close it in the same way. With the relay the far end is closed, if a route needs one. When both are, the
 * signals' handles are closed, too, and the loop ends.
 *
 * The exit status is 2 for what is wrong in the command line or a file, 1 for what the system refuses, 0 after a
 * signal. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/far_command.h"
#include "cli/child/supervisor.h"
#include "cli/cli.h"
#include "cli/input/config.h"
#include "cli/input/file.h"
#include "cli/input/serve_options.h"
#include "cli/os/notify.h"
#include "cli/os/process.h"
#include "cli/os/slim_start.h"
#include "cli/output/log_writer.h"
#include "cli/output/report.h"
#include "uvrelay.h"

enum { STANDARD_ERROR = 2, LOG_PATIENCE_MS = 1000, CLOSE_PATIENCE_MS = 1000, FAR_END_PATIENCE_MS = 2500 };

/* The signals that it ends by, and the one that asks for the status, as far as the system has them. */
static const int signal_numbers[] = {
    SIGINT,   SIGTERM,
#ifdef SIGHUP
    SIGHUP,
#endif
#ifdef SIGBREAK
    SIGBREAK,
#endif
#ifdef SIGUSR1
    SIGUSR1,
#endif
};

#define SIGNAL_COUNT (sizeof(signal_numbers) / sizeof(signal_numbers[0]))

/* A route that listens. */
typedef struct served {
  uvrelay_route_t *route;
} served;

typedef struct server {
  uvr_serve_options options;
  uvr_report report;
  uvr_log_writer log;
  uvr_routes routes;      /* as they are wanted */
  served *running;        /* as they are, once they listen */
  uvr_report_route *told; /* room for a status */
  uv_loop_t loop;
  uvrelay_t *relay;
  uvr_command command; /* of the far end; no words: none is needed */
  const char *command_line;
  uvr_supervisor far_end;
  bool has_far_end;
  uv_signal_t signals[SIGNAL_COUNT];
  uv_timer_t timer; /* of --status */
  size_t lost;      /* listeners that have failed */
  uint64_t cut;     /* connections that did not end by themselves */
  bool stopping;
  bool closing;
  int status;
} server;

static void write_log(void *user, const char *text, size_t length)
{
  server *self = user;
  uint64_t lost = uvr_log_writer_lost(&self->log);
  if (lost > 0) {
    uvr_report_lost(&self->report, lost);
  }
  uvr_log_writer_add(&self->log, text, length);
}

/* What was wrong at the start, with the exit status. */
static int refuse(server *self, int status, const uvr_place *place, const uvrelay_error_t *error)
{
  uvr_report_error(&self->report, place, error);
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

static void finish_close(server *self)
{
  if (self->relay == NULL && !self->has_far_end) {
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
      uv_close((uv_handle_t *)&self->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&self->timer, NULL);
  }
}

static void on_far_end_closed(void *user)
{
  server *self = user;
  self->has_far_end = false;
  finish_close(self);
}

static void on_relay_closed(uvrelay_t *relay)
{
  server *self = uvrelay_get_data(relay);
  self->relay = NULL;
  finish_close(self);
}

/* A look-up of a name that is under way cannot be cancelled. */
static void on_patience(uv_timer_t *timer)
{
  uv_stop(timer->loop);
}

/* Its routes are not to be looked at any more. */
static void close_relay(server *self)
{
  if (self->closing) {
    if (self->has_far_end) {
      uvr_supervisor_kill(&self->far_end);
    }
    return;
  }
  self->closing = true;
  (void)uv_timer_start(&self->timer, on_patience, self->has_far_end ? FAR_END_PATIENCE_MS : CLOSE_PATIENCE_MS, 0);
  if (self->has_far_end) {
    uvr_supervisor_close(&self->far_end, on_far_end_closed, self);
  }
  uvrelay_close(self->relay, on_relay_closed);
}

static void on_relay_stopped(uvrelay_t *relay)
{
  close_relay(uvrelay_get_data(relay));
}

static void stop(server *self)
{
  if (self->stopping) {
    close_relay(self);
    return;
  }
  uvrelay_counters_t counters = {0};
  self->stopping = true;
  uvrelay_get_counters(self->relay, &counters, sizeof(counters));
  uvr_report_stopping(&self->report, counters.active);
  (void)uvr_notify("STOPPING=1");
  (void)uvrelay_stop(self->relay, self->options.drain_ms, on_relay_stopped);
}

/* While it runs. */

static uvr_report_route told_of(const uvrelay_route_t *route)
{
  return (uvr_report_route){.listen = uvrelay_route_get_listen(route), .target = uvrelay_route_get_target(route)};
}

static void say_status(server *self)
{
  for (size_t i = 0; i < self->routes.count; i++) {
    const uvrelay_error_t *error = uvrelay_route_error(self->running[i].route);
    self->told[i] = told_of(self->running[i].route);
    self->told[i].error = error->code == 0 ? NULL : error->text;
    uvrelay_route_get_counters(self->running[i].route, &self->told[i].counters, sizeof(self->told[i].counters));
  }
  uvr_report_status(&self->report, self->told, self->routes.count);
}

static void on_timer(uv_timer_t *timer)
{
  say_status(timer->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
#ifdef SIGUSR1
  if (number == SIGUSR1) {
    server *self = handle->data;
    if (!self->closing) {
      say_status(self);
    }
    return;
  }
#endif
  (void)number;
  stop(handle->data);
}

static void on_event(uvrelay_route_t *route, const uvrelay_event_t *event, void *user)
{
  server *self = user;
  uvr_report_route told = told_of(route);
  uvr_report_event(&self->report, &told, event);
  if (event->type == UVRELAY_EVENT_CLOSED && event->result->reason == UVRELAY_REASON_STOPPED) {
    self->cut++;
  }
  if (event->type == UVRELAY_EVENT_FAILED && ++self->lost == self->routes.count && !self->stopping) {
    self->status = 1; /* there is nothing left to serve */
    stop(self);
  }
}

/* The start. */

static int take_config(server *self, const char *name)
{
  char quoted[UVR_QUOTED_SIZE];
  char *text = NULL;
  size_t length = 0;
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  int code = uvr_file_read(name, &text, &length);
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                               uvr_quote(quoted, name), uv_strerror(code));
    return refuse(self, 2, NULL, &error);
  }
  code = uvr_routes_add_config(&self->routes, name, text, length, &place, &error);
  free(text);
  return code == 0 ? 0 : refuse(self, 2, &place, &error);
}

/* Gathers the routes and their options. */
static int take_routes(server *self)
{
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  uvr_serve_options_apply(&self->options, &self->routes.options);
  self->routes.options.event_cb = on_event;
  self->routes.options.user = self;
  for (unsigned i = 0; i < self->options.config_count; i++) {
    if (take_config(self, self->options.configs[i]) != 0) {
      return -1;
    }
  }
  for (int i = 0; i < self->options.route_count; i++) {
    if (uvr_routes_add(&self->routes, self->options.routes[i], &error) != 0) {
      return refuse(self, 2, NULL, &error);
    }
  }
  if (uvr_routes_check(&self->routes, &place, &error) != 0) {
    return refuse(self, 2, &place, &error);
  }
  if (self->routes.count == 0) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_EINVAL, "no route is given: %s has none",
                        self->options.config_count == 1 ? "the file" : "no file");
    return refuse(self, 2, NULL, &error);
  }
  self->running = calloc(self->routes.count, sizeof(*self->running));
  self->told = calloc(self->routes.count, sizeof(*self->told));
  return self->running == NULL || self->told == NULL ? no_memory(self) : 0;
}

/* Finds the command of the far end, if one is wanted. */
static int take_far_end(server *self)
{
  uvrelay_error_t error;
  const uvr_wanted_route *first = uvr_routes_first_far(&self->routes);
  if (self->options.via == NULL && !self->options.eager && first == NULL) {
    return 0;
  }
  int status = uvr_via_find(self->options.via, first, &self->command, &self->command_line, &error);
  return status == 0 ? 0
                     : refuse(self, status, self->options.via == NULL && first != NULL ? &first->place : NULL, &error);
}

/* Listens on all routes. */
static int listen_on_all(server *self)
{
  for (size_t i = 0; i < self->routes.count; i++) {
    const uvr_wanted_route *wanted = &self->routes.list[i];
    if (uvrelay_route_add(self->relay, wanted->text, wanted->target, &wanted->options, &self->running[i].route) != 0) {
      const uvrelay_error_t *error = uvrelay_error(self->relay);
      bool usage = error->code == UV_EINVAL && error->phase == UVRELAY_PHASE_ADDRESS;
      return refuse(self, usage ? 2 : 1, &wanted->place, error);
    }
  }
  return 0;
}

/* What came from the far end so far, on all connections. */
static uint64_t count_received(void *user)
{
  const server *self = user;
  uint64_t sum = 0;
  for (size_t i = 0; i < self->routes.count; i++) {
    if (self->routes.list[i].needs_far_end) {
      uvrelay_route_counters_t counters = {0};
      uvrelay_route_get_counters(self->running[i].route, &counters, sizeof(counters));
      sum += counters.to_client;
    }
  }
  return sum;
}

/* Makes the far end, if there is a command for one, and lets all routes know it. */
static int make_far_end(server *self)
{
  const uvr_supervisor_options options = {.command = &self->command,
                                          .line = self->command_line,
                                          .report = &self->report,
                                          .window_total = self->options.window_total,
                                          .count_received = count_received,
                                          .user = self};
  if (self->command.argc == 0) {
    return 0;
  }
  if (uvr_supervisor_init(&self->far_end, self->relay, &options) != 0) {
    return refuse(self, 1, NULL, uvrelay_error(self->relay));
  }
  (void)uv_os_setenv("WSL_UTF8", "1"); /* else wsl.exe speaks UTF-16 */
  self->has_far_end = true;
  for (size_t i = 0; i < self->routes.count; i++) {
    self->routes.list[i].options.via = self->far_end.mux;
  }
  return 0;
}

static void say_ready(server *self)
{
  uvrelay_error_t error;
  for (size_t i = 0; i < self->routes.count; i++) {
    uvr_report_route told = told_of(self->running[i].route);
    uvr_report_listening(&self->report, &told);
  }
  uvr_log_writer_flush(&self->log, LOG_PATIENCE_MS); /* who hears that it is ready may look there for its ports */
  int code = uvr_notify("READY=1");
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot tell the socket in NOTIFY_SOCKET: %s",
                               uv_strerror(code));
    uvr_report_error(&self->report, NULL, &error);
  }
}

static int start_handles(server *self)
{
  int code = uv_timer_init(&self->loop, &self->timer);
  self->timer.data = self;
  for (size_t i = 0; i < SIGNAL_COUNT; i++) {
    int made = uv_signal_init(&self->loop, &self->signals[i]);
    self->signals[i].data = self;
    if (made == 0 && !uvr_process_ignores(signal_numbers[i])) {
      made = uv_signal_start(&self->signals[i], on_signal, signal_numbers[i]);
    }
    code = code == 0 ? made : code;
  }
  if (code == 0 && self->options.status_ms > 0) {
    code = uv_timer_start(&self->timer, on_timer, self->options.status_ms, self->options.status_ms);
  }
  return code;
}

/* Makes the relay, with its routes, or closes what was made of it; then runs until all is closed. */
static void run(server *self)
{
  uvrelay_error_t error;
  const uvrelay_options_t options = {.size = sizeof(options)};
  int code = uv_loop_init(&self->loop);
  if (code == 0) {
    code = uvrelay_new(&self->relay, &self->loop, &options);
  }
  if (code == 0) {
    uvrelay_set_data(self->relay, self);
    code = start_handles(self); /* before anything is listened on: what a signal interrupts is to be cleared away */
  }
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot start an event loop: %s",
                               uv_strerror(code));
    (void)refuse(self, 1, NULL, &error);
    return;
  }
  if (make_far_end(self) == 0 && listen_on_all(self) == 0) {
    say_ready(self);
    if (self->options.eager) {
      uvr_supervisor_start(&self->far_end);
    }
  } else {
    close_relay(self);
  }
  (void)uv_run(&self->loop, UV_RUN_DEFAULT);
  if (self->relay == NULL && !self->has_far_end) { /* else on_patience has ended it, and so soon will the process */
    (void)uv_loop_close(&self->loop);
  }
  if (self->stopping) {
    uvr_report_stopped(&self->report, self->cut);
  }
}

static void serve(server *self)
{
  uvr_process_raise_limits();
  if (take_routes(self) == 0 && take_far_end(self) == 0) {
    uvr_log_writer_start(&self->log, STANDARD_ERROR);
    run(self);
    uvr_log_writer_end(&self->log, LOG_PATIENCE_MS);
  }
  if (!self->has_far_end) {
    uvr_command_clear(&self->command);
  }
  uvr_routes_clear(&self->routes);
  free(self->running);
  free(self->told);
}

int uvr_cli_serve(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_slim_start(true);
  (void)uv_os_setenv("UV_THREADPOOL_SIZE", "4"); /* for looking names up: half of them may be at that */
  server *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    (void)fputs("uvrelay: there is no memory\n", stderr);
    return 1;
  }
  uvr_serve_action action = uvr_serve_options_parse(argc, argv, &self->options, &error);
  self->report =
      (uvr_report){.json = self->options.json, .verbose = self->options.verbose, .write = write_log, .user = self};
  self->log.fd = STANDARD_ERROR;
  self->routes.options.size = sizeof(self->routes.options);
  if (action == UVR_SERVE_SHOW_HELP) {
    (void)fputs(uvr_serve_usage(), stdout);
    self->status = fflush(stdout) == 0 ? 0 : 1;
  } else if (action == UVR_SERVE_WRONG_USAGE) {
    (void)refuse(self, 2, NULL, &error);
  } else {
    serve(self);
  }
  int status = self->status;
  if (!self->log.threaded && self->relay == NULL && !self->has_far_end) {
    free(self); /* else a thread that still waits has it until the process ends */
  }
  return status;
}
