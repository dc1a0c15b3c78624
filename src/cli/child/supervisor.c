/* The far end: see far_end.h.
 *
 * When the mux needs a carrier, or at once, the process is started and its standard input and output are given to the
 * mux. The end of that has two halves, which come in either order: the process ends, and the mux is down. If the
 * process ends first, the mux has a moment to read what is left, then the carrier is taken away from it. If the mux is
 * down first, which has closed the standard input, the process has a second to end, is asked to end, and after one more
 * is killed. Only with both there is a sentence that says why; then it waits, and starts again. A failure to start is
 * the same without a process.
 *
 * At the close the mux is the relay's to close, and only the process is waited for. */
#include "cli/child/supervisor.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/output/child_lines.h"
#include "stream/stdio_os.h"

enum {
  LEFT_MS = 200,      /* for the mux to read what a process has left */
  PATIENCE_MS = 1000, /* for a process to end */
  DELAY_FIRST_MS = 100,
  DELAY_LAST_MS = 5000,
  SOUND_MS = 1000, /* who was up for so long was not started in vain */
  SAY_AGAIN_MS = 60000
};

#define SUBJECT "the far end "

static void start(uvr_supervisor *self);

/* What is told. */

/* Whether the sentence is to be told now: not if it was within a minute. An alien far end is the same whatever part of
 * what it says has come. */
static bool is_news(uvr_supervisor *self)
{
  const char *text = self->down == UVRELAY_MUX_DOWN_ALIEN ? "alien" : self->error.text;
  uint64_t now = uv_now(self->timer.loop);
  if (strcmp(self->said, text) == 0 && now - self->said_at < SAY_AGAIN_MS) {
    return false;
  }
  (void)snprintf(self->said, sizeof(self->said), "%s", text);
  self->said_at = now;
  return true;
}

/* ": " and the last line of the standard error, if there was one. */
static void add_last_line(const uvr_supervisor *self, char *text, size_t size)
{
  size_t length = strlen(text);
  if (self->last_line[0] != '\0') {
    (void)snprintf(text + length, size - length, ": %s", self->last_line);
  }
}

/* Makes *error's text say how the process has ended. */
static void tell_exit(const uvr_supervisor *self, uvrelay_error_t *error)
{
  const char *when = self->up ? "" : " at once";
  if (self->signal != 0) {
    (void)snprintf(error->text, sizeof(error->text), "%s was ended%s by signal %d", self->name, when, self->signal);
  } else if (self->status > UINT16_MAX || self->status < 0) { /* one of Windows' */
    (void)snprintf(error->text, sizeof(error->text), "%s exited%s with status 0x%08" PRIx64, self->name, when,
                   (uint64_t)self->status & UINT32_MAX);
  } else {
    (void)snprintf(error->text, sizeof(error->text), "%s exited%s with status %" PRId64, self->name, when,
                   self->status);
  }
  add_last_line(self, error->text, sizeof(error->text));
}

/* Makes *error's text say what the mux does, of the command. */
static void tell_mux(const uvr_supervisor *self, uvrelay_error_t *error)
{
  const char *text = self->error.text;
  bool subject = strncmp(text, SUBJECT, sizeof(SUBJECT) - 1) == 0;
  (void)uvr_error_set(error, UVRELAY_PHASE_CONNECT, self->error.code, "%s%s %s", self->name, subject ? "" : ":",
                      subject ? text + sizeof(SUBJECT) - 1 : text);
}

/* Whether a process that has ended by itself says more than the mux. */
static bool is_exit(const uvr_supervisor *self)
{
  switch (self->down) {
  case UVRELAY_MUX_DOWN_ALIEN:
  case UVRELAY_MUX_DOWN_VERSION:
  case UVRELAY_MUX_DOWN_SILENT:
    return false;
  default:
    return !self->asked && self->error.code != UV_EPROTO;
  }
}

/* Why it is down. `exited`: the process has ended, with this status. */
static void explain(uvr_supervisor *self, bool exited)
{
  uvrelay_error_t error = self->error;
  if (exited && is_exit(self)) {
    tell_exit(self, &error);
  } else {
    tell_mux(self, &error);
  }
  error.code = error.code == 0 ? UV_ECONNRESET : error.code;
  error.phase = UVRELAY_PHASE_CONNECT;
  uvrelay_mux_explain(self->mux, &error);
  self->error = error;
}

