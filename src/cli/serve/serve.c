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

#include <uv.h>

#include "base/error.h"
#include "cli/input/serve_usage.h"
#include "cli/os/process.h"
#include "cli/os/slim_start.h"
#include "cli/output/print.h"
#include "cli/serve/answers.h"
#include "cli/serve/background.h"
#include "cli/serve/check.h"
#include "cli/serve/far_end.h"
#include "cli/serve/identity.h"
#include "cli/serve/load.h"
#include "cli/serve/manager.h"
#include "cli/serve/reload.h"
#include "cli/serve/routes.h"
#include "cli/serve/server.h"
#include "cli/serve/windows_targets.h"

enum { CLOSE_PATIENCE_MS = 1000, THREADS_PATIENCE_MS = 100, FAR_END_PATIENCE_MS = 8000 };

static void write_warning(void *user, const char *text)
{
  uvr_report_warning(&((uvr_server *)user)->log.report, text);
}

/* Reports why it cannot start, and sets the exit status. */
static int refuse(uvr_server *self, int status, const uvr_place *place, const uvrelay_error_t *error)
{
  uvr_report_error(&self->log.report, place, error);
  self->status = status;
  return -1;
}

static int no_memory(uvr_server *self)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
  return refuse(self, 1, NULL, &error);
}

/* The end. */

/* Not everything can be cancelled: the look-up of a name, for example. */
static void on_patience(uv_timer_t *timer)
{
  uv_stop(timer->loop);
}

/* The loop then ends by itself, unless a thread is still busy, as one that accepts on a shared socket may be. */
static void finish_close(uvr_server *self)
{
  if (self->relay == NULL && !self->supervised && !self->controlled) {
    uvr_signals_close(&self->signals);
    uv_close((uv_handle_t *)&self->reload.timer, NULL);
    uvr_log_stop_timer(&self->log);
    uvr_manager_close(self);
    (void)uv_timer_start(&self->timer, on_patience, THREADS_PATIENCE_MS, 0);
    uv_unref((uv_handle_t *)&self->timer);
  }
}

static void on_supervisor_closed(void *user)
{
  uvr_server *self = user;
  self->supervised = false;
  if (self->relay != NULL) {
    (void)uv_timer_start(&self->timer, on_patience, CLOSE_PATIENCE_MS, 0);
  }
  finish_close(self);
}

static void on_relay_closed(uvrelay_t *relay)
{
  uvr_server *self = uvrelay_get_data(relay);
  self->relay = NULL;
  finish_close(self);
}

static void on_control_closed(void *user)
{
  uvr_server *self = user;
  self->controlled = false;
  finish_close(self);
}

/* The routes must not be used afterwards. */
static void close_relay(uvr_server *self)
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
  if (self->controlled) {
    uvr_control_server_close(&self->control, on_control_closed);
  }
  uvrelay_close(self->relay, on_relay_closed);
}

static void on_relay_stopped(uvrelay_t *relay)
{
  close_relay(uvrelay_get_data(relay));
}

static void stop(void *user)
{
  uvr_server *self = user;
  if (self->stopping) {
    close_relay(self);
    return;
  }
  uvrelay_counters_t counters = {0};
  self->stopping = true;
  uvr_reload_abort(self);
  uvrelay_get_counters(self->relay, &counters, sizeof(counters));
  uvr_report_stopping(&self->log.report, counters.active);
  uvr_manager_stopping(self, counters.active);
  (void)uvrelay_stop(self->relay, self->options.drain_ms, on_relay_stopped);
}

static void on_all_lost(uvr_server *self)
{
  self->status = 1; /* there is nothing left to serve */
  stop(self);
}

/* While it runs. */

static void on_status_signal(void *user)
{
  uvr_server *self = user;
  if (!self->closing) {
    uvr_routes_say_status(self);
  }
}

/* SIGHUP. Without a file there is nothing to read again: it ends the program, as it always has. Somebody who wants a
 * reload does not want to cut what is open, so that it does nothing while it stops. */
static void on_reload_signal(void *user)
{
  uvr_server *self = user;
  if (self->config_count == 0) {
    stop(self);
  } else {
    uvr_reload_request(self, NULL);
  }
}

/* The start. */

static void init_log(uvr_server *self, const uvr_serve_options *options)
{
  uvr_log_init(&self->log, options->json, options->verbose);
  uvr_log_set_times(&self->log, options->timestamps == UVR_TIMESTAMPS_ON, options->timestamps != UVR_TIMESTAMPS_OFF);
}

