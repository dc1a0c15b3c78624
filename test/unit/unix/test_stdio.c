/* Standard input and output on Unix, of every kind: pipes, with a name or another user's, too, one socket or two,
 * files, /dev/null, a terminal, closed ones. Bytes, the half-close that a reader sees at once, a reader that goes away,
 * O_NONBLOCK that stays as it is, what is refused, and every descriptor closed in the end. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "scratch.h"
#include "stream/stdio.h"
#include "stream/stdio_os.h"

enum {
  LONG_BYTES = 1000000,
  TURNS_MAX = 12,
  LOOK_MS = 50,
  LOOKS_MS = 140,
  CLOSED_FD = 900,
  NOBODY = 65534,
  FDS_MAX = 1024
};

/* stream.h: an error comes with UVR_GONE and UVR_FAILED, and with nothing else. */
#define ASSERT_ERROR(outcome, error) assert_int_equal((error) != NULL, (outcome) == UVR_GONE || (outcome) == UVR_FAILED)

typedef struct bench {
  rig r;
  uvr_stream *stream;
  int input; /* what the stream was given */
  int output;
  int feed;  /* our ends */
  int drain; /* may be the same */
  bool got;
  uvr_outcome read_outcome;
  char bytes[UVR_BUFFER_LARGE];
  size_t size;
  bool wrote;
  uvr_outcome write_outcome;
  int write_code;
  bool shut;
  uvr_outcome shutdown_outcome;
  bool lost;
  uvr_outcome lost_outcome;
  bool closing;
  bool closed;
  uvr_buffer *outgoing;
} bench;

static int open_fds(void)
{
  int count = 0;
  for (int fd = 0; fd < FDS_MAX; fd++) {
    count += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  }
  return count;
}

static void cloexec(int fds[2])
{
  (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
}

static void bench_init(bench *b)
{
  memset(b, 0, sizeof(*b));
  b->feed = b->drain = b->input = b->output = -1;
  rig_init(&b->r);
  b->r.context.patience.stdio_look_ms = LOOK_MS;
}

static void use_pipes(bench *b)
{
  int in[2];
  int out[2];
  assert_int_equal(pipe(in), 0);
  assert_int_equal(pipe(out), 0);
  cloexec(in);
  cloexec(out);
  b->input = in[0];
  b->feed = in[1];
  b->output = out[1];
  b->drain = out[0];
}

/* As socat gives one socket as both. */
static void use_socket(bench *b)
{
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  cloexec(ends);
  b->input = ends[0];
  b->output = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
  b->feed = ends[1];
  b->drain = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
}

/* As inetd does. */
static void use_tcp(bench *b)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  b->drain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
  assert_int_equal(connect(b->drain, (struct sockaddr *)&address, length), 0);
  b->output = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  b->input = fcntl(b->output, F_DUPFD_CLOEXEC, 3);
  assert_int_equal(close(listener), 0);
}

static void open_stream(bench *b)
{
  uvrelay_error_t error;
  if (uvr_stream_stdio_new(&b->r.context, b->input, b->output, &b->stream, &error) != 0) {
    fail_msg("%s", error.text);
  }
}

static void on_closed(void *user)
{
  bench *b = user;
  b->closed = true;
}

static void close_stream(bench *b)
{
  b->closing = true;
  uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, b);
  assert_false(b->closed);
}

static void close_ours(int *fd)
{
  if (*fd != -1) {
    assert_int_equal(close(*fd), 0);
    *fd = -1;
  }
}

static void bench_clear(bench *b)
{
  if (!b->closing) {
    close_stream(b);
  }
  assert_true(rig_run_until(&b->r, &b->closed));
  close_ours(&b->feed);
  close_ours(&b->drain);
  uvr_buffer_put(&b->r.context.buffers, b->outgoing);
  rig_clear(&b->r);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  bench *b = user;
  ASSERT_ERROR(outcome, error);
  assert_false(b->closing);
  b->got = true;
  b->read_outcome = outcome;
  b->size = 0;
  if (outcome == UVR_DONE) {
    b->size = buffer->length;
    memcpy(b->bytes, buffer->data, buffer->length);
    uvr_buffer_put(&b->r.context.buffers, buffer);
  }
}

static void read_once(bench *b)
{
  b->got = false;
  uvr_stream_read(b->stream, on_read, b);
  assert_true(rig_run_until(&b->r, &b->got));
}

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  ASSERT_ERROR(outcome, error);
  assert_false(b->closing);
  b->wrote = true;
  b->write_outcome = outcome;
  b->write_code = outcome != UVR_DONE ? error->code : 0;
}

