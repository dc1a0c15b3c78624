/* A named pipe as a stream, the client's end or the server's: reading, writing, half-close and closing.
 *
 * Happy path: reads and writes are overlapped and complete through the loop's port. A message-type pipe is read in
 * message mode, as a zero-byte message can be seen only there. That message is the end of input; to send it is the work
 * of the end-of-input job. A byte-type pipe has no end of input other than its closing. An idle pipe has a small buffer
 * for its pending read, a busy one has large ones. Results that are available at once are handled at once, but only a
 * bounded number of them before the loop handles other things.
 *
 * A pipe may have one direction only, as its server has made it. One that is only read is read as ever, and a write
 * fails. One that is only written to cannot be read to notice that the reader has gone, so a timer asks for it.
 *
 * Ways to fail: the codes 109 and 233, and on writing 232, mean that the peer has closed the pipe in an orderly way;
 * every other code is an error. After the end of input a watch keeps a read pending that fails when the pipe goes away;
 * a peer that sends more by then breaks the rules. Closing cancels what is pending and waits for its packets. */
#include "stream/npipe_win.h"

#include <string.h>

#include "base/file_query_win.h"
#include "stream/blocking_op_win.h"
#include "stream/eof_job_win.h"
#include "stream/iocp_op_win.h"
#include "stream/npipe_open_win.h"

enum { AT_ONCE_MAX = 16 }; /* results handled at once before the loop handles other things */

typedef struct npipe {
  uvr_stream base;
  HANDLE file;
  bool message; /* message mode */
  uvr_iocp_op read_op;
  uvr_iocp_op write_op;
  uvr_blocking_op blocking_read;
  uvr_blocking_op blocking_write;
  uvr_eof_job eof_job;
  uv_timer_t eof_timer; /* hurries or cancels eof_job */
  uv_timer_t look;      /* where the pipe is only written to: looks whether it is gone */
  uvr_buffer *incoming;
  size_t read_most; /* bytes that it may be filled with */
  size_t read_size;
  const char *outgoing;
  size_t outgoing_length;
  size_t written;
  unsigned at_once; /* results handled at once since one was left to the loop */
  bool watching;    /* the pending read is for uvr_stream_watch */
  bool cancelled;   /* the pending read is not to be followed by another */
  bool closing;
  uvr_closing handles; /* of libuv, that are being closed */
  char name[];
} npipe;

static void issue_read(npipe *np, bool defer);
static void issue_write(npipe *np);
static void maybe_close(npipe *np);

static bool is_gone(DWORD error)
{
  return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_NO_DATA;
}

static uvr_outcome describe(npipe *np, uvrelay_phase_t phase, DWORD error, uvrelay_error_t *out)
{
  static const char *const verbs[] = {[UVRELAY_PHASE_READ] = "reading from",
                                      [UVRELAY_PHASE_WRITE] = "writing to",
                                      [UVRELAY_PHASE_SHUTDOWN] = "ending the output to"};
  int code = uv_translate_sys_error((int)error);
  if (is_gone(error)) {
    code = phase == UVRELAY_PHASE_READ ? UV_EOF : UV_EPIPE; /* whichever of the three it is */
    (void)uvr_error_set_system(out, phase, code, error, "%s is gone", np->base.name);
    return UVR_GONE;
  }
  const char *how = error == ERROR_OPERATION_ABORTED ? "was cancelled" : "failed";
  (void)uvr_error_set_system(out, phase, code, error, "%s %s %s", verbs[phase], np->base.name, how);
  return UVR_FAILED;
}

/* Reading. */

static void report_watch(npipe *np, DWORD error, DWORD bytes)
{
  uvrelay_error_t report;
  uvr_outcome outcome = UVR_FAILED;
  if (bytes > 0) {
    (void)uvr_error_set(&report, UVRELAY_PHASE_READ, UV_EPROTO,
                        "%s sent more data after the zero-byte message that ended its output", np->base.name);
  } else {
    outcome = describe(np, UVRELAY_PHASE_READ, error, &report);
  }
  np->watching = false;
  np->base.on_lost(np->base.lost_user, outcome, &report);
}

