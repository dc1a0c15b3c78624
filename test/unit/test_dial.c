/* Dialling, with real servers on the test's own loop: TCP, Unix sockets, socket files with their handshake; what is
 * retried and what is not, the deadline, closing after every turn, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "address/assuan.h"
#include "endpoint/dial.h"
#include "scratch.h"
#include "tcp_peer.h"

enum { NONCE = UVR_ASSUAN_NONCE_SIZE, TURNS_MAX = 400, PATIENCE_MS = 100, SOON_MS = RIG_SOON_MS };

static const char nonce[] = "0123456789\xab\xcd\xef\x01\x02\x03";
static const char cygwin_words[] = "33323130-37363534-cdab3938-030201ef";

typedef struct bench {
  rig r;
  scratch files;
  peer server;
  uvr_dial *dial;
  uvr_stream *stream;
  uvrelay_error_t error;
  unsigned results;
  bool done;
  bool closed;
  bool close_at_result;
  uint64_t started;
  uint64_t ms;          /* to the result */
  size_t credentials;   /* that the server wants */
  const char *greeting; /* comes right after the handshake */
  bool wrong;           /* the server sends back another nonce */
  bool got;             /* bytes were read */
  uvr_outcome read_outcome;
  char bytes[64];
  size_t size;
} bench;

static void on_closed(void *user)
{
  *(bool *)user = true;
}

static void on_result(void *user, uvr_stream *stream, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->closed);
  b->results++;
  b->ms = (uv_hrtime() - b->started) / 1000000;
  b->stream = stream;
  assert_true((stream == NULL) == (error != NULL));
  if (error != NULL) {
    assert_int_not_equal(error->code, 0);
    b->error = *error;
  }
  if (b->close_at_result) {
    uvr_dial_close(b->dial, on_closed, &b->closed);
    b->dial = NULL;
  }
  b->done = true;
}

static void bench_init(bench *b)
{
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.patience.credentials_ms = PATIENCE_MS;
  scratch_init(&b->files);
  b->server.user = b;
}

static void start(bench *b, const char *text, unsigned flags, const uvr_dial_options *options)
{
  uvr_address address;
  uvrelay_error_t error;
  if (uvr_address_parse(text, flags, &address, &error) != 0) {
    fail_msg("%s", error.text);
  }
  b->started = uv_hrtime();
  uv_update_time(&b->r.loop);
  b->dial = uvr_dial_start(&b->r.context, &address, options, on_result, b);
  memset(&address, 0x5A, sizeof(address)); /* it was copied */
  assert_int_equal(b->results, 0);         /* later */
}

static void dial(bench *b, const char *text, unsigned flags, const uvr_dial_options *options)
{
  start(b, text, flags, options);
  assert_non_null(b->dial);
  assert_true(rig_run_until(&b->r, &b->done));
}

/* Closes what is open, in this order, and asserts that nothing more comes. */
static void bench_clear(bench *b)
{
  unsigned results = b->results;
  if (b->dial != NULL) {
    uvr_dial_close(b->dial, on_closed, &b->closed);
    assert_true(rig_run_until(&b->r, &b->closed));
  }
  if (b->stream != NULL) {
    bool closed = false;
    uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, &closed);
    assert_true(rig_run_until(&b->r, &closed));
  }
  peer_close(&b->server);
  rig_run(&b->r);
  assert_int_equal(b->results, results);
  assert_in_range(results, 0, 1);
  scratch_clear(&b->files);
  rig_clear(&b->r);
}

