/* libuv's streams as ours.
 *
 * Reading: see uv_input.c.
 * Writing: what the system accepts at once is written at once; the rest waits in one uv_write_t.
 * A buffer with a pipe is spliced: see base/buffer.h.
 * Closing: at once; or gently, where the peer must get what was written although it still sends itself; or, on TCP, by
 * a reset that shows that what was written is incomplete, gently or not. A write that is under way when the stream is
 * closed is never completed, so that closing an armed one is a reset, too.
 * Dying: the system would end a TCP connection of ours in order, as if all had been written. An armed socket is reset
 * instead (SO_LINGER with no time). As such a reset throws away what the system has not sent yet, and some systems also
 * what the peer has not read yet, the socket is disarmed as soon as what was written is complete: before the half-close
 * and before each close that is not a reset. That the other direction may then be incomplete shows at its own reader;
 * and the system answers what the peer still sends by a reset.
 *
 * Ways to fail: writing to a peer that has left gives UV_EPIPE or the like, which is UVR_GONE; every other code is an
 * error. */
#include "stream/uv.h"

#include <string.h>

#include "base/list.h"
#include "base/os.h"
#include "stream/hangup.h"
#include "stream/pipe_room.h"
#include "stream/uv_input.h"
#include "stream/writable.h"

enum {
  WATCH_AFTER_MS = 50,
  KEEPALIVE_S = 60,
  SEGMENT = 512,                 /* bytes: every path takes so many in one */
  DISCARD_MOST = 4 * 1024 * 1024 /* bytes of input, while a peer receives the last bytes */
};

typedef struct stream_uv {
  uvr_stream base;
  uv_stream_t *handle; /* own.stream, or its former owner's */
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } own;
  void *former_data; /* of a handle that is not our own */
  uv_close_cb former_close;
  uv_write_t *request; /* for what the system does not accept at once; NULL until there was such a write */
  uvr_alarm alarm;     /* for watching, then for closing gently */
  uvr_hangup hangup;   /* for watching, where the system reports that the peer leaves */
  uvr_uv_input input;
  uvr_writable *writable; /* NULL until it was awaited */
  bool output_ended;      /* by a half-close */
  uvr_pipe_room room;     /* of the pipe that is written to */
  uvr_buffer *spliced;    /* is being written, out of its pipe; its owner's */
  bool closing;
  bool gentle;
  bool stopped; /* what has watched it */
  bool resets;  /* closing resets the connection */
  bool used;    /* bytes were written to it */
  bool delays;  /* writes of less than a segment while earlier ones are not acknowledged (Nagle) */
  bool passed;  /* the socket is others', too: it is never armed nor reset */
  bool armed;
  struct linger unarmed; /* how the socket was before */
  bool writing;          /* the request is under way */
  uint64_t patience;     /* until when a gentle close may last: loop time, ms */
  size_t discarded;      /* bytes of input, while it is closed gently */
  char name[];
} stream_uv;

/* The outcome of a write or a shutdown. */
static uvr_outcome outcome_of(int code)
{
  bool gone = code == UV_EPIPE || code == UV_EOF || code == UV_ENOTCONN || code == UV_ECONNRESET ||
              code == UV_ECONNABORTED; /* which of them it is depends on timing */
  return gone ? UVR_GONE : UVR_FAILED;
}

static void stream_read(uvr_stream *stream)
{
  uvr_uv_input_read(&((stream_uv *)stream)->input);
}

static void finish_write(stream_uv *s, int code)
{
  if (code == 0) {
    s->base.on_write(s->base.write_user, UVR_DONE, NULL);
    return;
  }
  s->input.was_reset = s->input.was_reset || code == UV_ECONNRESET;
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_WRITE, code, 0, "writing to %s failed: %s", s->base.name,
                             uv_strerror(code));
  s->base.on_write(s->base.write_user, outcome_of(code), &error);
}

