/* Running a program to its end: see capture.h. It runs on a loop of its own.
 *
 * Normal case: the child exits, and its output has ended. Ways to fail: it cannot be started; it does not exit in time,
 * and is killed; something else keeps its output open, which is then no longer read 200 ms after its exit. */
#include "cli/child/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/child.h"
#include "cli/child/wsl.h"

enum { OUTPUT_PATIENCE_MS = 200, READ_SIZE = 65536 };

typedef struct run {
  uvr_capture *result;
  uv_loop_t loop;
  uv_timer_t timer;
  uv_pipe_t output;
  uvr_child *child; /* NULL: it is over */
  bool output_ended;
  char bytes[READ_SIZE];
} run;

static void close_all(run *self)
{
  if (!uv_is_closing((uv_handle_t *)&self->output)) {
    uv_close((uv_handle_t *)&self->output, NULL);
  }
  if (!uv_is_closing((uv_handle_t *)&self->timer)) {
    uv_close((uv_handle_t *)&self->timer, NULL);
  }
}

static void on_timer(uv_timer_t *timer)
{
  run *self = timer->data;
  if (self->child == NULL) {
    close_all(self);
    return;
  }
  self->result->timed_out = true;
  uvr_child_kill(self->child);
}

static void on_child_exit(void *user, const uvr_child_exit *how)
{
  run *self = user;
  self->child = NULL;
  self->result->status = how->status;
  self->result->signal = how->signal;
  if (self->output_ended) {
    close_all(self);
  } else {
    (void)uv_timer_start(&self->timer, on_timer, OUTPUT_PATIENCE_MS, 0);
  }
}

/* Keeps the last lines that there is room for. */
static void on_line(void *user, const char *line)
{
  uvr_capture *result = ((run *)user)->result;
  size_t used = strlen(result->errors);
  size_t needed = strlen(line) + (used > 0 ? 1 : 0);
  while (used > 0 && used + needed >= sizeof(result->errors)) {
    const char *next = strchr(result->errors, '\n');
    used = next == NULL ? 0 : used - (size_t)(next + 1 - result->errors);
    memmove(result->errors, next == NULL ? "" : next + 1, used);
    result->errors[used] = '\0';
    needed = strlen(line) + (used > 0 ? 1 : 0);
  }
  (void)snprintf(result->errors + used, sizeof(result->errors) - used, "%s%s", used > 0 ? "\n" : "", line);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  (void)suggested;
  *buf = uv_buf_init(((run *)handle->data)->bytes, READ_SIZE);
}

static bool keep(uvr_capture *result, const char *bytes, size_t count)
{
  size_t left = UVR_CAPTURE_MAX - result->length;
  count = count < left ? count : left;
  char *grown = realloc(result->output, result->length + count + 1);
  if (grown == NULL) {
    return false;
  }
  memcpy(grown + result->length, bytes, count);
  result->output = grown;
  result->length += count;
  grown[result->length] = '\0';
  return true;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  run *self = stream->data;
  if (count > 0 && keep(self->result, buf->base, (size_t)count)) {
    return;
  }
  if (count != 0) {
    self->output_ended = true;
    (void)uv_read_stop(stream);
    if (self->child == NULL) {
      close_all(self);
    }
  }
}

static void close_fd(uv_file fd)
{
  uv_fs_t request;
  (void)uv_fs_close(NULL, &request, fd, NULL);
  uv_fs_req_cleanup(&request);
}

/* Starts the child and begins to read. Afterwards the loop is to be run, whether or not that has failed. *why is set if
 * WSL could not start it. */
static int start(run *self, uvrelay_error_t *why)
{
  uvr_wsl wsl;
  uvr_wsl_start with;
  uv_file input = -1;
  uv_file output = -1;
  int code = uv_timer_init(&self->loop, &self->timer);
  code = code == 0 ? uv_pipe_init(&self->loop, &self->output, 0) : code;
  self->timer.data = self;
  self->output.data = self;
  uvr_wsl_init(&wsl);
  int prepared = uvr_wsl_prepare(&wsl, self->result->file, &with, why);
  if (!with.refused) {
    why->text[0] = '\0';
  }
  if (code == 0 && with.refused) {
    size_t length = strlen(why->text);
    (void)snprintf(why->text + length, sizeof(why->text) - length, ": %s", with.remedy);
    code = prepared;
  }
  const uvr_child_options options = {.file = self->result->file,
                                     .argv = self->result->words,
                                     .environment = with.environment,
                                     .directory = with.directory,
                                     .has_fd = with.has_socket,
                                     .fd = with.socket,
                                     .on_line = on_line,
                                     .on_exit = on_child_exit,
                                     .user = self};
  code = code == 0 ? uvr_child_start(&self->loop, &options, &self->child, &input, &output) : code;
  uvr_wsl_start_clear(&with);
  if (code != 0) {
    close_all(self);
    return code;
  }
  close_fd(input);
  code = uv_pipe_open(&self->output, output);
  if (code != 0) {
    close_fd(output);
  } else {
    code = uv_read_start((uv_stream_t *)&self->output, on_alloc, on_read);
  }
  self->output_ended = code != 0;
  (void)uv_timer_start(&self->timer, on_timer, code == 0 ? self->result->timeout_ms : 0, 0);
  return code;
}

int uvr_capture_run(uvr_capture *self, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uvrelay_error_t why = {.text = ""};
  run *r = calloc(1, sizeof(*r));
  uint64_t before = uv_hrtime();
  int code = r == NULL ? UV_ENOMEM : uv_loop_init(&r->loop);
  self->output = NULL;
  self->length = 0;
  self->errors[0] = '\0';
  self->timed_out = false;
  self->status = 0;
  self->signal = 0;
  if (code == 0) {
    r->result = self;
    code = keep(self, "", 0) ? start(r, &why) : UV_ENOMEM;
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&r->loop);
  }
  free(r);
  self->duration_ms = (uv_hrtime() - before) / 1000000;
  if (code != 0 && why.text[0] != '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code, "cannot start the program %s: %s",
                         uvr_quote(quoted, self->file), why.text);
  }
  return code == 0 ? 0
                   : uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot start the program %s: %s",
                                          uvr_quote(quoted, self->file), uv_strerror(code));
}

void uvr_capture_clear(uvr_capture *self)
{
  free(self->output);
  self->output = NULL;
}
