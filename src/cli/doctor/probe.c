/* Trying out: see probe.h. It runs on a loop of its own.
 *
 * Normal case: the far end is started, as serve does it, and says what it speaks. It is asked some times, one after the
 * other, to connect to a pipe that does not exist, and reports at once that there is none, which disturbs no server.
 * Then all targets are connected to at the same time. When the last one has a result, everything is closed.
 *
 * Ways to fail: the far end cannot be started, ends, says something else or nothing; then the targets that it was to
 * connect to have no result. Whatever hangs has a limit in time. */
#include "cli/doctor/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "cli/child/child.h"
#include "cli/child/failure.h"
#include "cli/child/wsl.h"
#include "endpoint/dial.h"
#include "relay/through_mux.h"
#include "stream/stdio_os.h"
#include "uvrelay/mux.h"

enum { ROUNDS = 5, EXIT_MS = 500, END_MS = 2000, LINE_SIZE = 256 };

/* A connection that is being tried. */
typedef struct attempt {
  struct run *run;
  uvr_probe_target *target; /* NULL: it is a question to the far end */
  uvr_dial *dial;
  uint64_t since;
} attempt;

typedef struct run {
  uvr_probe *probe;
  uv_loop_t loop;
  uv_timer_t timer;
  uvrelay_t *relay;
  uvrelay_mux_t *mux;
  uvr_child *child;
  bool detached; /* the mux has lost the child */
  uvr_child_exit exit;
  char last_line[LINE_SIZE];
  uint64_t since;
  attempt question;
  attempt *attempts; /* one for each target */
  size_t open;       /* targets without a result */
  size_t closing;    /* dials and streams that are being closed, which use the relay */
  size_t rounds;     /* questions answered */
  uint64_t answers[ROUNDS];
  bool ending;
  bool closed; /* the relay is being closed */
} run;

static uint64_t now_us(void)
{
  return uv_hrtime() / 1000;
}

/* The end. */

static void on_relay_closed(uvrelay_t *relay)
{
  run *self = uvrelay_get_data(relay);
  self->relay = NULL;
}

static void close_relay(run *self)
{
  if (self->ending && self->closing == 0 && self->relay != NULL && !self->closed) {
    self->closed = true;
    uvrelay_close(self->relay, on_relay_closed);
  }
}

static void on_closed(void *user)
{
  run *self = user;
  self->closing--;
  close_relay(self);
}

static void close_dial(attempt *a)
{
  uvr_dial *dial = a->dial;
  if (dial != NULL) {
    a->dial = NULL;
    a->run->closing++;
    uvr_dial_close(dial, on_closed, a->run);
  }
}

static void on_end_timer(uv_timer_t *timer)
{
  run *self = timer->data;
  if (self->child != NULL) {
    uvr_child_kill(self->child);
  }
}

/* Closes everything; the loop ends when the child has ended, too. */
static void end(run *self)
{
  if (self->ending) {
    return;
  }
  self->ending = true;
  self->closing++; /* until all of this is done */
  close_dial(&self->question);
  for (size_t i = 0; i < self->probe->count; i++) {
    close_dial(&self->attempts[i]);
  }
  on_closed(self);
  if (self->child != NULL) {
    uvr_child_end(self->child);
    (void)uv_timer_start(&self->timer, on_end_timer, END_MS, 0);
  } else {
    (void)uv_timer_stop(&self->timer);
  }
}

/* Connections. */

static int compare(const void *one, const void *other)
{
  uint64_t a = *(const uint64_t *)one;
  uint64_t b = *(const uint64_t *)other;
  return (a > b) - (a < b);
}

static void ask(run *self);

static void finish_question(run *self, uint64_t took)
{
  self->answers[self->rounds++] = took;
  if (self->rounds < ROUNDS) {
    ask(self);
    return;
  }
  qsort(self->answers, ROUNDS, sizeof(self->answers[0]), compare);
  self->probe->answered = true;
  self->probe->answer_us = self->answers[ROUNDS / 2];
}

static void finish_target(run *self, uvr_probe_target *target, const uvrelay_error_t *error, uint64_t took)
{
  target->tried = true;
  target->took_us = took;
  if (error != NULL) {
    target->error = *error;
  }
  self->open--;
}