static void assert_error(const bench *b, int code, uvrelay_phase_t phase, const char *part)
{
  if (b->error.code != code || b->error.phase != phase || strstr(b->error.text, part) == NULL) {
    fail_msg("not the error that was expected: %s (%d, phase %d)", b->error.text, b->error.code, (int)b->error.phase);
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  bench *b = user;
  (void)error;
  b->got = true;
  b->read_outcome = outcome;
  b->size = 0;
  if (outcome == UVR_DONE) {
    b->size = buffer->length;
    assert_in_range(b->size, 1, sizeof(b->bytes));
    memcpy(b->bytes, buffer->data, b->size);
    uvr_buffer_put(&b->r.context.buffers, buffer);
  }
}

static void read_once(bench *b)
{
  b->got = false;
  uvr_stream_read(b->stream, on_read, b);
  assert_true(rig_run_until(&b->r, &b->got));
}

static const char *tcp(char text[64], unsigned port)
{
  (void)snprintf(text, 64, "tcp://127.0.0.1:%u", port);
  return text;
}

/* TCP. */

static void greet(peer_connection *c)
{
  peer_send(c, "hello", 5);
}

static void test_tcp(void **state)
{
  (void)state;
  static const char *const hosts[] = {"127.0.0.1", "localhost"}; /* the latter may have an address that refuses */
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    char text[64];
    bench_init(&b);
    b.server.on_connect = greet;
    b.close_at_result = i >= 2;
    peer_listen(&b.r, &b.server, 0);
    (void)snprintf(text, sizeof(text), "tcp://%s:%u", hosts[i % 2], b.server.port);
    dial(&b, text, 0, &(uvr_dial_options){.timeout_ms = 200});
    assert_int_equal(b.error.code, 0);
    if (i == 0) {
      rig_run_ms(&b.r, 300); /* the deadline is over with the result: bench_clear asserts that nothing more came */
    }
    assert_string_equal(b.stream->name, text);
    assert_true(b.stream->can_half_close);
    read_once(&b);
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.bytes, "hello", 5);
    bench_clear(&b);
  }
}

/* Of a name with several addresses the first ones refuse. */
static void test_second_address(void **state)
{
  (void)state;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  uv_loop_t loop;
  uv_getaddrinfo_t request;
  assert_int_equal(uv_loop_init(&loop), 0);
  int code = uv_getaddrinfo(&loop, &request, NULL, "localhost", "1", &hints);
  assert_int_equal(uv_loop_close(&loop), 0);
  bool several = code == 0 && request.addrinfo->ai_next != NULL && request.addrinfo->ai_family == AF_INET6;
  uv_freeaddrinfo(code == 0 ? request.addrinfo : NULL);
  if (!several) {
    skip(); /* only where localhost is ::1 first: the server listens on 127.0.0.1 */
  }
  bench b;
  char text[64];
  bench_init(&b);
  peer_listen(&b.r, &b.server, 0);
  (void)snprintf(text, sizeof(text), "tcp://localhost:%u", b.server.port);
  dial(&b, text, 0, &(uvr_dial_options){0});
  assert_int_equal(b.error.code, 0);
  assert_non_null(b.stream);
  bench_clear(&b);
}

static void test_tcp_refused(void **state)
{
  (void)state;
  bench b;
  char text[64];
  bench_init(&b);
  dial(&b, tcp(text, peer_free_port()), 0, &(uvr_dial_options){0});
  assert_error(&b, UV_ECONNREFUSED, UVRELAY_PHASE_CONNECT, text);
  assert_non_null(strstr(b.error.text, "ECONNREFUSED"));
  bench_clear(&b);
}

static void test_unknown_host(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  /* A zone that no system has, so that no name server is asked. It is not retried. */
  dial(&b, "tcp://[fe80::1%no-such-zone]:1", 0, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = SOON_MS});
  assert_int_equal(b.error.phase, UVRELAY_PHASE_ADDRESS);
  assert_non_null(strstr(b.error.text, "fe80::1%no-such-zone"));
  bench_clear(&b);
}

static void listen_later(uv_timer_t *timer)
{
  bench *b = timer->data;
  peer_listen(&b->r, &b->server, b->server.port);
}

static void on_timer_closed(uv_handle_t *handle)
{
  (void)handle;
}

static void test_tcp_retry(void **state)
{
  (void)state;
  bench b;
  char text[64];
  bench_init(&b);
  b.server.port = peer_free_port();
  uv_timer_t later;
  assert_int_equal(uv_timer_init(&b.r.loop, &later), 0);
  later.data = &b;
  uv_update_time(&b.r.loop);
  assert_int_equal(uv_timer_start(&later, listen_later, 150, 0), 0);
  dial(&b, tcp(text, b.server.port), 0, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = SOON_MS});
  uv_close((uv_handle_t *)&later, on_timer_closed);
  assert_int_equal(b.error.code, 0);
  assert_non_null(b.stream);
  assert_in_range(b.ms, 0, SOON_MS);
  bench_clear(&b);
}

