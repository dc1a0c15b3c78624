/* The named pipe as a stream, against a server in plain blocking Win32: bytes and messages of every length, the
 * zero-byte message both ways, each way in which a pipe ends, the watch, taking reads back, closing with anything under
 * way, no handle left; and dialling it: absent, busy, retried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "npipe_server.h"
#include "rig.h"

#include <cmocka.h>

#include "endpoint/dial.h"
#include "relay/pump.h"
#include "stream/npipe.h"
#include "stream/npipe_open_win.h"

enum {
  TRANSFER = 4 * 1024 * 1024,
  TURNS_MAX = 10,
  ROUNDS = 200,
  HANDLES_SLACK = 16,
  PUMPED_SLACK = 12,
  CLOSE_MS = RIG_SOON_MS,
  SMALL_MANY = 500,
  CANCEL_MESSAGES = 600
};

typedef struct bench {
  rig r;
  server s;
  uvr_stream *stream;
  bool reading;
  bool got;
  uvr_outcome read_outcome;
  uvrelay_error_t read_error;
  size_t size;
  bool end_of_message;
  uint64_t read;
  uvr_buffer *outgoing;
  bool writing;
  bool wrote;
  uvr_outcome write_outcome;
  uvrelay_error_t write_error;
  uint64_t written;
  bool shut;
  uvr_outcome shutdown_outcome;
  uvrelay_error_t shutdown_error;
  bool lost;
  uvr_outcome lost_outcome;
  uvrelay_error_t lost_error;
  bool closing;
  bool closed;
} bench;

static void open_stream(bench *b)
{
  uv_os_fd_t file;
  uvrelay_error_t error;
  char name[SERVER_NAME_MAX];
  memcpy(name, b->s.name, sizeof(name));
  if (uvr_npipe_open(b->s.path, name, UVRELAY_IMPERSONATION_ANONYMOUS, false, &file, &error) != 0 ||
      uvr_npipe_stream(&b->r.context, file, name, &b->stream, &error) != 0) {
    fail_msg("%s", error.text);
  }
  memset(name, 0, sizeof(name)); /* it was copied */
  assert_string_equal(b->stream->name, b->s.name);
  assert_int_equal(b->stream->can_half_close, b->s.message);
  assert_int_equal(b->stream->keeps_messages, b->s.message);
  assert_false(b->stream->ends_when_lost);
}

static void bench_init(bench *b, bool message, server_cb serve)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  server_start(&b->s, message, 65536, serve);
  open_stream(b);
}

static void on_closed(void *user)
{
  bench *b = user;
  assert_true(b->closing);
  b->closed = true;
}

static void begin_close(bench *b)
{
  b->closing = true;
  uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, b);
  assert_false(b->closed);
}

/* Closes promptly, whatever is under way. */
static void close_stream(bench *b)
{
  uint64_t before = uv_hrtime();
  begin_close(b);
  assert_true(rig_run_until(&b->r, &b->closed));
  assert_in_range((uv_hrtime() - before) / 1000000, 0, CLOSE_MS);
}

static void bench_clear(bench *b)
{
  if (!b->closing) {
    close_stream(b);
  }
  rig_run(&b->r);
  uvr_buffer_put(&b->r.context.buffers, b->outgoing);
  server_join(&b->s);
  rig_clear(&b->r);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_true(b->reading);
  assert_false(b->closing);
  b->reading = false;
  b->got = true;
  b->read_outcome = outcome;
  b->size = 0;
  assert_int_equal(buffer != NULL, outcome == UVR_DONE);
  assert_int_equal(error != NULL, outcome == UVR_GONE || outcome == UVR_FAILED);
  if (error != NULL) {
    b->read_error = *error;
  }
  if (buffer != NULL) {
    assert_in_range(buffer->length, 1, buffer->capacity);
    b->size = buffer->length;
    b->end_of_message = buffer->end_of_message;
    for (size_t i = 0; i < buffer->length; i++) {
      if (buffer->data[i] != rig_byte(2, b->read + i)) {
        fail_msg("byte %u was changed on its way", (unsigned)(b->read + i));
      }
    }
    b->read += buffer->length;
    uvr_buffer_put(&b->r.context.buffers, buffer);
  }
}

static void begin_read(bench *b)
{
  b->reading = true;
  b->got = false;
  uvr_stream_read(b->stream, on_read, b);
}

static void read_once(bench *b)
{
  begin_read(b);
  assert_true(rig_run_until(&b->r, &b->got));
}

