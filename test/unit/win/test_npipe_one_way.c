/* Pipes of one direction: with which rights a pipe is opened, against servers of our own making that grant what Windows
 * would; streams of such pipes, opened as Windows demands it; and the public handle of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

#include <winsock2.h>

#include <windows.h>

#include <cmocka.h>

#include "stream/npipe.h"
#include "stream/npipe_open_win.h"
#include "uvrelay/npipe.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Opening. */

enum { READ_ALL = 0x120089, WRITE_ALL = 0x120116, MAKE_INSTANCE = 4 }; /* FILE_GENERIC_READ, _WRITE; APPEND_DATA */

/* A pipe as Windows has it: what its list of rights grants us, and in which directions it was made. */
typedef struct guarded {
  DWORD granted;
  bool in; /* to us */
  bool out;
  bool busy;
  DWORD access; /* with which it was opened last, all rights by their own names */
  unsigned tries;
  unsigned opened;
  unsigned closed;
} guarded;

static guarded *current; /* whose handle it is: there is one at a time */

static HANDLE open_guarded(void *user, DWORD access)
{
  guarded *g = user;
  DWORD rights = access & ~(GENERIC_READ | GENERIC_WRITE);
  rights |= (access & GENERIC_READ) != 0 ? READ_ALL : 0;
  rights |= (access & GENERIC_WRITE) != 0 ? WRITE_ALL : 0;
  current = g;
  g->tries++;
  if ((rights & ~g->granted) != 0 || ((rights & FILE_READ_DATA) != 0 && !g->in) ||
      ((rights & FILE_WRITE_DATA) != 0 && !g->out)) {
    SetLastError(ERROR_ACCESS_DENIED);
    return INVALID_HANDLE_VALUE;
  }
  if (g->busy) {
    SetLastError(ERROR_PIPE_BUSY);
    return INVALID_HANDLE_VALUE;
  }
  g->access = rights;
  g->opened++;
  return (HANDLE)(intptr_t)0x1234;
}

static uvr_pipe_ways ways_of_guarded(HANDLE file)
{
  (void)file;
  return (uvr_pipe_ways){.known = true, .in = current->in, .out = current->out};
}

static uvr_pipe_ways ways_unknown(HANDLE file)
{
  (void)file;
  return (uvr_pipe_ways){.in = true, .out = true};
}

static void close_guarded(HANDLE file)
{
  (void)file;
  current->closed++;
}

static const uvr_npipe_opener opener = {.open = open_guarded, .ways_of = ways_of_guarded, .close = close_guarded};