/* What is not to be retried is reported at once, whatever else is. */
static void test_retry_other(void **state)
{
  (void)state;
  bench b;
  char text[SCRATCH_PATH_MAX + 16];
  const uvr_dial_options only_busy = {.retry = UVRELAY_RETRY_BUSY, .timeout_ms = SOON_MS};
  bench_init(&b);
  dial(&b, tcp(text, peer_free_port()), 0, &only_busy);
  assert_error(&b, UV_ECONNREFUSED, UVRELAY_PHASE_CONNECT, text);
  bench_clear(&b);

  bench_init(&b);
  dial(&b, scratch_path(&b.files, "S.none", text), UVR_ADDRESS_ASSUAN_PATH, &only_busy);
  assert_error(&b, UV_ENOENT, UVRELAY_PHASE_CONNECT, text);
  bench_clear(&b);
}

/* Where absence is retried, and nothing else. */
static void test_retry_absent(void **state)
{
  (void)state;
  bench b;
  char text[SCRATCH_PATH_MAX + 16];
  const uvr_dial_options only_absent = {.retry = UVRELAY_RETRY_ABSENT, .timeout_ms = 100};
  for (unsigned i = 0; i < 2; i++) {
    bench_init(&b);
    if (i == 0) {
      dial(&b, tcp(text, peer_free_port()), 0, &only_absent);
    } else {
      dial(&b, scratch_path(&b.files, "S.none", text), UVR_ADDRESS_ASSUAN_PATH, &only_absent);
    }
    assert_error(&b, UV_ETIMEDOUT, UVRELAY_PHASE_CONNECT, text);
    assert_in_range(b.ms, 95, SOON_MS);
    bench_clear(&b);
  }
}

/* How many attempts there are until the deadline: the pauses double from the first to the last, and no pause is shorter
 * than it should be, however busy the machine. Each attempt allocates itself and its stream. */
static void test_retry_pauses(void **state)
{
  (void)state;
  static const struct {
    uint32_t first;
    uint32_t last;
    uint64_t timeout;
    unsigned attempts;
  } all[] = {
      {0, 0, 600, 7},       /* 0, 10, 30, 70, 150, 310, 510 */
      {100, 1000, 650, 3},  /* 0, 100, 300 */
      {100, 150, 500, 4},   /* 0, 100, 250, 400 */
      {10, 20, 400, 21},    /* 0, 10, 30, 50, 70 ... 390 */
      {60, 60, 330, 6},     /* 0, 60, 120, 180, 240, 300 */
      {0, 40, 200, 7},      /* 0, 10, 30, 70, 110, 150, 190 */
      {500, 90, 300, 4},    /* 0, 90, 180, 270: never longer than the last */
      {3000, 3000, 200, 1}, /* 0 */
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    bench b;
    char text[SCRATCH_PATH_MAX + 16];
    bench_init(&b);
#ifdef _WIN32
    unsigned least = 1; /* a refusal may take long */
    (void)tcp(text, peer_free_port());
#else
    unsigned least = all[i].attempts > 2 ? all[i].attempts / 2 : 1;
    char path[SCRATCH_PATH_MAX];
    (void)snprintf(text, sizeof(text), "unix://%s", scratch_path(&b.files, "none", path));
#endif
    start(&b, text, 0,
          &(uvr_dial_options){.retry = UVRELAY_RETRY_ABSENT,
                              .retry_first_ms = all[i].first,
                              .retry_last_ms = all[i].last,
                              .timeout_ms = all[i].timeout});
    size_t before = b.r.allocations;
    assert_true(rig_run_until(&b.r, &b.done));
    assert_error(&b, UV_ETIMEDOUT, UVRELAY_PHASE_CONNECT, text);
    assert_in_range((b.r.allocations - before) / 2, least, all[i].attempts);
    bench_clear(&b);
  }
}

#ifdef _WIN32

/* A pipe whose one instance is taken is busy, and a pipe that does not exist is absent: one is retried, and the other
 * told at once. */
