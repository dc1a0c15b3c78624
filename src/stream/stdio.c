/* Standard input and output as one stream.
 *
 * Happy path: each of the two is a stream of the kind that its descriptor allows: a handle of libuv's for a pipe, a
 * socket with calls that say each time that they must not block, and for everything else, blocking calls on the thread
 * pool. Half-close shuts down a socket's output and closes any other.
 *
 * Other processes may share the open files, as the commands of a shell share its standard output. So neither O_NONBLOCK
 * nor anything else that they would notice is ever changed: a pipe is opened once more, for ourselves alone. Where this
 * is not possible, it is used by blocking calls. (How much a pipe holds may change: see pipe_room.h.) On Windows a
 * socket becomes non-blocking, as it is libuv's; if it is both input and output, both halves have its stream. A pipe
 * there that does not wait (PIPE_NOWAIT) is made to wait for as long as it is open here, and gets its state back before
 * it is closed.
 *
 * Ways to fail: a pipe that is open for the other direction only, a socket that listens, and on Windows other sockets
 * that are no connection, or for both ways and not overlapped, are refused at once. An input whose writer leaves, in
 * whatever way, has ended; but not by a reset of TCP, as that may have cut it. That the reader of the output has left
 * is noticed even while nothing is written; where the system does not report it, by looking from time to time. A socket
 * whose peer has left may still hold input; that is finite and is read first. With two separate pipes the input may go
 * on forever, so losing the output ends everything (ends_when_lost).
 *
 * Closing gently waits until a TCP peer has received all, as a peer that still sends makes the system throw away what
 * is on its way. */
#include "stream/stdio.h"

#include "stream/fd.h"
#include "stream/hangup.h"
#include "stream/npipe.h"
#include "stream/socket.h"
#include "stream/stdio_os.h"
#include "stream/uv.h"

typedef struct half {
  struct stream_stdio *whole;
  uv_file fd;
  uvr_stdio_kind kind;
  uvr_stream *stream;  /* NULL: closed */
  uvr_stream *leaving; /* is being closed */
  unsigned state;      /* of a pipe that is made to wait; 0: nothing is to be restored */
  bool kept;           /* the stream closes the descriptor, though opening it has failed */
} half;

typedef struct stream_stdio {
  uvr_stream base;
  half input;
  half output;
  bool one_file; /* both halves have one open file, and must not have two streams that wait in the system */
  bool one;      /* they have one stream */
  bool closing;
  unsigned open_halves;
  bool tcp_input;
  bool was_reset;    /* a write has met a reset, which the system reports once only */
  uvr_hangup hangup; /* of the output's reader */
  uv_timer_t look;   /* whether the output's reader has left; then, while closing, whether it has received all */
  uint64_t patience; /* until when that may last: loop time, ms */
} stream_stdio;

/* A writer that has left, in whatever way, has ended the input. The output may still be open. */
static uvr_outcome input_outcome(const stream_stdio *s, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bool left = outcome == UVR_FAILED && ((error->code == UV_ECONNRESET && !s->tcp_input) || error->code == UV_EPIPE ||
                                        error->code == UV_ENOTCONN);
  return outcome == UVR_GONE || left ? UVR_END_OF_INPUT : outcome;
}

/* Another process may make an overlapped pipe not wait while it is in use, which the streams of those do not expect: a
 * read of an empty one would fail then, and a write would lose what has no room. Returns whether it had been done. */
static bool make_wait_again(half *h)
{
  bool may_change = h->kind == UVR_STDIO_PIPE || h->kind == UVR_STDIO_NPIPE;
  unsigned state = may_change ? uvr_stdio_make_wait(h->fd) : 0;
  h->state = state != 0 ? state : h->state;
  return state != 0;
}

/* What the system has refused one half, the other does without, too. A closed one does not matter. */
static void note_splicing(stream_stdio *s)
{
  bool input = s->input.stream == NULL || s->input.stream->can_splice;
  bool output = s->output.stream == NULL || s->output.stream->can_splice;
  s->base.can_splice = input && output;
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error);