static void begin_write(bench *b, unsigned seed, uint64_t from, size_t size)
{
  if (b->outgoing == NULL) {
    b->outgoing = uvr_buffer_get(&b->r.context.buffers, UVR_BUFFER_LARGE);
    assert_non_null(b->outgoing);
  }
  for (size_t i = 0; i < size; i++) {
    b->outgoing->data[i] = rig_byte(seed, from + i);
  }
  b->outgoing->length = size;
  b->wrote = false;
  uvr_stream_write(b->stream, b->outgoing->data, b->outgoing->length, on_write, b);
}

static void write_once(bench *b, unsigned seed, uint64_t from, size_t size)
{
  begin_write(b, seed, from, size);
  assert_true(rig_run_until(&b->r, &b->wrote));
}

static void on_shutdown(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  (void)error;
  assert_false(b->closing);
  b->shut = true;
  b->shutdown_outcome = outcome;
}

static void shut_down(bench *b)
{
  assert_true(b->stream->can_half_close);
  uvr_stream_shutdown(b->stream, on_shutdown, b);
  assert_true(rig_run_until(&b->r, &b->shut));
}

static void on_lost(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->closing);
  assert_false(b->lost); /* once */
  assert_int_not_equal(error->code, 0);
  b->lost = true;
  b->lost_outcome = outcome;
}

/* What is there to be read at our end now, without waiting: a count, 0 at the end of input, -1 for nothing yet. */
static ssize_t drain_now(int fd, char *bytes, size_t size)
{
  int flags = fcntl(fd, F_GETFL);
  assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
  ssize_t count = read(fd, bytes, size);
  int error = errno;
  assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
  assert_true(count >= 0 || error == EAGAIN);
  return count;
}

typedef void (*use_cb)(bench *b);
static const use_cb uses[] = {use_pipes, use_socket};

static void test_bytes(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    char sent[256];
    char bytes[512];
    bench_init(&b);
    uses[i](&b);
    open_stream(&b);
    assert_int_equal(b.stream->ends_when_lost, i == 0);
    for (unsigned n = 0; n < sizeof(sent); n++) {
      sent[n] = (char)n; /* all byte values */
    }
    assert_int_equal(write(b.feed, sent, sizeof(sent)), sizeof(sent));
    read_once(&b);
    assert_int_equal(b.size, sizeof(sent));
    assert_memory_equal(b.bytes, sent, sizeof(sent));
    write_once(&b, 3, 0, 300);
    assert_int_equal(b.write_outcome, UVR_DONE);
    assert_int_equal(drain_now(b.drain, bytes, sizeof(bytes)), 300);
    for (unsigned n = 0; n < 300; n++) {
      assert_int_equal(bytes[n], rig_byte(3, n));
    }
    bench_clear(&b);
  }
}

/* Closing a TCP socket that holds input, or gets more, throws away what its peer has not received yet. */
static void test_tcp_peer_gets_all(void **state)
{
  (void)state;
  bench b;
  static char bytes[65536];
  bench_init(&b);
  use_tcp(&b);
  open_stream(&b);
  b.r.context.patience.close_ms = RIG_PATIENCE_MS;

  assert_int_equal(write(b.drain, "unread", 6), 6);
  uint64_t sent = 0;
  do {
    begin_write(&b, 5, sent, UVR_BUFFER_LARGE);
    sent += b.wrote ? UVR_BUFFER_LARGE : 0;
  } while (b.wrote); /* until the system takes no more */
  uint64_t seen = 0;
  b.closing = true;
  uvr_stream_close(b.stream, UVR_CLOSE_GENTLY, on_closed, &b);
  assert_false(uvr_stream_has_delivered(b.stream));
  ssize_t count = 1;
  while (count > 0 || !b.closed) {
    rig_turns(&b.r, 1);
    count = recv(b.drain, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(count < 1 || bytes[0] == rig_byte(5, seen));
    seen += count > 0 ? (uint64_t)count : 0;
  }
  assert_true(seen >= sent);
  bench_clear(&b);
}

/* A reset may have cut the input, and is no end, whether a read meets it or a write. */
static void test_tcp_reset(void **state)
{
  (void)state;
  static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  for (unsigned by_write = 0; by_write < 2; by_write++) {
    bench b;
    bench_init(&b);
    use_tcp(&b);
    open_stream(&b);
    assert_int_equal(write(b.drain, "cut", 3), 3);
    read_once(&b);
    assert_int_equal(b.size, 3);
    assert_int_equal(setsockopt(b.drain, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close_ours(&b.drain);
    if (by_write) {
      write_once(&b, 1, 0, 10);
      assert_int_equal(b.write_outcome, UVR_GONE);
    }
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_FAILED);
    bench_clear(&b);
  }
}

/* More than a pipe holds: written in parts, while a reader takes it bit by bit. */
static void test_long_write(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    static char bytes[10000];
    bench_init(&b);
    uses[i](&b);
    open_stream(&b);
    uint64_t sent = 0;
    uint64_t seen = 0;
    b.wrote = true;
    while (seen < LONG_BYTES) {
      if (b.wrote && sent < LONG_BYTES) {
        begin_write(&b, 4, sent, UVR_BUFFER_LARGE);
        sent += UVR_BUFFER_LARGE;
      }
      rig_turns(&b.r, 1);
      ssize_t count = drain_now(b.drain, bytes, sizeof(bytes));
      for (ssize_t n = 0; n < count; n++) {
        assert_int_equal(bytes[n], rig_byte(4, seen + (uint64_t)n));
      }
      seen += count > 0 ? (uint64_t)count : 0;
    }
    bench_clear(&b);
  }
}

static void test_end_of_input(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b);
    uses[i](&b);
    open_stream(&b);
    assert_int_equal(write(b.feed, "last", 4), 4);
    if (i == 0) {
      close_ours(&b.feed);
    } else {
      assert_int_equal(shutdown(b.feed, SHUT_WR), 0);
    }
    read_once(&b);
    assert_int_equal(b.size, 4);
    read_once(&b);
    assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    write_once(&b, 1, 0, 100); /* the output lives on */
    assert_int_equal(b.write_outcome, UVR_DONE);
    bench_clear(&b);
  }
}