static void on_write(uv_write_t *request, int code)
{
  stream_uv *s = request->data;
  s->writing = false;
  if (!s->closing) {
    finish_write(s, code);
  }
}

/* A first write of one segment is never delayed, and many connections have no second one. */
static void begin_to_write(stream_uv *s, size_t length)
{
  if (s->delays && (s->used || length > SEGMENT)) {
    s->delays = false;
    (void)uv_tcp_nodelay(&s->own.tcp, 1);
  }
  s->used = true;
}

static void stream_write(uvr_stream *stream, const char *data, size_t length)
{
  stream_uv *s = (stream_uv *)stream;
  uv_buf_t buf = uv_buf_init((char *)data, (unsigned)length);
  begin_to_write(s, length);
  if (s->room.wide && !stream->wide) {
    uvr_pipe_room_set(&s->room, s->handle, false);
  }
  int code = uv_try_write(s->handle, &buf, 1);
  if (code == UV_EAGAIN || code == UV_ENOSYS) {
    code = 0;
  }
  if (code < 0 || (size_t)code == length) {
    finish_write(s, code < 0 ? code : 0);
    return;
  }
  buf.base += code;
  buf.len -= (unsigned)code;
  if (s->request == NULL) {
    s->request = uvr_alloc(&stream->context->memory, sizeof(*s->request));
  }
  code = UV_ENOMEM;
  if (s->request != NULL) {
    s->request->data = s;
    s->writing = true;
    code = uv_write(s->request, s->handle, &buf, 1, on_write);
  }
  if (code != 0) {
    s->writing = false;
    finish_write(s, code);
  }
}

static void on_spliced(void *user, int code)
{
  stream_uv *s = user;
  s->writing = false;
  s->spliced = NULL;
  if (!s->closing) {
    finish_write(s, code);
  }
}

static void stream_write_piped(uvr_stream *stream, uvr_buffer *buffer, size_t length)
{
  stream_uv *s = (stream_uv *)stream;
  begin_to_write(s, length);
  uvr_pipe_room_set(&s->room, s->handle, stream->wide);
  int code = uvr_splice_write(buffer, length, s->handle, on_spliced, s);
  s->base.can_splice = s->base.can_splice && !uvr_splice_is_refused(buffer);
  s->writing = code == UV_EAGAIN;
  if (s->writing) {
    s->spliced = buffer;
  } else {
    finish_write(s, code);
  }
}

static void on_writable(void *user)
{
  stream_uv *s = user;
  if (!s->closing) {
    s->base.on_write(s->base.write_user, UVR_DONE, NULL);
  }
}

static bool stream_await_writable(uvr_stream *stream)
{
  stream_uv *s = (stream_uv *)stream;
  return uvr_writable_await(&s->writable, stream->context, s->handle, on_writable, s);
}

/* The end of this process. */

static void stream_arm(uvr_stream *stream)
{
  static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  stream_uv *s = (stream_uv *)stream;
  bool own = s->handle == &s->own.stream; /* then nothing has been set */
  if (s->handle->type == UV_TCP && !s->armed && !s->passed && (own || uvr_os_get_linger(s->handle, &s->unarmed))) {
    s->armed = uvr_os_set_linger(s->handle, &reset);
  }
}

static void disarm(stream_uv *s)
{
  if (s->armed) {
    s->armed = false;
    (void)uvr_os_set_linger(s->handle, &s->unarmed);
  }
}

/* Half-closing. */

static void finish_shutdown(stream_uv *s, int code)
{
  if (code == 0) {
    s->base.on_shutdown(s->base.shutdown_user, UVR_DONE, NULL);
    return;
  }
  uvrelay_error_t error;
  (void)uvr_error_set_system(&error, UVRELAY_PHASE_SHUTDOWN, code, 0, "ending the output to %s failed: %s",
                             s->base.name, uv_strerror(code));
  s->base.on_shutdown(s->base.shutdown_user, outcome_of(code), &error);
}

