/* Pumps that splice, between real sockets: what is sent arrives, whole and in order, whatever the sockets and however
 * slow the reader; a pump splices only while it is busy; each end is reported; what is in a pipe at the end is
 * delivered or given up like what is in a buffer; the system may refuse any of it; and no descriptor is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "relay/pump.h"
#include "rig.h"
#include "stream/uv.h"

enum { PERIOD = 65521, CHUNK = 64 * 1024, PLENTY = 4 * 1024 * 1024, A_LITTLE = 1792 * 1024, SLOW = 3000 };

static char pattern[PERIOD]; /* what is sent, again and again */

typedef struct journey {
  rig r;
  uvr_pump pump; /* the journey is found from it */
  uvr_stream *source;
  uvr_stream *sink;
  int sender; /* the test's ends; -1: closed */
  int receiver;
  uint64_t sent;
  uint64_t received;
  uint64_t pipe_turns; /* turns of the loop in which a pipe was open */
  bool over;           /* the receiver has seen an end */
  int receiver_error;
  bool ended; /* the pump has */
  uvr_pump_end end;
  int code;
  unsigned closes;
} journey;

static bool is_tcp_kind(char kind)
{
  return kind == 't';
}

static void connect_pair(bool tcp, int fds[2])
{
  if (!tcp) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    return;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
  fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(fds[0], (struct sockaddr *)&address, length), 0);
  fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  assert_true(fds[1] >= 0);
  assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  assert_int_equal(close(listener), 0);
}

static uvr_stream *stream_of(journey *j, bool tcp, int fd, const char *name)
{
  uvr_stream *stream = NULL;
  assert_int_equal(uvr_stream_uv_new(&j->r.context, tcp ? UV_TCP : UV_NAMED_PIPE, name, &stream), 0);
  uv_stream_t *handle = uvr_stream_uv_handle(stream);
  assert_int_equal(tcp ? uv_tcp_open((uv_tcp_t *)handle, fd) : uv_pipe_open((uv_pipe_t *)handle, fd), 0);
  return stream;
}

static void on_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  journey *j = (journey *)((char *)pump - offsetof(journey, pump));
  assert_false(j->ended);
  j->ended = true;
  j->end = end;
  j->code = error != NULL ? error->code : 0;
}

/* `kinds`: of the source and the sink, "u" or "t" each. */
static journey *depart(const char *kinds)
{
  journey *j = calloc(1, sizeof(*j));
  int from[2];
  int to[2];
  assert_non_null(j);
  rig_init(&j->r);
  connect_pair(is_tcp_kind(kinds[0]), from);
  connect_pair(is_tcp_kind(kinds[1]), to);
  j->sender = from[0];
  j->receiver = to[0];
  j->source = stream_of(j, is_tcp_kind(kinds[0]), from[1], "the source");
  j->sink = stream_of(j, is_tcp_kind(kinds[1]), to[1], "the sink");
  fault_arm();
  uvr_pump_start(&j->pump, &j->r.context, j->source, j->sink, on_end);
  return j;
}

static void on_closed(void *user)
{
  ((journey *)user)->closes++;
}

static void close_streams(journey *j, uvr_close_how how)
{
  uvr_pump_stop(&j->pump);
  uvr_stream_close(j->source, UVR_CLOSE_NOW, on_closed, j);
  uvr_stream_close(j->sink, how, on_closed, j);
  j->source = NULL;
}

static void close_end(int *fd)
{
  if (*fd >= 0) {
    assert_int_equal(close(*fd), 0);
    *fd = -1;
  }
}

static void turn(journey *j)
{
  j->pipe_turns += j->r.context.buffers.pipes > 0 ? 1U : 0U;
  (void)uv_run(&j->r.loop, UV_RUN_NOWAIT);
}

/* Sends some, if the socket accepts it. */
static void send_up_to(journey *j, uint64_t total)
{
  while (j->sent < total) {
    size_t at = (size_t)(j->sent % PERIOD);
    size_t size = PERIOD - at < CHUNK ? PERIOD - at : CHUNK;
    size = total - j->sent < size ? (size_t)(total - j->sent) : size;
    ssize_t count = send(j->sender, pattern + at, size, MSG_NOSIGNAL);
    if (count < 0) {
      assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
      return;
    }
    j->sent += (uint64_t)count;
  }
}