/* The reader sees the end as soon as the half-close is done, and the input lives on. */
static void test_half_close(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    char bytes[64];
    bench_init(&b);
    uses[i](&b);
    open_stream(&b);
    write_once(&b, 1, 0, 10);
    shut_down(&b);
    assert_int_equal(b.shutdown_outcome, UVR_DONE);
    assert_int_equal(drain_now(b.drain, bytes, sizeof(bytes)), 10);
    assert_int_equal(drain_now(b.drain, bytes, sizeof(bytes)), 0);
    assert_int_equal(write(b.feed, "more", 4), 4);
    read_once(&b);
    assert_int_equal(b.size, 4);
    bench_clear(&b);
  }
}

/* Looking for it does not keep the loop running. */
static void wait_lost(bench *b)
{
  for (unsigned ms = 0; !b->lost; ms += 10) {
    assert_in_range(ms, 0, RIG_SOON_MS);
    rig_run_ms(&b->r, 10);
  }
}

/* A reader that goes away is reported although nothing is written. */
static void test_reader_gone_while_idle(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bench_init(&b);
    uses[i](&b);
    open_stream(&b);
    uvr_stream_watch(b.stream, on_lost, &b);
    rig_run_ms(&b.r, LOOKS_MS);
    assert_false(b.lost);
    close_ours(&b.drain);
    if (i == 1) {
      close_ours(&b.feed);
      read_once(&b); /* of a socket, only once the input has ended: it might hold more */
      assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    }
    wait_lost(&b);
    rig_run_ms(&b.r, LOOKS_MS);
    assert_int_equal(b.lost_outcome, UVR_GONE);
    bench_clear(&b);
  }
}

/* Only a socket's input has ended: its reader still reads. */
static void test_half_closed_socket_is_not_lost(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  use_socket(&b);
  open_stream(&b);
  uvr_stream_watch(b.stream, on_lost, &b);
  assert_int_equal(shutdown(b.feed, SHUT_WR), 0);
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  rig_run_ms(&b.r, LOOKS_MS);
  assert_false(b.lost);
  bench_clear(&b);
}

/* What a socket's peer left is read, though it is gone. */
static void test_socket_gone_leaves_input(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  use_socket(&b);
  open_stream(&b);
  uvr_stream_watch(b.stream, on_lost, &b);
  assert_int_equal(write(b.feed, "left", 4), 4);
  close_ours(&b.feed);
  close_ours(&b.drain);
  rig_run_ms(&b.r, LOOKS_MS);
  assert_false(b.lost);
  read_once(&b);
  assert_int_equal(b.size, 4);
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  wait_lost(&b);
  bench_clear(&b);
}