static void test_retry_npipe(void **state)
{
  (void)state;
  static const unsigned retries[] = {UVRELAY_RETRY_NEVER, UVRELAY_RETRY_BUSY, UVRELAY_RETRY_ABSENT, UVRELAY_RETRY_ALL};
  for (unsigned i = 0; i < 2 * 4; i++) {
    bool busy = i % 2 == 0;
    unsigned retry = retries[i / 2];
    bool retried = (retry & (busy ? UVRELAY_RETRY_BUSY : UVRELAY_RETRY_ABSENT)) != 0;
    bench b;
    char path[64];
    char name[64];
    bench_init(&b);
    (void)snprintf(path, sizeof(path), "\\\\.\\pipe\\uvrelay-test-dial-%lu", GetCurrentProcessId());
    (void)snprintf(name, sizeof(name), "//./pipe/uvrelay-test-dial-%lu", GetCurrentProcessId());
    HANDLE server = INVALID_HANDLE_VALUE;
    HANDLE client = INVALID_HANDLE_VALUE;
    if (busy) {
      server = CreateNamedPipeA(path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);
      client = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
      assert_true(server != INVALID_HANDLE_VALUE && client != INVALID_HANDLE_VALUE);
    }
    dial(&b, name, 0, &(uvr_dial_options){.retry = retry, .timeout_ms = 150});
    assert_error(&b, retried ? UV_ETIMEDOUT : busy ? UV_EBUSY : UV_ENOENT, UVRELAY_PHASE_CONNECT, name);
    assert_in_range(b.ms, retried ? 145 : 0, SOON_MS);
    assert_int_equal(b.error.system, busy ? ERROR_PIPE_BUSY : ERROR_FILE_NOT_FOUND);
    if (busy) {
      (void)CloseHandle(client);
      (void)CloseHandle(server);
    }
    bench_clear(&b);
  }
}

#endif

typedef struct lines {
  unsigned count;
  unsigned again;
} lines;

static void on_line(void *user, const char *line)
{
  lines *l = user;
  l->count++;
  l->again += strstr(line, "trying again") != NULL ? 1U : 0U;
}

static void test_deadline(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    lines l = {0};
    char text[64];
    bench_init(&b);
    b.close_at_result = i == 1;
    b.r.context.log = (uvrelay_log_t){.write = on_line, .user = &l};
    dial(&b, tcp(text, peer_free_port()), 0, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = 500});
    assert_error(&b, UV_ETIMEDOUT, UVRELAY_PHASE_CONNECT, text);
    assert_non_null(strstr(b.error.text, "0.5 s"));
    assert_non_null(strstr(b.error.text, "refused")); /* what the last attempt said */
    assert_in_range(b.ms, 490, SOON_MS);
    assert_int_equal(l.again, 1); /* said once, not with each attempt */
    bench_clear(&b);
  }
}

/* What exists on the other system only. */
static void test_lacking(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
#ifdef _WIN32
  const char *text = "unix:///run/x";
#else
  const char *text = "//./pipe/x";
#endif
  dial(&b, text, 0, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL});
  assert_error(&b, UV_ENOTSUP, UVRELAY_PHASE_CONNECT, text);
  bench_clear(&b);
}

/* Unix sockets. */

#ifndef _WIN32

static void unix_address(const bench *b, char text[SCRATCH_PATH_MAX + 16])
{
  char path[SCRATCH_PATH_MAX];
  (void)snprintf(text, SCRATCH_PATH_MAX + 16, "unix://%s", scratch_path(&b->files, "socket", path));
}

static void test_unix_missing(void **state)
{
  (void)state;
  bench b;
  char text[SCRATCH_PATH_MAX + 16];
  bench_init(&b);
  unix_address(&b, text);
  dial(&b, text, 0, &(uvr_dial_options){0});
  assert_error(&b, UV_ENOENT, UVRELAY_PHASE_CONNECT, text);
  bench_clear(&b);
}

/* A socket file on which no process listens, and a file that is not a socket, are refused alike. */
static void test_unix_stale(void **state)
{
  (void)state;
  bench b;
  char text[SCRATCH_PATH_MAX + 16];
  bench_init(&b);
  unix_address(&b, text);
  scratch_write(&b.files, "socket", "", 0);
  dial(&b, text, 0, &(uvr_dial_options){0});
  assert_error(&b, UV_ECONNREFUSED, UVRELAY_PHASE_CONNECT, text);
  bench_clear(&b);
}

typedef struct unix_server {
  bench *b;
  uv_pipe_t listener;
  uv_timer_t later;
  bool listening;
} unix_server;

static void on_unix_connection(uv_stream_t *listener, int code)
{
  (void)listener; /* connecting is enough */
  (void)code;
}