static void assert_gone(const bench *b, DWORD system)
{
  assert_int_equal(b->read_outcome, UVR_GONE);
  assert_int_equal(b->read_error.system, system);
  assert_non_null(strstr(b->read_error.text, b->s.name));
}

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_true(b->writing);
  assert_false(b->closing);
  b->writing = false;
  b->wrote = true;
  b->write_outcome = outcome;
  assert_int_equal(error != NULL, outcome != UVR_DONE);
  if (error != NULL) {
    b->write_error = *error;
  } else {
    b->written += b->outgoing->length;
  }
}

static void begin_write(bench *b, size_t size)
{
  if (b->outgoing == NULL) {
    b->outgoing = uvr_buffer_get(&b->r.context.buffers, UVR_BUFFER_LARGE);
    assert_non_null(b->outgoing);
  }
  for (size_t i = 0; i < size; i++) {
    b->outgoing->data[i] = rig_byte(1, b->written + i);
  }
  b->outgoing->length = size;
  b->writing = true;
  b->wrote = false;
  uvr_stream_write(b->stream, b->outgoing->data, b->outgoing->length, on_write, b);
}

static void write_once(bench *b, size_t size)
{
  begin_write(b, size);
  assert_true(rig_run_until(&b->r, &b->wrote));
}

static void on_shutdown(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->closing);
  assert_false(b->shut);
  b->shut = true;
  b->shutdown_outcome = outcome;
  if (error != NULL) {
    b->shutdown_error = *error;
  }
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->closing);
  assert_false(b->lost);
  b->lost = true;
  b->lost_outcome = outcome;
  b->lost_error = *error;
}

/* Reading. */

static const size_t lengths[] = {1, 2, 1023, 1024, 1025, 2048, 1, 65535, 65536, 65537, 200000, 1, 1048576, 3, 1024};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

static void send_lengths(server *s)
{
  uint64_t from = 0;
  for (unsigned i = 0; i < LENGTHS; i++) {
    server_write_data(s, from, lengths[i]);
    from += lengths[i];
  }
  server_wait(s);
}

static void test_messages(void **state)
{
  (void)state;
  for (unsigned pause = 0; pause < 2; pause++) {
    bench b;
    bench_init(&b, true, send_lengths);
    uv_sleep(pause == 1 ? 50 : 0); /* they wait for the reader, or the reader for them */
    for (unsigned i = 0; i < LENGTHS; i++) {
      size_t length = 0;
      do {
        read_once(&b);
        assert_int_equal(b.read_outcome, UVR_DONE);
        length += b.size;
      } while (!b.end_of_message);
      assert_int_equal(length, lengths[i]);
    }
    begin_read(&b);
    rig_run_ms(&b.r, 30);
    assert_false(b.got);
    bench_clear(&b);
  }
}

static void test_bytes(void **state)
{
  (void)state;
  uint64_t total = 0;
  for (unsigned i = 0; i < LENGTHS; i++) {
    total += lengths[i];
  }
  bench b;
  bench_init(&b, false, send_lengths);
  while (b.read < total) {
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_DONE);
    assert_false(b.end_of_message);
  }
  assert_int_equal(b.read, total);
  bench_clear(&b);
}

static void send_small(server *s)
{
  for (unsigned i = 0; i < SMALL_MANY; i++) {
    server_write_data(s, i, 1);
  }
  server_write(s, "", 0);
  server_wait(s);
}

/* Many that are there at once: the loop gets its turns meanwhile, and nothing is lost or merged. */
static void test_many_small(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, send_small);
  uv_sleep(50);
  for (unsigned i = 0; i < SMALL_MANY; i++) {
    read_once(&b);
    assert_int_equal(b.size, 1);
    assert_true(b.end_of_message);
  }
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  bench_clear(&b);
}

static void send_and_end(server *s)
{
  server_write_data(s, 0, 5);
  server_write(s, "", 0); /* right after it */
  server_read_all(s);
}

/* The end of input is reported once its turn has come, and writing goes on after it. */
static void test_end_of_input(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, send_and_end);
  read_once(&b);
  assert_int_equal(b.size, 5);
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  write_once(&b, 1000);
  assert_int_equal(b.write_outcome, UVR_DONE);
  bench_clear(&b);
  assert_int_equal(b.s.received, 1000);
}

static void send_empty_between(server *s)
{
  server_write_data(s, 0, 2);
  server_write(s, "", 0);
  server_write_data(s, 2, 2);
  server_write(s, "", 0);
  server_wait(s);
}