static void test_reader_gone_while_writing(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned under_way = 0; under_way < 2; under_way++) {
      bench b;
      bench_init(&b);
      uses[i](&b);
      open_stream(&b);
      while (under_way == 1 && (b.wrote || b.outgoing == NULL)) {
        begin_write(&b, 1, 0, UVR_BUFFER_LARGE);
        rig_turns(&b.r, 3);
      }
      close_ours(&b.drain);
      close_ours(&b.feed);
      if (under_way == 0) {
        begin_write(&b, 1, 0, 100);
      }
      assert_true(rig_run_until(&b.r, &b.wrote));
      assert_int_equal(b.write_outcome, UVR_GONE);
      assert_int_equal(b.write_code, UV_EPIPE);
      bench_clear(&b);
    }
  }
}

/* Named pipes, as a shell opens them for `< input > output`. */
static void use_fifos(bench *b)
{
  scratch files;
  char in[SCRATCH_PATH_MAX];
  char out[SCRATCH_PATH_MAX];
  scratch_init(&files);
  assert_int_equal(mkfifo(scratch_path(&files, "in", in), 0600), 0);
  assert_int_equal(mkfifo(scratch_path(&files, "out", out), 0600), 0);
  int both[] = {open(in, O_RDWR | O_CLOEXEC), open(out, O_RDWR | O_CLOEXEC)}; /* so that no other open waits */
  b->input = open(in, O_RDONLY | O_CLOEXEC);
  b->feed = open(in, O_WRONLY | O_CLOEXEC);
  b->output = open(out, O_WRONLY | O_CLOEXEC);
  b->drain = open(out, O_RDONLY | O_CLOEXEC);
  assert_true(b->input >= 0 && b->feed >= 0 && b->output >= 0 && b->drain >= 0);
  (void)close(both[0]);
  (void)close(both[1]);
  scratch_clear(&files);
}

/* Sockets that keep messages, one for each direction. */
static void use_messages(bench *b)
{
  int in[2];
  int out[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, in), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out), 0);
  b->input = in[0];
  b->feed = in[1];
  b->output = out[0];
  b->drain = out[1];
}

static const use_cb shared_uses[] = {use_pipes, use_socket, use_fifos, use_messages};
enum { SHARED_USES = sizeof(shared_uses) / sizeof(shared_uses[0]) };

/* What other processes see of an open file that they share with us. */
typedef struct shared {
  int fd;
  int flags;
} shared;

