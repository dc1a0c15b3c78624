/* Asking a running serve: see ask.h.
 *
 * Normal case: it is connected to, the request is written, and the answer is read up to its end. Ways to fail: it
 * cannot be connected to; the connection breaks; the answer is too long, or not one of ours; the time is over. */
#include "cli/control/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/memory.h"
#include "endpoint/dial.h"
#include "endpoint/offload.h"

enum { RETRY = UVRELAY_RETRY_BUSY };

typedef struct question {
  uv_loop_t loop;
  uvr_context context;
  uvr_dial *dial;     /* NULL: it is closed */
  uvr_stream *stream; /* NULL: it is not there, or closed */
  uv_timer_t timer;
  uvr_closing closing;
  bool over;
  int code;
  uvrelay_error_t *error;
  const char *name;
  char *line; /* the request with its newline */
  char *answer;
  size_t length;
  size_t capacity;
} question;

static void on_nothing_runs(void *user)
{
  (void)user;
}

static void on_closed(void *user)
{
  const uvr_context *context = &((question *)user)->context;
  uvr_offload_close(context->offload, on_nothing_runs, NULL);
  uvr_clock_close(context->clock, on_nothing_runs, NULL);
}

/* Closes everything, after which the loop ends. */
static void finish(question *self)
{
  if (self->over) {
    return;
  }
  self->over = true;
  uvr_closing_begin(&self->closing, on_closed, self);
  uvr_closing_handle(&self->closing, (uv_handle_t *)&self->timer);
  if (self->dial != NULL) {
    uvr_dial_close(self->dial, uvr_closing_add(&self->closing), &self->closing);
  }
  if (self->stream != NULL) {
    uvr_stream_close(self->stream, UVR_CLOSE_NOW, uvr_closing_add(&self->closing), &self->closing);
  }
  uvr_closing_end(&self->closing);
}

static void fail(question *self, const uvrelay_error_t *error)
{
  if (!self->over) {
    self->code = error->code != 0 ? error->code : UV_EIO;
    if (self->error != NULL) {
      *self->error = *error;
    }
    finish(self);
  }
}

static void fail_with(question *self, int code, const char *why)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, code, "cannot query %s: %s", self->name, why);
  fail(self, &error);
}

static void on_time(uv_timer_t *timer)
{
  fail_with(timer->data, UV_ETIMEDOUT, "it did not answer in time");
}

static bool keep(question *self, const uvr_buffer *buffer)
{
  size_t needed = self->length + buffer->length + 1;
  if (needed > self->capacity) {
    size_t capacity = needed * 2;
    char *grown = realloc(self->answer, capacity);
    if (grown == NULL) {
      return false;
    }
    self->answer = grown;
    self->capacity = capacity;
  }
  memcpy(self->answer + self->length, buffer->data, buffer->length);
  self->length += buffer->length;
  self->answer[self->length] = '\0';
  return true;
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  question *self = user;
  if (outcome == UVR_DONE) {
    bool kept = keep(self, buffer);
    uvr_buffer_put(&self->context.buffers, buffer);
    if (!kept || self->length > UVR_CONTROL_ANSWER_MAX) {
      fail_with(self, kept ? UV_EFBIG : UV_ENOMEM, kept ? "its answer is too long" : "not enough memory");
    } else {
      uvr_stream_read(self->stream, on_read, self);
    }
  } else if (outcome == UVR_FAILED) {
    fail(self, error);
  } else {
    finish(self);
  }
}

static void on_written(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  question *self = user;
  if (outcome != UVR_DONE) {
    fail(self, error);
  } else {
    uvr_stream_read(self->stream, on_read, self);
  }
}

static void on_dialled(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  question *self = user;
  if (stream == NULL) {
    fail(self, error);
    return;
  }
  self->stream = stream;
  uvr_stream_write(stream, self->line, strlen(self->line), on_written, self);
}

/* Starts to ask. The loop is to be run then, whether or not that has failed. */
static void start(question *self, const char *address, uint64_t timeout_ms)
{
  const uvr_dial_options options = {
      .retry = RETRY, .timeout_ms = timeout_ms, .connect = {.owner = "user", .level = UVRELAY_IMPERSONATION_ANONYMOUS}};
  uvr_address target;
  uvrelay_error_t error;
  (void)uv_timer_init(&self->loop, &self->timer);
  self->timer.data = self;
  if (uvr_address_parse(address, 0, &target, &error) != 0) {
    fail(self, &error);
    return;
  }
  (void)uv_timer_start(&self->timer, on_time, timeout_ms, 0);
  self->dial = uvr_dial_start(&self->context, &target, &options, on_dialled, self);
  if (self->dial == NULL) {
    fail_with(self, UV_ENOMEM, "not enough memory");
  }
}

/* Splits what has come. Returns whether it is an answer. */
static bool take_answer(question *self, uvr_control_answer_text *out)
{
  char *end = self->answer == NULL ? NULL : memchr(self->answer, '\n', self->length);
  if (end == NULL) {
    return false;
  }
  bool ok = strncmp(self->answer, "ok\n", 3) == 0;
  bool refusal = strncmp(self->answer, "error ", 6) == 0;
  if (ok && self->answer[self->length - 1] != '\n') {
    return false; /* it was cut */
  }
  if (!ok && !refusal) {
    return false;
  }
  char *begin = ok ? end + 1 : self->answer + 6;
  size_t size = ok ? self->length - (size_t)(begin - self->answer) : (size_t)(end - begin);
  memmove(self->answer, begin, size);
  self->answer[size] = '\0';
  *out = (uvr_control_answer_text){.ok = ok, .text = self->answer, .size = size};
  self->answer = NULL;
  return true;
}

static int run(question *self, const char *address, const char *request, uint64_t timeout_ms)
{
  const uvrelay_allocator_t memory = uvr_memory_default();
  size_t size = strlen(request) + 2;
  self->name = address;
  self->line = malloc(size);
  int code = self->line == NULL ? UV_ENOMEM : uv_loop_init(&self->loop);
  if (code != 0) {
    return code;
  }
  (void)snprintf(self->line, size, "%s\n", request);
  code = uvr_context_init(&self->context, &self->loop, &memory, &(uvrelay_log_t){.write = NULL});
  if (code == 0) {
    self->context.offload = uvr_offload_new(&memory);
    code = self->context.offload == NULL ? UV_ENOMEM : 0;
    if (code == 0) {
      start(self, address, timeout_ms);
      (void)uv_run(&self->loop, UV_RUN_DEFAULT);
      code = self->code;
    }
    uvr_context_clear(&self->context);
  }
  (void)uv_loop_close(&self->loop);
  return code;
}

int uvr_control_ask(const char *address, const char *request, uint64_t timeout_ms, uvr_control_answer_text *out,
                    uvrelay_error_t *error)
{
  question *self = calloc(1, sizeof(*self));
  *out = (uvr_control_answer_text){.text = NULL};
  (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "cannot query %s: not enough memory", address);
  if (self == NULL) {
    return UV_ENOMEM;
  }
  self->error = error;
  int code = run(self, address, request, timeout_ms);
  if (code == 0 && !take_answer(self, out)) {
    code =
        uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPROTO, "cannot query %s: it exited before it answered", address);
  }
  free(self->line);
  free(self->answer);
  free(self);
  return code;
}

void uvr_control_answer_clear(uvr_control_answer_text *answer)
{
  free(answer->text);
  answer->text = NULL;
}