static void connect_all(run *self);

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  attempt *a = user;
  run *self = a->run;
  uint64_t took = now_us() - a->since;
  if (a->target != NULL) {
    finish_target(self, a->target, stream == NULL ? error : NULL, took);
  }
  if (stream != NULL) {
    self->closing++;
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_closed, self);
  }
  close_dial(a); /* comes last, as the error belongs to the dial */
  if (a->target == NULL) {
    finish_question(self, took);
    if (self->probe->answered) {
      connect_all(self);
    }
  } else if (self->open == 0) {
    end(self);
  }
}

static bool dial(attempt *a, const uvr_address *address, const uvrelay_route_options_t *options)
{
  run *self = a->run;
  bool by_far = address->via;
  const uvr_dial_options how = {
      .retry = UVRELAY_RETRY_BUSY,
      .timeout_ms = self->probe->targets_ms,
      .connect = {.via = by_far ? &self->mux->mux.via : NULL,
                  .level = options == NULL ? UVRELAY_IMPERSONATION_ANONYMOUS : options->impersonation,
                  .owner = options == NULL ? NULL : options->owner}};
  a->since = now_us();
  a->dial = uvr_dial_start(by_far ? &self->relay->mux_context : &self->relay->context, address, &how, on_dialled, a);
  return a->dial != NULL;
}

static void connect_all(run *self)
{
  for (size_t i = 0; i < self->probe->count; i++) {
    uvr_probe_target *target = self->probe->targets[i];
    self->attempts[i] = (attempt){.run = self, .target = target};
    if (!dial(&self->attempts[i], &target->address, &target->options)) {
      self->open--;
    }
  }
  if (self->open == 0) {
    end(self);
  }
}

/* Asks the far end to connect to what is not there. */
static void ask(run *self)
{
  char text[64];
  uvr_address address;
  uvrelay_error_t error;
  (void)snprintf(text, sizeof(text), "via://./pipe/uvrelay-doctor-%d-asks", (int)uv_os_getpid());
  self->question = (attempt){.run = self};
  if (uvr_address_parse(text, UVR_ADDRESS_VIA, &address, &error) != 0 || !dial(&self->question, &address, NULL)) {
    end(self);
  }
}

/* The far end. */

static void on_line(void *user, const char *line)
{
  run *self = user;
  (void)snprintf(self->last_line, sizeof(self->last_line), "%s", line);
}

/* It is gone, or does not come. Says why, if it was not up before. */
static void fail_far(run *self, const uvrelay_error_t *error)
{
  uvr_probe *probe = self->probe;
  if (!probe->up && probe->error.code == 0) {
    probe->error = *error;
    probe->error.code = error->code == 0 ? UV_ECONNRESET : error->code;
  }
  end(self);
}

/* The process has exited, or has had its time to do so after the mux has lost it. */
static void explain_exit(run *self)
{
  uvr_probe *probe = self->probe;
  uvrelay_error_t error = {.code = UV_ECONNRESET};
  (void)uvr_failure_by_exit(probe->command, probe->name, false, &self->exit, &error);
  if (self->last_line[0] != '\0') {
    const char *meaning = uvr_wsl_explain(self->last_line);
    size_t length = strlen(error.text);
    (void)snprintf(error.text + length, sizeof(error.text) - length, ": %s%s%s", self->last_line,
                   meaning != NULL ? "; " : "", meaning != NULL ? meaning : "");
  }
  fail_far(self, &error);
}

static void on_child_exit(void *user, const uvr_child_exit *how)
{
  run *self = user;
  self->child = NULL;
  self->exit = *how;
  if (self->ending) {
    (void)uv_timer_stop(&self->timer);
  } else if (!self->probe->up) {
    explain_exit(self);
  } else {
    end(self);
  }
}

static void on_exit_timer(uv_timer_t *timer)
{
  run *self = timer->data;
  fail_far(self, &self->probe->error);
}

static void on_late(uv_timer_t *timer)
{
  run *self = timer->data;
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_CONNECT, UV_ETIMEDOUT, "%s did not send its protocol version within %g s",
                      self->probe->name, (double)self->probe->ready_ms / 1000);
  fail_far(self, &error);
}

/* The far end no longer answers. */
static void on_silent(uv_timer_t *timer)
{
  end(timer->data);
}