static void read_input(stream_stdio *s)
{
  s->input.stream->read_most = s->base.read_most;
  s->input.stream->read_most_piped = s->base.read_most_piped;
  s->input.stream->read_before = s->base.read_before;
  s->input.stream->splices = s->base.splices;
  uvr_stream_read(s->input.stream, on_read, s);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  stream_stdio *s = user;
  uvrelay_error_t reset;
  if ((outcome == UVR_FAILED || outcome == UVR_GONE) && make_wait_again(&s->input)) {
    read_input(s);
    return;
  }
  note_splicing(s);
  outcome = input_outcome(s, outcome, error);
  if (outcome == UVR_END_OF_INPUT && s->was_reset && uvr_stdio_reader_gone(s->input.fd)) {
    (void)uvr_error_set_system(&reset, UVRELAY_PHASE_READ, UV_ECONNRESET, 0, "reading from standard input failed: %s",
                               uv_strerror(UV_ECONNRESET));
    outcome = UVR_FAILED;
    error = &reset;
  }
  s->base.on_read(s->base.read_user, outcome, buffer, error);
}

static void stdio_read(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  if (s->input.stream == NULL) {
    on_read(s, UVR_END_OF_INPUT, NULL, NULL);
    return;
  }
  read_input(s);
}

/* While it closes gently, a write may still go on. */
static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  stream_stdio *s = user;
  note_splicing(s);
  s->was_reset = s->was_reset || (s->tcp_input && error != NULL && error->code == UV_ECONNRESET);
  if (!s->closing) {
    s->base.on_write(s->base.write_user, outcome, error);
  }
}

/* Returns whether the output can be written; else the write has failed. */
static bool begin_write(stream_stdio *s)
{
  if (s->output.stream == NULL) {
    uvrelay_error_t error;
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_WRITE, UV_EBADF, 0, "standard output is closed");
    s->base.on_write(s->base.write_user, UVR_FAILED, &error);
    return false;
  }
  (void)make_wait_again(&s->output);
  s->output.stream->wide = s->base.wide;
  return true;
}

static void stdio_write(uvr_stream *stream, const char *data, size_t length)
{
  stream_stdio *s = (stream_stdio *)stream;
  if (begin_write(s)) {
    uvr_stream_write(s->output.stream, data, length, on_write, s);
  }
}

static void stdio_write_piped(uvr_stream *stream, uvr_buffer *buffer, size_t length)
{
  stream_stdio *s = (stream_stdio *)stream;
  if (begin_write(s)) {
    uvr_stream_write_piped(s->output.stream, buffer, length, on_write, s);
  }
}

static bool stdio_await_writable(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  return s->output.stream != NULL && uvr_stream_await_writable(s->output.stream, on_write, s);
}

static void on_look_closed(uv_handle_t *handle)
{
  stream_stdio *s = handle->data;
  uvr_context *context = s->base.context;
  uvr_close_cb on_close = s->base.on_close;
  void *user = s->base.close_user;
  uvr_free(&context->memory, s);
  on_close(user);
}

static void close_look(void *user)
{
  stream_stdio *s = user;
  uv_close((uv_handle_t *)&s->look, on_look_closed);
}

static void stop_watching(stream_stdio *s)
{
  (void)uv_timer_stop(&s->look);
  uvr_hangup_mute(&s->hangup);
}

static void on_half_closed(void *user)
{
  half *h = user;
  stream_stdio *s = h->whole;
  h->leaving = NULL;
  s->open_halves--;
  if (!s->closing) {
    s->base.on_shutdown(s->base.shutdown_user, UVR_DONE, NULL);
  } else if (s->open_halves == 0) {
    uvr_hangup_stop(&s->hangup, close_look, s);
  }
}

/* A pipe that was made to wait gets its state back while it is still open. */
static void restore(half *h)
{
  bool is_free =
      h->stream == NULL || h->kind != UVR_STDIO_BLOCKING || (h->state != 0 && uvr_stream_fd_leave(h->stream));
  if (h->state != 0 && is_free) {
    uvr_stdio_restore(h->fd, h->state);
  }
  h->state = 0;
}

static void close_half(half *h, uvr_close_how how)
{
  if (h->stream != NULL) {
    restore(h);
    h->leaving = h->stream;
    h->stream = NULL;
    uvr_stream_close(h->leaving, how, on_half_closed, h);
  }
}