/* On a byte-type pipe an empty write says nothing. */
static void test_empty_write_to_byte_pipe(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, false, send_empty_between);
  while (b.read < 4) {
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_DONE);
  }
  begin_read(&b);
  rig_run_ms(&b.r, 50);
  assert_false(b.got);
  bench_clear(&b);
}

static void wait_then_send(server *s)
{
  server_wait(s);
  server_write_data(s, 0, 5);
  server_read_all(s);
}

static void send_and_close(server *s)
{
  server_write_data(s, 0, 70000);
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void send_wait_and_disconnect(server *s)
{
  server_wait(s);
  (void)DisconnectNamedPipe(s->pipe);
}

static void test_gone(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    bench_init(&b, message == 1, send_and_close);
    while (b.read < 70000) {
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_DONE);
    }
    read_once(&b);
    assert_gone(&b, ERROR_BROKEN_PIPE);
    write_once(&b, 10);
    assert_int_equal(b.write_outcome, UVR_GONE);
    assert_non_null(strstr(b.write_error.text, b.s.name));
    bench_clear(&b);

    for (unsigned pending = 0; pending < 2; pending++) {
      bench_init(&b, message == 1, send_wait_and_disconnect);
      if (pending == 1) {
        begin_read(&b);
        rig_run_ms(&b.r, 20);
      }
      server_release(&b.s);
      uv_sleep(20);
      if (pending == 0) {
        begin_read(&b);
      }
      assert_true(rig_run_until(&b.r, &b.got));
      assert_int_equal(b.read_outcome, UVR_GONE);
      assert_true(b.read_error.system == ERROR_PIPE_NOT_CONNECTED || b.read_error.system == ERROR_BROKEN_PIPE);
      bench_clear(&b);
    }
  }
}

/* Writing. */

static void test_write(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    bench_init(&b, message == 1, server_read_all);
    unsigned writes = 0;
    for (; b.written < TRANSFER; writes++) {
      write_once(&b, writes % 3 == 0 ? UVR_BUFFER_LARGE : 1 + rig_random(&b.r, 60000));
      assert_int_equal(b.write_outcome, UVR_DONE);
    }
    uint64_t written = b.written;
    if (message == 1) {
      uvr_stream_shutdown(b.stream, on_shutdown, &b);
      assert_true(rig_run_until(&b.r, &b.shut));
      assert_int_equal(b.shutdown_outcome, UVR_DONE);
    }
    /* What was written is there for the server though we close. */
    close_stream(&b);
    bench_clear(&b);
    assert_int_equal(b.s.received, written);
    assert_false(b.s.changed);
    if (message == 1) {
      assert_int_equal(b.s.messages, writes);
      assert_int_equal(b.s.ends, 1);
    }
  }
}

static void send_long(server *s)
{
  for (uint64_t from = 0; from < TRANSFER && s->error == 0; from += 100000) {
    server_write_data(s, from, 100000);
  }
  server_read_all(s);
}

/* Bytes go one way while they wait to be read the other way. */
static void test_both_ways(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    bench_init(&b, message == 1, send_long);
    write_once(&b, 1000); /* fits into the pipe's buffer, although there is no reader */
    begin_write(&b, 60000);
    while (b.read < TRANSFER) {
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_DONE);
    }
    if (!b.wrote) {
      assert_true(rig_run_until(&b.r, &b.wrote));
    }
    assert_int_equal(b.write_outcome, UVR_DONE);
    bench_clear(&b);
    assert_int_equal(b.s.received, 61000);
    assert_false(b.s.changed);
  }
}

/* Half-close. */

static void wait_then_read(server *s)
{
  server_wait(s);
  server_read_all(s);
}

static void test_shutdown(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, wait_then_read);
  write_once(&b, 10);
  write_once(&b, 20);
  uvr_stream_shutdown(b.stream, on_shutdown, &b);
  begin_read(&b); /* the reply may come meanwhile */
  rig_run_ms(&b.r, 100);
  assert_false(b.shut); /* it waits until all is read */
  server_release(&b.s);
  assert_true(rig_run_until(&b.r, &b.shut));
  assert_int_equal(b.shutdown_outcome, UVR_DONE);
  bench_clear(&b);
  assert_int_equal(b.s.received, 30);
  assert_int_equal(b.s.messages, 2);
  assert_int_equal(b.s.ends, 1);
}