static void report_read(npipe *np, DWORD error, DWORD bytes, uvr_buffer *buffer)
{
  if (bytes > 0) {
    buffer->length = bytes;
    buffer->end_of_message = np->message && error == 0;
    np->read_size = bytes == np->read_most      ? UVR_BUFFER_LARGE
                    : bytes <= UVR_BUFFER_SMALL ? UVR_BUFFER_SMALL
                                                : np->read_size;
    np->base.on_read(np->base.read_user, UVR_DONE, buffer, NULL);
    return;
  }
  uvr_buffer_put(&np->base.context->buffers, buffer);
  if (error == 0) {
    np->base.on_read(np->base.read_user, UVR_END_OF_INPUT, NULL, NULL);
    return;
  }
  uvrelay_error_t report;
  uvr_outcome outcome = describe(np, UVRELAY_PHASE_READ, error, &report);
  np->base.on_read(np->base.read_user, outcome, NULL, &report);
}

static void on_read(uvr_iocp_op *op, DWORD error, DWORD bytes)
{
  npipe *np = op->user;
  uvr_buffer *buffer = np->incoming;
  np->incoming = NULL;
  /* A second end of input, or an empty write to a byte-type pipe: neither means anything. */
  bool nothing = error == 0 && bytes == 0 && (np->watching || !np->message);
  bool data = (error == 0 && bytes > 0) || error == ERROR_MORE_DATA;
  if (nothing && np->cancelled) {
    nothing = false;
    error = ERROR_OPERATION_ABORTED;
  }
  np->cancelled = false;
  if (np->closing) {
    uvr_buffer_put(&np->base.context->buffers, buffer);
    maybe_close(np);
  } else if (nothing) {
    uvr_buffer_put(&np->base.context->buffers, buffer);
    issue_read(np, true);
  } else if (np->watching) {
    uvr_buffer_put(&np->base.context->buffers, buffer);
    report_watch(np, error, data ? bytes : 0);
  } else {
    report_read(np, error, data ? bytes : 0, buffer);
  }
}

/* Whether the next result, if it is available at once, must wait for the loop nevertheless. */
static bool must_defer(npipe *np)
{
  if (++np->at_once < AT_ONCE_MAX) {
    return false;
  }
  np->at_once = 0;
  return true;
}

static void issue_read(npipe *np, bool defer)
{
  char *at = NULL;
  np->incoming = np->read_size == UVR_BUFFER_LARGE ? uvr_stream_get_buffer(&np->base, &at, &np->read_most)
                                                   : uvr_buffer_get(&np->base.context->buffers, np->read_size);
  if (at == NULL && np->incoming != NULL) {
    at = np->incoming->data;
    np->read_most = np->incoming->capacity;
  }
  OVERLAPPED *overlapped = uvr_iocp_op_begin(&np->read_op);
  BOOL ok = FALSE;
  if (np->incoming == NULL) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
  } else {
    ok = ReadFile(np->file, at, (DWORD)np->read_most, NULL, overlapped);
  }
  uvr_iocp_op_issued(&np->read_op, ok, defer);
}

static void npipe_read(uvr_stream *stream)
{
  npipe *np = (npipe *)stream;
  issue_read(np, must_defer(np));
}

static void npipe_watch(uvr_stream *stream)
{
  npipe *np = (npipe *)stream;
  np->watching = true;
  np->read_size = UVR_BUFFER_SMALL;
  issue_read(np, true);
}

/* Directions that the pipe does not have. */

static void refuse(npipe *np, uvrelay_phase_t phase, uvrelay_error_t *error)
{
  bool reading = phase == UVRELAY_PHASE_READ;
  (void)uvr_error_set(error, phase, UV_EPERM, "cannot %s %s: it is a one-way pipe that only its server %s",
                      reading ? "read from" : "write to", np->base.name, reading ? "reads from" : "writes to");
}

static void refuse_read(uvr_stream *stream)
{
  uvrelay_error_t error;
  refuse((npipe *)stream, UVRELAY_PHASE_READ, &error);
  stream->on_read(stream->read_user, UVR_FAILED, NULL, &error);
}

static void refuse_write(uvr_stream *stream, const char *data, size_t length)
{
  uvrelay_error_t error;
  (void)data;
  (void)length;
  refuse((npipe *)stream, UVRELAY_PHASE_WRITE, &error);
  stream->on_write(stream->write_user, UVR_FAILED, &error);
}