static void receive(journey *j, size_t most)
{
  char data[CHUNK];
  while (most > 0 && !j->over) {
    size_t at = (size_t)(j->received % PERIOD);
    size_t size = PERIOD - at < most ? PERIOD - at : most;
    ssize_t count = recv(j->receiver, data, size < sizeof(data) ? size : sizeof(data), 0);
    if (count < 0 && errno == EAGAIN) {
      return;
    }
    j->receiver_error = count < 0 ? errno : 0;
    j->over = count <= 0;
    if (count > 0) {
      assert_memory_equal(data, pattern + at, (size_t)count);
      j->received += (uint64_t)count;
      most -= (size_t)count;
    }
  }
}

/* Sends up to `total` and receives it, a piece of `piece` bytes at most in each turn. */
static void move(journey *j, uint64_t total, size_t piece)
{
  for (uint64_t began = uv_hrtime(); j->received < total && !j->over && !j->ended;) {
    assert_true((uv_hrtime() - began) / 1000000 < RIG_PATIENCE_MS);
    send_up_to(j, total);
    turn(j);
    receive(j, piece);
  }
}

static void wait_until_ended(journey *j)
{
  for (uint64_t began = uv_hrtime(); !j->ended;) {
    assert_true((uv_hrtime() - began) / 1000000 < RIG_PATIENCE_MS);
    turn(j);
    receive(j, SIZE_MAX);
  }
}

/* Closes what is open, takes what still comes, and checks that all was given back. */
static void arrive(journey *j, uvr_close_how how)
{
  fault_disarm();
  if (j->source != NULL) {
    close_streams(j, how);
  }
  for (uint64_t began = uv_hrtime(); j->closes < 2;) {
    assert_true((uv_hrtime() - began) / 1000000 < RIG_PATIENCE_MS);
    turn(j);
    if (j->receiver >= 0) {
      receive(j, SIZE_MAX);
    }
    if (j->over) {
      close_end(&j->receiver); /* a gentle close waits for that */
    }
  }
  if (j->receiver >= 0) {
    receive(j, SIZE_MAX);
    assert_true(j->over);
  }
  assert_true(uvr_pump_clear(&j->pump));
  assert_int_equal(j->r.context.buffers.pipes, 0);
  assert_int_equal(j->r.context.buffers.splicing, 0);
  close_end(&j->sender);
  close_end(&j->receiver);
  rig_clear(&j->r);
  free(j);
}

static unsigned count_descriptors(void)
{
  unsigned count = 0;
  for (int fd = 0; fd < 1024; fd++) {
    count += fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
  }
  return count;
}

/* From a Unix socket to TCP, bytes are copied. */
static void expect_way(const journey *j)
{
  assert_int_equal(j->pump.splices, j->source->is_tcp || !j->sink->is_tcp);
}

static void test_arrives(void **state)
{
  (void)state;
  static const char *const kinds[] = {"uu", "ut", "tu", "tt"};
  arrive(depart("uu"), UVR_CLOSE_NOW); /* libuv keeps some descriptors */
  for (unsigned i = 0; i < 8; i++) {
    unsigned before = count_descriptors();
    journey *j = depart(kinds[i / 2]);
    move(j, PLENTY, i % 2 == 0 ? CHUNK : SLOW);
    assert_int_equal(j->received, PLENTY);
    expect_way(j);
    assert_int_equal(uvr_pump_bytes(&j->pump), PLENTY);
    assert_int_equal(shutdown(j->sender, SHUT_WR), 0);
    wait_until_ended(j);
    assert_int_equal(j->end, UVR_PUMP_SOURCE_ENDED);
    arrive(j, UVR_CLOSE_GENTLY);
    assert_int_equal(count_descriptors(), before);
  }
}