static void read_end_then_reply(server *s)
{
  while (s->ends == 0 && server_read_once(s)) {
  }
  Sleep(100);
  server_write_data(s, 0, 50);
  server_write(s, "", 0);
  server_wait(s);
}

static void test_reply_after_shutdown(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, read_end_then_reply);
  write_once(&b, 10);
  uvr_stream_shutdown(b.stream, on_shutdown, &b);
  read_once(&b);
  assert_int_equal(b.size, 50);
  assert_true(b.shut);
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  bench_clear(&b);
}

static void wait_then_leave(server *s)
{
  server_wait(s);
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void test_shutdown_to_nobody(void **state)
{
  (void)state;
  for (unsigned early = 0; early < 2; early++) {
    bench b;
    bench_init(&b, true, wait_then_leave);
    write_once(&b, 10);
    if (early == 1) {
      server_release(&b.s);
      uv_sleep(50);
    }
    uvr_stream_shutdown(b.stream, on_shutdown, &b);
    rig_run_ms(&b.r, 50);
    server_release(&b.s);
    if (!b.shut) {
      assert_true(rig_run_until(&b.r, &b.shut));
    }
    assert_int_equal(b.shutdown_outcome, UVR_GONE);
    assert_non_null(strstr(b.shutdown_error.text, b.s.name));
    bench_clear(&b);
  }
}

/* The watch after the end of input. */

static void end_then_leave(server *s)
{
  server_write(s, "", 0);
  server_wait(s);
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void end_then_send(server *s)
{
  server_write(s, "", 0);
  server_wait(s);
  server_write_data(s, 0, 5);
  Sleep(200);
}

static void end_many_times(server *s)
{
  for (unsigned i = 0; i < 50; i++) {
    server_write(s, "", 0);
  }
  server_wait(s);
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void test_watch(void **state)
{
  (void)state;
  static const struct {
    server_cb serve;
    uvr_outcome outcome;
  } cases[] = {{end_then_leave, UVR_GONE}, {end_then_send, UVR_FAILED}, {end_many_times, UVR_GONE}};
  for (unsigned i = 0; i < 3; i++) {
    for (unsigned late = 0; late < 2; late++) { /* it happens before or after the watch begins */
      bench b;
      bench_init(&b, true, cases[i].serve);
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
      if (late == 0) {
        server_release(&b.s);
        uv_sleep(50);
      }
      uvr_stream_watch(b.stream, on_lost, &b);
      assert_false(b.lost); /* never before it returns */
      if (late == 1) {
        rig_run_ms(&b.r, 100);
        assert_false(b.lost);
        server_release(&b.s);
      }
      assert_true(rig_run_until(&b.r, &b.lost));
      assert_int_equal(b.lost_outcome, cases[i].outcome);
      assert_int_equal(b.lost_error.code, cases[i].outcome == UVR_FAILED ? UV_EPROTO : b.lost_error.code);
      assert_non_null(strstr(b.lost_error.text, b.s.name));
      bench_clear(&b);
    }
  }
}

/* Taking a read or a watch back. */

static void cancel(bench *b)
{
  assert_true(b->reading);
  uvr_npipe_cancel_read(b->stream);
  assert_true(b->reading); /* the callback never comes before it returns */
}

static void assert_cancelled(uvr_outcome outcome, const uvrelay_error_t *error, const char *name)
{
  assert_int_equal(outcome, UVR_FAILED);
  assert_int_equal(error->code, UV_ECANCELED);
  assert_int_equal(error->phase, UVRELAY_PHASE_READ);
  assert_non_null(strstr(error->text, name));
}

static void test_cancel_read(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    bench_init(&b, message == 1, wait_then_send);
    for (unsigned i = 0; i < 20; i++) {
      begin_read(&b);
      rig_turns(&b.r, i % 4);
      cancel(&b);
      cancel(&b); /* once more says nothing new */
      assert_true(rig_run_until(&b.r, &b.got));
      assert_cancelled(b.read_outcome, &b.read_error, b.s.name);
    }
    /* What is here when the read is taken back is delivered. */
    begin_read(&b);
    server_release(&b.s);
    uv_sleep(50);
    cancel(&b);
    assert_true(rig_run_until(&b.r, &b.got));
    assert_int_equal(b.read_outcome, UVR_DONE);
    assert_int_equal(b.size, 5);
    /* And closing straight after it is as ever. */
    begin_read(&b);
    cancel(&b);
    bench_clear(&b);
    assert_true(b.reading);
  }
}

static size_t length_of(unsigned i)
{
  return i % 50 == 49 ? 150000 : 1 + (size_t)i * 7919 % 3000;
}

static void send_always(server *s)
{
  uint64_t from = 0;
  for (unsigned i = 0; i < CANCEL_MESSAGES && s->error == 0; i++) {
    server_write_data(s, from, length_of(i));
    from += length_of(i);
    if (!s->message && i % 5 == 0) {
      server_write(s, "", 0); /* says nothing */
    }
    if (i % 3 == 0) { /* else a slow reader would never find the pipe empty */
      Sleep(1);
    }
  }
  if (s->message) {
    server_write(s, "", 0);
    server_wait(s);
  }
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

/* Reads, and takes most reads back at some moment, until one has brought something. Returns how many were cancelled. */
static unsigned read_with_cancelling(bench *b)
{
  for (unsigned cancelled = 0;; cancelled++) {
    begin_read(b);
    rig_turns(&b->r, rig_random(&b->r, 3));
    if (b->reading && rig_random(&b->r, 8) != 0) {
      cancel(b);
    }
    assert_true(b->got || rig_run_until(&b->r, &b->got));
    if (b->read_outcome != UVR_FAILED) {
      return cancelled;
    }
    assert_cancelled(b->read_outcome, &b->read_error, b->s.name);
  }
}

/* The peer writes all the time: no byte, no boundary and no end is lost. */
static void test_cancel_loses_nothing(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    unsigned cancelled = 0;
    uint64_t total = 0;
    bench_init(&b, message == 1, send_always);
    for (unsigned i = 0; i < CANCEL_MESSAGES; i++) {
      total += length_of(i);
      while (b.read < total) {
        cancelled += read_with_cancelling(&b);
        assert_int_equal(b.read_outcome, UVR_DONE);
        assert_int_equal(b.end_of_message, message == 1 && b.read == total);
        if (message == 1) {
          assert_in_range(b.read, 0, total);
        }
      }
    }
    assert_int_equal(b.read, total);
    cancelled += read_with_cancelling(&b);
    assert_int_equal(b.read_outcome, message == 1 ? UVR_END_OF_INPUT : UVR_GONE);
    assert_true(cancelled > 0);
    bench_clear(&b);
  }
}

static void end_then_end_again(server *s)
{
  server_write(s, "", 0);
  server_wait(s);
  server_write(s, "", 0);
  server_read_all(s);
}

static void cancel_watch(bench *b)
{
  b->lost = false;
  uvr_npipe_cancel_read(b->stream);
  assert_false(b->lost);
  assert_true(rig_run_until(&b->r, &b->lost));
}

static void test_cancel_watch(void **state)
{
  (void)state;
  for (unsigned leaves = 0; leaves < 2; leaves++) {
    bench b;
    bench_init(&b, true, leaves == 1 ? end_then_leave : end_then_end_again);
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    for (unsigned i = 0; i < 10; i++) {
      b.lost = false;
      uvr_stream_watch(b.stream, on_lost, &b);
      rig_turns(&b.r, i % 4);
      cancel_watch(&b);
      assert_cancelled(b.lost_outcome, &b.lost_error, b.s.name);
    }
    /* Meanwhile the pipe has gone, which is reported; or has ended once more, which says nothing, and is not waited
     * past.
     */
    b.lost = false;
    uvr_stream_watch(b.stream, on_lost, &b);
    server_release(&b.s);
    uv_sleep(50);
    cancel_watch(&b);
    if (leaves == 1) {
      assert_int_equal(b.lost_outcome, UVR_GONE);
    } else {
      assert_cancelled(b.lost_outcome, &b.lost_error, b.s.name);
    }
    bench_clear(&b);
  }
}

/* A watch that was taken back leaves nothing to the watch, or to the read, that comes next. */
static void test_after_cancelled_watch(void **state)
{
  (void)state;
  for (unsigned reads = 0; reads < 2; reads++) {
    bench b;
    bench_init(&b, true, reads == 1 ? end_then_send : end_then_end_again);
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    uvr_stream_watch(b.stream, on_lost, &b);
    cancel_watch(&b);
    server_release(&b.s);
    if (reads == 1) {
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_DONE);
      assert_int_equal(b.size, 5);
    } else {
      b.lost = false;
      uvr_stream_watch(b.stream, on_lost, &b);
      rig_run_ms(&b.r, 50);
      assert_false(b.lost);
    }
    bench_clear(&b);
  }
}

/* Closing. */

/* Fills the pipe until a write stays under way. */
static void fill(bench *b)
{
  do {
    begin_write(b, UVR_BUFFER_LARGE);
    rig_turns(&b->r, 5);
  } while (b->wrote);
  assert_true(b->writing);
}

static void test_close(void **state)
{
  (void)state;
  /* Bits: a read, a write that is stuck, the end-of-input job (which excludes it), bytes before the job. */
  for (unsigned what = 0; what < 16; what++) {
    bool writes = (what & 2) != 0;
    bool shuts = (what & 4) != 0;
    for (unsigned turns = 0; turns < (writes && shuts ? 0 : TURNS_MAX); turns++) {
      bench b;
      bench_init(&b, true, server_wait); /* it never reads */
      if ((what & 8) != 0) {
        write_once(&b, 1000);
      }
      if ((what & 1) != 0) {
        begin_read(&b);
      }
      if (writes) {
        fill(&b);
      }
      if (shuts) {
        uvr_stream_shutdown(b.stream, on_shutdown, &b);
      }
      rig_turns(&b.r, turns);
      if (turns == TURNS_MAX - 1) {
        uv_sleep(20);
      }
      bench_clear(&b); /* close_stream asserts that it takes less than CLOSE_MS */
    }
  }
}

static void test_close_with_flush_stuck(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, wait_then_read);
  write_once(&b, 1000);
  uvr_stream_shutdown(b.stream, on_shutdown, &b);
  begin_read(&b);
  rig_run_ms(&b.r, 100);
  close_stream(&b);
  assert_false(b.shut);
  bench_clear(&b);
}