/* The process. */

static void on_line(void *user, const char *line)
{
  uvr_supervisor *self = user;
  (void)uvr_lines_escape(self->last_line, sizeof(self->last_line), line, false);
  uvr_report_far_end_says(self->options.report, line);
}

static void on_timer_closed(uv_handle_t *timer)
{
  uvr_supervisor *self = timer->data;
  self->state = UVR_SUPERVISOR_CLOSED;
  self->on_closed(self->user);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(uvr_supervisor *self, uint64_t ms)
{
  (void)uv_timer_start(&self->timer, on_timer, ms, 0);
}

/* There is neither a process nor a carrier, and *error is the sentence: starts again later. */
static void wait(uvr_supervisor *self)
{
  bool sound = self->options.count_received(self->options.user) > self->received ||
               (self->up && uv_now(self->timer.loop) - self->up_since >= SOUND_MS);
  self->delay_ms = self->delay_ms == 0 || sound ? DELAY_FIRST_MS : self->delay_ms * 2;
  self->delay_ms = self->delay_ms < DELAY_LAST_MS ? self->delay_ms : DELAY_LAST_MS;
  self->state = UVR_SUPERVISOR_WAITING;
  self->up = false;
  if (is_news(self)) {
    uvr_report_far_end_down(self->options.report, self->error.text, self->delay_ms);
  }
  set_timer(self, self->delay_ms);
}

/* The process has ended, or is given up. */
static void end(uvr_supervisor *self, bool exited)
{
  self->child = NULL;
  if (self->state == UVR_SUPERVISOR_CLOSING) {
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
  } else if (self->state == UVR_SUPERVISOR_ENDING) {
    explain(self, exited);
    wait(self);
  } else {
    self->state = UVR_SUPERVISOR_LEFT;
    set_timer(self, LEFT_MS);
  }
}

static void on_exit(void *user, int64_t status, int signal)
{
  uvr_supervisor *self = user;
  self->status = status;
  self->signal = signal;
  end(self, true);
}

/* Sends the process the next signal, and gives it some time. */
static void press(uvr_supervisor *self)
{
  if (self->next_signal == 0) { /* not even killed */
    uvr_child_close(self->child);
    end(self, false);
    return;
  }
  uvr_child_end(self->child, self->next_signal);
  self->asked = true;
  self->next_signal = self->next_signal == SIGTERM ? SIGKILL : 0;
  set_timer(self, PATIENCE_MS);
}

static void on_timer(uv_timer_t *timer)
{
  uvr_supervisor *self = timer->data;
  switch (self->state) {
  case UVR_SUPERVISOR_WAITING:
    start(self);
    break;
  case UVR_SUPERVISOR_LEFT:
    uvrelay_mux_detach(self->mux);
    break;
  case UVR_SUPERVISOR_ENDING:
  case UVR_SUPERVISOR_CLOSING:
    press(self);
    break;
  case UVR_SUPERVISOR_IDLE:
  case UVR_SUPERVISOR_RUNNING:
  case UVR_SUPERVISOR_CLOSED:
    break;
  }
}

/* Starts the process; on WSL with what is needed there. */
static int start_child(uvr_supervisor *self, uv_file *input, uv_file *output)
{
  uvr_wsl_start with;
  uvrelay_error_t warning;
  if (uvr_wsl_prepare(&self->wsl, self->options.command->file, &with, &warning) != 0 &&
      strcmp(warning.text, self->warned) != 0) {
    (void)snprintf(self->warned, sizeof(self->warned), "%s", warning.text);
    uvr_report_error(self->options.report, NULL, &warning);
  }
  const uvr_child_options options = {
      .file = self->options.command->file,
      .argv = self->options.command->argv,
      .environment = with.environment,
      .directory = with.directory,
      .on_line = on_line,
      .on_exit = on_exit,
      .user = self,
  };
  int code = uvr_child_start(self->timer.loop, &options, &self->child, input, output);
  uvr_wsl_start_clear(&with);
  return code;
}

static void start(uvr_supervisor *self)
{
  uv_file input = -1;
  uv_file output = -1;
  self->received = self->options.count_received(self->options.user);
  self->asked = false;
  self->up = false;
  self->down = UVRELAY_MUX_DOWN_DETACHED;
  self->last_line[0] = '\0';
  int code = start_child(self, &input, &output);
  if (code != 0) {
    (void)uvr_error_set_system(&self->error, UVRELAY_PHASE_CONNECT, code, 0, "%s cannot be started: %s", self->name,
                               uv_strerror(code));
    uvrelay_mux_explain(self->mux, &self->error);
    wait(self);
    return;
  }
  uvr_report_far_end_started(self->options.report, self->name, uvr_child_number(self->child));
  const uvrelay_endpoint_t carrier = uvrelay_stdio(output, input);
  self->state = UVR_SUPERVISOR_RUNNING;
  if (uvrelay_mux_attach(self->mux, &carrier) != 0) {
    uvr_stdio_close(input);
    uvr_stdio_close(output);
    self->error = *uvrelay_error(self->relay);
    self->state = UVR_SUPERVISOR_ENDING;
    self->next_signal = SIGTERM;
    press(self);
  }
}

/* The mux. */

static void on_down(uvr_supervisor *self, const uvrelay_mux_event_t *event)
{
  self->down = event->down;
  self->error = *event->error;
  if (self->state == UVR_SUPERVISOR_LEFT) {
    self->state = UVR_SUPERVISOR_ENDING;
    end(self, true);
  } else if (self->state == UVR_SUPERVISOR_RUNNING) {
    self->state = UVR_SUPERVISOR_ENDING;
    self->next_signal = SIGTERM;
    if (!is_exit(self)) {
      uvrelay_error_t known = self->error;
      explain(self, false); /* for those who don't wait until it has ended */
      self->error = known;
    }
    set_timer(self, PATIENCE_MS);
  }
}

static void on_mux_event(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user)
{
  uvr_supervisor *self = user;
  (void)mux;
  if (self->state == UVR_SUPERVISOR_CLOSING || self->state == UVR_SUPERVISOR_CLOSED) {
    return;
  }
  switch (event->type) {
  case UVRELAY_MUX_EVENT_NEEDED:
    uvr_supervisor_start(self);
    break;
  case UVRELAY_MUX_EVENT_UP:
    self->up = true;
    self->up_since = uv_now(self->timer.loop);
    uvr_report_far_end_ready(self->options.report, self->name);
    break;
  case UVRELAY_MUX_EVENT_DOWN:
    on_down(self, event);
    break;
  case UVRELAY_MUX_EVENT_REFUSED:
  case UVRELAY_MUX_EVENT_OPENED:
  case UVRELAY_MUX_EVENT_CLOSED:
    break;
  }
}

int uvr_supervisor_init(uvr_supervisor *self, uvrelay_t *relay, const uvr_supervisor_options *options)
{
  const uvrelay_mux_options_t mux = {
      .size = sizeof(mux), .window_total = options->window_total, .event_cb = on_mux_event, .user = self};
  *self = (uvr_supervisor){.relay = relay, .options = *options};
  (void)uvr_lines_escape(self->name, sizeof(self->name), options->line, false);
  uvr_wsl_init(&self->wsl);
  int code = uvrelay_mux_new(&self->mux, relay, UVRELAY_MUX_NEAR, &mux);
  if (code == 0) {
    (void)uv_timer_init(uvrelay_get_loop(relay), &self->timer);
    self->timer.data = self;
  }
  return code;
}

void uvr_supervisor_start(uvr_supervisor *self)
{
  if (self->state == UVR_SUPERVISOR_IDLE) {
    start(self);
  }
}

void uvr_supervisor_close(uvr_supervisor *self, void (*on_closed)(void *user), void *user)
{
  self->on_closed = on_closed;
  self->user = user;
  self->state = UVR_SUPERVISOR_CLOSING;
  if (self->child == NULL) {
    end(self, false);
    return;
  }
  self->next_signal = SIGKILL;
  set_timer(self, PATIENCE_MS);
}

void uvr_supervisor_kill(uvr_supervisor *self)
{
  if (self->state == UVR_SUPERVISOR_CLOSING && self->child != NULL) {
    self->next_signal = SIGKILL;
    press(self);
  }
}