static void on_look(uv_timer_t *timer)
{
  npipe *np = timer->data;
  if (uvr_pipe_is_over(np->file)) {
    uvrelay_error_t error;
    (void)uv_timer_stop(timer);
    (void)uvr_error_set(&error, UVRELAY_PHASE_WRITE, UV_EPIPE, "%s is gone", np->base.name);
    np->base.on_lost(np->base.lost_user, UVR_GONE, &error);
  }
}

static bool npipe_is_lost(uvr_stream *stream)
{
  return uvr_pipe_is_over(((npipe *)stream)->file);
}

static void look_from_time_to_time(uvr_stream *stream)
{
  npipe *np = (npipe *)stream;
  (void)uv_timer_start(&np->look, on_look, 1, stream->context->patience.watch_ms);
}

/* Data that has arrived, or arrives nevertheless, is delivered as usual: the system removes bytes from the pipe only
 * for a read that succeeds. */
static void npipe_cancel_read(uvr_stream *stream)
{
  npipe *np = (npipe *)stream;
  np->cancelled = np->read_op.pending;
  uvr_iocp_op_cancel(&np->read_op);
}

/* Writing. */

static void on_write(uvr_iocp_op *op, DWORD error, DWORD bytes)
{
  npipe *np = op->user;
  if (np->closing) {
    maybe_close(np);
    return;
  }
  if (error == 0) {
    np->written += bytes;
    if (np->written < np->outgoing_length) {
      issue_write(np);
    } else {
      np->base.on_write(np->base.write_user, UVR_DONE, NULL);
    }
    return;
  }
  uvrelay_error_t report;
  uvr_outcome outcome = describe(np, UVRELAY_PHASE_WRITE, error, &report);
  np->base.on_write(np->base.write_user, outcome, &report);
}

static void issue_write(npipe *np)
{
  bool defer = must_defer(np);
  const char *data = np->outgoing + np->written;
  DWORD length = (DWORD)(np->outgoing_length - np->written);
  OVERLAPPED *overlapped = uvr_iocp_op_begin(&np->write_op);
  BOOL ok = WriteFile(np->file, data, length, NULL, overlapped);
  uvr_iocp_op_issued(&np->write_op, ok, defer);
}

static void npipe_write(uvr_stream *stream, const char *data, size_t length)
{
  npipe *np = (npipe *)stream;
  np->outgoing = data;
  np->outgoing_length = length;
  np->written = 0;
  issue_write(np);
}

/* Blocking calls. */

static uvr_outcome blocking_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error)
{
  npipe *np = (npipe *)stream;
  DWORD code = 0;
  DWORD bytes = 0;
  do {
    code = uvr_blocking_op_read(&np->blocking_read, buffer->data, (DWORD)buffer->capacity, &bytes);
  } while (code == 0 && bytes == 0 && !np->message); /* an empty write to a byte-type pipe means nothing */
  if (code != 0 && code != ERROR_MORE_DATA) {
    return describe(np, UVRELAY_PHASE_READ, code, error);
  }
  buffer->length = bytes;
  buffer->end_of_message = np->message && code == 0;
  return bytes > 0 ? UVR_DONE : UVR_END_OF_INPUT;
}

static uvr_outcome blocking_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error)
{
  npipe *np = (npipe *)stream;
  size_t written = 0;
  while (written < length) {
    DWORD bytes = 0;
    DWORD code = uvr_blocking_op_write(&np->blocking_write, data + written, (DWORD)(length - written), &bytes);
    if (code != 0) {
      return describe(np, UVRELAY_PHASE_WRITE, code, error);
    }
    written += bytes;
  }
  return UVR_DONE;
}

static void stop_blocking_read(uvr_stream *stream)
{
  uvr_blocking_op_stop(&((npipe *)stream)->blocking_read);
}

static void stop_blocking_write(uvr_stream *stream)
{
  uvr_blocking_op_stop(&((npipe *)stream)->blocking_write);
}

static const uvr_blocking_ops blocking = {
    .read = blocking_read, .write = blocking_write, .stop_read = stop_blocking_read, .stop_write = stop_blocking_write};

/* Half-close. */

static void on_eof_job(uvr_eof_job *job, DWORD error)
{
  npipe *np = job->user;
  (void)uv_timer_stop(&np->eof_timer);
  if (np->closing) {
    maybe_close(np);
  } else if (error == 0) {
    np->base.on_shutdown(np->base.shutdown_user, UVR_DONE, NULL);
  } else {
    uvrelay_error_t report;
    uvr_outcome outcome = describe(np, UVRELAY_PHASE_SHUTDOWN, error, &report);
    np->base.on_shutdown(np->base.shutdown_user, outcome, &report);
  }
}

