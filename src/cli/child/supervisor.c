/* The supervisor: see supervisor.h.
 *
 * When the mux needs a carrier, or at uvr_supervisor_start, the supervisor starts the process and gives its standard
 * input and output to the mux. Its end has two halves, which come in either order: the process exits, and the mux goes
 * down. If the process exits first, the mux has a moment to read what is left; then its carrier is detached. If the mux
 * goes down first, which closes the process's standard input, the process is ended, which takes seven seconds at the
 * most. Only when both halves have come is the reason known: it is reported. A failure to start is handled like an
 * exit.
 *
 * After a delay, which grows with each failure, the process is started again if a connection waits for it. If none
 * does, the next client starts it; or, with `eager`, a longer delay, because no client waits for it.
 *
 * A process that has stopped running is found by the mux, which pings it, or, if it has not said yet what it speaks, by
 * the supervisor's own time limit. Its successor does not wait for its end, but there is never more than one that is
 * being ended so.
 *
 * When the supervisor is closed, the relay closes the mux, and the supervisor only waits for the process. */
#include "cli/child/supervisor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cli/child/check_program.h"
#include "cli/child/failure.h"
#include "cli/output/child_lines.h"
#include "cli/output/report_far_end.h"
#include "stream/stdio_os.h"

enum {
  DRAIN_MS = 200,    /* for the mux to read what an exited process has written */
  SLOW_MS = 1000,    /* for a process to exit when the supervisor is closed, before that is reported */
  SEARCH_MS = 10000, /* for finding out how to start it, before that is reported */
  DELAY_FIRST_MS = 100,
  DELAY_LAST_MS = 5000,   /* if somebody waits */
  DELAY_EAGER_MS = 60000, /* if none does */
  SOUND_MS = 1000,        /* a mux that was up for so long resets the delay */
  FORGET_MS = 60000       /* and so does a rest of this length */
};

/* How long a process may take to say what it speaks: the first one, and those after one or more that took too long. A
 * start from WSL usually takes less than a second, but up to 30 s where the program lies on the Linux disk or Windows
 * is busy. If the first one hangs, half of a route's default time limit is left for the second one. A process that is
 * always slow is given the time that it needs in the end. */
static const uint64_t greeting_ms[] = {15000, 25000, 60000};

enum { HELD_MAX = 128 }; /* bytes of a line that a reason has room for */

#define SUBJECT "the far end "

static void start(uvr_supervisor *self);

/* The reason why the far end is down. */

/* Sets *error's text to how the process has exited, and the last line of its standard error, if there was one. */
static void describe_exit(uvr_supervisor *self, uvrelay_error_t *error)
{
  self->hopeless = uvr_failure_by_exit(self->options.command, self->name, self->up, &self->exit, error);
  size_t length = strlen(error->text);
  self->reason_length = length;
  if (self->last_line[0] != '\0') {
    const char *meaning = uvr_wsl_explain(self->last_line);
    self->held = false; /* report_down() reports it */
    (void)snprintf(error->text + length, sizeof(error->text) - length, ": %s%s%s", self->last_line,
                   meaning != NULL ? "; " : "", meaning != NULL ? meaning : "");
  }
}

/* Sets *error's text to the mux's error, with the command as its subject. */
static void describe_mux_error(const uvr_supervisor *self, uvrelay_error_t *error)
{
  const char *text = self->error.text;
  bool subject = strncmp(text, SUBJECT, sizeof(SUBJECT) - 1) == 0;
  (void)uvr_error_set(error, UVRELAY_PHASE_CONNECT, self->error.code, "%s%s %s", self->name, subject ? "" : ":",
                      subject ? text + sizeof(SUBJECT) - 1 : text);
}

/* Whether the exit of the process says more than the error of the mux: if it has exited by itself. */
static bool is_exit(const uvr_supervisor *self)
{
  switch (self->down) {
  case UVRELAY_MUX_DOWN_ALIEN:
  case UVRELAY_MUX_DOWN_VERSION:
  case UVRELAY_MUX_DOWN_SILENT:
    return false;
  default:
    return !self->exit.signalled && self->error.code != UV_EPROTO;
  }
}