static void test_rights(void **state)
{
  (void)state;
  enum { BOTH = READ_ALL | WRITE_ALL, FEW = 0x100083, READ = 1, WRITE = 2, MODE = FILE_WRITE_ATTRIBUTES };
  static const struct {
    DWORD granted;
    bool in;
    bool out;
    DWORD opened; /* the rights that matter: READ, WRITE and MODE; 0: denied */
    unsigned instances;
  } cases[] = {
      {BOTH, true, true, READ | WRITE | MODE, 1},
      {BOTH & ~MAKE_INSTANCE, true, true, READ | WRITE | MODE, 1},
      {FEW, true, true, READ | WRITE, 1},
      {BOTH, true, false, READ | MODE, 1},
      {READ_ALL, true, false, READ, 1},
      {BOTH, false, true, WRITE, 1},
      {WRITE_ALL | FILE_READ_ATTRIBUTES, false, true, WRITE, 1},
      {READ_ALL, true, true, 0, 1}, /* what everybody is granted: it must be opened to see that it is not for us */
      {WRITE_ALL | FILE_READ_ATTRIBUTES, true, true, 0, 1},
      {READ_ALL, false, true, 0, 0},
      {0, true, true, 0, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    guarded g = {.granted = cases[i].granted, .in = cases[i].in, .out = cases[i].out};
    HANDLE file = uvr_npipe_open_by(&opener, &g);
    DWORD error = GetLastError();
    assert_int_equal(g.opened, cases[i].instances);
    if (cases[i].opened == 0) {
      assert_true(file == INVALID_HANDLE_VALUE);
      assert_int_equal(error, ERROR_ACCESS_DENIED);
      assert_int_equal(g.closed, g.opened);
    } else {
      assert_true(file != INVALID_HANDLE_VALUE);
      assert_int_equal(g.access & (READ | WRITE | MODE), cases[i].opened);
      assert_int_equal(g.closed, 0);
    }
    assert_in_range(g.tries, 1, 6);

    guarded busy = {.granted = cases[i].granted, .in = cases[i].in, .out = cases[i].out, .busy = true};
    assert_true(uvr_npipe_open_by(&opener, &busy) == INVALID_HANDLE_VALUE);
    assert_int_equal(GetLastError(), cases[i].instances > 0 ? ERROR_PIPE_BUSY : ERROR_ACCESS_DENIED);
  }
}

/* Where the system does not tell, the right that was granted does. */
static void test_unknown_ways(void **state)
{
  (void)state;
  uvr_npipe_opener blind = opener;
  blind.ways_of = ways_unknown;
  guarded g = {.granted = READ_ALL | WRITE_ALL, .in = true};
  assert_true(uvr_npipe_open_by(&blind, &g) != INVALID_HANDLE_VALUE);
  assert_int_equal(g.closed, 0);
}

static HANDLE fail_to_open(void *user, DWORD access)
{
  (void)access;
  ++*(unsigned *)user;
  SetLastError(ERROR_FILE_NOT_FOUND);
  return INVALID_HANDLE_VALUE;
}

/* Only a denial is a reason to ask for less. */
static void test_one_try(void **state)
{
  (void)state;
  uvr_npipe_opener absent = opener;
  unsigned tries = 0;
  absent.open = fail_to_open;
  assert_true(uvr_npipe_open_by(&absent, &tries) == INVALID_HANDLE_VALUE);
  assert_int_equal(GetLastError(), ERROR_FILE_NOT_FOUND);
  assert_int_equal(tries, 1);
}

/* Streams. */

typedef struct bench {
  rig r;
  char path[96];
  char name[96];
  HANDLE server;
  uvr_stream *stream;
  bool done; /* the read, write, shutdown or watch */
  uvr_outcome outcome;
  uvrelay_error_t error;
  size_t size;
  bool closed;
} bench;

static void make_server(bench *b, DWORD access, bool message)
{
  LARGE_INTEGER now;
  memset(b, 0, sizeof(*b));
  rig_init(&b->r);
  b->r.context.patience.watch_ms = 20;
  (void)QueryPerformanceCounter(&now);
  (void)snprintf(b->path, sizeof(b->path), "\\\\.\\pipe\\uvrelay-one-way-%lu-%lld", GetCurrentProcessId(),
                 now.QuadPart);
  (void)snprintf(b->name, sizeof(b->name), "//./pipe/uvrelay-one-way-%lu-%lld", GetCurrentProcessId(), now.QuadPart);
  DWORD mode = message ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  b->server = CreateNamedPipeA(b->path, access, mode | PIPE_WAIT, 1, 4096, 4096, 0, NULL);
  assert_true(b->server != INVALID_HANDLE_VALUE);
}

static void make_stream(bench *b, HANDLE file)
{
  assert_true(file != INVALID_HANDLE_VALUE);
  assert_int_equal(uvr_npipe_stream(&b->r.context, file, b->name, &b->stream, &b->error), 0);
}

static HANDLE open_for(const bench *b, DWORD access)
{
  return CreateFileA(b->path, access | FILE_READ_ATTRIBUTES | SYNCHRONIZE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED,
                     NULL);
}

static void on_done(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->done);
  b->done = true;
  b->outcome = outcome;
  if (error != NULL) {
    b->error = *error;
  }
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  bench *b = user;
  b->size = buffer != NULL ? buffer->length : 0;
  uvr_buffer_put(&b->r.context.buffers, buffer);
  on_done(b, outcome, error);
}