static void close_input(stream_stdio *s)
{
  if (s->one) {
    s->input.stream = NULL; /* is closed as the output's */
  }
  close_half(&s->input, UVR_CLOSE_NOW);
}

static void stdio_shutdown(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  stop_watching(s);
  if (s->output.stream == NULL) {
    s->base.on_shutdown(s->base.shutdown_user, UVR_DONE, NULL);
  } else if (s->output.kind == UVR_STDIO_SOCKET) {
    uvr_stream_shutdown(s->output.stream, s->base.on_shutdown, s->base.shutdown_user);
  } else {
    uvr_stdio_end_output(s->output.fd);
    close_half(&s->output, UVR_CLOSE_NOW);
  }
}

static bool is_output_lost(stream_stdio *s)
{
  switch (s->output.kind) {
  case UVR_STDIO_BLOCKING:
    return uvr_stream_fd_reader_gone(s->output.stream);
  case UVR_STDIO_SOCKET:
    return (uvr_stdio_reader_gone(s->output.fd) && !uvr_stdio_has_input(s->output.fd)) ||
           uvr_stream_is_lost(s->output.stream);
  default:
    return uvr_stdio_reader_gone(s->output.fd);
  }
}

static void on_look(uv_timer_t *timer)
{
  stream_stdio *s = timer->data;
  if (!is_output_lost(s)) {
    return;
  }
  (void)uv_timer_stop(timer);
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_WRITE, UV_EPIPE, 0, "the reader of standard output is gone");
  s->base.on_lost(s->base.lost_user, UVR_GONE, &error);
}

static void look(stream_stdio *s, unsigned first_ms)
{
  (void)uv_timer_start(&s->look, on_look, first_ms, s->base.context->patience.stdio_look_ms);
  uv_unref((uv_handle_t *)&s->look);
}

/* Losing the output ends everything, so what is in the input by now gets as much time as where somebody has to look. */
static void on_hangup(void *user)
{
  stream_stdio *s = user;
  look(s, s->base.context->patience.stdio_look_ms);
}

static void stdio_watch(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  if (s->output.stream != NULL && !uvr_hangup_start(&s->hangup, s->base.context, s->output.fd, on_hangup, s)) {
    look(s, s->base.context->patience.stdio_look_ms);
  }
}

static bool stdio_has_delivered(uvr_stream *stream)
{
  const stream_stdio *s = (const stream_stdio *)stream;
  if (s->output.leaving != NULL) {
    return uvr_stream_has_delivered(s->output.leaving);
  }
  return s->output.stream == NULL || s->output.kind != UVR_STDIO_SOCKET || !uvr_stdio_may_lose(s->output.fd);
}

static void on_unsent_timer(uv_timer_t *timer)
{
  stream_stdio *s = timer->data;
  if (stdio_has_delivered(&s->base) || uv_now(timer->loop) >= s->patience) {
    (void)uv_timer_stop(timer);
    close_half(&s->output, UVR_CLOSE_NOW);
  }
}

static void stdio_hurry(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  (void)uv_timer_stop(&s->look);
  if (s->output.leaving != NULL) {
    uvr_stream_hurry(s->output.leaving);
  }
  close_half(&s->output, UVR_CLOSE_NOW);
}

static void stdio_close(uvr_stream *stream, uvr_close_how how)
{
  stream_stdio *s = (stream_stdio *)stream;
  const uvr_patience *patience = &s->base.context->patience;
  s->closing = true;
  stop_watching(s);
  if (s->open_halves == 0) {
    uvr_hangup_stop(&s->hangup, close_look, s);
    return;
  }
  close_input(s);
  if (uvr_close_is_gentle(how) && !stdio_has_delivered(stream)) {
    s->patience = uv_now(s->look.loop) + patience->close_ms;
    uv_ref((uv_handle_t *)&s->look);
    (void)uv_timer_start(&s->look, on_unsent_timer, patience->unsent_look_ms, patience->unsent_look_ms);
  } else {
    close_half(&s->output, how);
  }
}