static void on_read_close(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  bench *b = user;
  on_read(b, outcome, buffer, error);
  begin_close(b);
}

static void test_close_in_callback(void **state)
{
  (void)state;
  static const server_cb serves[] = {send_and_end, send_and_close, end_then_leave};
  for (unsigned i = 0; i < 3; i++) {
    for (unsigned pause = 0; pause < 2; pause++) {
      bench b;
      bench_init(&b, true, serves[i]);
      uv_sleep(pause == 1 ? 30 : 0);
      b.reading = true;
      uvr_stream_read(b.stream, on_read_close, &b);
      assert_true(rig_run_until(&b.r, &b.closed));
      bench_clear(&b);
    }
  }
}

static void test_no_handle_left(void **state)
{
  (void)state;
  uintptr_t before = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    if (i == 10) {
      before = highest_new_handle();
    }
    bench b;
    bench_init(&b, true, i % 2 == 0 ? server_read_all : server_wait);
    write_once(&b, 100);
    begin_read(&b);
    uvr_stream_shutdown(b.stream, on_shutdown, &b);
    if (i % 4 == 0) {
      assert_true(rig_run_until(&b.r, &b.shut));
    }
    bench_clear(&b);
  }
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * HANDLES_SLACK);
}

static void do_nothing(server *s)
{
  (void)s;
}