/* Sets the reason why the far end is down. `exited`: the process has exited, and its status is known. */
static void explain(uvr_supervisor *self, bool exited)
{
  uvrelay_error_t error = self->error;
  if (exited && is_exit(self)) {
    describe_exit(self, &error);
  } else {
    describe_mux_error(self, &error);
    self->reason_length = strlen(error.text);
  }
  error.code = error.code == 0 ? UV_ECONNRESET : error.code;
  error.phase = UVRELAY_PHASE_CONNECT;
  uvrelay_mux_explain(self->mux, &error);
  self->error = error;
}

/* The process. */

static void tell_change(const uvr_supervisor *self)
{
  if (self->options.on_change != NULL) {
    self->options.on_change(self->options.user);
  }
}

/* Reports the last line, unless that was done. */
static void report_held_line(uvr_supervisor *self)
{
  if (self->held) {
    self->held = false;
    uvr_report_far_end_line(self->options.report, self->last_line);
  }
}

/* A line that comes before the far end is of use may be why it ends: it is held until the next one comes, the far end
 * is of use or it ends, as the reason then has it. Not one that the reason might not show as it is. */
static void on_line(void *user, const char *line)
{
  uvr_supervisor *self = user;
  report_held_line(self);
  (void)uvr_child_lines_escape(self->last_line, sizeof(self->last_line), line, false);
  self->held = !self->up && self->state != UVR_SUPERVISOR_CLOSING && strlen(line) < HELD_MAX &&
               strcmp(self->last_line, line) == 0;
  if (!self->held) {
    uvr_report_far_end_line(self->options.report, line);
  }
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

/* The delay if a connection waits for the far end. */
static uint64_t short_delay(const uvr_supervisor *self)
{
  return self->delay_ms < DELAY_LAST_MS ? self->delay_ms : DELAY_LAST_MS;
}

/* Reports the reason, and when the process will be started again. */
static void report_down(uvr_supervisor *self)
{
  report_held_line(self);
  char why[UVRELAY_ERROR_TEXT_SIZE + 64];
  char cut[64] = "";
  if (self->cut > 0) {
    (void)snprintf(cut, sizeof(cut), ", which interrupted %" PRIu64 " connection%s", (uint64_t)self->cut,
                   self->cut == 1 ? "" : "s");
  }
  (void)snprintf(why, sizeof(why), "%.*s%s%s", (int)self->reason_length, self->error.text, cut,
                 self->error.text + self->reason_length);
  bool needed = !self->hopeless && (self->wanted || uvrelay_mux_waiting(self->mux) > 0);
  bool needs_client = !needed && !self->options.eager;
  uvr_report_far_end_down(self->options.report, why, self->reason_length,
                          needed || needs_client ? short_delay(self) : self->delay_ms, needs_client);
  tell_change(self);
}

/* There is neither a process nor a carrier, and the reason is set: reports it and schedules the next start. */
static void start_later(uvr_supervisor *self)
{
  uint64_t now = uv_now(self->timer.loop);
  bool sound = self->options.count_received(self->options.user) > self->received ||
               (self->up && now - self->up_since >= SOUND_MS);
  self->delay_ms = self->delay_ms == 0 || sound ? DELAY_FIRST_MS : self->delay_ms * 2;
  self->delay_ms = self->delay_ms < DELAY_EAGER_MS ? self->delay_ms : DELAY_EAGER_MS;
  self->failed_at = now;
  self->state = UVR_SUPERVISOR_WAITING;
  self->up = false;
  self->wanted = self->wanted && !self->hopeless; /* the client for which it was started has had its attempt */
  report_down(self);
  set_timer(self, short_delay(self));
}

/* The delay is over. */
static void start_if_needed(uvr_supervisor *self)
{
  uint64_t longer = self->options.eager ? self->delay_ms - short_delay(self) : UINT64_MAX;
  bool needed = self->wanted || (!self->hopeless && uvrelay_mux_waiting(self->mux) > 0);
  self->wanted = false;
  if (needed || longer == 0) {
    start(self);
    return;
  }
  self->state = UVR_SUPERVISOR_RESTING;
  if (self->options.eager) {
    set_timer(self, longer);
  }
}

bool uvr_supervisor_has_process(const uvr_supervisor *self)
{
  return self->child != NULL || self->hung != NULL;
}

static void finish_close(uvr_supervisor *self)
{
  if (self->state == UVR_SUPERVISOR_CLOSING && !uvr_supervisor_has_process(self)) {
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
  }
}

/* The process has exited, or is given up. */
static void on_exit(void *user, const uvr_child_exit *exit)
{
  uvr_supervisor *self = user;
  self->child = NULL;
  self->exit = *exit;
  if (self->state == UVR_SUPERVISOR_CLOSING) {
    finish_close(self);
  } else if (self->state == UVR_SUPERVISOR_ENDING) {
    explain(self, exit->exited);
    start_later(self);
  } else {
    self->state = UVR_SUPERVISOR_EXITED;
    set_timer(self, DRAIN_MS);
  }
}

static void on_hung_line(void *user, const char *line)
{
  uvr_report_far_end_line(((uvr_supervisor *)user)->options.report, line);
}

static void on_hung_exit(void *user, const uvr_child_exit *exit)
{
  uvr_supervisor *self = user;
  (void)exit;
  self->hung = NULL;
  finish_close(self);
}

/* The mux is down, and the reason may not be known before the process has exited. */
static void end_process(uvr_supervisor *self)
{
  self->state = UVR_SUPERVISOR_ENDING;
  (void)uv_timer_stop(&self->timer);
  uvr_child_end(self->child);
}

/* The same for a process that has stopped running: nothing waits for its exit. */
static void end_hung_process(uvr_supervisor *self)
{
  self->hung = self->child;
  self->child = NULL;
  uvr_child_hand_over(self->hung, on_hung_line, on_hung_exit);
  uvr_child_end(self->hung);
  explain(self, false);
  start_later(self);
}

static uint64_t greeting_limit(const uvr_supervisor *self)
{
  size_t last = sizeof(greeting_ms) / sizeof(greeting_ms[0]) - 1;
  return greeting_ms[self->late < last ? self->late : last];
}

/* Finding out how to start the process takes too long. It cannot be interrupted, so it is only reported. */
static void report_search(uvr_supervisor *self)
{
  (void)uvr_error_set(&self->error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT,
                      SUBJECT "%s cannot be started yet: the Windows drives do not answer", self->name);
  uvrelay_mux_explain(self->mux, &self->error);
  uvr_report_error(self->options.report, NULL, &self->error);
}

/* It is being closed, and waits for the process. */
static void report_slow_end(const uvr_supervisor *self)
{
  char text[UVR_SUPERVISOR_NAME_SIZE + 128];
  (void)snprintf(text, sizeof(text),
                 SUBJECT "%s has not exited yet: it will be killed in a few seconds, or at once by another signal",
                 self->name);
  if (uvr_supervisor_has_process(self)) {
    uvr_report_warning(self->options.report, text);
  }
}

static void on_timer(uv_timer_t *timer)
{
  uvr_supervisor *self = timer->data;
  switch (self->state) {
  case UVR_SUPERVISOR_WAITING:
    start_if_needed(self);
    break;
  case UVR_SUPERVISOR_RESTING:
    start(self);
    break;
  case UVR_SUPERVISOR_PREPARING:
    report_search(self);
    break;
  case UVR_SUPERVISOR_EXITED:
    uvrelay_mux_detach(self->mux);
    break;
  case UVR_SUPERVISOR_RUNNING:
    self->overdue = true;
    uvrelay_mux_detach(self->mux);
    break;
  case UVR_SUPERVISOR_CLOSING:
    report_slow_end(self);
    break;
  case UVR_SUPERVISOR_ENDING:
  case UVR_SUPERVISOR_IDLE:
  case UVR_SUPERVISOR_CLOSED:
    break;
  }
}

static int start_child(uvr_supervisor *self, const uvr_wsl_start *with, uv_file *input, uv_file *output)
{
  const uvr_child_options options = {
      .file = self->options.command->file,
      .argv = self->options.command->argv,
      .environment = with->environment,
      .directory = with->directory,
      .has_fd = with->has_socket,
      .fd = with->socket,
      .on_line = on_line,
      .on_exit = on_exit,
      .user = self,
  };
  return uvr_child_start(self->timer.loop, &options, &self->child, input, output);
}

static void start_now(uvr_supervisor *self, const uvr_wsl_start *with)
{
  uv_file input = -1;
  uv_file output = -1;
  const char *obstacle = uvr_program_obstacle(self->options.command->file);
  int code = obstacle != NULL ? UV_EFTYPE : start_child(self, with, &input, &output);
  if (code != 0) {
    self->hopeless = uvr_failure_to_start(self->options.command, self->name, obstacle, code, &self->error);
    self->reason_length = strlen(self->error.text);
    uvrelay_mux_explain(self->mux, &self->error);
    start_later(self);
    return;
  }
  self->starts++;
  self->started_at = uv_now(self->timer.loop);
  uvr_report_far_end_started(self->options.report, self->name, uvr_child_number(self->child));
  const uvrelay_endpoint_t carrier = uvrelay_stdio(output, input);
  self->state = UVR_SUPERVISOR_RUNNING;
  if (uvrelay_mux_attach(self->mux, &carrier) != 0) {
    uvr_stdio_close(input);
    uvr_stdio_close(output);
    self->error = *uvrelay_error(self->relay);
    end_process(self);
    return;
  }
  self->wanted = false;
  set_timer(self, greeting_limit(self));
}

/* It is of no use to start the process. */
static void refuse_start(uvr_supervisor *self, const uvr_wsl_search *search)
{
  self->hopeless = search->start.lasting;
  (void)uvr_error_set(&self->error, UVRELAY_PHASE_CONNECT, search->code, "%s cannot be started: %s", self->name,
                      search->warning.text);
  uvrelay_mux_explain(self->mux, &self->error);
  size_t length = strlen(self->error.text); /* what to do is reported once, and not to each client */
  (void)snprintf(self->error.text + length, sizeof(self->error.text) - length, ": %s", search->start.remedy);
  self->reason_length = strlen(self->error.text);
  start_later(self);
}

static void on_searched(void *user)
{
  uvr_supervisor *self = user;
  uvr_wsl_search *search = &self->search;
  self->searching = false;
  if (self->state == UVR_SUPERVISOR_CLOSING) {
    finish_close(self);
  } else if (search->start.refused) {
    refuse_start(self, search);
  } else {
    if (search->code != 0 && strcmp(search->warning.text, self->warned) != 0) {
      (void)snprintf(self->warned, sizeof(self->warned), "%s", search->warning.text);
      uvr_report_warning(self->options.report, search->warning.text);
    }
    start_now(self, &search->start);
  }
  uvr_wsl_start_clear(&search->start);
}

/* Starts the process; on WSL with the directory and the environment that are needed there. */
static void start(uvr_supervisor *self)
{
  const char *file = self->options.command->file;
  self->received = self->options.count_received(self->options.user);
  if (!self->options.eager && uv_now(self->timer.loop) - self->failed_at >= FORGET_MS) {
    self->delay_ms = 0;
  }
  self->exit = (uvr_child_exit){.exited = false};
  self->up = false;
  self->hopeless = false;
  self->cut = 0;
  self->overdue = false;
  self->down = UVRELAY_MUX_DOWN_DETACHED;
  report_held_line(self);
  self->last_line[0] = '\0';
  if (!uvr_wsl_may_concern(file)) {
    start_now(self, &(uvr_wsl_start){.directory = NULL});
    return;
  }
  self->state = UVR_SUPERVISOR_PREPARING;
  self->searching = true;
  set_timer(self, SEARCH_MS);
  uvr_wsl_search_start(&self->search, self->timer.loop, &self->wsl, file, on_searched, self);
}

/* The mux. */

/* The process has not said in time what it speaks. */
static void set_overdue(uvr_supervisor *self)
{
  self->down = UVRELAY_MUX_DOWN_SILENT;
  (void)uvr_error_set(&self->error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT,
                      SUBJECT "did not send its protocol version within %g s", (double)greeting_limit(self) / 1000);
  self->late++;
}

static void on_down(uvr_supervisor *self, const uvrelay_mux_event_t *event)
{
  self->down = event->down;
  self->cut = event->streams;
  self->error = *event->error;
  if (self->overdue && event->down == UVRELAY_MUX_DOWN_DETACHED && self->state == UVR_SUPERVISOR_RUNNING) {
    set_overdue(self);
  }
  if (self->state == UVR_SUPERVISOR_EXITED) {
    explain(self, self->exit.exited);
    start_later(self);
  } else if (self->state == UVR_SUPERVISOR_RUNNING && self->down == UVRELAY_MUX_DOWN_SILENT && self->hung == NULL) {
    end_hung_process(self);
  } else if (self->state == UVR_SUPERVISOR_RUNNING) {
    if (!is_exit(self)) {
      uvrelay_error_t original = self->error;
      explain(self, false); /* for connections that do not wait until the process has exited */
      self->error = original;
    }
    end_process(self);
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
  case UVRELAY_MUX_EVENT_NEEDED: /* a connection waits, perhaps since before the last failure */
    if (self->state == UVR_SUPERVISOR_IDLE || (self->state == UVR_SUPERVISOR_RESTING && !self->hopeless)) {
      start(self);
    }
    break;
  case UVRELAY_MUX_EVENT_UP:
    report_held_line(self);
    self->up = true;
    self->late = 0;
    self->up_since = uv_now(self->timer.loop);
    if (self->state == UVR_SUPERVISOR_RUNNING) {
      (void)uv_timer_stop(&self->timer);
    }
    uvr_report_far_end_ready(self->options.report, self->name);
    tell_change(self);
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

bool uvr_supervisor_is_unused(const uvr_supervisor *self)
{
  return self->state == UVR_SUPERVISOR_IDLE;
}

void uvr_supervisor_set_options(uvr_supervisor *self, const uvr_supervisor_options *options)
{
  self->options = *options;
  (void)uvr_child_lines_escape(self->name, sizeof(self->name), options->line, false);
}

int uvr_supervisor_init(uvr_supervisor *self, uvrelay_t *relay, const uvr_supervisor_options *options)
{
  const uvrelay_mux_options_t mux = {.size = sizeof(mux),
                                     .window_total = options->window_total,
                                     .greeting_ms = UINT64_MAX, /* see greeting_limit */
                                     .event_cb = on_mux_event,
                                     .user = self};
  *self = (uvr_supervisor){.relay = relay};
  uvr_supervisor_set_options(self, options);
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
  bool down = self->state == UVR_SUPERVISOR_IDLE || self->state == UVR_SUPERVISOR_RESTING;
  self->wanted = down || self->state == UVR_SUPERVISOR_WAITING;
  if (down) {
    start(self);
  }
}

void uvr_supervisor_close(uvr_supervisor *self, void (*on_closed)(void *user), void *user)
{
  report_held_line(self);
  self->on_closed = on_closed;
  self->user = user;
  if (self->child != NULL && self->state != UVR_SUPERVISOR_ENDING) {
    uvr_child_end(self->child);
  }
  self->state = UVR_SUPERVISOR_CLOSING;
  set_timer(self, SLOW_MS);
  if (!self->searching) { /* if it is: in on_searched */
    finish_close(self);
  }
}

static const char *state_name(const uvr_supervisor *self)
{
  switch (self->state) {
  case UVR_SUPERVISOR_IDLE:
    return "idle";
  case UVR_SUPERVISOR_PREPARING:
    return "starting";
  case UVR_SUPERVISOR_RUNNING:
    return self->up ? "running" : "starting";
  case UVR_SUPERVISOR_WAITING:
  case UVR_SUPERVISOR_RESTING:
    return "down";
  default:
    return "ending";
  }
}

void uvr_supervisor_look(const uvr_supervisor *self, uvr_supervisor_view *out)
{
  uint64_t now = uv_now(self->timer.loop);
  bool failed = self->error.text[0] != '\0';
  *out = (uvr_supervisor_view){.state = state_name(self),
                               .command = self->name,
                               .process = self->child == NULL ? 0 : uvr_child_number(self->child),
                               .age_ms = self->child == NULL ? 0 : now - self->started_at,
                               .starts = self->starts,
                               .error = failed ? self->error.text : NULL,
                               .error_age_ms = failed && self->failed_at > 0 ? now - self->failed_at : 0};
}

void uvr_supervisor_kill(uvr_supervisor *self)
{
  if (self->state == UVR_SUPERVISOR_CLOSING && self->child != NULL) {
    uvr_child_kill(self->child);
  }
  if (self->state == UVR_SUPERVISOR_CLOSING && self->hung != NULL) {
    uvr_child_kill(self->hung);
  }
}