static shared share(int fd, bool nonblocking)
{
  shared s = {.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  assert_true(s.fd >= 0);
  assert_int_equal(fcntl(s.fd, F_SETFL, fcntl(s.fd, F_GETFL) | (nonblocking ? O_NONBLOCK : 0)), 0);
  s.flags = fcntl(s.fd, F_GETFL);
  return s;
}

static void assert_unchanged(const shared *s)
{
  assert_int_equal(fcntl(s->fd, F_GETFL), s->flags);
}

/* Begins reading, and writes until nothing more fits. */
static void be_busy(bench *b)
{
  uvr_stream_read(b->stream, on_read, b);
  do {
    begin_write(b, 1, 0, UVR_BUFFER_LARGE / 2);
    rig_turns(&b->r, 3);
  } while (b->wrote && b->write_outcome == UVR_DONE);
  assert_false(b->wrote);
}

/* O_NONBLOCK belongs to the open file, which other processes share. It is never set, and never cleared either: not
 * while the stream is open, not by a half-close, not by closing it. */
static void test_nonblock_is_never_changed(void **state)
{
  (void)state;
  for (unsigned i = 0; i < SHARED_USES; i++) {
    for (unsigned was = 0; was < 4; was++) {
      bench b;
      bench_init(&b);
      shared_uses[i](&b);
      shared in = share(b.input, (was & 1U) != 0);
      shared out = share(b.output, (was & 2U) != 0);
      in.flags = fcntl(in.fd, F_GETFL); /* a socket may be both */
      open_stream(&b);
      assert_unchanged(&in);
      assert_unchanged(&out);
      be_busy(&b);
      assert_unchanged(&in);
      assert_unchanged(&out);
      (void)close(out.fd); /* it would keep the output open */
      char bytes[UVR_BUFFER_LARGE];
      for (unsigned ms = 0; !b.wrote; ms++) {
        assert_in_range(ms, 0, RIG_SOON_MS);
        (void)drain_now(b.drain, bytes, sizeof(bytes));
        rig_turns(&b.r, 1);
      }
      shut_down(&b);
      assert_unchanged(&in);
      assert_int_equal(write(b.feed, "x", 1), 1);
      assert_true(rig_run_until(&b.r, &b.got));
      close_stream(&b);
      assert_unchanged(&in);
      assert_true(rig_run_until(&b.r, &b.closed));
      assert_unchanged(&in);
      (void)close(in.fd);
      bench_clear(&b);
    }
  }
}

/* Opens the stream without the right to open its pipes once more, as when another user has made them. */
static void open_without_rights(bench *b)
{
  uid_t user = geteuid();
  assert_int_equal(fchmod(b->input, 0), 0);
  assert_int_equal(fchmod(b->output, 0), 0);
  assert_true(user != 0 || seteuid(NOBODY) == 0);
  open_stream(b);
  assert_true(user != 0 || seteuid(user) == 0);
}

/* Such pipes are used as they are. */
static void test_pipes_of_another_user(void **state)
{
  (void)state;
  for (unsigned was = 0; was < 2; was++) {
    bench b;
    char bytes[UVR_BUFFER_LARGE];
    bench_init(&b);
    use_pipes(&b);
    shared in = share(b.input, was == 1);
    shared out = share(b.output, was == 1);
    open_without_rights(&b);
    uvr_stream_watch(b.stream, on_lost, &b);
    uvr_stream_read(b.stream, on_read, &b);
    rig_run_ms(&b.r, LOOKS_MS);
    assert_int_equal(write(b.feed, "some", 4), 4);
    assert_true(rig_run_until(&b.r, &b.got));
    assert_int_equal(b.size, 4);
    be_busy(&b);
    assert_unchanged(&in);
    assert_unchanged(&out);
    (void)close(out.fd);
    for (unsigned ms = 0; !b.wrote; ms++) {
      assert_in_range(ms, 0, RIG_SOON_MS);
      (void)drain_now(b.drain, bytes, sizeof(bytes));
      rig_run_ms(&b.r, 1);
    }
    shut_down(&b);
    while (drain_now(b.drain, bytes, sizeof(bytes)) > 0) {
    }
    assert_int_equal(drain_now(b.drain, bytes, sizeof(bytes)), 0); /* its end */
    b.got = false;
    close_ours(&b.feed);
    assert_true(rig_run_until(&b.r, &b.got));
    assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    assert_unchanged(&in);
    (void)close(in.fd);
    assert_false(b.lost);
    bench_clear(&b);
  }
}

/* A pipe to write to that has lost its reader cannot be opened again. */
static void test_reader_gone_before(void **state)
{
  (void)state;
  for (unsigned fifo = 0; fifo < 2; fifo++) {
    for (unsigned writes = 0; writes < 2; writes++) {
      bench b;
      bench_init(&b);
      shared_uses[fifo * 2](&b);
      close_ours(&b.drain);
      open_stream(&b);
      if (writes == 1) {
        write_once(&b, 1, 0, 10);
        assert_int_equal(b.write_outcome, UVR_GONE);
        assert_int_equal(b.write_code, UV_EPIPE);
      } else {
        uvr_stream_watch(b.stream, on_lost, &b);
        wait_lost(&b);
      }
      bench_clear(&b);
    }
  }
}

/* Nor does a named pipe, opened once more, show that its writers have left before. */
static void test_writers_gone_before(void **state)
{
  (void)state;
  for (unsigned fifo = 0; fifo < 2; fifo++) {
    for (unsigned bytes = 0; bytes < 2; bytes++) {
      bench b;
      bench_init(&b);
      shared_uses[fifo * 2](&b);
      assert_int_equal(write(b.feed, "last", bytes * 4), bytes * 4);
      close_ours(&b.feed);
      open_stream(&b);
      if (bytes == 1) {
        read_once(&b);
        assert_int_equal(b.size, 4);
      }
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
      write_once(&b, 1, 0, 10);
      assert_int_equal(b.write_outcome, UVR_DONE);
      bench_clear(&b);
    }
  }
}

static void test_files(void **state)
{
  (void)state;
  scratch files;
  char in[SCRATCH_PATH_MAX];
  char out[SCRATCH_PATH_MAX];
  scratch_init(&files);
  char *data = malloc(LONG_BYTES);
  assert_non_null(data);
  for (unsigned i = 0; i < LONG_BYTES; i++) {
    data[i] = rig_byte(5, i);
  }
  scratch_write(&files, "in", data, LONG_BYTES);
  bench b;
  bench_init(&b);
  b.input = open(scratch_path(&files, "in", in), O_RDONLY | O_CLOEXEC);
  b.output = open(scratch_path(&files, "out", out), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  open_stream(&b);
  uvr_stream_watch(b.stream, on_lost, &b);
  size_t seen = 0;
  for (;;) {
    read_once(&b);
    if (b.read_outcome != UVR_DONE) {
      break;
    }
    assert_memory_equal(b.bytes, data + seen, b.size);
    write_once(&b, 5, seen, b.size);
    assert_int_equal(b.write_outcome, UVR_DONE);
    seen += b.size;
  }
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  assert_int_equal(seen, LONG_BYTES);
  shut_down(&b);
  rig_run_ms(&b.r, 300);
  assert_false(b.lost);
  FILE *written = fopen(out, "rb");
  assert_non_null(written);
  char *copy = malloc(LONG_BYTES + 1);
  assert_non_null(copy);
  assert_int_equal(fread(copy, 1, LONG_BYTES + 1, written), LONG_BYTES);
  assert_memory_equal(copy, data, LONG_BYTES);
  assert_int_equal(fclose(written), 0);
  free(copy);
  free(data);
  bench_clear(&b);
  scratch_clear(&files);
}

static void test_null_device(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  b.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  b.output = open("/dev/null", O_WRONLY | O_CLOEXEC);
  open_stream(&b);
  uvr_stream_watch(b.stream, on_lost, &b);
  read_once(&b);
  assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
  write_once(&b, 1, 0, 1000);
  assert_int_equal(b.write_outcome, UVR_DONE);
  rig_run_ms(&b.r, 300);
  assert_false(b.lost);
  shut_down(&b);
  assert_int_equal(b.shutdown_outcome, UVR_DONE);
  bench_clear(&b);
}

/* /dev/full takes nothing: an error, not an end. */
static void test_full_device(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  b.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  b.output = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (b.output == -1) {
    assert_int_equal(close(b.input), 0);
    rig_clear(&b.r);
    skip();
  }
  open_stream(&b);
  write_once(&b, 1, 0, 1000);
  assert_int_equal(b.write_outcome, UVR_FAILED);
  assert_int_equal(b.write_code, UV_ENOSPC);
  bench_clear(&b);
}

/* A closed input is an empty one; a closed output fails when something is to be written, and not before. */
static void test_closed(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    bench b;
    bench_init(&b);
    use_pipes(&b);
    if (i != 1) {
      assert_int_equal(close(b.input), 0);
      b.input = CLOSED_FD;
    }
    if (i != 0) {
      assert_int_equal(close(b.output), 0);
      b.output = CLOSED_FD;
    }
    open_stream(&b);
    uvr_stream_watch(b.stream, on_lost, &b);
    if (i != 1) {
      read_once(&b);
      assert_int_equal(b.read_outcome, UVR_END_OF_INPUT);
    }
    write_once(&b, 1, 0, 10);
    assert_int_equal(b.write_outcome, i == 0 ? UVR_DONE : UVR_FAILED);
    assert_int_equal(b.write_code, i == 0 ? 0 : UV_EBADF);
    shut_down(&b);
    assert_int_equal(b.shutdown_outcome, UVR_DONE);
    bench_clear(&b);
  }
}

/* A read that a thread is blocked in cannot be taken back: closing waits for it, then tells. */
static void test_terminal(void **state)
{
  (void)state;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master == -1 || grantpt(master) != 0 || unlockpt(master) != 0) {
    skip();
  }
  bench b;
  bench_init(&b);
  b.input = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  b.output = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(b.input >= 0 && b.output >= 0);
  open_stream(&b);
  assert_int_equal(write(master, "line\n", 5), 5);
  read_once(&b);
  assert_int_equal(b.size, 5);
  assert_memory_equal(b.bytes, "line\n", 5);
  uvr_stream_read(b.stream, on_read, &b);
  rig_run_ms(&b.r, 50);
  close_stream(&b);
  rig_run_ms(&b.r, 50);
  assert_false(b.closed);
  assert_int_equal(write(master, "x\n", 2), 2);
  bench_clear(&b);
  assert_int_equal(close(master), 0);
}

