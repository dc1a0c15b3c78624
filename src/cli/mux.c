/* The program `uvrelay mux [flags]`: the far end of `serve --via`, a thin client of the library.
 *
 * Standard input and output become the carrier of a mux, which connects to what the near end asks for. When the carrier
 * is down, usually because standard input has ended, connections fail, but those that have received all that the near
 * end's clients send may go on writing it to their targets, as the near end takes these for ended. Soon they are
 * closed, too, and the loop ends. A signal closes all at once. If closing takes longer than half a second, the process
 * ends without waiting for it; and after four seconds, whatever the loop may hang in.
 *
 * The exit status is 2 for a wrong command line; 1 if the near end is not an uvrelay, breaks the protocol or cannot be
 * read from or written to; 0 otherwise. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/input/mux_options.h"
#include "cli/os/process.h"
#include "cli/os/signals.h"
#include "cli/os/slim_start.h"
#include "cli/output/log.h"
#include "cli/output/print.h"
#include "stream/stdio_os.h"
#include "uvrelay.h"
#include "uvrelay/mux.h"

/* How many targets that do not answer hold up no other one. */
enum { TARGETS = 16 };

/* All is over before the near end sends this process a signal: see child.c. */
enum { LOG_PATIENCE_MS = 500, CLOSE_PATIENCE_MS = 500, DRAIN_MS = 700, END_S = 4 };

typedef struct program {
  uvr_mux_options options;
  uvr_log log;
  uv_loop_t loop;
  uvrelay_t *relay;
  uvr_signals signals;
  uv_timer_t timer;
  uvrelay_error_t down; /* why the carrier has ended */
  uint64_t lost;        /* connections that have failed with it */
  uint64_t cut;         /* those that were ended because this program ends */
  bool closing;
  bool signalled;
  int status;
} program;

static void write_warning(void *user, const char *text)
{
  uvr_report_warning(&((program *)user)->log.report, text);
}

static void fail(program *self, int status, const uvrelay_error_t *error)
{
  uvr_report_error(&self->log.report, NULL, error);
  self->status = status;
}

/* The end. */

static void on_relay_closed(uvrelay_t *relay)
{
  program *self = uvrelay_get_data(relay);
  self->relay = NULL;
  uvr_signals_close(&self->signals);
  uv_close((uv_handle_t *)&self->timer, NULL);
  uvr_log_stop_timer(&self->log);
}

/* Not everything can be cancelled: a read of standard input on the thread pool, for example. */
static void on_patience(uv_timer_t *timer)
{
  uv_stop(timer->loop);
}

static void close_relay(program *self)
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

static void on_end_signal(void *user)
{
  program *self = user;
  self->signalled = true;
  close_relay(self);
}

/* Whether the near end has only gone away, however that was noticed, and made no mistake. */
static bool is_end(const uvrelay_mux_event_t *event)
{
  switch (event->error->code) {
  case 0:
  case UV_EOF:
  case UV_EPIPE:
  case UV_ECONNRESET:
    return true;
  default:
    return event->down == UVRELAY_MUX_DOWN_ENDED || event->down == UVRELAY_MUX_DOWN_DETACHED;
  }
}

static void on_event(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user)
{
  program *self = user;
  (void)mux;
  if (event->type == UVRELAY_MUX_EVENT_DOWN) {
    if (!self->closing && !is_end(event)) {
      fail(self, 1, event->error);
    }
    self->down = *event->error;
    uvr_process_end_within(END_S);
    if (!self->closing) {
      (void)uvrelay_stop(self->relay, DRAIN_MS, on_relay_stopped);
    }
    return;
  }
  uvr_report_mux_event(&self->log.report, event);
  if (event->type == UVRELAY_MUX_EVENT_CLOSED) {
    self->lost += uvr_report_is_carrier_lost(event->result, "the near end") ? 1 : 0;
    self->cut += event->result->reason == UVRELAY_REASON_STOPPED ? 1 : 0;
  }
}

/* The start. */

static int start_handles(program *self)
{
  int code = uv_timer_init(&self->loop, &self->timer);
  (void)uvr_log_start_timer(&self->log, &self->loop);
  self->signals = (uvr_signals){.on_end = on_end_signal, .user = self};
  return code == 0 ? uvr_signals_start(&self->signals, &self->loop) : code;
}

/* Gives standard input and output to a mux. */
static int start_mux(program *self)
{
  uvrelay_mux_t *mux;
  const uvrelay_mux_options_t options = {.size = sizeof(options),
                                         .window_total = self->options.window_total,
                                         .allow = self->options.allow,
                                         .allow_count = self->options.allow_count,
                                         .event_cb = on_event,
                                         .user = self};
  int code = uvrelay_mux_new(&mux, self->relay, UVRELAY_MUX_FAR, &options);
  if (code == 0) {
    const uvrelay_endpoint_t carrier = uvrelay_stdio(uvr_stdio_detach(0), uvr_stdio_detach(1));
    code = uvrelay_mux_attach(mux, &carrier);
  }
  return code;
}

static void run(program *self)
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
    code = start_handles(self);
  }
  if (code != 0) {
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_NONE, code, 0, "cannot start an event loop: %s",
                               uv_strerror(code));
    fail(self, 1, &error);
    return;
  }
  if (start_mux(self) != 0) {
    fail(self, 1, uvrelay_error(self->relay));
    close_relay(self);
  }
  (void)uv_run(&self->loop, UV_RUN_DEFAULT);
  if (self->relay == NULL) { /* if not, on_patience has stopped the loop, and the process ends soon */
    (void)uv_loop_close(&self->loop);
  }
  uvr_log_write_counts(&self->log);
  if (self->lost > 0) {
    uvr_report_carrier_lost(&self->log.report, self->down.text, self->lost);
  }
  if (self->signalled) {
    uvr_report_stopped(&self->log.report, self->cut);
  }
}

int uvr_cli_mux(int argc, char **argv)
{
  uvrelay_error_t error;
  uvr_slim_start(true);
  program *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    (void)fputs("uvrelay: not enough memory\n", stderr);
    return 1;
  }
  uvr_mux_action action = uvr_mux_options_parse(argc, argv, &self->options, &error);
  uvr_log_init(&self->log, false, self->options.verbose);
  uvr_log_set_times(&self->log, self->options.timestamps, false);
  if (action == UVR_MUX_SHOW_HELP) {
    self->status = uvr_print(uvr_mux_usage());
  } else if (action == UVR_MUX_SHOW_VERSION) {
    self->status = uvr_print_version();
  } else if (action == UVR_MUX_WRONG_USAGE) {
    fail(self, 2, &error);
  } else if (uv_guess_handle(0) == UV_TTY) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, UV_EINVAL,
                        "standard input is a terminal: mux is started by uvrelay serve --via");
    fail(self, 2, &error);
  } else {
    uvr_process_raise_limits();
    uvr_process_set_threads(TARGETS);
    uvr_log_start(&self->log);
    run(self);
    uvr_log_end(&self->log, LOG_PATIENCE_MS);
  }
  int status = self->status;
  if (!self->log.writer.threaded && self->relay == NULL) {
    free(self); /* if not, a thread still uses it until the process ends */
  }
  return status;
}