/* Opens the log's file. If the configuration has an error, that goes there, too, as far as the file is known: a user
 * who starts it hidden, at logon, sees nothing else. */
static int open_log_file(uvr_server *self, bool configured)
{
  uvrelay_error_t error;
  const char *file = self->options.log_file;
  if (self->given.check || file == NULL || *file == '\0' ||
      uvr_log_open_file(&self->log, file, self->options.log_size, &error) == 0 || !configured) {
    return 0;
  }
  return refuse(self, 1, NULL, &error);
}

/* Reads all routes with their options. */
static int read_config(uvr_server *self)
{
  uvr_place place;
  uvrelay_error_t error;
  int code = uvr_serve_load(&self->given, &self->options, &self->config, &place, &error);
  init_log(self, &self->options);
  if (open_log_file(self, code == 0) != 0) {
    return -1;
  }
  if (code != 0) {
    (void)refuse(self, 2, &place, &error);
    /* An address says itself what to write, and a failure of the system is not wrong usage. */
    if (place.file == NULL && error.code == UV_EINVAL && error.phase != UVRELAY_PHASE_ADDRESS) {
      uvr_report_try(&self->log.report, "serve");
    }
    return -1;
  }
  self->served = calloc(self->config.count, sizeof(uvr_served *));
  self->rows = calloc(self->config.count, sizeof(*self->rows));
  if (self->served == NULL || self->rows == NULL) {
    return no_memory(self);
  }
  uvr_identity_set(self);
  return 0;
}

/* Finds the command of the far end, if one is needed. */
static int find_far_command(uvr_server *self)
{
  uvr_place place;
  uvrelay_error_t error;
  int status = uvr_far_end_find(self, &self->options, &self->config, &place, &error);
  return status == 0 ? 0 : refuse(self, status, &place, &error);
}

/* Listens on all routes. */
static int listen_on_all(uvr_server *self)
{
  for (size_t i = 0; i < self->config.count; i++) {
    const uvr_place place = self->config.routes[i].place;
    uvrelay_error_t error;
    uvr_served *one = uvr_routes_new(self, &self->config.routes[i]);
    if (one == NULL) {
      return no_memory(self);
    }
    uvr_routes_set_via(one);
    if (uvr_routes_add(one, &self->made, &error) != 0) {
      bool usage = error.code == UV_EINVAL && error.phase == UVRELAY_PHASE_ADDRESS;
      uvr_routes_free(one);
      return refuse(self, usage ? 2 : 1, &place, &error);
    }
    self->served[self->count++] = one;
  }
  return 0;
}

static int make_far_end(uvr_server *self)
{
  uvrelay_error_t error;
  return uvr_far_end_make(self, &self->options, &error) == 0 ? 0 : refuse(self, 1, NULL, &error);
}

/* Listens for those who ask. It can do without. */
static void open_control(uvr_server *self)
{
  uvr_control_place place;
  uvrelay_error_t error;
  char text[UVRELAY_ERROR_TEXT_SIZE + 64];
  if (!self->options.control) {
    return;
  }
  self->control.on_request = uvr_answers_request;
  self->control.user = self;
  int code = uvr_control_place_make(&place, &error);
  code = code == 0 ? uvr_control_server_open(&self->control, &self->loop, &place, &error) : code;
  self->controlled = code == 0;
  if (code != 0 && self->options.verbose) {
    (void)snprintf(text, sizeof(text), "status, reload and env cannot reach this serve: %s", error.text);
    uvr_report_warning(&self->log.report, text);
  }
}

static void say_ready(uvr_server *self)
{
  uvrelay_error_t error;
  uvr_log_ready(&self->log);
  uvr_wsl wsl;
  uvr_wsl_init(&wsl);
  uvr_windows_targets_report(&wsl, &self->config, &self->log.report);
  for (size_t i = 0; i < self->count; i++) {
    uvr_report_route row = uvr_routes_row(self->served[i]->route);
    uvr_report_listening(&self->log.report, &row);
  }
  uv_timeval64_t now = {0};
  (void)uv_gettimeofday(&now);
  self->since = now.tv_sec;
  self->ready_at = uv_now(&self->loop);
  /* The process that is notified may look for the ports in the log. */
  uvr_log_writer_flush(&self->log.writer, UVR_LOG_PATIENCE_MS);
  if (self->given.background) {
    uvr_detach_ready(&self->detached);
  }
  int code = uvr_manager_ready(self);
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot notify the socket in NOTIFY_SOCKET: %s",
                               uv_strerror(code));
    uvr_report_error(&self->log.report, NULL, &error);
  }
}