static void test_no_memory(void **state)
{
  (void)state;
  bench b;
  bench_init(&b, true, send_small);
  b.r.fail_at = b.r.allocations + 1;
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_FAILED);
  assert_int_equal(b.read_error.code, UV_ENOMEM);
  bench_clear(&b);

  /* The file is closed when it becomes no stream. */
  memset(&b, 0, sizeof(b));
  rig_init(&b.r);
  server_start(&b.s, true, 4096, do_nothing);
  uv_os_fd_t file;
  uvrelay_error_t error;
  assert_int_equal(uvr_npipe_open(b.s.path, b.s.name, UVRELAY_IMPERSONATION_ANONYMOUS, false, &file, &error), 0);
  for (unsigned i = 0; i < RIG_PATIENCE_MS && b.s.served == 0; i++) {
    uv_sleep(1); /* whatever handle its thread makes must not take the place of ours */
  }
  b.r.fail_at = b.r.allocations + 1;
  assert_int_equal(uvr_npipe_stream(&b.r.context, file, b.s.name, &b.stream, &error), UV_ENOMEM);
  assert_int_equal(error.code, UV_ENOMEM);
  DWORD flags;
  assert_false(GetHandleInformation(file, &flags));
  server_join(&b.s);
  rig_clear(&b.r);
}

/* On the thread pool: a pump between two pipes uses their blocking calls. */

typedef struct bridge {
  bench from;
  bench to; /* its streams and server only: the loop is that of `from` */
  uvr_pump pump;
  bool done;
  uvr_pump_end end;
} bridge;