/* A closed input has no writer that could leave; one without a descriptor is a socket that only its stream knows. */
static uvr_input_state stdio_input_state(uvr_stream *stream)
{
  const stream_stdio *s = (const stream_stdio *)stream;
  if (s->input.stream == NULL) {
    return UVR_INPUT_OPEN;
  }
  return s->input.fd < 0 ? uvr_stream_input_state(s->input.stream) : uvr_stdio_input_state(s->input.fd);
}

static const uvr_stream_ops ops = {.read = stdio_read,
                                   .write = stdio_write,
                                   .write_piped = stdio_write_piped,
                                   .await_writable = stdio_await_writable,
                                   .shutdown = stdio_shutdown,
                                   .watch = stdio_watch,
                                   .close = stdio_close,
                                   .hurry = stdio_hurry,
                                   .has_delivered = stdio_has_delivered,
                                   .input_state = stdio_input_state,
                                   .watches_any_time = true};

/* The blocking calls, where the descriptors need them. */

static uvr_outcome blocking_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error)
{
  const stream_stdio *s = (const stream_stdio *)stream;
  return input_outcome(s, uvr_stream_fd_read(s->input.stream, buffer, error), error);
}

static uvr_outcome blocking_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error)
{
  return uvr_stream_fd_write(((stream_stdio *)stream)->output.stream, data, length, error);
}

static const uvr_blocking_ops blocking = {.read = blocking_read, .write = blocking_write};

static void close_unused(uv_file fd)
{
  if (uvr_stdio_kind_of(fd) != UVR_STDIO_CLOSED) {
    uvr_stdio_close(fd);
  }
}

static int fail_open(uvrelay_error_t *error, int code)
{
  return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code, 0, "cannot open standard input and output: %s",
                              uv_strerror(code));
}

static int open_blocking(stream_stdio *s, half *h, const char *name, uvrelay_error_t *error)
{
  h->kind = UVR_STDIO_BLOCKING;
  h->state = s->one_file ? 0 : uvr_stdio_make_wait(h->fd);
  int code = uvr_stream_fd_new(s->base.context, h->fd, s->one_file, name, &h->stream);
  return code != 0 ? fail_open(error, code) : 0;
}

static int open_pipe(stream_stdio *s, half *h, const char *name, uvrelay_error_t *error)
{
  if (!uvr_stdio_unshare(&h->fd)) {
    return open_blocking(s, h, name, error);
  }
  int code = uvr_stream_uv_new(s->base.context, UV_NAMED_PIPE, name, &h->stream);
  uv_stream_t *handle = code == 0 ? uvr_stream_uv_handle(h->stream) : NULL;
  if (code == 0) {
    code = uv_pipe_open((uv_pipe_t *)handle, h->fd);
  }
  if (code != 0) {
    return fail_open(error, code);
  }
  /* libuv would report such a pipe as one whose other end is gone, which is an orderly end. */
  bool is_input = h == &s->input;
  if (is_input ? !uv_is_readable(handle) : !uv_is_writable(handle)) {
    h->kept = true;
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EBADF, 0, "%s is a pipe that is open only for %s",
                                name, is_input ? "writing" : "reading");
  }
  return 0;
}

static int open_socket(stream_stdio *s, half *h, const char *name, uvrelay_error_t *error)
{
  int code = uvr_stream_socket_new(s->base.context, &h->fd, h == &s->input, name, &h->stream);
  return code != 0 ? fail_open(error, code) : 0;
}

/* While one thread reads, the system would hold up each write of another. */
static int refuse_one(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_ENOTSOCK,
                       "standard input and output are the same non-overlapped socket, which cannot be written while a "
                       "read is pending: create it with WSA_FLAG_OVERLAPPED, or use two sockets or two pipes");
}