/* A pump splices once it has moved much, and small pieces end that. */
static void test_only_while_busy(void **state)
{
  (void)state;
  journey *j = depart("uu");
  move(j, 512 * 1024, CHUNK);
  assert_false(j->pump.splices);
  assert_int_equal(j->r.context.buffers.pipes, 0);
  for (unsigned i = 0; i < 2; i++) {
    move(j, j->sent + PLENTY, CHUNK);
    assert_true(j->pump.splices);
    assert_int_equal(j->r.context.buffers.pipes, 1);
    for (unsigned n = 0; n < 100; n++) {
      move(j, j->sent + 100, CHUNK);
    }
    assert_false(j->pump.splices);
    assert_int_equal(j->r.context.buffers.pipes, 0);
  }
  arrive(j, UVR_CLOSE_GENTLY);
}

/* The sink may want copies for a while. */
static void test_copies_preferred(void **state)
{
  (void)state;
  journey *j = depart("uu");
  for (unsigned i = 0; i < 6; i++) {
    j->sink->prefers_copies = i % 2 == 1;
    move(j, j->sent + PLENTY, CHUNK);
    assert_int_equal(j->pump.splices, i % 2 == 0);
    assert_int_equal(j->r.context.buffers.splicing, i % 2 == 0);
  }
  assert_int_equal(j->received, 6 * PLENTY);
  arrive(j, UVR_CLOSE_GENTLY);
}

/* Descriptors are dropped, as by any read, and the bytes that they came with are not. */
static void test_descriptors(void **state)
{
  (void)state;
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  int witness[2];
  char byte;
  journey *j = depart("uu");
  move(j, PLENTY, CHUNK);
  assert_true(j->pump.splices);
  assert_int_equal(pipe2(witness, O_CLOEXEC | O_NONBLOCK), 0);
  memcpy(CMSG_DATA(&control.header), &witness[1], sizeof(int));
  for (unsigned i = 0; i < 10; i++) {
    size_t at = (size_t)(j->sent % PERIOD);
    struct iovec bytes = {.iov_base = pattern + at, .iov_len = PERIOD - at < 5000 ? PERIOD - at : 5000};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    assert_int_equal(sendmsg(j->sender, &message, 0), bytes.iov_len);
    j->sent += bytes.iov_len;
  }
  assert_int_equal(close(witness[1]), 0);
  move(j, j->sent + PLENTY, CHUNK);
  assert_int_equal(j->received, j->sent);
  assert_int_equal(read(witness[0], &byte, 1), 0); /* no one has the other end */
  assert_int_equal(close(witness[0]), 0);
  arrive(j, UVR_CLOSE_GENTLY);
}

/* Moves until the sink accepts no more, with bytes in a pipe if it splices. */
static void fill(journey *j)
{
  move(j, PLENTY, CHUNK);
  expect_way(j);
  for (unsigned idle = 0; idle < 50;) {
    uint64_t progress = uvr_pump_progress(&j->pump) + j->sent;
    send_up_to(j, UINT64_MAX);
    turn(j);
    idle = uvr_pump_progress(&j->pump) + j->sent == progress ? idle + 1 : 0;
  }
  assert_non_null(j->pump.writing);
  assert_true((j->pump.writing->splice != NULL) == j->pump.splices);
  assert_true(uvr_pump_is_full(&j->pump)); /* a pipe, or two buffers */
  assert_true(uvr_pump_is_holding(&j->pump));
  assert_true(uvr_stream_unwritten(j->sink) > 0);
  assert_true(uvr_stream_unwritten(j->sink) <= j->pump.writing->length);
}

static void test_closed_while_full(void **state)
{
  (void)state;
  static const char *const kinds[] = {"uu", "ut", "tu", "tt"};
  for (unsigned i = 0; i < 4; i++) {
    journey *j = depart(kinds[i]);
    fill(j);
    arrive(j, UVR_CLOSE_NOW);
  }
}