static void listen_unix(uv_timer_t *timer)
{
  unix_server *s = timer->data;
  char path[SCRATCH_PATH_MAX];
  assert_int_equal(uv_pipe_bind(&s->listener, scratch_path(&s->b->files, "socket", path)), 0);
  assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 4, on_unix_connection), 0);
}

static void test_unix_retry(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    uint64_t delay = i == 0 ? 1 : 120;
    bench b;
    char text[SCRATCH_PATH_MAX + 16];
    bench_init(&b);
    unix_address(&b, text);
    unix_server s = {.b = &b};
    assert_int_equal(uv_pipe_init(&b.r.loop, &s.listener, 0), 0);
    assert_int_equal(uv_timer_init(&b.r.loop, &s.later), 0);
    s.later.data = &s;
    uv_update_time(&b.r.loop);
    assert_int_equal(uv_timer_start(&s.later, listen_unix, delay, 0), 0);
    dial(&b, text, 0, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = SOON_MS});
    uv_close((uv_handle_t *)&s.later, NULL);
    uv_close((uv_handle_t *)&s.listener, NULL);
    assert_int_equal(b.error.code, 0);
    assert_string_equal(b.stream->name, text);
    assert_in_range(b.ms, 0, SOON_MS);
    bench_clear(&b);
  }
}

#endif

/* Socket files. */

static void on_assuan_data(peer_connection *c)
{
  bench *b = c->server->user;
  bool cygwin = b->credentials > 0;
  bool nonce_is_here = c->received >= NONCE;
  if (nonce_is_here && memcmp(c->data, nonce, NONCE) != 0) {
    peer_hang_up(c); /* what libassuan does */
    return;
  }
  /* Each stage is reached once, as the client waits for our answer. */
  if (cygwin && c->received == NONCE) {
    peer_send(c, b->wrong ? "0123456789ABCDEF" : nonce, NONCE);
  } else if (cygwin && c->received == NONCE + b->credentials) {
    char reply[64] = {0};
    size_t size = b->credentials;
    if (b->greeting != NULL) {
      memcpy(reply + size, b->greeting, strlen(b->greeting));
      size += strlen(b->greeting);
    }
    peer_send(c, reply, size);
  } else if (!cygwin && nonce_is_here && b->greeting != NULL) {
    peer_send(c, b->greeting, strlen(b->greeting));
  }
}

static void write_file(bench *b, unsigned port, const char *bytes, bool cygwin)
{
  char data[128];
  int size = cygwin ? snprintf(data, sizeof(data), "!<socket >%u s %s", port, bytes)
                    : snprintf(data, sizeof(data), "%u\n%.16s", port, bytes);
  scratch_write(&b->files, "S.agent", data, (size_t)size);
}

static const char *file_path(const bench *b, char path[SCRATCH_PATH_MAX])
{
  return scratch_path(&b->files, "S.agent", path);
}

static void assuan_init(bench *b, size_t credentials, const char *greeting)
{
  bench_init(b);
  b->server.on_data = on_assuan_data;
  b->credentials = credentials;
  b->greeting = greeting;
}

static void test_assuan(void **state)
{
  (void)state;
  static const size_t credentials[] = {0, 8, 12};
  for (unsigned i = 0; i < 3; i++) {
    for (unsigned greets = 0; greets < 2; greets++) {
      bench b;
      char path[SCRATCH_PATH_MAX];
      assuan_init(&b, credentials[i], greets ? "OK Pleased to meet you\n" : NULL);
      b.close_at_result = greets == 0;
      peer_listen(&b.r, &b.server, 0);
      write_file(&b, b.server.port, i > 0 ? cygwin_words : nonce, i > 0);
      dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH, &(uvr_dial_options){0});
      assert_int_equal(b.error.code, 0);
      assert_in_range(b.ms, i == 2 ? PATIENCE_MS * 9 / 10 : 0, i == 2 ? SOON_MS : PATIENCE_MS + SOON_MS);
      if (greets) {
        read_once(&b);
        assert_int_equal(b.size, strlen(b.greeting));
        assert_memory_equal(b.bytes, b.greeting, b.size);
      }
      rig_turns(&b.r, 5);                              /* in which the server accepts, if it has not yet */
      peer_send(&b.server.connections[0], "later", 5); /* what comes next is not lost either */
      read_once(&b);
      assert_int_equal(b.size, 5);
      assert_memory_equal(b.bytes, "later", 5);
      rig_turns(&b.r, 5);
      assert_int_equal(b.server.connections[0].received, NONCE + credentials[i]);
      bench_clear(&b);
    }
  }
}