static void stream_shutdown(uvr_stream *stream)
{
  stream_uv *s = (stream_uv *)stream;
  disarm(s);
  s->output_ended = true;
  finish_shutdown(s, uvr_os_shutdown(s->handle)); /* uv_shutdown would take another turn of the loop */
}

static void on_close(uv_handle_t *handle)
{
  uvr_uv_input *input = handle->data;
  stream_uv *s = (stream_uv *)input->stream;
  uvr_context *context = s->base.context;
  uvr_close_cb on_closed = s->base.on_close;
  void *user = s->base.close_user;
  uv_close_cb former_close = s->former_close;
  handle->data = s->former_data;
  uvr_buffer_put(&context->buffers, input->incoming);
  uvr_free(&context->memory, s->request);
  uvr_free(&context->memory, s);
  if (former_close != NULL) {
    former_close(handle);
  }
  on_closed(user);
}

static void close_handle(stream_uv *s)
{
  if (!s->resets || uv_tcp_close_reset((uv_tcp_t *)s->handle, on_close) != 0) {
    uv_close((uv_handle_t *)s->handle, on_close);
  }
}

static void on_writable_closed(void *user)
{
  close_handle(user);
}

static void on_watch_stopped(void *user)
{
  stream_uv *s = user;
  uvr_writable_close(s->writable, on_writable_closed, s);
}

/* May be called more than once. */
static void close_now(stream_uv *s)
{
  uvr_uv_input_stop(&s->input);
  uvr_alarm_clear(s->base.context->clock, &s->alarm);
  if (!s->stopped) {
    s->stopped = true;
    uvr_hangup_stop(&s->hangup, on_watch_stopped, s);
  }
}

static stream_uv *of_alarm(uvr_alarm *alarm)
{
  return UVR_LISTED(alarm, stream_uv, alarm);
}

static void set_alarm(stream_uv *s, uint64_t ms, uvr_alarm_cb ring)
{
  uvr_alarm_set(s->base.context->clock, &s->alarm, ms, ring);
}

/* Watching. libuv no longer watches a handle after its end of input. Most peers have left by then, or soon are closed
 * by ourselves, so the watching begins after a while; and some kinds of peers leave without a sign, so that an alarm
 * has to look at them. */

static bool stream_is_lost(uvr_stream *stream)
{
  const stream_uv *s = (const stream_uv *)stream;
  return uvr_os_is_hung_up(s->handle, s->output_ended) == 1;
}

static uvr_input_state stream_input_state(uvr_stream *stream)
{
  return uvr_os_input_is_over(((stream_uv *)stream)->handle) ? UVR_INPUT_OVER : UVR_INPUT_OPEN;
}

static size_t stream_unwritten(uvr_stream *stream)
{
  const stream_uv *s = (const stream_uv *)stream;
  return uv_stream_get_write_queue_size(s->handle) + (s->spliced != NULL ? uvr_splice_left(s->spliced) : 0);
}

static void on_hangup(void *user)
{
  stream_uv *s = user;
  uvrelay_error_t error;
  (void)uvr_error_say(&error, UVRELAY_PHASE_READ, UV_EPIPE, s->base.name, " is gone");
  s->base.on_lost(s->base.lost_user, UVR_GONE, &error);
}

static void on_watch(uvr_alarm *alarm)
{
  stream_uv *s = of_alarm(alarm);
  uvr_context *context = s->base.context;
  if (stream_is_lost(&s->base)) {
    on_hangup(s);
  } else if (s->hangup.shared != NULL ||
             !uvr_hangup_start(&s->hangup, context, uvr_hangup_fd(s->handle), on_hangup, s)) {
    set_alarm(s, context->patience.watch_ms, on_watch);
  }
}