/* A program that has died may have left the terminal non-blocking. It stays so, and nothing is lost. */
static void test_nonblocking_terminal(void **state)
{
  (void)state;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master == -1 || grantpt(master) != 0 || unlockpt(master) != 0) {
    skip();
  }
  bench b;
  struct termios mode;
  char bytes[1000];
  bench_init(&b);
  b.input = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_int_equal(tcgetattr(b.input, &mode), 0);
  cfmakeraw(&mode);
  assert_int_equal(tcsetattr(b.input, TCSANOW, &mode), 0);
  b.output = fcntl(b.input, F_DUPFD_CLOEXEC, 3);
  shared both = share(b.input, true);
  open_stream(&b);
  uvr_stream_read(b.stream, on_read, &b);
  begin_write(&b, 1, 0, UVR_BUFFER_LARGE); /* more than a terminal holds */
  rig_run_ms(&b.r, 50);
  assert_false(b.got || b.wrote);
  assert_int_equal(write(master, "typed", 5), 5);
  assert_true(rig_run_until(&b.r, &b.got));
  assert_int_equal(b.read_outcome, UVR_DONE);
  assert_memory_equal(b.bytes, "typed", 5);
  for (size_t seen = 0; seen < UVR_BUFFER_LARGE;) {
    ssize_t count = read(master, bytes, sizeof(bytes));
    assert_true(count > 0);
    for (ssize_t n = 0; n < count; n++) {
      assert_int_equal(bytes[n], rig_byte(1, seen + (size_t)n));
    }
    seen += (size_t)count;
  }
  assert_true(rig_run_until(&b.r, &b.wrote));
  assert_int_equal(b.write_outcome, UVR_DONE);
  assert_unchanged(&both);
  (void)close(both.fd);
  bench_clear(&b);
  assert_int_equal(close(master), 0);
}