static int open_half(stream_stdio *s, half *h, const char *name, uvrelay_error_t *error)
{
  int code = 0;
  h->kind = uvr_stdio_kind_of(h->fd);
  const char *unfit = h->kind == UVR_STDIO_SOCKET || h->kind == UVR_STDIO_BLOCKING ? uvr_stdio_unfit(h->fd) : NULL;
  if (unfit != NULL) {
    close_unused(h->fd);
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EINVAL, 0, "%s is %s",
                                h == &s->input ? "standard input" : "standard output", unfit);
  }
  switch (h->kind) {
  case UVR_STDIO_CLOSED:
    break;
  case UVR_STDIO_BLOCKING:
    code = open_blocking(s, h, name, error);
    break;
  case UVR_STDIO_NPIPE:
    code = uvr_npipe_stream(s->base.context, uv_get_osfhandle(h->fd), name, &h->stream, NULL);
    code = code != 0 ? fail_open(error, code) : 0;
    break;
  case UVR_STDIO_PIPE:
    code = open_pipe(s, h, name, error);
    break;
  case UVR_STDIO_SOCKET:
    code = open_socket(s, h, name, error);
    break;
  }
  s->open_halves += h->stream != NULL ? 1U : 0U;
  if (code != 0 && !h->kept && h->kind != UVR_STDIO_NPIPE) { /* uvr_npipe_stream has closed that */
    restore(h);
    close_unused(h->fd);
  }
  return code;
}

void uvr_stream_stdio_restore(uvr_stream *stream)
{
  stream_stdio *s = (stream_stdio *)stream;
  restore(&s->input);
  restore(&s->output);
}

bool uvr_stream_stdio_must_restore(const uvr_stream *stream)
{
  const stream_stdio *s = (const stream_stdio *)stream;
  return s->input.state != 0 || s->output.state != 0;
}

void uvr_stream_stdio_discard(uv_file input, uv_file output)
{
  close_unused(input);
  if (output != input) {
    close_unused(output);
  }
}

/* Lets the output use the input's stream, which goes both ways. */
static void share_stream(stream_stdio *s)
{
  close_unused(s->output.fd);
  s->one = true;
  s->output.fd = s->input.fd;
  s->output.kind = s->input.kind;
  s->output.stream = s->input.stream;
}

/* What cannot be opened is closed. */
static int open_both(stream_stdio *s, uvrelay_error_t *error)
{
  if (s->input.fd < -1 || s->output.fd < -1) {
    uvr_stream_stdio_discard(s->input.fd, s->output.fd);
    return fail_open(error, s->input.fd < -1 ? s->input.fd : s->output.fd);
  }
  s->tcp_input = uvr_stdio_is_tcp(s->input.fd);
  s->one_file = uvr_stdio_is_one(s->input.fd, s->output.fd);
  bool one_socket = s->one_file && uvr_stdio_is_socket(s->input.fd);
  int code = open_half(s, &s->input, one_socket ? "standard input and output" : "standard input", error);
  if (code == 0 && one_socket && s->input.kind == UVR_STDIO_BLOCKING) {
    code = refuse_one(error);
  }
  if (code != 0) {
    close_unused(s->output.fd);
    return code;
  }
  if (one_socket) {
    share_stream(s);
    return 0;
  }
  return open_half(s, &s->output, "standard output", error);
}

int uvr_stream_stdio_new(uvr_context *context, uv_file input, uv_file output, uvr_stream **out, uvrelay_error_t *error)
{
  stream_stdio *s = uvr_alloc(&context->memory, sizeof(*s));
  if (s == NULL) {
    uvr_stream_stdio_discard(input, output);
    *out = NULL;
    return uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_ENOMEM,
                         "not enough memory to open standard input and output");
  }
  s->base.ops = &ops;
  s->base.context = context;
  s->base.name = "standard input"; /* its own messages are about the input */
  s->base.can_half_close = true;
  (void)uv_timer_init(context->loop, &s->look);
  s->look.data = s;
  s->input.whole = s;
  s->output.whole = s;
  s->input.fd = input;
  s->output.fd = output;
  int code = open_both(s, error);
  *out = &s->base;
  if (code != 0) {
    return code;
  }
  note_splicing(s);
  s->base.blocking = &blocking;
  s->base.reads_blocking = s->input.kind == UVR_STDIO_BLOCKING;
  s->base.writes_blocking = s->output.kind == UVR_STDIO_BLOCKING;
  s->base.ends_when_lost = s->output.kind != UVR_STDIO_SOCKET;
  return 0;
}