/* The file's nonce is not the server's: plain servers hang up later, so only Cygwin's let it be noticed here. */
static void test_assuan_wrong_nonce(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    char path[SCRATCH_PATH_MAX];
    assuan_init(&b, 8, NULL);
    b.wrong = i == 1;
    peer_listen(&b.r, &b.server, 0);
    write_file(&b, b.server.port, i == 1 ? cygwin_words : "11111111-11111111-11111111-11111111", true);
    dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL});
    assert_error(&b, UV_EPROTO, UVRELAY_PHASE_HANDSHAKE, path);
    assert_null(strstr(b.error.text, "0123456789"));
    assert_int_equal(b.server.accepted, 1); /* not retried */
    bench_clear(&b);
  }
  bench b;
  char path[SCRATCH_PATH_MAX];
  assuan_init(&b, 0, "OK");
  peer_listen(&b.r, &b.server, 0);
  write_file(&b, b.server.port, "another nonce...", false);
  dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH, &(uvr_dial_options){0});
  assert_int_equal(b.error.code, 0);
  read_once(&b);
  assert_int_not_equal(b.read_outcome, UVR_DONE);
  bench_clear(&b);
}

/* A server that says nothing is waited for until the deadline. */
static void test_assuan_silence(void **state)
{
  (void)state;
  static const size_t silent_after[] = {0, 99};
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    char path[SCRATCH_PATH_MAX];
    assuan_init(&b, silent_after[i], NULL); /* wants 99 bytes of credentials, or no credentials at all */
    peer_listen(&b.r, &b.server, 0);
    write_file(&b, b.server.port, cygwin_words, true);
    dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH,
         &(uvr_dial_options){.timeout_ms = i == 0 ? 100 : PATIENCE_MS + 200});
    assert_error(&b, UV_ETIMEDOUT, UVRELAY_PHASE_CONNECT, path);
    assert_in_range(b.server.accepted, 0, 1); /* not retried; 0: the machine is too busy for the first */
    bench_clear(&b);
  }
}

static void test_assuan_refused(void **state)
{
  (void)state;
  bench b;
  char path[SCRATCH_PATH_MAX];
  char port_text[16];
  assuan_init(&b, 0, NULL);
  unsigned port = peer_free_port();
  write_file(&b, port, nonce, false);
  dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH, &(uvr_dial_options){0});
  assert_error(&b, UV_ECONNREFUSED, UVRELAY_PHASE_CONNECT, path);
  (void)snprintf(port_text, sizeof(port_text), "%u", port);
  assert_non_null(strstr(b.error.text, port_text));
  bench_clear(&b);
}

static void test_assuan_bad_file(void **state)
{
  (void)state;
  bench b;
  char path[SCRATCH_PATH_MAX];
  assuan_init(&b, 0, NULL);
  peer_listen(&b.r, &b.server, 0);
  write_file(&b, b.server.port, "too short", false);
  dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH,
       &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL}); /* not retried */
  assert_error(&b, UV_EINVAL, b.error.phase, path);
  assert_int_equal(b.server.accepted, 0); /* refused before anything is dialled */
  bench_clear(&b);

  assuan_init(&b, 0, NULL);
  dial(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH, &(uvr_dial_options){0});
  assert_error(&b, UV_ENOENT, UVRELAY_PHASE_CONNECT, path);
  bench_clear(&b);
}

/* First there is no file, then its port refuses, then it answers. */
static void test_assuan_retry(void **state)
{
  (void)state;
  bench b;
  char path[SCRATCH_PATH_MAX];
  assuan_init(&b, 8, NULL);
  unsigned port = peer_free_port();
  start(&b, file_path(&b, path), UVR_ADDRESS_ASSUAN_PATH,
        &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL, .timeout_ms = SOON_MS});
  rig_run_ms(&b.r, 60);
  assert_false(b.done);
  write_file(&b, port, cygwin_words, true);
  rig_run_ms(&b.r, 200);
  assert_false(b.done);
  peer_listen(&b.r, &b.server, port);
  assert_true(rig_run_until(&b.r, &b.done));
  assert_int_equal(b.error.code, 0);
  assert_non_null(b.stream);
  bench_clear(&b);
}