/* Closed after 0, 1, 2 ... turns with a read, a write and a half-close under way. */
static void test_close(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned what = 0; what < 4; what++) {
      for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        bench b;
        bench_init(&b);
        uses[i](&b);
        open_stream(&b);
        uvr_stream_watch(b.stream, on_lost, &b);
        if (what != 1) {
          uvr_stream_read(b.stream, on_read, &b);
        }
        if (what == 1 || what == 2) {
          do {
            begin_write(&b, 1, 0, UVR_BUFFER_LARGE);
          } while (b.wrote && turns % 2 == 0);
        }
        if (what == 3) {
          uvr_stream_shutdown(b.stream, on_shutdown, &b);
        }
        rig_turns(&b.r, turns);
        bench_clear(&b);
      }
    }
  }
}

/* The descriptors belong to the stream: none is open after it, however it ends. */
static void test_no_descriptor_left(void **state)
{
  (void)state;
  int before = open_fds();
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned half = 0; half < 2; half++) {
      bench b;
      bench_init(&b);
      uses[i](&b);
      open_stream(&b);
      if (half == 1) {
        shut_down(&b);
      }
      bench_clear(&b);
      assert_int_equal(open_fds(), before);
    }
  }
}

static void on_failed_closed(void *user)
{
  (void)user;
}

static void close_failed(bench *b)
{
  if (b->stream != NULL) {
    uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_failed_closed, NULL);
  }
  rig_run(&b->r);
}

/* The same when it cannot be made. */
static void test_no_descriptor_left_without_memory(void **state)
{
  (void)state;
  int before = open_fds();
  for (unsigned kind = 0; kind < 3; kind++) {
    for (size_t n = 1; n < 4; n++) {
      bench b;
      bench_init(&b);
      if (kind < 2) {
        uses[kind](&b);
      } else {
        b.input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        b.output = open("/dev/null", O_WRONLY | O_CLOEXEC);
      }
      b.r.fail_at = b.r.allocations + n;
      uvrelay_error_t error;
      assert_int_equal(uvr_stream_stdio_new(&b.r.context, b.input, b.output, &b.stream, &error), UV_ENOMEM);
      assert_true(b.r.failed);
      assert_int_equal(error.code, UV_ENOMEM);
      close_failed(&b);
      close_ours(&b.feed);
      close_ours(&b.drain);
      rig_clear(&b.r);
      assert_int_equal(open_fds(), before);
    }
  }
}

/* A pipe that is open for the other direction, and a listening socket: refused, not taken for what has ended. */
static void test_what_cannot_be_used(void **state)
{
  (void)state;
  int before = open_fds();
  for (unsigned kind = 0; kind < 4; kind++) {
    bench b;
    bench_init(&b);
    use_pipes(&b);
    int *wrong = kind % 2 == 0 ? &b.input : &b.output;
    assert_int_equal(close(*wrong), 0);
    if (kind < 2) {
      int other[2];
      assert_int_equal(pipe(other), 0);
      cloexec(other);
      *wrong = other[kind == 0];
      assert_int_equal(close(other[kind != 0]), 0);
    } else {
      *wrong = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const struct sockaddr any = {.sa_family = AF_UNIX}; /* any name that is free */
      assert_int_equal(bind(*wrong, &any, sizeof(any.sa_family)), 0);
      assert_int_equal(listen(*wrong, 1), 0);
    }
    uvrelay_error_t error;
    int code = uvr_stream_stdio_new(&b.r.context, b.input, b.output, &b.stream, &error);
    assert_int_equal(code, kind < 2 ? UV_EBADF : UV_EINVAL);
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.text, kind % 2 == 0 ? "standard input" : "standard output"));
    close_failed(&b);
    close_ours(&b.feed);
    close_ours(&b.drain);
    rig_clear(&b.r);
    assert_int_equal(open_fds(), before);
  }
}