static void on_pump_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  bridge *b = (bridge *)((char *)pump - offsetof(bridge, pump));
  assert_false(b->done);
  assert_int_equal(error->code == 0, end == UVR_PUMP_SOURCE_ENDED);
  b->done = true;
  b->end = end;
}

static void bridge_init(bridge *b, bool message, server_cb source, server_cb sink)
{
  memset(b, 0, sizeof(*b));
  bench_init(&b->from, message, source);
  server_start(&b->to.s, false, 65536, sink); /* where both keep messages the pump does not leave the loop */
  uv_os_fd_t file;
  uvrelay_error_t error;
  assert_int_equal(uvr_npipe_open(b->to.s.path, b->to.s.name, UVRELAY_IMPERSONATION_ANONYMOUS, false, &file, &error),
                   0);
  assert_int_equal(uvr_npipe_stream(&b->from.r.context, file, b->to.s.name, &b->to.stream, &error), 0);
  b->from.r.context.threads = true;
  uvr_pump_start(&b->pump, &b->from.r.context, b->from.stream, b->to.stream, on_pump_end);
  assert_non_null(b->pump.thread);
}

/* As a session does it; a thread inside a pipe must be out soon. */
static void bridge_clear(bridge *b)
{
  uint64_t before = uv_hrtime();
  uvr_pump_stop(&b->pump);
  while (uvr_pump_is_inside(&b->pump, b->from.stream) || uvr_pump_is_inside(&b->pump, b->to.stream)) {
    rig_run_ms(&b->from.r, 5);
    uvr_pump_stop(&b->pump);
    assert_in_range((uv_hrtime() - before) / 1000000, 0, CLOSE_MS);
  }
  begin_close(&b->from);
  begin_close(&b->to);
  rig_run(&b->from.r);
  assert_true(b->from.closed && b->to.closed);
  assert_true(uvr_pump_clear(&b->pump));
  server_join(&b->to.s);
  bench_clear(&b->from);
}

static void send_data(server *s)
{
  for (uint64_t i = 0; i < 50 && s->error == 0; i++) {
    char data[1000];
    for (unsigned n = 0; n < sizeof(data); n++) {
      data[n] = rig_byte(1, i * sizeof(data) + n); /* what the other server expects */
    }
    server_write(s, data, sizeof(data));
  }
  if (s->message) {
    server_write(s, "", 0);
    server_wait(s);
  }
  (void)CloseHandle(s->pipe);
  s->pipe = NULL;
}

static void test_pumped(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bridge b;
    bridge_init(&b, message == 1, send_data, server_read_all);
    assert_true(rig_run_until(&b.from.r, &b.done));
    assert_int_equal(b.end, message == 1 ? UVR_PUMP_SOURCE_ENDED : UVR_PUMP_SOURCE_GONE);
    assert_int_equal(uvr_pump_bytes(&b.pump), 50000);
    bridge_clear(&b);
    assert_int_equal(b.to.s.received, 50000);
    assert_false(b.to.s.changed);
  }
}

/* Stopped while the thread waits in a read, or in a write whose bytes are not taken; the sink's end is reported. */
static void test_pumped_and_stopped(void **state)
{
  (void)state;
  uintptr_t before = 0;
  for (unsigned i = 0; i < 60; i++) {
    before = i == 6 ? highest_new_handle() : before;
    bridge b;
    bool full = i % 2 == 1;
    bridge_init(&b, i % 4 < 2, full ? send_long : server_wait, i % 6 == 5 ? wait_then_leave : server_wait);
    if (i % 3 != 0) {
      rig_run_ms(&b.from.r, 5);
    }
    if (i % 6 == 5) {
      server_release(&b.to.s);
      assert_true(rig_run_until(&b.from.r, &b.done));
      assert_int_equal(b.end, UVR_PUMP_SINK_GONE);
    }
    bridge_clear(&b);
  }
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * PUMPED_SLACK);
}

/* Dialling. */

typedef struct dialling {
  rig r;
  uvr_dial *dial;
  uvr_stream *stream;
  uvrelay_error_t error;
  bool done;
  bool closed;
} dialling;

static void on_result(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  dialling *d = user;
  assert_false(d->done);
  d->done = true;
  d->stream = stream;
  if (error != NULL) {
    d->error = *error;
  }
}

static void on_dial_closed(void *user)
{
  *(bool *)user = true;
}