static uvr_outcome finish(bench *b)
{
  assert_true(rig_run_until(&b->r, &b->done));
  b->done = false;
  return b->outcome;
}

static uvr_outcome read_once(bench *b)
{
  uvr_stream_read(b->stream, on_read, b);
  return finish(b);
}

static uvr_outcome write_once(bench *b)
{
  uvr_stream_write(b->stream, "hello", 5, on_done, b);
  return finish(b);
}

static void on_closed(void *user)
{
  ((bench *)user)->closed = true;
}

static void bench_clear(bench *b)
{
  uvr_stream_close(b->stream, UVR_CLOSE_NOW, on_closed, b);
  rig_run(&b->r);
  assert_true(b->closed);
  if (b->server != NULL) {
    (void)CloseHandle(b->server);
  }
  rig_clear(&b->r);
}

/* With the right to change the mode messages can be distinguished, without it not (Wine does not ask for that
 * right). */
static void test_reading(void **state)
{
  (void)state;
  static const DWORD rights[] = {FILE_READ_DATA | FILE_WRITE_ATTRIBUTES, FILE_READ_DATA};
  for (unsigned i = 0; i < 4; i++) {
    bench b;
    bool message = i % 2 == 1;
    DWORD written;
    make_server(&b, PIPE_ACCESS_OUTBOUND, message);
    make_stream(&b, open_for(&b, rights[i / 2]));
    assert_true(uvr_stream_never_takes(b.stream));
    assert_false(uvr_stream_never_sends(b.stream));
    bool keeps = b.stream->keeps_messages;
    assert_true(keeps == message || (message && rights[i / 2] == FILE_READ_DATA));
    assert_false(b.stream->can_half_close || uvr_stream_can_mark_end(b.stream));
    assert_false(b.stream->writes_blocking);
    assert_true(WriteFile(b.server, "abc", 3, &written, NULL));
    assert_int_equal(read_once(&b), UVR_DONE);
    assert_int_equal(b.size, 3);
    assert_int_equal(write_once(&b), UVR_FAILED);
    assert_int_equal(b.error.code, UV_EPERM);
    assert_non_null(strstr(b.error.text, b.name));
    if (keeps) {
      assert_true(WriteFile(b.server, "", 0, &written, NULL));
      assert_int_equal(read_once(&b), UVR_END_OF_INPUT);
      uvr_stream_watch(b.stream, on_done, &b);
    } else {
      uvr_stream_read(b.stream, on_read, &b);
    }
    (void)CloseHandle(b.server);
    b.server = NULL;
    assert_int_equal(finish(&b), UVR_GONE);
    bench_clear(&b);
  }
}

static void test_writing(void **state)
{
  (void)state;
  static const DWORD rights[] = {FILE_WRITE_DATA, GENERIC_WRITE};
  for (unsigned i = 0; i < 8; i++) {
    bench b;
    bool message = i % 2 == 1;
    char data[16];
    DWORD got = 0;
    make_server(&b, PIPE_ACCESS_INBOUND, message);
    make_stream(&b, open_for(&b, rights[i / 2 % 2]));
    assert_true(uvr_stream_never_sends(b.stream));
    assert_false(uvr_stream_never_takes(b.stream));
    assert_true(uvr_stream_watches_any_time(b.stream));
    assert_int_equal(b.stream->can_half_close, message);
    assert_false(b.stream->reads_blocking);
    assert_int_equal(read_once(&b), UVR_FAILED);
    assert_int_equal(b.error.code, UV_EPERM);
    uvr_stream_watch(b.stream, on_done, &b);
    rig_run_ms(&b.r, 60);
    assert_false(b.done);
    uvr_stream_write(b.stream, "hello", 5, on_done, &b);
    assert_int_equal(finish(&b), UVR_DONE);
    assert_true(ReadFile(b.server, data, sizeof(data), &got, NULL));
    assert_int_equal(got, 5);
    if (message) {
      uvr_stream_shutdown(b.stream, on_done, &b);
      assert_int_equal(finish(&b), UVR_DONE);
      assert_true(ReadFile(b.server, data, sizeof(data), &got, NULL));
      assert_int_equal(got, 0);
    }
    if (i < 4) {
      (void)CloseHandle(b.server);
      b.server = NULL;
    } else {
      assert_true(DisconnectNamedPipe(b.server));
    }
    assert_int_equal(finish(&b), UVR_GONE); /* the watch */
    assert_int_equal(b.error.code, UV_EPIPE);
    bench_clear(&b);
  }
}