static void on_down(run *self, const uvrelay_mux_event_t *event)
{
  self->detached = true;
  if (self->ending || self->probe->up) {
    end(self);
    return;
  }
  if (event->down == UVRELAY_MUX_DOWN_ALIEN || event->down == UVRELAY_MUX_DOWN_VERSION || self->child == NULL) {
    fail_far(self, event->error);
  } else { /* how it exits says more */
    (void)uv_timer_start(&self->timer, on_exit_timer, EXIT_MS, 0);
  }
}

static void on_mux_event(uvrelay_mux_t *mux, const uvrelay_mux_event_t *event, void *user)
{
  run *self = user;
  (void)mux;
  if (event->type == UVRELAY_MUX_EVENT_DOWN) {
    on_down(self, event);
  } else if (event->type == UVRELAY_MUX_EVENT_UP && !self->ending) {
    self->probe->up = true;
    self->probe->ready_us = now_us() - self->since;
    (void)uv_timer_start(&self->timer, on_silent, self->probe->targets_ms + END_MS, 0);
    ask(self);
  }
}

/* Starts the process and gives it to the mux. Returns 0, or a negative code and *error. */
static int start_child(run *self, uvrelay_error_t *error)
{
  uvr_wsl wsl;
  uvr_wsl_start with;
  uv_file input = -1;
  uv_file output = -1;
  const uvr_probe *probe = self->probe;
  uvr_wsl_init(&wsl);
  int code = uvr_wsl_prepare(&wsl, probe->command->file, &with, error);
  if (!with.refused) {
    const uvr_child_options options = {.file = probe->command->file,
                                       .argv = probe->command->argv,
                                       .environment = with.environment,
                                       .directory = with.directory,
                                       .has_fd = with.has_socket,
                                       .fd = with.socket,
                                       .on_line = on_line,
                                       .on_exit = on_child_exit,
                                       .user = self};
    code = uvr_child_start(&self->loop, &options, &self->child, &input, &output);
    if (code != 0) {
      (void)uvr_failure_to_start(probe->command, probe->name, NULL, code, error);
    }
  }
  uvr_wsl_start_clear(&with);
  if (code != 0) {
    return code;
  }
  const uvrelay_endpoint_t carrier = uvrelay_stdio(output, input);
  code = uvrelay_mux_attach(self->mux, &carrier);
  if (code != 0) {
    uvr_stdio_close(input);
    uvr_stdio_close(output);
    *error = *uvrelay_error(self->relay);
  }
  return code;
}

/* Makes the near end of a mux and starts the far one. */
static int start_far(run *self, uvrelay_error_t *error)
{
  const uvrelay_mux_options_t options = {
      .size = sizeof(options), .greeting_ms = UINT64_MAX, .event_cb = on_mux_event, .user = self};
  int code = uvrelay_mux_new(&self->mux, self->relay, UVRELAY_MUX_NEAR, &options);
  if (code != 0) {
    *error = *uvrelay_error(self->relay);
    return code;
  }
  self->since = now_us();
  (void)uv_timer_start(&self->timer, on_late, self->probe->ready_ms, 0);
  return start_child(self, error);
}

static int start(run *self, uvrelay_error_t *error)
{
  const uvrelay_options_t options = {.size = sizeof(options), .allow_remote_files = self->probe->remote_files};
  int code = uvrelay_new(&self->relay, &self->loop, &options);
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot start a relay: %s", uv_strerror(code));
  }
  uvrelay_set_data(self->relay, self);
  self->open = self->probe->count;
  if (self->probe->command != NULL) {
    return start_far(self, error);
  }
  connect_all(self);
  return 0;
}

void uvr_probe_run(uvr_probe *self)
{
  run *r = calloc(1, sizeof(*r));
  attempt *attempts = calloc(self->count + 1, sizeof(*attempts));
  uvrelay_error_t error = {.code = UV_ENOMEM, .text = "not enough memory"};
  if (r == NULL || attempts == NULL || uv_loop_init(&r->loop) != 0) {
    self->error = error;
    free(r);
    free(attempts);
    return;
  }
  r->probe = self;
  r->attempts = attempts;
  (void)uv_timer_init(&r->loop, &r->timer);
  r->timer.data = r;
  if (start(r, &error) != 0) {
    self->error = error;
    end(r);
  }
  (void)uv_run(&r->loop, UV_RUN_DEFAULT);
  uv_close((uv_handle_t *)&r->timer, NULL);
  (void)uv_run(&r->loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&r->loop) == 0) {
    free(attempts);
    free(r);
  }
}