static void test_no_memory(void **state)
{
  (void)state;
  for (unsigned kind = 0; kind < 2; kind++) {
    for (size_t n = 1; n < 4; n++) {
      bench b;
      bench_init(&b);
      uses[kind](&b);
      int in = b.input;
      int out = b.output;
      b.r.fail_at = b.r.allocations + n;
      uvrelay_error_t error;
      assert_int_equal(uvr_stream_stdio_new(&b.r.context, in, out, &b.stream, &error), UV_ENOMEM);
      assert_int_equal(error.code, UV_ENOMEM);
      close_failed(&b);
      (void)close(in);
      (void)close(out);
      close_ours(&b.feed);
      close_ours(&b.drain);
      rig_clear(&b.r);
    }
  }
}

/* Out of its place, so that nothing of it stays open. */
static void test_take(void **state)
{
  (void)state;
  int ends[2];
  int sample = open("/dev/null", O_RDWR | O_CLOEXEC);
  assert_int_equal(pipe(ends), 0);
  cloexec(ends);
  assert_int_not_equal(dup2(ends[1], sample), -1);
  (void)close(ends[1]);
  int before = open_fds();
  uv_file taken = uvr_stdio_detach(sample);
  assert_int_not_equal(taken, sample);
  assert_true(taken > STDERR_FILENO);
  assert_int_equal(open_fds(), before + 1);
  char byte;
  assert_int_equal(write(sample, "x", 1), 1); /* to /dev/null now */
  assert_int_equal(drain_now(ends[0], &byte, 1), -1);
  uvr_stdio_close(taken);
  assert_int_equal(drain_now(ends[0], &byte, 1), 0); /* its end is seen at once */
  (void)close(sample);
  (void)close(ends[0]);
}

static void on_taken_closed(void *user)
{
  *(bool *)user = true;
}

/* There is no descriptor left: nothing is as it would be if it had moved, so that is reported, and the old number is
 * not left to the next file that is opened. */
static void test_take_without_descriptors(void **state)
{
  (void)state;
  int ends[2];
  struct rlimit limit;
  rig r;
  uvr_stream *stream;
  uvrelay_error_t error;
  rig_init(&r);
  assert_int_equal(pipe(ends), 0);
  cloexec(ends);
  int before = open_fds();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  int more[64];
  size_t count = 0;
  const struct rlimit low = {.rlim_cur = 40, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  while (count < 64 && (more[count] = dup(ends[1])) != -1) {
    count++;
  }
  uv_file taken = uvr_stdio_detach(ends[0]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  while (count > 0) {
    (void)close(more[--count]);
  }
  assert_int_equal(taken, UV_EMFILE);
  assert_int_equal(open_fds(), before);
  assert_int_equal(write(ends[1], "x", 1), -1); /* no process has it any longer */
  assert_int_equal(uvr_stream_stdio_new(&r.context, taken, ends[1], &stream, &error), UV_EMFILE);
  bool closed = false;
  uvr_stream_close(stream, UVR_CLOSE_NOW, on_taken_closed, &closed);
  assert_true(rig_run_until(&r, &closed));
  assert_int_equal(open_fds(), before - 1);
  (void)close(ends[0]);
  rig_clear(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_long_write),
      cmocka_unit_test(test_tcp_peer_gets_all),
      cmocka_unit_test(test_tcp_reset),
      cmocka_unit_test(test_end_of_input),
      cmocka_unit_test(test_half_close),
      cmocka_unit_test(test_reader_gone_while_idle),
      cmocka_unit_test(test_half_closed_socket_is_not_lost),
      cmocka_unit_test(test_socket_gone_leaves_input),
      cmocka_unit_test(test_reader_gone_while_writing),
      cmocka_unit_test(test_nonblock_is_never_changed),
      cmocka_unit_test(test_pipes_of_another_user),
      cmocka_unit_test(test_reader_gone_before),
      cmocka_unit_test(test_writers_gone_before),
      cmocka_unit_test(test_files),
      cmocka_unit_test(test_null_device),
      cmocka_unit_test(test_full_device),
      cmocka_unit_test(test_closed),
      cmocka_unit_test(test_terminal),
      cmocka_unit_test(test_nonblocking_terminal),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_no_descriptor_left),
      cmocka_unit_test(test_no_descriptor_left_without_memory),
      cmocka_unit_test(test_what_cannot_be_used),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_take),
      cmocka_unit_test(test_take_without_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