static void dial_start(dialling *d, const char *name, const uvr_dial_options *options)
{
  uvr_address address;
  memset(d, 0, sizeof(*d));
  rig_init(&d->r);
  assert_int_equal(uvr_address_parse(name, 0, &address, NULL), 0);
  d->dial = uvr_dial_start(&d->r.context, &address, options, on_result, d);
  assert_non_null(d->dial);
  assert_false(d->done);
}

static void dial_clear(dialling *d)
{
  uvr_dial_close(d->dial, on_dial_closed, &d->closed);
  assert_true(rig_run_until(&d->r, &d->closed));
  if (d->stream != NULL) {
    bool closed = false;
    uvr_stream_close(d->stream, UVR_CLOSE_NOW, on_dial_closed, &closed);
    assert_true(rig_run_until(&d->r, &closed));
  }
  rig_clear(&d->r);
}

static void assert_error(const dialling *d, int code, DWORD system, const char *text)
{
  if (d->error.code != code || d->error.system != system || strstr(d->error.text, text) == NULL) {
    fail_msg("not the error that was expected: %s (%d, %lu)", d->error.text, d->error.code, d->error.system);
  }
}

static void test_dial_absent(void **state)
{
  (void)state;
  dialling d;
  dial_start(&d, "//./pipe/uvrelay-test-absent", &(uvr_dial_options){0});
  assert_true(rig_run_until(&d.r, &d.done));
  assert_error(&d, UV_ENOENT, ERROR_FILE_NOT_FOUND,
               "there is no pipe //./pipe/uvrelay-test-absent (ERROR_FILE_NOT_FOUND, 2)");
  dial_clear(&d);
  /* With retry, until the deadline. */
  dial_start(&d, "//./pipe/uvrelay-test-absent", &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = 150});
  assert_true(rig_run_until(&d.r, &d.done));
  assert_error(&d, UV_ETIMEDOUT, ERROR_FILE_NOT_FOUND, "there is no pipe");
  dial_clear(&d);
  /* And closed meanwhile. */
  for (unsigned ms = 1; ms < 40; ms += 6) {
    dial_start(&d, "//./pipe/uvrelay-test-absent", &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL});
    rig_run_ms(&d.r, ms);
    assert_false(d.done);
    dial_clear(&d);
  }
}

/* One instance, taken: busy; with retry it is waited for until it is free. */
static void test_dial_busy(void **state)
{
  (void)state;
  bench b;
  dialling d;
  bench_init(&b, true, server_wait);
  dial_start(&d, b.s.name, &(uvr_dial_options){0});
  assert_true(rig_run_until(&d.r, &d.done));
  assert_error(&d, UV_EBUSY, ERROR_PIPE_BUSY, "all instances of");
  dial_clear(&d);

  dial_start(&d, b.s.name, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = 5000});
  rig_run_ms(&d.r, 100);
  assert_false(d.done);
  HANDLE second = CreateNamedPipeA(b.s.path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, NULL);
  assert_true(second == INVALID_HANDLE_VALUE); /* there may be one only */
  bench_clear(&b);                             /* now it is absent */
  rig_run_ms(&d.r, 50);
  assert_false(d.done);
  second = CreateNamedPipeA(b.s.path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, NULL);
  assert_true(second != INVALID_HANDLE_VALUE);
  assert_true(rig_run_until(&d.r, &d.done));
  assert_non_null(d.stream);
  assert_string_equal(d.stream->name, b.s.name);
  dial_clear(&d);
  (void)CloseHandle(second);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_messages),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_many_small),
      cmocka_unit_test(test_end_of_input),
      cmocka_unit_test(test_empty_write_to_byte_pipe),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_write),
      cmocka_unit_test(test_both_ways),
      cmocka_unit_test(test_shutdown),
      cmocka_unit_test(test_reply_after_shutdown),
      cmocka_unit_test(test_shutdown_to_nobody),
      cmocka_unit_test(test_watch),
      cmocka_unit_test(test_cancel_read),
      cmocka_unit_test(test_cancel_loses_nothing),
      cmocka_unit_test(test_cancel_watch),
      cmocka_unit_test(test_after_cancelled_watch),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_with_flush_stuck),
      cmocka_unit_test(test_close_in_callback),
      cmocka_unit_test(test_no_handle_left),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_pumped),
      cmocka_unit_test(test_pumped_and_stopped),
      cmocka_unit_test(test_dial_absent),
      cmocka_unit_test(test_dial_busy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
