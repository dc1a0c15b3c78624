/* The watch of a socket whose input has ended, as a stream (stream_uv.c): a peer that is gone is reported, once; one
 * that has only ended its output, and still reads, is not; and the stream can be closed at any time. Of TCP on both
 * systems, of Unix sockets where there are any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"
#include "stream/uv.h"

enum { LOOK_MS = 50, LOOKS_MS = 140 }; /* so long that it has looked more than once */

typedef union socket_handle {
  uv_handle_t handle;
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} socket_handle;

typedef struct watched {
  rig r;
  uvr_stream *stream;
  socket_handle peer; /* the other end */
  bool peer_open;
  uv_tcp_t listener;
  uv_connect_t connect;
  uv_shutdown_t ending;
  bool connected;
  bool accepted;
  size_t received; /* by the peer */
  bool received_any;
  bool told; /* of our end */
  char chunk[16];
  bool ended;
  unsigned lost;
  bool is_lost;
  bool calling;
  bool close_when_lost;
  bool closing;
  bool closed;
  bool wrote;
  bool shut;
} watched;

static const uv_handle_type types[] = {
    UV_TCP,
#ifndef _WIN32
    UV_NAMED_PIPE,
#endif
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static void on_connected(uv_connect_t *request, int code)
{
  assert_int_equal(code, 0);
  ((watched *)request->data)->connected = true;
}

static void on_connection(uv_stream_t *listener, int code)
{
  watched *w = listener->data;
  assert_int_equal(code, 0);
  assert_int_equal(uv_tcp_init(&w->r.loop, &w->peer.tcp), 0);
  assert_int_equal(uv_accept(listener, &w->peer.stream), 0);
  w->accepted = true;
}

static void connect_tcp(watched *w)
{
  struct sockaddr_in address;
  int size = sizeof(address);
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_init(&w->r.loop, &w->listener), 0);
  w->listener.data = w;
  w->connect.data = w;
  assert_int_equal(uv_tcp_bind(&w->listener, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&w->listener, 1, on_connection), 0);
  assert_int_equal(uv_tcp_getsockname(&w->listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(uv_tcp_connect(&w->connect, (uv_tcp_t *)uvr_stream_uv_handle(w->stream), (struct sockaddr *)&address,
                                  on_connected),
                   0);
  assert_true(rig_run_until(&w->r, &w->connected));
  assert_true(rig_run_until(&w->r, &w->accepted));
  uv_close((uv_handle_t *)&w->listener, NULL);
}

static void connect_pipes(watched *w)
{
#ifndef _WIN32
  uv_os_sock_t fds[2];
  assert_int_equal(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0), 0);
  assert_int_equal(uv_pipe_init(&w->r.loop, &w->peer.pipe, 0), 0);
  assert_int_equal(uv_pipe_open((uv_pipe_t *)uvr_stream_uv_handle(w->stream), fds[0]), 0);
  assert_int_equal(uv_pipe_open(&w->peer.pipe, fds[1]), 0);
#else
  (void)w;
#endif
}

static void on_closed(void *user)
{
  watched *w = user;
  assert_true(w->closing && !w->closed && !w->calling);
  w->closed = true;
}

static void close_stream(watched *w, bool gently)
{
  w->closing = true;
  w->calling = true;
  uvr_stream_close(w->stream, gently ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW, on_closed, w);
  w->calling = false;
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  watched *w = user;
  assert_false(w->calling);
  assert_false(w->closing);
  assert_int_equal(outcome, UVR_GONE);
  assert_int_equal(error->code, UV_EPIPE);
  assert_string_equal(error->text, "the peer is gone");
  w->lost++;
  w->is_lost = true;
  if (w->close_when_lost) {
    close_stream(w, true);
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  watched *w = user;
  (void)buffer;
  (void)error;
  assert_int_equal(outcome, UVR_END_OF_INPUT);
  w->ended = true;
}

static void watch(watched *w)
{
  uvr_stream_watch(w->stream, on_lost, w);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  watched *w = handle->data;
  (void)suggested;
  *buf = uv_buf_init(w->chunk, sizeof(w->chunk));
}

static void on_peer_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
  watched *w = stream->data;
  (void)buf;
  if (count > 0) {
    w->received += (size_t)count;
    w->received_any = true;
  } else if (count < 0) {
    w->told = true;
    (void)uv_read_stop(stream);
  }
}

static void on_peer_shutdown(uv_shutdown_t *request, int code)
{
  (void)request;
  (void)code;
}

/* A stream whose peer has ended its output, which was read. */
static void begin(watched *w, uv_handle_type type)
{
  memset(w, 0, sizeof(*w));
  rig_init(&w->r);
  w->r.context.patience.watch_ms = LOOK_MS;
  assert_int_equal(uvr_stream_uv_new(&w->r.context, type, "the peer", &w->stream), 0);
  if (type == UV_TCP) {
    connect_tcp(w);
  } else {
    connect_pipes(w);
  }
  w->peer_open = true;
  w->peer.handle.data = w;
  assert_int_equal(uv_read_start(&w->peer.stream, on_alloc, on_peer_read), 0);
  assert_int_equal(uv_shutdown(&w->ending, &w->peer.stream, on_peer_shutdown), 0);
  uvr_stream_read(w->stream, on_read, w);
  assert_true(rig_run_until(&w->r, &w->ended));
  rig_turns(&w->r, 2); /* the peer has heard of its shutdown */
}

static void begin_watch(watched *w, uv_handle_type type)
{
  begin(w, type);
  watch(w);
}

/* With TCP only a reset shows that the reader is gone. */
static void leave(watched *w, bool reset)
{
  w->peer_open = false;
  if (reset) {
    assert_int_equal(uv_tcp_close_reset(&w->peer.tcp, NULL), 0);
  } else {
    uv_close(&w->peer.handle, NULL);
  }
}

static void end(watched *w)
{
  if (!w->closing) {
    close_stream(w, true);
  }
  assert_true(w->closed || rig_run_until(&w->r, &w->closed));
  if (w->peer_open) {
    uv_close(&w->peer.handle, NULL);
  }
  rig_clear(&w->r);
}

static void on_done(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  (void)error;
  assert_int_equal(outcome, UVR_DONE);
  *(bool *)user = true;
}

/* It may still read, and does. */
static void test_half_closed(void **state)
{
  (void)state;
  for (size_t i = 0; i < TYPES; i++) {
    watched w;
    begin_watch(&w, types[i]);
    rig_run_ms(&w.r, LOOKS_MS);
    assert_int_equal(w.lost, 0);
    uvr_stream_write(w.stream, "x", 1, on_done, &w.wrote);
    assert_true(w.wrote || rig_run_until(&w.r, &w.wrote));
    assert_true(rig_run_until(&w.r, &w.received_any));
    assert_int_equal(w.received, 1);
    rig_run_ms(&w.r, LOOKS_MS);
    assert_int_equal(w.lost, 0);
    end(&w);
  }
}

/* Before the first look, and when the watching has begun. */
static void test_gone(void **state)
{
  static const unsigned after_ms[] = {0, 20, LOOKS_MS};
  (void)state;
  for (size_t i = 0; i < TYPES; i++) {
    for (size_t k = 0; k < sizeof(after_ms) / sizeof(after_ms[0]); k++) {
      watched w;
      begin_watch(&w, types[i]);
      rig_run_ms(&w.r, after_ms[k]);
      assert_int_equal(w.lost, 0);
      leave(&w, types[i] == UV_TCP);
      assert_true(rig_run_until(&w.r, &w.is_lost));
      rig_run_ms(&w.r, LOOKS_MS);
      assert_int_equal(w.lost, 1);
      end(&w);
    }
  }
}

static void test_gone_before(void **state)
{
  (void)state;
  for (size_t i = 0; i < TYPES; i++) {
    watched w;
    begin(&w, types[i]);
    leave(&w, types[i] == UV_TCP);
    rig_turns(&w.r, 2);
    watch(&w);
    assert_true(rig_run_until(&w.r, &w.is_lost));
    assert_int_equal(w.lost, 1);
    end(&w);
  }
}

/* That a Unix socket's peer has left before is reported from within the call. */
static void test_gone_before_shows_at_once(void **state)
{
  (void)state;
#ifdef _WIN32
  skip();
#endif
  watched w;
  begin(&w, UV_NAMED_PIPE);
  leave(&w, false);
  rig_turns(&w.r, 2);
  watch(&w);
  assert_int_equal(w.lost, 1);
  end(&w);
}

/* On Linux, a peer of TCP on the same computer that has closed in the ordinary way shows, too. */
static void test_closed_on_this_computer(void **state)
{
  (void)state;
#ifdef _WIN32
  skip();
#endif
  for (unsigned after_ms = 0; after_ms <= 20; after_ms += 20) {
    watched w;
    begin_watch(&w, UV_TCP);
    rig_run_ms(&w.r, after_ms + LOOKS_MS);
    assert_int_equal(w.lost, 0);
    leave(&w, false);
    assert_true(rig_run_until(&w.r, &w.is_lost));
    end(&w);
  }
}

/* A peer of TCP that has closed in the ordinary way shows when something is written to it. */
static void test_gone_when_written_to(void **state)
{
  (void)state;
  watched w;
  begin_watch(&w, UV_TCP);
  leave(&w, false);
  uvr_stream_write(w.stream, "x", 1, on_done, &w.wrote);
  assert_true(w.wrote || rig_run_until(&w.r, &w.wrote));
  assert_true(rig_run_until(&w.r, &w.is_lost));
  end(&w);
}

static void test_close(void **state)
{
  (void)state;
  for (size_t i = 0; i < (size_t)8 * TYPES; i++) {
    const size_t how = i / TYPES;
    watched w;
    begin_watch(&w, types[i % TYPES]);
    if ((how & 1) != 0) {
      rig_run_ms(&w.r, 20); /* it has looked */
    }
    if ((how & 2) != 0) {
      leave(&w, types[i % TYPES] == UV_TCP); /* and would see this */
    }
    close_stream(&w, (how & 4) != 0);
    end(&w);
    assert_int_equal(w.lost, 0);
  }
}

static void test_close_when_lost(void **state)
{
  (void)state;
  for (size_t i = 0; i < TYPES; i++) {
    watched w;
    begin_watch(&w, types[i]);
    w.close_when_lost = true;
    leave(&w, types[i] == UV_TCP);
    assert_true(rig_run_until(&w.r, &w.closed));
    assert_int_equal(w.lost, 1);
    end(&w);
  }
}

/* It goes on beside a half-close of our own; but on Windows it asks by sending nothing, which cannot be done then. */
static void test_shut_down(void **state)
{
  (void)state;
#ifdef _WIN32
  skip();
#endif
  for (size_t i = 0; i < TYPES; i++) {
    watched w;
    begin_watch(&w, types[i]);
    uvr_stream_shutdown(w.stream, on_done, &w.shut);
    assert_true(rig_run_until(&w.r, &w.shut));
    assert_true(rig_run_until(&w.r, &w.told));
    leave(&w, types[i] == UV_TCP);
    assert_true(rig_run_until(&w.r, &w.is_lost));
    rig_run_ms(&w.r, LOOKS_MS);
    assert_int_equal(w.lost, 1);
    end(&w);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_half_closed),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_gone_before),
      cmocka_unit_test(test_gone_before_shows_at_once),
      cmocka_unit_test(test_gone_when_written_to),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_when_lost),
      cmocka_unit_test(test_shut_down),
      cmocka_unit_test(test_closed_on_this_computer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