static void on_eof_timer(uv_timer_t *timer)
{
  npipe *np = timer->data;
  if (np->closing) {
    uvr_eof_job_cancel(&np->eof_job);
  } else if (!uvr_eof_job_hurry(&np->eof_job)) {
    (void)uv_timer_stop(timer);
  }
}

static void npipe_shutdown(uvr_stream *stream)
{
  npipe *np = (npipe *)stream;
  DWORD error = uvr_eof_job_start(&np->eof_job);
  if (error == 0) {
    (void)uv_timer_start(&np->eof_timer, on_eof_timer, np->base.context->patience.flush_ms,
                         np->base.context->patience.thread_retry_ms);
  } else {
    on_eof_job(&np->eof_job, error);
  }
}

/* Closing. */

static void on_handles_closed(void *user)
{
  npipe *np = user;
  uvr_context *context = np->base.context;
  uvr_close_cb on_close = np->base.on_close;
  void *close_user = np->base.close_user;
  uvr_free(&context->memory, np);
  on_close(close_user);
}

static void on_op_closed(uv_handle_t *handle)
{
  uvr_iocp_op *op = handle->data;
  uvr_closing_done(&((npipe *)op->user)->handles);
}

static void on_job_closed(uv_handle_t *handle)
{
  uvr_eof_job *job = handle->data;
  uvr_closing_done(&((npipe *)job->user)->handles);
}

static void maybe_close(npipe *np)
{
  if (np->read_op.pending || np->write_op.pending || np->eof_job.running) {
    return;
  }
  (void)CloseHandle(np->file);
  uvr_blocking_op_clear(&np->blocking_read);
  uvr_blocking_op_clear(&np->blocking_write);
  uvr_closing_begin(&np->handles, on_handles_closed, np);
  (void)uvr_closing_add(&np->handles);
  uvr_iocp_op_close(&np->read_op, on_op_closed);
  (void)uvr_closing_add(&np->handles);
  uvr_iocp_op_close(&np->write_op, on_op_closed);
  (void)uvr_closing_add(&np->handles);
  uvr_eof_job_close(&np->eof_job, on_job_closed);
  uvr_closing_handle(&np->handles, (uv_handle_t *)&np->eof_timer);
  if (uvr_stream_never_sends(&np->base)) {
    uvr_closing_handle(&np->handles, (uv_handle_t *)&np->look);
  }
  uvr_closing_end(&np->handles);
}

static void npipe_close(uvr_stream *stream, uvr_close_how how)
{
  npipe *np = (npipe *)stream;
  (void)how;
  np->closing = true;
  if (uvr_stream_never_sends(stream)) {
    (void)uv_timer_stop(&np->look);
  }
  uvr_iocp_op_cancel(&np->read_op);
  uvr_iocp_op_cancel(&np->write_op);
  if (np->eof_job.running) {
    uvr_eof_job_cancel(&np->eof_job);
    (void)uv_timer_start(&np->eof_timer, on_eof_timer, np->base.context->patience.thread_retry_ms,
                         np->base.context->patience.thread_retry_ms);
  }
  maybe_close(np);
}

/* Making. */

static const uvr_npipe_ops all_ops[] = {
    [UVR_NPIPE_BOTH_WAYS] = {.stream = {.read = npipe_read,
                                        .write = npipe_write,
                                        .shutdown = npipe_shutdown,
                                        .watch = npipe_watch,
                                        .close = npipe_close,
                                        .is_lost = npipe_is_lost,
                                        .can_mark_end = true},
                             .cancel_read = npipe_cancel_read},
    [UVR_NPIPE_FOR_READING] = {.stream = {.read = npipe_read,
                                          .write = refuse_write,
                                          .watch = npipe_watch,
                                          .close = npipe_close,
                                          .is_lost = npipe_is_lost,
                                          .never_takes = true},
                               .cancel_read = npipe_cancel_read},
    [UVR_NPIPE_FOR_WRITING] = {.stream = {.read = refuse_read,
                                          .write = npipe_write,
                                          .shutdown = npipe_shutdown,
                                          .watch = look_from_time_to_time,
                                          .close = npipe_close,
                                          .is_lost = npipe_is_lost,
                                          .watches_any_time = true,
                                          .can_mark_end = true,
                                          .never_sends = true},
                               .cancel_read = npipe_cancel_read},
};