static void stream_watch(uvr_stream *stream)
{
  stream_uv *s = (stream_uv *)stream;
  bool is_tcp =
      s->handle->type == UV_TCP; /* to look at it takes six calls on Unix, and hardly ever shows more at once */
  int lost = is_tcp ? 0 : uvr_os_is_hung_up(s->handle, s->output_ended);
  if (lost == 1) {
    on_hangup(s);
  } else if (lost == 0) {
    set_alarm(s, WATCH_AFTER_MS, on_watch);
  }
}

/* Closing gently. */

static void on_patience(uvr_alarm *alarm)
{
  close_now(of_alarm(alarm));
}

/* A peer that goes on sending would keep a core busy. After a while, it is left waiting until the time is up. */
static void on_discarded(uvr_stream *stream, size_t bytes)
{
  stream_uv *s = (stream_uv *)stream;
  s->discarded += bytes;
  if (bytes == 0) {
    close_now(s);
  } else if (s->discarded > DISCARD_MOST) {
    uvr_uv_input_stop(&s->input);
  }
}

/* Closing a TCP socket that holds input resets the connection, and what the peer has not yet received is lost. So a FIN
 * is sent, and what still arrives is discarded, until the peer ends too or the time is up. */
static bool close_gently(stream_uv *s)
{
  if (s->handle->type != UV_TCP || !uvr_uv_input_discard(&s->input, on_discarded)) {
    return false;
  }
  if (!s->writing && !s->output_ended) {
    (void)uvr_os_shutdown(s->handle);
  }
  set_alarm(s, s->base.context->patience.close_ms, on_patience);
  return true;
}

/* A reset discards what the system has not sent yet, so it waits for that and for a write that is under way, or until
 * the time is up. */
static void look_for_unsent(uvr_alarm *alarm)
{
  stream_uv *s = of_alarm(alarm);
  const uvr_context *context = s->base.context;
  if ((!s->writing && uvr_os_unsent(s->handle) <= 0) || uv_now(context->loop) >= s->patience) {
    close_now(s);
  } else {
    set_alarm(s, context->patience.unsent_look_ms, look_for_unsent);
  }
}

static bool reset_gently(stream_uv *s)
{
  uvr_uv_input_stop(&s->input);
  s->patience = uv_now(s->base.context->loop) + s->base.context->patience.close_ms;
  set_alarm(s, 0, look_for_unsent);
  return true;
}

static void stream_close(uvr_stream *stream, uvr_close_how how)
{
  stream_uv *s = (stream_uv *)stream;
  s->closing = true;
  uvr_hangup_mute(&s->hangup);
  bool incomplete = (s->armed && s->writing) || (uvr_close_is_cut(how) && (s->used || s->input.used));
  s->resets = incomplete && !s->passed && s->handle->type == UV_TCP && !s->input.failed && !s->output_ended;
  if (!s->resets) {
    disarm(s);
  }
  s->gentle = uvr_close_is_gentle(how) && (s->resets ? reset_gently(s) : close_gently(s));
  if (!s->gentle) {
    close_now(s);
  }
}

static void stream_hurry(uvr_stream *stream)
{
  stream_uv *s = (stream_uv *)stream;
  if (s->gentle) {
    close_now(s);
  }
}

static bool stream_has_delivered(uvr_stream *stream)
{
  const stream_uv *s = (const stream_uv *)stream;
  return !s->gentle || (!s->writing && uvr_os_unsent(s->handle) == 0);
}

static const uvr_stream_ops ops = {.read = stream_read,
                                   .write = stream_write,
                                   .write_piped = stream_write_piped,
                                   .await_writable = stream_await_writable,
                                   .shutdown = stream_shutdown,
                                   .watch = stream_watch,
                                   .arm = stream_arm,
                                   .close = stream_close,
                                   .hurry = stream_hurry,
                                   .has_delivered = stream_has_delivered,
                                   .is_lost = stream_is_lost,
                                   .input_state = stream_input_state,
                                   .unwritten = stream_unwritten};