static int start_handles(uvr_server *self)
{
  int code = uv_timer_init(&self->loop, &self->timer);
  self->timer.data = self;
  code = code == 0 ? uv_timer_init(&self->loop, &self->reload.timer) : code;
  self->reload.timer.data = self;
  (void)uvr_log_start_timer(&self->log, &self->loop);
  self->signals =
      (uvr_signals){.on_end = stop, .on_status = on_status_signal, .on_reload = on_reload_signal, .user = self};
  code = code == 0 ? uvr_signals_start(&self->signals, &self->loop) : code;
  if (code == 0 && self->options.status_ms > 0) {
    code = uv_timer_start(&self->timer, uvr_routes_on_timer, self->options.status_ms, self->options.status_ms);
  }
  return code;
}

/* Makes the relay with its routes, or closes it again if that fails; then runs the loop until all is closed. */
static void run(uvr_server *self)
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
  bool listening = make_far_end(self) == 0 && listen_on_all(self) == 0;
  if (listening) {
    open_control(self);
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
  (listening ? uvr_made_directories_clear : uvr_made_directories_remove)(&self->made);
  uvr_log_write_counts(&self->log);
  if (self->stopping) {
    uvr_report_stopped(&self->log.report, self->cut);
  }
}

/* A line in ~/.profile starts it in every shell: only the first one is to go on. */
static bool is_served_already(const uvr_server *self)
{
  return self->given.background && uvr_identity_runs(self);
}

static void clear(uvr_server *self)
{
  if (!self->supervised) {
    uvr_command_clear(&self->command);
  }
  for (size_t i = 0; i < self->count; i++) {
    uvr_routes_free(self->served[i]);
  }
  uvr_config_clear(&self->config);
  uvr_identity_clear(self);
  free(self->served);
  free(self->rows);
  free(self->own_via);
}

static void serve(uvr_server *self)
{
  uvrelay_error_t error;
  if (self->given.background) {
    uvr_detach_result result = uvr_background_begin(self, &self->detached, &self->status, &error);
    if (result == UVR_DETACH_FAILED) {
      (void)refuse(self, 1, NULL, &error);
    }
    if (result != UVR_DETACH_GO_ON) {
      return;
    }
  }
  uvr_process_raise_limits();
  if (read_config(self) == 0 && !is_served_already(self) && find_far_command(self) == 0) {
    uvr_process_set_threads(self->config.count);
    uvr_log_start(&self->log);
    run(self);
  }
  uvr_log_end(&self->log, UVR_LOG_PATIENCE_MS);
  if (!self->busy) { /* if it is, what is left uses the routes until the process ends */
    clear(self);
  }
}

/* Says what would be served. Every problem is a problem of the command line or of a file. */
static void check(uvr_server *self)
{
  uvr_place place = {.file = NULL};
  uvrelay_error_t error;
  if (read_config(self) == 0 && find_far_command(self) == 0) {
    if (uvr_check_routes(&self->config, &place, &error) != 0) {
      (void)refuse(self, 2, &place, &error);
    } else {
      self->status = uvr_check_print(self);
      clear(self);
      return;
    }
  }
  self->status = 2;
  clear(self);
}

int uvr_cli_serve(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_slim_start(true);
  uvr_server *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  self->on_all_lost = on_all_lost;
  uvr_serve_action action = uvr_serve_options_parse(argc, argv, &self->given, &error);
  init_log(self, &self->given);
  if (action == UVR_SERVE_SHOW_HELP) {
    self->status = uvr_print_parts(uvr_serve_usage());
  } else if (action == UVR_SERVE_SHOW_VERSION) {
    self->status = uvr_print_version();
  } else if (action == UVR_SERVE_WRONG_USAGE) {
    (void)refuse(self, 2, NULL, &error);
    uvr_report_try(&self->log.report, "serve");
  } else if (self->given.check) {
    check(self);
  } else {
    serve(self);
  }
  int status = self->status;
  if (!self->log.writer.threaded && !self->busy) {
    free(self); /* if not, a thread still uses it until the process ends */
  }
  return status;
}
