/* Reads that are shorter than what is there, from a peer that has left: a pipe of packets gives one of them a read, and
 * a Unix socket no more than what came with one message's descriptors. All the rest must arrive before the end. And
 * reads that signals interrupt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"
#include "stream/fd.h"
#include "stream/uv.h"

enum { PIECES = 5, PIECE = 7, SIGNALS = 50 };

typedef struct reader {
  rig r;
  uvr_stream *stream;
  size_t pieces; /* that each read got one of, in a row */
  size_t received;
  bool ended;
  bool closed;
} reader;

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  reader *r = user;
  assert_null(error);
  if (outcome == UVR_END_OF_INPUT) {
    r->ended = true;
    return;
  }
  assert_int_equal(outcome, UVR_DONE);
  for (size_t i = 0; i < buffer->length; i++) {
    assert_int_equal(buffer->data[i], rig_byte(1, r->received + i));
  }
  r->pieces += buffer->length == PIECE ? 1U : 0U;
  r->received += buffer->length;
  uvr_buffer_put(&r->r.context.buffers, buffer);
  uvr_stream_read(r->stream, on_read, r);
}

static void on_closed(void *user)
{
  ((reader *)user)->closed = true;
}

/* Reads all from the descriptor, whose peer has left. */
static void read_all(reader *r, int fd)
{
  assert_int_equal(uvr_stream_uv_new(&r->r.context, UV_NAMED_PIPE, "the peer", &r->stream), 0);
  assert_int_equal(uv_pipe_open((uv_pipe_t *)uvr_stream_uv_handle(r->stream), fd), 0);
  uvr_stream_read(r->stream, on_read, r);
  rig_turns(&r->r, 1);
  assert_int_equal(r->received, PIECE); /* at once: the peer's exit, which may come next, must not precede it */
  assert_true(rig_run_until(&r->r, &r->ended));
  assert_int_equal(r->received, PIECES * PIECE);
  assert_int_equal(r->pieces, PIECES); /* else the test shows nothing */
  uvr_stream_close(r->stream, UVR_CLOSE_NOW, on_closed, r);
  assert_true(rig_run_until(&r->r, &r->closed));
  rig_clear(&r->r);
}

static void fill(char data[PIECE], size_t piece)
{
  for (size_t i = 0; i < PIECE; i++) {
    data[i] = rig_byte(1, piece * PIECE + i);
  }
}

static void test_packets(void **state)
{
  (void)state;
  reader r = {.stream = NULL};
  int fds[2];
  char data[PIECE];
  rig_init(&r.r);
  assert_int_equal(pipe2(fds, O_DIRECT | O_CLOEXEC), 0);
  for (size_t i = 0; i < PIECES; i++) {
    fill(data, i);
    assert_int_equal(write(fds[1], data, PIECE), PIECE);
  }
  assert_int_equal(close(fds[1]), 0);
  read_all(&r, fds[0]);
}

static void send_with_descriptor(int fd, const char data[PIECE], int sent)
{
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &sent, sizeof(sent));
  struct iovec bytes = {.iov_base = (char *)data, .iov_len = PIECE};
  struct msghdr message = {
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  assert_int_equal(sendmsg(fd, &message, 0), PIECE);
}

static void test_descriptors(void **state)
{
  (void)state;
  reader r = {.stream = NULL};
  int fds[2];
  char data[PIECE];
  rig_init(&r.r);
  int sent = open("/dev/null", O_RDONLY | O_CLOEXEC); /* not the socket itself, which would stay open */
  assert_in_range(sent, 0, INT32_MAX);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  for (size_t i = 0; i < PIECES; i++) {
    fill(data, i);
    send_with_descriptor(fds[1], data, sent);
  }
  assert_int_equal(close(sent), 0);
  assert_int_equal(close(fds[1]), 0);
  read_all(&r, fds[0]);
}

/* A blocking read in a thread, during which signals come. */

static atomic_int signals;

static void on_signal(int number)
{
  (void)number;
  (void)atomic_fetch_add(&signals, 1);
}

static void on_one_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  reader *r = user;
  assert_null(error);
  assert_int_equal(outcome, UVR_DONE);
  assert_int_equal(buffer->length, 1);
  uvr_buffer_put(&r->r.context.buffers, buffer);
  r->ended = true;
}

/* This thread gets none of them, so the one that reads does. */
static void interrupt(reader *r)
{
  sigset_t set;
  const struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
  assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGUSR1);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
  while (atomic_load(&signals) < SIGNALS) {
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    rig_run_ms(&r->r, 1);
  }
}

static void test_signals(void **state)
{
  (void)state;
  reader r = {.stream = NULL};
  int fds[2];
  rig_init(&r.r);
  assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
  assert_int_equal(uvr_stream_fd_new(&r.r.context, fds[0], false, "the peer", &r.stream), 0);
  uvr_stream_read(r.stream, on_one_read, &r);
  rig_run_ms(&r.r, 1); /* there is a thread now */
  interrupt(&r);
  assert_false(r.ended);
  assert_int_equal(write(fds[1], "x", 1), 1);
  assert_true(rig_run_until(&r.r, &r.ended));
  uvr_stream_close(r.stream, UVR_CLOSE_NOW, on_closed, &r);
  assert_true(rig_run_until(&r.r, &r.closed));
  assert_int_equal(close(fds[1]), 0);
  rig_clear(&r.r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_packets),
      cmocka_unit_test(test_descriptors),
      cmocka_unit_test(test_signals),
  };
  (void)setenv("UV_THREADPOOL_SIZE", "1", 1); /* so that it is this thread that signals come to */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
