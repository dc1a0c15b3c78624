/* The program `uvrelay serve [flags] LISTEN=TARGET...`: a thin client of the library.
 *
 * All routes are read and checked; then each is listened on; then the loop runs. A signal stops the relay, which
 * drains, and closes it when that is done; a second one closes it at once. A start that fails, and the loss of every
 * listener, close it in the same way. When the relay is closed the signals' handles are, too, and the loop ends.
 *
 * The exit status is 2 for what is wrong in the command line or a file, 1 for what the system refuses, 0 after a
 * signal. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "../error.h"
#include "../light_start.h"
#include "../notify.h"
#include "../process.h"
#include "../text.h"
#include "cli.h"
#include "log_writer.h"
#include "report.h"
#include "routes.h"
#include "serve_options.h"
#include "uvrelay.h"

enum { CONFIG_MAX = 16 * 1024 * 1024, STANDARD_ERROR = 2, LOG_PATIENCE_MS = 1000, CLOSE_PATIENCE_MS = 1000 };

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

static void on_relay_closed(uvrelay_t *relay)
{
  server *self = uvrelay_get_data(relay);
  self->relay = NULL;
  for (size_t i = 0; i < SIGNAL_COUNT; i++) {
    uv_close((uv_handle_t *)&self->signals[i], NULL);
  }
  uv_close((uv_handle_t *)&self->timer, NULL);
}

/* A look-up of a name that is under way cannot be cancelled. */
static void on_patience(uv_timer_t *timer)
{
  uv_stop(timer->loop);
}

/* Its routes are not to be looked at any more. */
static void close_relay(server *self)
{
  if (!self->closing) {
    self->closing = true;
    uvrelay_close(self->relay, on_relay_closed);
    (void)uv_timer_start(&self->timer, on_patience, CLOSE_PATIENCE_MS, 0);
  }
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

/* Reads all of a file into `*out`, to be freed, with a NUL behind it. */
static int read_all(uv_file file, char **out, size_t *length)
{
  char *text = NULL;
  size_t used = 0;
  size_t capacity = 0;
  int count = 1;
  while (count > 0 && used < CONFIG_MAX) {
    if (capacity - used < 2) {
      capacity = capacity == 0 ? 4096 : capacity * 2;
      char *more = realloc(text, capacity);
      if (more == NULL) {
        free(text);
        return UV_ENOMEM;
      }
      text = more;
    }
    uv_fs_t request;
    uv_buf_t buf = uv_buf_init(text + used, (unsigned)(capacity - used - 1));
    count = uv_fs_read(NULL, &request, file, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    used += count > 0 ? (size_t)count : 0;
  }
  if (count != 0 && count != UV_EOF) {
    free(text);
    return count > 0 ? UV_EFBIG : count;
  }
  text[used] = '\0';
  *out = text;
  *length = used;
  return 0;
}

/* The same, by the file's name. */
static int read_file(const char *name, char **out, size_t *length)
{
  uv_fs_t request;
  if (strcmp(name, "-") == 0) {
    return read_all(0, out, length);
  }
  int file = uv_fs_open(NULL, &request, name, UV_FS_O_RDONLY, 0, NULL);
  uv_fs_req_cleanup(&request);
  if (file < 0) {
    return file;
  }
  int code = read_all(file, out, length);
  (void)uv_fs_close(NULL, &request, file, NULL);
  uv_fs_req_cleanup(&request);
  return code;
}

static int take_config(server *self, const char *name)
{
  char quoted[UVR_QUOTED_SIZE];
  char *text = NULL;
  size_t length = 0;
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  int code = read_file(name, &text, &length);
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
  if (listen_on_all(self) == 0) {
    say_ready(self);
  } else {
    close_relay(self);
  }
  (void)uv_run(&self->loop, UV_RUN_DEFAULT);
  if (self->relay == NULL) { /* else on_patience has ended it, and so soon will the process */
    (void)uv_loop_close(&self->loop);
  }
  if (self->stopping) {
    uvr_report_stopped(&self->report, self->cut);
  }
}

static void serve(server *self)
{
  uvr_process_raise_limits();
  if (take_routes(self) == 0) {
    uvr_log_writer_start(&self->log, STANDARD_ERROR);
    run(self);
    uvr_log_writer_end(&self->log, LOG_PATIENCE_MS);
  }
  uvr_routes_clear(&self->routes);
  free(self->running);
  free(self->told);
}

int uvr_cli_serve(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_light_start(true);
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
  if (!self->log.threaded && self->relay == NULL) {
    free(self); /* else a thread that still waits has it until the process ends */
  }
  return status;
}
