/* The other end of what a relay relays: see far_end.h. Each callback ends in step(), which does what can be done. */
#include "far_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PAUSE_MS = 1 };

static void step(far_end *f);

static uv_stream_t *out_of(far_end *f)
{
  return f->two ? &f->writer.stream : &f->reader.stream;
}

bool far_is_open(const far_end *f)
{
  return f->reader_open || f->writer_open;
}

static void close_timers(far_end *f)
{
  if (f->timers_open) {
    f->timers_open = false;
    uv_close((uv_handle_t *)&f->reply, NULL);
    uv_close((uv_handle_t *)&f->pause, NULL);
  }
}

static void close_writer(far_end *f)
{
  if (f->writer_open) {
    f->writer_open = false;
    uv_close(&f->writer.handle, NULL);
  }
}

void far_close(far_end *f)
{
  close_timers(f);
  close_writer(f);
  if (f->reader_open) {
    f->reader_open = false;
    uv_close(&f->reader.handle, NULL);
  }
}

static void reset(far_end *f)
{
  assert_int_equal(f->reader.handle.type, UV_TCP);
  close_timers(f);
  f->reader_open = false;
  assert_int_equal(uv_tcp_close_reset(&f->reader.tcp, NULL), 0);
}

static void lose(far_end *f)
{
  f->lost = true;
  far_close(f);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  far_end *f = handle->data;
  (void)suggested;
  *buf = uv_buf_init(f->incoming, FAR_CHUNK);
}

static void on_echoed(uv_write_t *request, int code);
static void on_pause_timer(uv_timer_t *timer);

static void take(far_end *f, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (f->incoming[i] != rig_byte(f->expected_seed, f->received + i)) {
      fail_msg("byte %u was changed on its way", (unsigned)(f->received + i));
    }
  }
  f->received += count;
  if (f->script->echoes) {
    (void)uv_read_stop(&f->reader.stream);
    uv_buf_t buf = uv_buf_init(f->incoming, (unsigned)count);
    f->writing = uv_write(&f->write, out_of(f), &buf, 1, on_echoed) == 0;
    f->sent += count;
  } else if (f->script->slow) {
    (void)uv_read_stop(&f->reader.stream);
    (void)uv_timer_start(&f->pause, on_pause_timer, PAUSE_MS, 0);
  }
}

static void on_reply_timer(uv_timer_t *timer)
{
  far_end *f = timer->data;
  f->late = true;
  step(f);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  far_end *f = stream->data;
  (void)buf;
  if (count > 0) {
    assert_false(f->ended);
    take(f, (size_t)count);
  } else if (count == UV_EOF) {
    f->ended = true;
    (void)uv_read_stop(stream);
    if (f->script->replies) {
      (void)uv_timer_start(&f->reply, on_reply_timer, FAR_REPLY_MS, 0);
    }
  } else if (count < 0) {
    lose(f);
  }
  step(f);
}

static void read_on(far_end *f)
{
  if (f->reader_open && !f->ended && !f->held) {
    assert_int_equal(uv_read_start(&f->reader.stream, on_alloc, on_read), 0);
  }
}

static void on_pause_timer(uv_timer_t *timer)
{
  read_on(timer->data);
}

void far_read_on(far_end *f)
{
  f->held = false;
  read_on(f);
}

/* Writing. */

static void on_written(uv_write_t *request, int code)
{
  far_end *f = request->data;
  f->writing = false;
  if (code != 0 && code != UV_ECANCELED) {
    lose(f);
  }
  step(f);
}

static void on_echoed(uv_write_t *request, int code)
{
  far_end *f = request->data;
  on_written(request, code);
  read_on(f);
}

static void write_next(far_end *f)
{
  uint64_t left = f->script->sends - f->sent;
  size_t length = left < FAR_CHUNK ? (size_t)left : FAR_CHUNK;
  for (size_t i = 0; i < length; i++) {
    f->outgoing[i] = rig_byte(f->seed, f->sent + i);
  }
  uv_buf_t buf = uv_buf_init(f->outgoing, (unsigned)length);
  if (uv_write(&f->write, out_of(f), &buf, 1, on_written) != 0) {
    lose(f);
    return;
  }
  f->writing = true;
  f->sent += length;
}

static void on_shut(uv_shutdown_t *request, int code)
{
  far_end *f = request->data;
  f->shut = true;
  (void)code; /* the other side may be gone */
  step(f);
}

static void end(far_end *f)
{
  if (f->two) {
    close_writer(f);
    f->shut = true;
  } else if (!f->half_closes) {
    far_close(f);
  } else if (uv_shutdown(&f->shutdown, out_of(f), on_shut) != 0) {
    lose(f);
  }
}

static void speak_last(far_end *f)
{
  f->spoken = true;
  if (f->script->echoes || f->script->then == FAR_ENDS) {
    end(f);
  } else if (f->script->then == FAR_HANGS_UP) {
    far_close(f);
  } else if (f->script->then == FAR_RESETS) {
    reset(f);
  }
}

static void step(far_end *f)
{
  const far_script *s = f->script;
  if (!far_is_open(f) || f->writing) {
    return;
  }
  bool may_send = f->received >= s->sends_at && (!s->replies || f->late);
  bool may_end = s->echoes ? f->ended : f->received >= s->then_at || f->ended;
  if (!s->echoes && f->sent < s->sends) {
    if (may_send) {
      write_next(f);
    } else if (f->ended && !s->replies) {
      far_close(f); /* what it waits for will not come */
    }
  } else if (!f->spoken && may_end) {
    speak_last(f);
  }
  if (f->shut && f->ended) {
    far_close(f);
  }
}

/* Making. */

void far_init(far_end *f, const far_script *script, unsigned seed, unsigned expected_seed)
{
  f->script = script;
  f->seed = seed;
  f->expected_seed = expected_seed;
  f->held = script->held;
  f->write.data = f;
  f->shutdown.data = f;
}

static void make_timers(far_end *f, uv_loop_t *loop)
{
  assert_int_equal(uv_timer_init(loop, &f->reply), 0);
  assert_int_equal(uv_timer_init(loop, &f->pause), 0);
  f->reply.data = f;
  f->pause.data = f;
  f->timers_open = true;
}

uv_stream_t *far_stream_new(far_end *f, uv_loop_t *loop, uv_handle_type type)
{
  int code = type == UV_TCP ? uv_tcp_init(loop, &f->reader.tcp) : uv_pipe_init(loop, &f->reader.pipe, 0);
  assert_int_equal(code, 0);
  f->reader.handle.data = f;
  f->reader_open = true;
#ifdef _WIN32
  f->half_closes = type == UV_TCP;
#else
  f->half_closes = true;
#endif
  make_timers(f, loop);
  return &f->reader.stream;
}

void far_open_pipes(far_end *f, uv_loop_t *loop, uv_file reader, uv_file writer)
{
  assert_int_equal(uv_pipe_init(loop, &f->reader.pipe, 0), 0);
  assert_int_equal(uv_pipe_open(&f->reader.pipe, reader), 0);
  assert_int_equal(uv_pipe_init(loop, &f->writer.pipe, 0), 0);
  assert_int_equal(uv_pipe_open(&f->writer.pipe, writer), 0);
  f->reader.handle.data = f;
  f->writer.handle.data = f;
  f->two = true;
  f->reader_open = true;
  f->writer_open = true;
  make_timers(f, loop);
}

void far_start(far_end *f)
{
  if (f->script->deaf) {
    f->reader_open = false;
    uv_close(&f->reader.handle, NULL);
  }
  read_on(f);
  step(f);
}