static uvr_npipe_use use_of(HANDLE file)
{
  uvr_pipe_ways ways = uvr_pipe_ways_of(file);
  DWORD rights = uvr_file_rights(file, FILE_READ_DATA | FILE_WRITE_DATA);
  if (!ways.out || (rights & FILE_WRITE_DATA) == 0) {
    return UVR_NPIPE_FOR_READING;
  }
  return !ways.in || (rights & FILE_READ_DATA) == 0 ? UVR_NPIPE_FOR_WRITING : UVR_NPIPE_BOTH_WAYS;
}

/* Switches a message-type pipe to message mode and returns whether it is in that mode. A server may deny us the right
 * to write the pipe's attributes; then the pipe is used in byte mode, where a zero-byte message cannot be seen. What is
 * written is a message in any mode. */
static bool set_message_mode(HANDLE file, uvr_npipe_use use)
{
  DWORD flags = 0;
  DWORD mode = PIPE_READMODE_MESSAGE;
  return GetNamedPipeInfo(file, &flags, NULL, NULL, NULL) && (flags & PIPE_TYPE_MESSAGE) != 0 &&
         (use == UVR_NPIPE_FOR_WRITING || SetNamedPipeHandleState(file, &mode, NULL, NULL));
}

static void init_handles(npipe *np)
{
  uv_loop_t *loop = np->base.context->loop;
  bool skips_port = SetFileCompletionNotificationModes(np->file, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS);
  uvr_iocp_op_init(&np->read_op, loop, np->file, skips_port, on_read, np);
  uvr_iocp_op_init(&np->write_op, loop, np->file, skips_port, on_write, np);
  uvr_eof_job_init(&np->eof_job, loop, np->file, np->base.context->events, on_eof_job, np);
  (void)uv_timer_init(loop, &np->eof_timer);
  np->eof_timer.data = np;
  if (uvr_stream_never_sends(&np->base)) {
    (void)uv_timer_init(loop, &np->look);
    np->look.data = np;
  }
}

uvr_stream *uvr_npipe_stream_of(uvr_context *context, HANDLE file, uvr_npipe_use use, bool message, const char *name)
{
  size_t length = strlen(name) + 1;
  npipe *np = uvr_alloc(&context->memory, sizeof(*np) + length);
  if (np == NULL) {
    return NULL;
  }
  memcpy(np->name, name, length);
  np->base.ops = &all_ops[use].stream;
  np->base.blocking = &blocking;
  np->base.reads_blocking = use != UVR_NPIPE_FOR_WRITING;
  np->base.writes_blocking = use != UVR_NPIPE_FOR_READING;
  np->base.context = context;
  np->base.name = np->name;
  np->base.can_half_close = message && use != UVR_NPIPE_FOR_READING;
  np->base.keeps_messages = message;
  np->file = file;
  np->message = message;
  np->read_size = UVR_BUFFER_SMALL;
  uvr_blocking_op_init(&np->blocking_read, file, context->events);
  uvr_blocking_op_init(&np->blocking_write, file, context->events);
  init_handles(np);
  return &np->base;
}

int uvr_npipe_stream(uvr_context *context, uv_os_fd_t file, const char *name, uvr_stream **out, uvrelay_error_t *error)
{
  int code = uvr_iocp_op_attach(context->loop, file);
  uvr_npipe_use use = use_of(file);
  uvr_stream *stream = code == 0 ? uvr_npipe_stream_of(context, file, use, set_message_mode(file, use), name) : NULL;
  if (stream == NULL) {
    uvr_npipe_discard(file);
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code != 0 ? code : UV_ENOMEM, 0,
                                "cannot use %s on the loop", name);
  }
  *out = stream;
  return 0;
}

int uvr_npipe_peer_pid(const uvr_stream *stream, uint32_t *pid)
{
  const npipe *np = (const npipe *)stream;
  DWORD flags = 0;
  ULONG id = 0;
  if (!GetNamedPipeInfo(np->file, &flags, NULL, NULL, NULL) ||
      !((flags & PIPE_SERVER_END) != 0 ? GetNamedPipeClientProcessId(np->file, &id)
                                       : GetNamedPipeServerProcessId(np->file, &id))) {
    return uv_translate_sys_error((int)GetLastError());
  }
  *pid = id;
  return 0;
}