/* Every kind, closed after 0, 1, 2 ... turns until there is a result; then with each allocation failing. */

static void start_kind(bench *b, unsigned kind, const uvr_dial_options *options)
{
  char text[SCRATCH_PATH_MAX + 16];
  switch (kind) {
  case 0: /* connects */
  case 1: /* refused */
    start(b, tcp(text, kind == 0 ? b->server.port : peer_free_port()), 0, options);
    break;
  case 2:
    write_file(b, b->server.port, cygwin_words, true);
    start(b, file_path(b, text), UVR_ADDRESS_ASSUAN_PATH, options);
    break;
  case 3: /* no such file */
    start(b, file_path(b, text), UVR_ADDRESS_ASSUAN_PATH, options);
    break;
  default:
    (void)snprintf(text, sizeof(text), "unix:///%s/none", "no/such/directory");
    start(b, text, 0, options);
    break;
  }
}

enum { KINDS = 5 };

static void test_close_at_every_turn(void **state)
{
  (void)state;
  for (unsigned kind = 0; kind < KINDS; kind++) {
    bool over = false;
    unsigned turns;
    for (turns = 0; turns < TURNS_MAX && !over; turns++) {
      bench b;
      assuan_init(&b, 8, "hello");
      peer_listen(&b.r, &b.server, 0);
      start_kind(&b, kind, &(uvr_dial_options){.timeout_ms = turns % 2 == 0 ? SOON_MS : 0});
      for (unsigned i = 0; i < turns && !b.done; i++) {
        rig_turns(&b.r, 1);
        if (turns > 10) {
          uv_sleep(1); /* the thread pool needs time */
        }
      }
      over = b.done;
      bench_clear(&b);
    }
    assert_true(over);
    assert_in_range(turns, 1, TURNS_MAX);
  }
}

/* Closed in the midst of retrying. */
static void test_close_while_retrying(void **state)
{
  (void)state;
  for (unsigned kind = 1; kind < KINDS; kind += 2) {
    for (unsigned ms = 0; ms < 60; ms += 12) {
      bench b;
      assuan_init(&b, 8, NULL);
      start_kind(&b, kind, &(uvr_dial_options){.retry = UVRELAY_RETRY_ALL});
      rig_run_ms(&b.r, ms);
      assert_false(b.done);
      bench_clear(&b);
    }
  }
}

static void test_no_memory(void **state)
{
  (void)state;
  for (unsigned kind = 0; kind < KINDS; kind++) {
    bool failed = true;
    unsigned n;
    for (n = 1; failed; n++) {
      bench b;
      assuan_init(&b, 8, "hello");
      peer_listen(&b.r, &b.server, 0);
      b.r.fail_at = b.r.allocations + n;
      start_kind(&b, kind, &(uvr_dial_options){0});
      if (b.dial == NULL) {
        assert_int_equal(n, 1);
      } else {
        assert_true(rig_run_until(&b.r, &b.done));
        if (b.r.failed) {
          assert_int_not_equal(b.error.code, 0);
        }
      }
      failed = b.r.failed;
      bench_clear(&b);
    }
    assert_in_range(n, 2, 20);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tcp),
      cmocka_unit_test(test_second_address),
      cmocka_unit_test(test_tcp_refused),
      cmocka_unit_test(test_unknown_host),
      cmocka_unit_test(test_tcp_retry),
      cmocka_unit_test(test_retry_other),
      cmocka_unit_test(test_retry_absent),
      cmocka_unit_test(test_retry_pauses),
#ifdef _WIN32
      cmocka_unit_test(test_retry_npipe),
#endif
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_lacking),
#ifndef _WIN32
      cmocka_unit_test(test_unix_missing),
      cmocka_unit_test(test_unix_stale),
      cmocka_unit_test(test_unix_retry),
#endif
      cmocka_unit_test(test_assuan),
      cmocka_unit_test(test_assuan_wrong_nonce),
      cmocka_unit_test(test_assuan_silence),
      cmocka_unit_test(test_assuan_refused),
      cmocka_unit_test(test_assuan_bad_file),
      cmocka_unit_test(test_assuan_retry),
      cmocka_unit_test(test_close_at_every_turn),
      cmocka_unit_test(test_close_while_retrying),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