/* The write that is under way is completed, and then comes the reset. */
static void test_cut_after_writes(void **state)
{
  (void)state;
  journey *j = depart("tt");
  fill(j);
  uint64_t whole = uvr_pump_bytes(&j->pump) + j->pump.writing->length;
  j->r.context.patience.close_ms = RIG_PATIENCE_MS;
  close_streams(j, UVR_CLOSE_CUT_AFTER_WRITES);
  for (uint64_t began = uv_hrtime(); !j->over;) {
    assert_true((uv_hrtime() - began) / 1000000 < RIG_PATIENCE_MS);
    turn(j);
    receive(j, SLOW);
  }
  assert_int_equal(j->receiver_error, ECONNRESET);
  assert_int_equal(j->received, whole);
  arrive(j, UVR_CLOSE_CUT_AFTER_WRITES);
}

static void test_source_is_reset(void **state)
{
  (void)state;
  static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  journey *j = depart("tu");
  move(j, PLENTY, CHUNK);
  assert_true(j->pump.splices);
  assert_int_equal(setsockopt(j->sender, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
  close_end(&j->sender);
  wait_until_ended(j);
  assert_int_equal(j->end, UVR_PUMP_SOURCE_FAILED);
  assert_int_equal(j->code, UV_ECONNRESET);
  assert_int_equal(j->received, PLENTY);
  arrive(j, UVR_CLOSE_NOW);
}

static void test_sink_is_gone(void **state)
{
  (void)state;
  static const char *const kinds[] = {"uu", "tt"};
  for (unsigned i = 0; i < 4; i++) {
    journey *j = depart(kinds[i / 2]);
    if (i % 2 == 0) {
      move(j, PLENTY, CHUNK);
    } else {
      fill(j);
    }
    close_end(&j->receiver);
    j->over = true;
    for (uint64_t began = uv_hrtime(); !j->ended;) {
      assert_true((uv_hrtime() - began) / 1000000 < RIG_PATIENCE_MS);
      send_up_to(j, j->sent + CHUNK);
      turn(j);
    }
    assert_int_equal(j->end, UVR_PUMP_SINK_GONE);
    arrive(j, UVR_CLOSE_NOW);
  }
}

/* The last descriptors are left to others. */
static void test_few_descriptors(void **state)
{
  (void)state;
  struct rlimit limit;
  journey *j = depart("uu");
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  struct rlimit low = {.rlim_cur = count_descriptors() + 4, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  move(j, PLENTY, CHUNK);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_int_equal(j->received, PLENTY);
  assert_int_equal(j->pipe_turns, 0);
  arrive(j, UVR_CLOSE_GENTLY);
}

/* Each call fails once, in each way that it can. */
static void refuse(const char *kinds, const char *call)
{
  fault_plan plan = {.at = 1, .only = call};
  unsigned runs = 0;
  do {
    fault_plan_is(plan);
    journey *j = depart(kinds);
    move(j, A_LITTLE, CHUNK);
    fault_disarm();
    if (j->ended) {
      assert_true(fault_fired() && !fault_is_harmless());
      assert_int_equal(j->code, uv_translate_sys_error(fault_code()));
    } else {
      assert_int_equal(j->received, A_LITTLE);
    }
    runs += fault_fired() ? 1U : 0U;
    arrive(j, UVR_CLOSE_GENTLY);
  } while (fault_next(&plan));
  print_message("%s %s: %u faults\n", kinds, call, runs);
  assert_true(runs > 0);
}

static void test_refused(void **state)
{
  (void)state;
  refuse("uu", "pipe2");
  refuse("uu", "splice");
  refuse("tt", "splice");
}

int main(void)
{
  for (unsigned i = 0; i < PERIOD; i++) {
    pattern[i] = rig_byte(1, i);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_arrives, fault_teardown),
      cmocka_unit_test_teardown(test_only_while_busy, fault_teardown),
      cmocka_unit_test_teardown(test_copies_preferred, fault_teardown),
      cmocka_unit_test_teardown(test_descriptors, fault_teardown),
      cmocka_unit_test_teardown(test_closed_while_full, fault_teardown),
      cmocka_unit_test_teardown(test_cut_after_writes, fault_teardown),
      cmocka_unit_test_teardown(test_source_is_reset, fault_teardown),
      cmocka_unit_test_teardown(test_sink_is_gone, fault_teardown),
      cmocka_unit_test_teardown(test_few_descriptors, fault_teardown),
      cmocka_unit_test_teardown(test_refused, fault_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