static stream_uv *make(uvr_context *context, const char *name)
{
  size_t length = strlen(name) + 1;
  stream_uv *s = uvr_alloc(&context->memory, sizeof(*s) + length);
  if (s != NULL) {
    memcpy(s->name, name, length);
    s->base.ops = &ops;
    s->base.context = context;
    s->base.name = s->name;
  }
  return s;
}

static int new_stream(uvr_context *context, uv_handle_type type, unsigned family, const char *name, uvr_stream **out)
{
  stream_uv *s = make(context, name);
  if (s == NULL) {
    return UV_ENOMEM;
  }
  int code = type == UV_TCP ? uv_tcp_init_ex(context->loop, &s->own.tcp, family)
                            : uv_pipe_init(context->loop, &s->own.pipe, 0);
  if (code != 0) {
    uvr_free(&context->memory, s);
    return code;
  }
  s->handle = &s->own.stream;
  uvr_uv_input_init(&s->input, &s->base, s->handle);
  s->base.can_half_close = true;
  s->base.closing_ends = true;
  s->base.can_splice = uvr_splice_works();
  s->base.is_tcp = type == UV_TCP;
  s->base.may_hide_leaving = type == UV_TCP;
  *out = &s->base;
  return 0;
}

int uvr_stream_uv_new(uvr_context *context, uv_handle_type type, const char *name, uvr_stream **out)
{
  return new_stream(context, type, AF_UNSPEC, name, out);
}

int uvr_stream_uv_new_tcp(uvr_context *context, unsigned family, const char *name, uvr_stream **out)
{
  return new_stream(context, UV_TCP, family, name, out);
}

int uvr_stream_uv_new_passed(uvr_context *context, uv_os_sock_t socket, const char *name, uvr_stream **out)
{
  int code = new_stream(context, UV_TCP, AF_UNSPEC, name, out);
  if (code != 0) {
    *out = NULL;
    return code;
  }
  ((stream_uv *)*out)->passed = true;
  (*out)->closing_ends = false; /* others may hold it open */
  return uv_tcp_open((uv_tcp_t *)uvr_stream_uv_handle(*out), socket);
}

static bool can_half_close(const uv_stream_t *handle)
{
  return handle->type == UV_TCP || (handle->type == UV_NAMED_PIPE && uvr_os_pipes_half_close());
}

int uvr_stream_uv_adopt(uvr_context *context, uv_stream_t *handle, uv_close_cb on_handle_closed, const char *name,
                        uvr_stream **out)
{
  stream_uv *s = make(context, name);
  if (s == NULL) {
    return UV_ENOMEM;
  }
  s->handle = handle;
  s->former_data = handle->data;
  s->former_close = on_handle_closed;
  uvr_uv_input_init(&s->input, &s->base, handle);
  s->base.can_half_close = can_half_close(handle);
  s->base.is_tcp = handle->type == UV_TCP;
  s->base.may_hide_leaving = s->base.is_tcp || !s->base.can_half_close;
  *out = &s->base;
  return 0;
}

void uvr_stream_uv_give_back(uvr_stream *stream)
{
  stream_uv *s = (stream_uv *)stream;
  s->handle->data = s->former_data;
  uvr_free(&stream->context->memory, s);
}

void uvr_stream_uv_tune_tcp(uv_tcp_t *tcp, bool keepalive)
{
  const uvr_uv_input *input = tcp->data;
  ((stream_uv *)input->stream)->delays = true;
  if (keepalive) {
    (void)uv_tcp_keepalive(tcp, 1, KEEPALIVE_S);
  }
}

void uvr_stream_uv_set_armed(uvr_stream *stream)
{
  ((stream_uv *)stream)->armed = true;
}

uv_stream_t *uvr_stream_uv_handle(uvr_stream *stream)
{
  return ((stream_uv *)stream)->handle;
}