/* Nothing is lost by being closed while it is watched. */
static void test_close_while_watched(void **state)
{
  (void)state;
  for (unsigned ms = 0; ms < 50; ms += 7) {
    bench b;
    make_server(&b, PIPE_ACCESS_INBOUND, false);
    make_stream(&b, open_for(&b, FILE_WRITE_DATA));
    uvr_stream_watch(b.stream, on_done, &b);
    rig_run_ms(&b.r, ms);
    bench_clear(&b);
    assert_false(b.done);
  }
}

/* The public handle. */

static void on_connected(uvrelay_npipe_t *np, int status)
{
  *(bool *)uvrelay_npipe_get_data(np) = status == 0;
}

static void on_event(uvrelay_npipe_t *np, const uvrelay_npipe_read_t *read)
{
  (void)np;
  (void)read;
}

static void test_public(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    bench b;
    bool out = i == 0;
    bool connected = false;
    uvrelay_npipe_t *np;
    uv_buf_t buf = uv_buf_init((char *)"hello", 5);
    make_server(&b, out ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND, true);
    assert_int_equal(uvrelay_npipe_new(&np, &b.r.loop, NULL), 0);
    uvrelay_npipe_set_data(np, &connected);
    assert_int_equal(uvrelay_npipe_is_readable(np), UV_ENOTCONN);
    assert_int_equal(uvrelay_npipe_is_writable(np), UV_ENOTCONN);
    assert_int_equal(uvrelay_npipe_connect(np, b.name, on_connected), 0);
    assert_true(rig_run_until(&b.r, &connected));
    assert_int_equal(uvrelay_npipe_is_readable(np), out);
    assert_int_equal(uvrelay_npipe_is_writable(np), !out);
    assert_int_equal(uvrelay_npipe_is_message_mode(np), 1);
    assert_int_equal(uvrelay_npipe_read_start(np, on_event), out ? 0 : UV_EPERM);
    if (!out) {
      assert_non_null(strstr(uvrelay_npipe_error(np)->text, "cannot read from //./pipe/"));
    }
    assert_int_equal(uvrelay_npipe_try_write(np, &buf, 1), out ? UV_EPERM : 5);
    assert_int_equal(uvrelay_npipe_write(np, &buf, 1, NULL, NULL), out ? UV_EPERM : 0);
    assert_int_equal(uvrelay_npipe_shutdown(np, NULL, NULL), out ? UV_EPERM : 0);
    if (out) {
      assert_non_null(strstr(uvrelay_npipe_error(np)->text, "cannot write to //./pipe/"));
    }
    uvrelay_npipe_close(np, NULL);
    rig_run(&b.r);
    (void)CloseHandle(b.server);
    rig_clear(&b.r);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rights),  cmocka_unit_test(test_unknown_ways), cmocka_unit_test(test_one_try),
      cmocka_unit_test(test_reading), cmocka_unit_test(test_writing),      cmocka_unit_test(test_close_while_watched),
      cmocka_unit_test(test_public),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
