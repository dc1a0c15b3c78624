/* The listening side of a named pipe, with clients of our own and plain ones: bytes and messages both ways, more
 * clients than it has instances, clients that come and go, each failure of the system and of memory, closing at every
 * moment, no handle left, and who may connect. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "npipe_server.h"
#include "rig.h"

#include <cmocka.h>

#include "endpoint/npipe_listen.h"
#include "endpoint/user_only_win.h"
#include "stream/npipe.h"
#include "stream/npipe_open_win.h"

enum {
  PIPE_SIZE = 65536,
  REQUEST = 1000,
  REPLY = 500,
  LEFT = 5000,
  CLIENTS_MAX = 8,
  CROWD = 12,
  TURNS_MAX = 60,
  RUSH = 300,
  ROUNDS = 120,
  HANDLES_SLACK = 16,
  FAILURES_MAX = 200
};

/* What the system is asked goes through here: the pointers that the linker would take from its import library. */

typedef void (*moment)(const char *path);

static struct {
  unsigned creates; /* so far */
  unsigned fail_create_from;
  unsigned fail_create_to; /* these, counted from 1, fail */
  DWORD create_error;
  DWORD flags[CLIENTS_MAX]; /* of the first ones */
  bool changed;             /* one was not asked for as it should be */
  unsigned connects;
  unsigned fail_connect_from;
  unsigned fail_connect_to;
  DWORD connect_error;
  moment before_connect;
  unsigned gone_at_connect; /* connects that found their client gone already */
  unsigned here_at_connect; /* or found it there already */
  unsigned asked_client;    /* for its process */
  unsigned asked_server;
} hooks;

static char hooked_path[SERVER_NAME_MAX];

typedef HANDLE(WINAPI *create_call)(const WCHAR *, DWORD, DWORD, DWORD, DWORD, DWORD, DWORD, SECURITY_ATTRIBUTES *);
typedef BOOL(WINAPI *connect_call)(HANDLE, OVERLAPPED *);
typedef BOOL(WINAPI *process_call)(HANDLE, ULONG *);
typedef void (*any_call)(void);

static any_call real(const char *name)
{
  return (any_call)GetProcAddress(GetModuleHandleA("kernel32.dll"), name);
}

static HANDLE WINAPI create_pipe(const WCHAR *path, DWORD open, DWORD mode, DWORD instances, DWORD out, DWORD in,
                                 DWORD timeout, SECURITY_ATTRIBUTES *security)
{
  create_call call = (create_call)real("CreateNamedPipeW");
  unsigned number = ++hooks.creates;
  if (number <= CLIENTS_MAX) {
    hooks.flags[number - 1] = open;
  }
  hooks.changed = hooks.changed || (mode & PIPE_REJECT_REMOTE_CLIENTS) == 0 || instances != PIPE_UNLIMITED_INSTANCES ||
                  in != PIPE_SIZE || out != PIPE_SIZE || security == NULL;
  if (number >= hooks.fail_create_from && number <= hooks.fail_create_to) {
    SetLastError(hooks.create_error);
    return INVALID_HANDLE_VALUE;
  }
  return call(path, open, mode, instances, out, in, timeout, security);
}

static BOOL WINAPI connect_pipe(HANDLE pipe, OVERLAPPED *overlapped)
{
  connect_call call = (connect_call)real("ConnectNamedPipe");
  unsigned number = ++hooks.connects;
  if (number >= hooks.fail_connect_from && number <= hooks.fail_connect_to) {
    SetLastError(hooks.connect_error);
    return FALSE;
  }
  if (hooks.before_connect != NULL) {
    hooks.before_connect(hooked_path);
  }
  BOOL ok = call(pipe, overlapped);
  DWORD error = GetLastError();
  hooks.gone_at_connect += !ok && error == ERROR_NO_DATA ? 1U : 0U;
  hooks.here_at_connect += !ok && error == ERROR_PIPE_CONNECTED ? 1U : 0U;
  SetLastError(error);
  return ok;
}

static BOOL WINAPI client_process(HANDLE pipe, ULONG *id)
{
  process_call call = (process_call)real("GetNamedPipeClientProcessId");
  hooks.asked_client++;
  return call(pipe, id);
}

static BOOL WINAPI server_process(HANDLE pipe, ULONG *id)
{
  process_call call = (process_call)real("GetNamedPipeServerProcessId");
  hooks.asked_server++;
  return call(pipe, id);
}

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): these names are the linker's
extern const create_call __imp_CreateNamedPipeW;
extern const connect_call __imp_ConnectNamedPipe;
extern const process_call __imp_GetNamedPipeClientProcessId;
extern const process_call __imp_GetNamedPipeServerProcessId;
const create_call __imp_CreateNamedPipeW = create_pipe;
const connect_call __imp_ConnectNamedPipe = connect_pipe;
const process_call __imp_GetNamedPipeClientProcessId = client_process;
const process_call __imp_GetNamedPipeServerProcessId = server_process;
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

/* A listener. */

typedef struct bench {
  rig r;
  char path[SERVER_NAME_MAX];
  char name[SERVER_NAME_MAX];
  uvr_npipe_listener *listener;
  bool inside;    /* a call that must not call back */
  bool announced; /* a client that is not accepted yet */
  unsigned come;  /* clients */
  unsigned close_at;
  bool failed;
  uvrelay_error_t error;
  bool closing;
  bool closed;
} bench;

static void bench_init(bench *b)
{
  LARGE_INTEGER now;
  memset(b, 0, sizeof(*b));
  memset(&hooks, 0, sizeof(hooks));
  rig_init(&b->r);
  (void)QueryPerformanceCounter(&now);
  (void)snprintf(b->path, sizeof(b->path), "\\\\.\\pipe\\uvrelay-listen-%lu-%lld", GetCurrentProcessId(), now.QuadPart);
  (void)snprintf(b->name, sizeof(b->name), "//./pipe/uvrelay-listen-%lu-%lld", GetCurrentProcessId(), now.QuadPart);
  memcpy(hooked_path, b->path, sizeof(b->path));
}

static void on_closed(void *user)
{
  bench *b = user;
  assert_true(b->closing);
  assert_false(b->inside);
  assert_false(b->closed);
  b->closed = true;
}

static void begin_close(bench *b)
{
  b->closing = true;
  b->inside = true;
  uvr_npipe_listener_close(b->listener, on_closed, b);
  b->inside = false;
}

static void on_client(void *user, const uvrelay_error_t *error)
{
  bench *b = user;
  assert_false(b->inside);
  assert_false(b->closing);
  assert_false(b->failed);
  if (error != NULL) {
    b->failed = true;
    b->error = *error;
    return;
  }
  b->announced = true;
  if (++b->come == b->close_at) {
    begin_close(b);
  }
}

static int try_listen(bench *b, bool message, unsigned backlog)
{
  char path[SERVER_NAME_MAX];
  char name[SERVER_NAME_MAX];
  memcpy(path, b->path, sizeof(path));
  memcpy(name, b->name, sizeof(name));
  uvr_npipe_listen_options options = {.message = message, .buffer_size = PIPE_SIZE, .backlog = backlog};
  b->inside = true;
  int code = uvr_npipe_listen(&b->r.context, path, name, &options, on_client, b, &b->listener, &b->error);
  b->inside = false;
  memset(path, 0, sizeof(path)); /* they were copied */
  memset(name, 0, sizeof(name));
  return code;
}

static void listen_at(bench *b, bool message, unsigned backlog)
{
  bench_init(b);
  if (try_listen(b, message, backlog) != 0) {
    fail_msg("%s", b->error.text);
  }
}

static void bench_clear(bench *b)
{
  if (b->listener != NULL && !b->closing) {
    begin_close(b);
  }
  rig_run(&b->r);
  assert_int_equal(b->closed, b->closing);
  assert_false(hooks.changed);
  rig_clear(&b->r);
}

/* One end of a connection. */

typedef struct end {
  rig *r;
  uvr_stream *stream;
  unsigned in; /* which test data it reads */
  unsigned out;
  uint64_t read;
  unsigned messages;
  bool got;
  uvr_outcome outcome;
  uvrelay_error_t error;
  uint64_t written;
  uvr_buffer *outgoing;
  bool wrote;
  bool shut;
  uvr_outcome wrote_outcome;
  bool closed;
} end;

static int try_accept(bench *b, end *e)
{
  *e = (end){.r = &b->r, .in = 2, .out = 1};
  b->inside = true;
  int code = uvr_npipe_accept(b->listener, &b->r.context, &e->stream, &e->error);
  b->inside = false;
  return code;
}

static void accept_client(bench *b, end *e)
{
  int code = try_accept(b, e);
  if (code == UV_EAGAIN) {
    b->announced = false;
    assert_true(rig_run_until(&b->r, &b->announced));
    code = try_accept(b, e);
  }
  assert_int_equal(code, 0);
  assert_string_equal(e->stream->name, b->name);
}

static int try_open(bench *b, end *e)
{
  uv_os_fd_t file;
  *e = (end){.r = &b->r, .in = 1, .out = 2};
  int code = uvr_npipe_open(b->path, b->name, UVRELAY_IMPERSONATION_ANONYMOUS, false, &file, &e->error);
  return code != 0 ? code : uvr_npipe_stream(&b->r.context, file, b->name, &e->stream, &e->error);
}

static void on_end_closed(void *user)
{
  ((end *)user)->closed = true;
}

static void end_clear(end *e)
{
  if (e->stream != NULL) {
    uvr_stream_close(e->stream, UVR_CLOSE_NOW, on_end_closed, e);
    assert_true(rig_run_until(e->r, &e->closed));
  }
  uvr_buffer_put(&e->r->context.buffers, e->outgoing);
}

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  end *e = user;
  e->got = true;
  e->outcome = outcome;
  if (error != NULL) {
    e->error = *error;
  }
  if (buffer != NULL) {
    for (size_t i = 0; i < buffer->length; i++) {
      if (buffer->data[i] != rig_byte(e->in, e->read + i)) {
        fail_msg("byte %u was changed on its way", (unsigned)(e->read + i));
      }
    }
    e->read += buffer->length;
    e->messages += buffer->end_of_message ? 1U : 0U;
    uvr_buffer_put(&e->r->context.buffers, buffer);
  }
}

/* Reads to the end, of whichever kind. */
static uvr_outcome read_all(end *e)
{
  do {
    e->got = false;
    uvr_stream_read(e->stream, on_read, e);
    assert_true(rig_run_until(e->r, &e->got));
  } while (e->outcome == UVR_DONE);
  return e->outcome;
}

static void on_wrote(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  end *e = user;
  (void)error;
  e->wrote = true;
  e->wrote_outcome = outcome;
}

static void begin_write(end *e, size_t size)
{
  if (e->outgoing == NULL) {
    e->outgoing = uvr_buffer_get(&e->r->context.buffers, UVR_BUFFER_LARGE);
    assert_non_null(e->outgoing);
  }
  for (size_t i = 0; i < size; i++) {
    e->outgoing->data[i] = rig_byte(e->out, e->written + i);
  }
  e->written += size;
  e->wrote = false;
  uvr_stream_write(e->stream, e->outgoing->data, size, on_wrote, e);
}

static void write_once(end *e, size_t size)
{
  begin_write(e, size);
  assert_true(rig_run_until(e->r, &e->wrote));
  assert_int_equal(e->wrote_outcome, UVR_DONE);
}

static void on_shut(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  end *e = user;
  (void)error;
  assert_int_equal(outcome, UVR_DONE);
  e->shut = true;
}

/* Connecting. */

/* Our own client: a request, its end, a reply, its end. */
static void test_own_client(void **state)
{
  (void)state;
  bench b;
  end client;
  end s;
  listen_at(&b, true, 1);
  assert_int_equal(try_open(&b, &client), 0);
  accept_client(&b, &s);
  assert_true(s.stream->can_half_close && s.stream->keeps_messages);
  assert_true(client.stream->can_half_close && client.stream->keeps_messages);

  write_once(&client, REQUEST);
  write_once(&client, REQUEST);
  uvr_stream_shutdown(client.stream, on_shut, &client);
  assert_int_equal(read_all(&s), UVR_END_OF_INPUT);
  assert_int_equal(s.read, 2 * REQUEST);
  assert_int_equal(s.messages, 2);
  assert_true(client.shut || rig_run_until(&b.r, &client.shut));

  write_once(&s, REPLY);
  uvr_stream_shutdown(s.stream, on_shut, &s);
  assert_int_equal(read_all(&client), UVR_END_OF_INPUT);
  assert_int_equal(client.read, REPLY);
  assert_true(s.shut || rig_run_until(&b.r, &s.shut));

  end_clear(&client);
  assert_int_equal(read_all(&s), UVR_GONE);
  end_clear(&s);
  bench_clear(&b);
}

static void test_own_client_in_byte_mode(void **state)
{
  (void)state;
  bench b;
  end client;
  end s;
  listen_at(&b, false, 1);
  assert_int_equal(try_open(&b, &client), 0);
  accept_client(&b, &s);
  assert_false(s.stream->can_half_close || s.stream->keeps_messages);
  write_once(&client, REQUEST);
  write_once(&s, REPLY);
  end_clear(&client);
  assert_int_equal(read_all(&s), UVR_GONE);
  assert_int_equal(s.read, REQUEST);
  assert_int_equal(s.messages, 0);
  end_clear(&s);
  bench_clear(&b);
}

static void ask(server *c)
{
  server_write_data(c, 0, REQUEST);
  if (c->message) {
    server_write(c, "", 0);
  }
  server_read_all(c);
}

/* A name that is not ASCII, of one to four bytes a character. */
static void test_name_in_utf8(void **state)
{
  (void)state;
  bench b;
  end client;
  end s;
  bench_init(&b);
  (void)snprintf(b.path, sizeof(b.path), "\\\\.\\pipe\\uvrelay-\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80-%lu",
                 GetCurrentProcessId());
  assert_int_equal(try_listen(&b, true, 1), 0);
  assert_int_equal(try_open(&b, &client), 0);
  accept_client(&b, &s);
  end_clear(&s);
  end_clear(&client);
  bench_clear(&b);
}

/* Plain clients, several at once. */
static void test_plain_clients(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    server clients[CROWD];
    end servers[CROWD];
    listen_at(&b, message == 1, 3);
    for (unsigned i = 0; i < CROWD; i++) {
      client_start(&clients[i], b.path, message == 1, ask);
    }
    for (unsigned i = 0; i < CROWD; i++) {
      end *s = &servers[i];
      accept_client(&b, s);
      if (message == 1) {
        assert_int_equal(read_all(s), UVR_END_OF_INPUT);
        assert_int_equal(s->messages, 1);
      }
      while (s->read < REQUEST) {
        s->got = false;
        uvr_stream_read(s->stream, on_read, s);
        assert_true(rig_run_until(&b.r, &s->got));
      }
      assert_int_equal(s->read, REQUEST);
      write_once(s, REPLY);
      if (message == 1) {
        uvr_stream_shutdown(s->stream, on_shut, s);
        assert_true(rig_run_until(&b.r, &s->shut));
      }
    }
    for (unsigned i = 0; i < CROWD; i++) {
      end_clear(&servers[i]);
    }
    for (unsigned i = 0; i < CROWD; i++) {
      server_join(&clients[i]);
      assert_int_equal(clients[i].received, REPLY);
      assert_int_equal(clients[i].messages, message == 1 ? 1 : clients[i].messages);
      assert_int_equal(clients[i].ends, message);
      assert_int_equal(clients[i].error, ERROR_BROKEN_PIPE);
      assert_false(clients[i].changed);
    }
    assert_int_equal(b.come, CROWD);
    bench_clear(&b);
  }
}

static void read_late(server *c)
{
  server_wait(c);
  server_read_all(c);
}

/* Closing the server's end leaves the client what it has not read yet. */
static void test_close_leaves_the_rest(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    bench b;
    server client;
    end s;
    listen_at(&b, message == 1, 1);
    client_start(&client, b.path, message == 1, read_late);
    accept_client(&b, &s);
    write_once(&s, LEFT);
    end_clear(&s);
    bench_clear(&b);
    server_join(&client);
    assert_int_equal(client.received, LEFT);
    assert_int_equal(client.error, ERROR_BROKEN_PIPE);
  }
}

static HANDLE open_plainly(const char *path)
{
  return CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
}

static void send_plainly(HANDLE pipe, size_t size)
{
  char data[REQUEST];
  DWORD written;
  for (size_t i = 0; i < size; i++) {
    data[i] = rig_byte(2, i);
  }
  (void)WriteFile(pipe, data, (DWORD)size, &written, NULL);
}

/* As many clients connect as there are instances; the rest is refused until one is accepted. They are accepted in their
 * order. */
static void test_backlog(void **state)
{
  (void)state;
  for (unsigned backlog = 1; backlog < CLIENTS_MAX; backlog += 3) {
    bench b;
    end none;
    HANDLE clients[2 * CLIENTS_MAX];
    listen_at(&b, true, backlog);
    assert_int_equal(hooks.creates, backlog);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
      assert_int_equal((hooks.flags[i] & FILE_FLAG_FIRST_PIPE_INSTANCE) != 0, i == 0);
    }
    assert_int_equal(try_accept(&b, &none), UV_EAGAIN);
    assert_int_equal(none.error.code, UV_EAGAIN);
    unsigned opened = 0;
    for (unsigned accepted = 0; accepted < CLIENTS_MAX; accepted++) {
      while (opened < accepted + backlog) {
        clients[opened] = open_plainly(b.path);
        assert_true(clients[opened] != INVALID_HANDLE_VALUE);
        send_plainly(clients[opened], opened + 2);
        opened++;
        rig_turns(&b.r, opened % 3);
      }
      for (unsigned pause = 0; pause < 2; pause++) {
        assert_true(open_plainly(b.path) == INVALID_HANDLE_VALUE);
        assert_int_equal(GetLastError(), ERROR_PIPE_BUSY);
        rig_run_ms(&b.r, 5);
      }
      assert_int_equal(b.come, opened);
      end s;
      assert_int_equal(try_accept(&b, &s), 0);
      (void)CloseHandle(clients[accepted]);
      assert_int_equal(read_all(&s), UVR_GONE);
      assert_int_equal(s.read, accepted + 2); /* it was this one */
      end_clear(&s);
      assert_int_equal(hooks.creates, accepted + 1 + backlog);
    }
    for (unsigned i = CLIENTS_MAX; i < opened; i++) {
      (void)CloseHandle(clients[i]);
    }
    bench_clear(&b);
  }
}

typedef struct waiting {
  const char *path;
  HANDLE started;
  BOOL has_instance;
} waiting;

static DWORD WINAPI wait_by_default(void *argument)
{
  waiting *w = argument;
  (void)SetEvent(w->started);
  w->has_instance = WaitNamedPipeA(w->path, NMPWAIT_USE_DEFAULT_WAIT);
  return 0;
}

/* A client that finds all instances taken, and waits as long as the listener says, gets one that comes a while later.
 */
static void test_default_wait(void **state)
{
  (void)state;
  bench b;
  end s;
  listen_at(&b, false, 1);
  HANDLE client = open_plainly(b.path);
  assert_true(client != INVALID_HANDLE_VALUE);
  waiting w = {.path = b.path, .started = CreateEventW(NULL, TRUE, FALSE, NULL)};
  HANDLE thread = CreateThread(NULL, 0, wait_by_default, &w, 0, NULL);
  assert_non_null(thread);
  assert_int_equal(WaitForSingleObject(w.started, RIG_SOON_MS), WAIT_OBJECT_0);
  rig_run_ms(&b.r, 500); /* ten times as long as it waits unless the listener says anything */
  assert_int_equal(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
  accept_client(&b, &s); /* makes another instance */
  assert_int_equal(WaitForSingleObject(thread, RIG_SOON_MS), WAIT_OBJECT_0);
  assert_true(w.has_instance);
  (void)CloseHandle(thread);
  (void)CloseHandle(w.started);
  (void)CloseHandle(client);
  end_clear(&s);
  bench_clear(&b);
}

/* It keeps the loop running, though all its clients are here and nothing is under way. */
static void test_keeps_the_loop_running(void **state)
{
  (void)state;
  bench b;
  listen_at(&b, true, 1);
  assert_true(uv_loop_alive(&b.r.loop));
  HANDLE client = open_plainly(b.path);
  assert_true(rig_run_until(&b.r, &b.announced));
  rig_turns(&b.r, 5);
  assert_true(uv_loop_alive(&b.r.loop));
  (void)CloseHandle(client);
  bench_clear(&b);
  assert_int_equal(b.come, 1);
}

/* Clients that have come and gone. */

static size_t left_behind;

static void come_and_go(const char *path)
{
  hooks.before_connect = NULL;
  HANDLE client = open_plainly(path);
  assert_true(client != INVALID_HANDLE_VALUE);
  if (left_behind > 0) {
    send_plainly(client, left_behind);
  }
  (void)CloseHandle(client);
}

/* After the instance was made and before or after it waits for a client; before or after the client was announced. */
static void test_came_and_went(void **state)
{
  (void)state;
  for (unsigned what = 0; what < 16; what++) {
    bench b;
    end s;
    bool early = (what & 2) != 0;
    bool message = (what & 4) != 0;
    left_behind = (what & 1) != 0 ? REQUEST : 0;
    bench_init(&b);
    hooks.before_connect = early ? come_and_go : NULL;
    assert_int_equal(try_listen(&b, message, 1), 0);
    if (!early) {
      come_and_go(b.path);
    }
    assert_int_equal(hooks.gone_at_connect, early ? 1 : 0);
    if ((what & 8) != 0) {
      rig_run_ms(&b.r, 10);
    }
    accept_client(&b, &s);
    assert_int_equal(read_all(&s), UVR_GONE);
    assert_int_equal(s.read, left_behind);
    assert_int_equal(s.messages, message && left_behind > 0 ? 1 : 0);
    begin_write(&s, REPLY);
    assert_true(s.wrote || rig_run_until(&b.r, &s.wrote));
    assert_int_equal(s.wrote_outcome, UVR_GONE);
    end_clear(&s);
    /* The next ones are served as ever. */
    end client;
    assert_int_equal(try_open(&b, &client), 0);
    accept_client(&b, &s);
    write_once(&client, REQUEST);
    end_clear(&client);
    assert_int_equal(read_all(&s), UVR_GONE);
    assert_int_equal(s.read, REQUEST);
    end_clear(&s);
    assert_int_equal(b.come, 2);
    bench_clear(&b);
  }
}

static HANDLE early_client;

static void come_and_stay(const char *path)
{
  hooks.before_connect = NULL;
  early_client = open_plainly(path);
}

/* After the instance was made and before it waits for a client (ERROR_PIPE_CONNECTED): announced from the loop all the
 * same.
 */
static void test_came_early(void **state)
{
  (void)state;
  for (unsigned later = 0; later < 2; later++) { /* to the first instance, or to one that follows */
    bench b;
    end s;
    bench_init(&b);
    hooks.before_connect = later == 0 ? come_and_stay : NULL;
    assert_int_equal(try_listen(&b, true, 1), 0);
    if (later == 1) {
      HANDLE client = open_plainly(b.path);
      assert_true(rig_run_until(&b.r, &b.announced));
      hooks.before_connect = come_and_stay;
      accept_client(&b, &s);
      end_clear(&s);
      (void)CloseHandle(client);
    }
    assert_int_equal(hooks.here_at_connect, 1);
    send_plainly(early_client, REQUEST);
    (void)CloseHandle(early_client);
    accept_client(&b, &s);
    assert_int_equal(read_all(&s), UVR_GONE);
    assert_int_equal(s.read, REQUEST);
    end_clear(&s);
    bench_clear(&b);
  }
}

static volatile LONG rushed;

static void rush(server *c)
{
  (void)CloseHandle(c->pipe);
  c->pipe = NULL;
  while (InterlockedCompareExchange(&rushed, 0, 0) < RUSH) {
    HANDLE pipe = open_plainly(c->path);
    if (pipe == INVALID_HANDLE_VALUE) {
      if (GetLastError() != ERROR_PIPE_BUSY) {
        c->error = GetLastError();
        return;
      }
      continue;
    }
    LONG number = InterlockedIncrement(&rushed);
    if (number % 2 == 0) {
      send_plainly(pipe, 1);
    }
    (void)CloseHandle(pipe);
    c->received++;
  }
}

/* A client that has got in is given out, with what it has left. */
static void test_rush(void **state)
{
  (void)state;
  bench b;
  server clients[2];
  listen_at(&b, true, 2);
  rushed = 0;
  client_start(&clients[0], b.path, true, rush);
  client_start(&clients[1], b.path, true, rush);
  unsigned accepted = 0;
  uint64_t read = 0;
  uint64_t deadline = uv_hrtime() + (uint64_t)RIG_PATIENCE_MS * 1000000;
  for (bool over = false; !over || accepted < b.come;) {
    end s;
    assert_true(uv_hrtime() < deadline);
    over = clients[0].served != 0 && clients[1].served != 0;
    rig_run_ms(&b.r, over ? 20 : 0); /* the last ones may not have been announced yet */
    for (; try_accept(&b, &s) == 0; accepted++) {
      assert_int_equal(read_all(&s), UVR_GONE);
      read += s.read;
      end_clear(&s);
    }
  }
  server_join(&clients[0]);
  server_join(&clients[1]);
  assert_int_equal(clients[0].error, 0);
  assert_int_equal(clients[1].error, 0);
  assert_int_equal(clients[0].received + clients[1].received, rushed);
  assert_in_range(rushed, RUSH, RUSH + 1);
  assert_int_equal(accepted, rushed + 2); /* each has come once before */
  assert_int_equal(read, rushed / 2);
  bench_clear(&b);
}

/* Failing. */

static bool first_instance_works(void)
{
  static const char path[] = "\\\\.\\pipe\\uvrelay-listen-first";
  HANDLE pipes[2];
  for (unsigned i = 0; i < 2; i++) {
    pipes[i] = CreateNamedPipeA(path, PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, 0, PIPE_UNLIMITED_INSTANCES,
                                4096, 4096, 0, NULL);
  }
  bool works = pipes[0] != INVALID_HANDLE_VALUE && pipes[1] == INVALID_HANDLE_VALUE;
  for (unsigned i = 0; i < 2; i++) {
    if (pipes[i] != INVALID_HANDLE_VALUE) {
      (void)CloseHandle(pipes[i]);
    }
  }
  return works;
}

static void assert_listen_fails(bench *b, int code, DWORD system, const char *text)
{
  assert_int_equal(try_listen(b, true, 2), code);
  assert_int_equal(b->error.code, code);
  assert_int_equal(b->error.system, system);
  assert_int_equal(b->error.phase, UVRELAY_PHASE_LISTEN);
  assert_non_null(strstr(b->error.text, text));
  assert_non_null(strstr(b->error.text, b->name));
  bench_clear(b);
}

static void test_pipe_exists(void **state)
{
  (void)state;
  bool works = first_instance_works(); /* not with Wine before version 10 */
  bench b;
  for (unsigned i = 0; i < 2; i++) { /* whether an instance of that pipe is free or not */
    bench_init(&b);
    HANDLE pipe = CreateNamedPipeA(b.path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 5, 4096, 4096, 0, NULL);
    HANDLE client = i == 0 ? open_plainly(b.path) : NULL;
    assert_true(pipe != INVALID_HANDLE_VALUE && client != INVALID_HANDLE_VALUE);
    if (!works) { /* then what Windows says is said in its place */
      hooks.fail_create_to = 1;
      hooks.create_error = ERROR_ACCESS_DENIED;
    }
    assert_listen_fails(&b, UV_EADDRINUSE, ERROR_ACCESS_DENIED, "already");
    (void)CloseHandle(client);
    (void)CloseHandle(pipe);
  }
  /* One that may have no more instances. */
  bench_init(&b);
  HANDLE pipe = CreateNamedPipeA(b.path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, NULL);
  assert_true(pipe != INVALID_HANDLE_VALUE);
  assert_listen_fails(&b, UV_EADDRINUSE, works ? ERROR_ACCESS_DENIED : ERROR_PIPE_BUSY, "already");
  (void)CloseHandle(pipe);
  /* Once it is gone its name can be used. */
  listen_at(&b, true, 1);
  begin_close(&b);
  assert_true(rig_run_until(&b.r, &b.closed));
  b.closing = b.closed = false;
  assert_int_equal(try_listen(&b, false, 1), 0);
  bench_clear(&b);
}

static void test_cannot_be_made(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  hooks.fail_create_to = 1;
  hooks.create_error = ERROR_ACCESS_DENIED;
  assert_listen_fails(&b, UV_EACCES, ERROR_ACCESS_DENIED, "cannot create the pipe");
  bench_init(&b);
  hooks.fail_create_to = 1;
  hooks.create_error = ERROR_NOT_ENOUGH_MEMORY;
  assert_listen_fails(&b, UV_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "cannot create the pipe");
}

/* Fewer instances than wanted do, and those that are missing are made as soon as they can be. */
static void test_some_instances_fail(void **state)
{
  (void)state;
  bench b;
  bench_init(&b);
  hooks.fail_create_from = 2;
  hooks.fail_create_to = 4; /* all but the first, and once more */
  hooks.create_error = ERROR_NOT_ENOUGH_MEMORY;
  assert_int_equal(try_listen(&b, true, 3), 0);
  HANDLE clients[4];
  clients[0] = open_plainly(b.path);
  assert_true(clients[0] != INVALID_HANDLE_VALUE);
  assert_true(open_plainly(b.path) == INVALID_HANDLE_VALUE);
  rig_run_ms(&b.r, 10);
  assert_int_equal(b.come, 1);
  end s;
  accept_client(&b, &s);
  rig_run_ms(&b.r, 10);
  for (unsigned i = 1; i < 3; i++) {
    clients[i] = open_plainly(b.path);
    assert_true(clients[i] != INVALID_HANDLE_VALUE);
  }
  assert_true(open_plainly(b.path) == INVALID_HANDLE_VALUE);
  end_clear(&s);
  accept_client(&b, &s);
  for (unsigned i = 0; i < 3; i++) {
    (void)CloseHandle(clients[i]);
  }
  end_clear(&s);
  for (unsigned i = 0; i < 3; i++) { /* now there are as many as was wanted */
    clients[i] = open_plainly(b.path);
    assert_int_equal(clients[i] == INVALID_HANDLE_VALUE, i == 2); /* one is untaken since before */
  }
  (void)CloseHandle(clients[0]);
  (void)CloseHandle(clients[1]);
  assert_false(b.failed);
  bench_clear(&b);
}

/* When no instance waits any longer, that is reported from the loop, once; accepted clients go on. */
static void test_all_instances_fail(void **state)
{
  (void)state;
  for (unsigned connects = 0; connects < 2; connects++) {
    bench b;
    end client;
    end s;
    bench_init(&b);
    assert_int_equal(try_listen(&b, true, 2), 0);
    hooks.create_error = hooks.connect_error = ERROR_NOT_ENOUGH_MEMORY;
    *(connects == 1 ? &hooks.fail_connect_to : &hooks.fail_create_to) = UINT_MAX;
    HANDLE other = open_plainly(b.path);
    assert_int_equal(try_open(&b, &client), 0);
    accept_client(&b, &s);
    end_clear(&s);
    rig_run_ms(&b.r, 10);
    assert_false(b.failed); /* one more can be accepted */
    assert_int_equal(b.come, 2);
    accept_client(&b, &s);
    assert_false(b.failed);
    assert_true(rig_run_until(&b.r, &b.failed));
    assert_int_equal(b.error.code, UV_ENOMEM);
    assert_int_equal(b.error.system, ERROR_NOT_ENOUGH_MEMORY);
    assert_int_equal(b.error.phase, UVRELAY_PHASE_LISTEN);
    assert_non_null(strstr(b.error.text, b.name));
    rig_run_ms(&b.r, 10);
    end none;
    assert_int_equal(try_accept(&b, &none), UV_EAGAIN);
    write_once(&client, REQUEST);
    end_clear(&client);
    assert_int_equal(read_all(&s), UVR_GONE);
    assert_int_equal(s.read, REQUEST);
    end_clear(&s);
    (void)CloseHandle(other);
    assert_false(uv_loop_alive(&b.r.loop)); /* nothing is left to wait for */
    bench_clear(&b);
  }
}

/* Closing. */

/* Whether a client was accepted before. */
static bool close_after(unsigned turns, bool message)
{
  bench b;
  end client = {0};
  end s = {0};
  listen_at(&b, message, 1 + turns % 3);
  client.r = s.r = &b.r;
  for (unsigned i = 0; i < turns; i++) {
    rig_turns(&b.r, 1);
    if (i == 1) {
      assert_int_equal(try_open(&b, &client), 0);
      begin_write(&client, REQUEST);
    }
    if (s.stream == NULL && try_accept(&b, &s) == 0) {
      uvr_stream_read(s.stream, on_read, &s);
      begin_write(&s, REPLY);
    }
  }
  bool accepted = s.stream != NULL;
  begin_close(&b);
  assert_false(b.closed);
  if (turns % 2 == 0) { /* before the streams, or after them */
    assert_true(rig_run_until(&b.r, &b.closed));
  }
  end_clear(&s);
  end_clear(&client);
  bench_clear(&b);
  return accepted;
}

static void test_close_at_every_moment(void **state)
{
  (void)state;
  for (unsigned message = 0; message < 2; message++) {
    unsigned after = 0; /* turns with a client accepted */
    unsigned turns = 0;
    for (; turns < TURNS_MAX && after < 6; turns++) {
      after += close_after(turns, message == 1) ? 1U : 0U;
    }
    assert_int_equal(after, 6);
  }
}

/* With instances that could not be made, of which the loop is still to tell. */
static void test_close_while_failing(void **state)
{
  (void)state;
  for (unsigned turns = 0; turns < 4; turns++) {
    bench b;
    bench_init(&b);
    hooks.create_error = ERROR_NOT_ENOUGH_MEMORY;
    hooks.fail_create_from = 2;
    hooks.fail_create_to = UINT_MAX;
    assert_int_equal(try_listen(&b, true, 3), 0);
    rig_turns(&b.r, turns);
    bench_clear(&b);
    assert_false(b.failed);
  }
}

/* From its own callback, with clients waiting to be announced and to be accepted. */
static void test_close_in_callback(void **state)
{
  (void)state;
  for (unsigned at = 1; at < 4; at++) {
    bench b;
    HANDLE clients[3];
    listen_at(&b, true, 4);
    b.close_at = at;
    for (unsigned i = 0; i < 3; i++) {
      clients[i] = open_plainly(b.path);
    }
    assert_true(rig_run_until(&b.r, &b.closed));
    assert_int_equal(b.come, at);
    char byte;
    DWORD count;
    for (unsigned i = 0; i < 3; i++) {
      assert_false(ReadFile(clients[i], &byte, 1, &count, NULL));
      assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
      (void)CloseHandle(clients[i]);
    }
    assert_true(open_plainly(b.path) == INVALID_HANDLE_VALUE);
    assert_int_equal(GetLastError(), ERROR_FILE_NOT_FOUND);
    bench_clear(&b);
  }
}

/* Memory and handles. */

/* Each allocation fails once; whatever could be made is used as far as it goes. */
static void test_no_memory(void **state)
{
  (void)state;
  bool failed = true;
  unsigned listen_failed = 0;
  unsigned take_failed = 0;
  for (unsigned n = 1; failed; n++) {
    assert_true(n < FAILURES_MAX);
    bench b;
    end s;
    bench_init(&b);
    b.r.fail_at = b.r.allocations + n;
    int code = try_listen(&b, true, 2);
    if (code != 0) {
      assert_int_equal(code, UV_ENOMEM);
      assert_int_equal(b.error.code, UV_ENOMEM);
      listen_failed++;
    } else {
      HANDLE client = open_plainly(b.path);
      send_plainly(client, REQUEST);
      assert_true(rig_run_until(&b.r, &b.announced));
      code = try_accept(&b, &s);
      if (code != 0) {
        assert_int_equal(code, UV_ENOMEM);
        assert_int_equal(s.error.code, UV_ENOMEM);
        take_failed++;
        assert_int_equal(try_accept(&b, &s), 0); /* it still waits */
      }
      (void)CloseHandle(client);
      uvr_outcome outcome = read_all(&s);
      if (outcome == UVR_FAILED) {
        assert_int_equal(s.error.code, UV_ENOMEM);
        outcome = read_all(&s);
      }
      assert_int_equal(outcome, UVR_GONE);
      assert_int_equal(s.read, REQUEST);
      end_clear(&s);
    }
    failed = b.r.failed;
    bench_clear(&b);
  }
  assert_int_equal(listen_failed, 1);
  assert_int_equal(take_failed, 1);
}

static void connect_and_accept(bench *b, bool accepted)
{
  end client;
  end s;
  assert_int_equal(try_open(b, &client), 0);
  if (accepted) {
    accept_client(b, &s);
    write_once(&s, REPLY);
    end_clear(&s);
  }
  end_clear(&client);
}

static void test_no_handle_left(void **state)
{
  (void)state;
  uintptr_t before = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    before = i == 10 ? highest_new_handle() : before;
    bench b;
    listen_at(&b, true, 2 + i % 3);
    hooks.create_error = hooks.connect_error = ERROR_NOT_ENOUGH_MEMORY;
    *(i % 2 == 1 ? &hooks.fail_create_to : &hooks.fail_connect_to) = hooks.creates + i % 4;
    connect_and_accept(&b, true);
    connect_and_accept(&b, i % 5 != 4); /* which fills again what has failed */
    bench_clear(&b);
  }
  assert_in_range(highest_new_handle(), 0, before + (size_t)4 * HANDLES_SLACK);
}

/* A client accepted for another context, and used after the listener is closed. */
static void test_outlives_the_listener(void **state)
{
  (void)state;
  bench b;
  end client;
  end s = {.in = 2, .out = 1};
  uvr_context other;
  listen_at(&b, true, 2);
  s.r = &b.r;
  assert_int_equal(uvr_context_init(&other, &b.r.loop, &b.r.context.memory, &b.r.context.log), 0);
  assert_int_equal(try_open(&b, &client), 0);
  assert_true(rig_run_until(&b.r, &b.announced));
  assert_int_equal(uvr_npipe_accept(b.listener, &other, &s.stream, NULL), 0);
  assert_ptr_equal(s.stream->context, &other);
  begin_close(&b);
  assert_true(rig_run_until(&b.r, &b.closed));
  write_once(&s, REPLY);
  end_clear(&s);
  assert_int_equal(read_all(&client), UVR_GONE);
  assert_int_equal(client.read, REPLY);
  end_clear(&client);
  rig_run(&b.r);
  uvr_context_clear(&other);
  bench_clear(&b);
}

/* Who may connect. */

static void assert_user_only(SECURITY_DESCRIPTOR *descriptor)
{
  BOOL present = FALSE;
  BOOL by_default;
  ACL *list = NULL;
  assert_true(GetSecurityDescriptorDacl(descriptor, &present, &list, &by_default));
  assert_true(present);
  assert_non_null(list);
  assert_int_equal(list->AceCount, 1);
  ACCESS_ALLOWED_ACE *entry = NULL;
  assert_true(GetAce(list, 0, (void **)&entry));
  assert_int_equal(entry->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
  assert_int_equal(entry->Header.AceFlags & INHERIT_ONLY_ACE, 0);
  assert_int_equal(entry->Mask, FILE_ALL_ACCESS);

  HANDLE token;
  union {
    TOKEN_USER user;
    char room[256];
  } user;
  DWORD size;
  assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
  assert_true(GetTokenInformation(token, TokenUser, &user, sizeof(user), &size));
  (void)CloseHandle(token);
  assert_true(EqualSid((SID *)&entry->SidStart, user.user.User.Sid));
}

static void test_user_only(void **state)
{
  (void)state;
  uvr_user_only security;
  memset(&security, 0xA5, sizeof(security));
  assert_int_equal(uvr_user_only_init(&security), 0);
  assert_int_equal(security.attributes.nLength, sizeof(SECURITY_ATTRIBUTES));
  assert_false(security.attributes.bInheritHandle);
  assert_true(IsValidSecurityDescriptor(security.attributes.lpSecurityDescriptor));
  assert_user_only(security.attributes.lpSecurityDescriptor);
}

/* What the pipe itself says of its first and of its later instances. */
static void test_pipe_is_the_users(void **state)
{
  (void)state;
  bench b;
  end s;
  listen_at(&b, true, 1);
  for (unsigned i = 0; i < 3; i++) {
    HANDLE client = open_plainly(b.path);
    union {
      SECURITY_DESCRIPTOR descriptor;
      char room[1024];
    } out;
    DWORD size;
    assert_true(GetKernelObjectSecurity(client, DACL_SECURITY_INFORMATION, &out, sizeof(out), &size));
    assert_user_only(&out.descriptor);
    accept_client(&b, &s);
    end_clear(&s);
    (void)CloseHandle(client);
  }
  bench_clear(&b);
}

/* Each end asks for the other's process. (Here they are one, and Wine's answer says nothing.) */
static void test_peer_pid(void **state)
{
  (void)state;
  bench b;
  end client;
  end s;
  uint32_t pid = 0;
  listen_at(&b, false, 1);
  assert_int_equal(try_open(&b, &client), 0);
  accept_client(&b, &s);
  assert_int_equal(uvr_npipe_peer_pid(client.stream, &pid), 0);
  assert_int_equal(pid, GetCurrentProcessId());
  assert_int_equal(hooks.asked_server, 1);
  assert_int_equal(hooks.asked_client, 0);
  assert_int_equal(uvr_npipe_peer_pid(s.stream, &pid), 0);
  assert_int_equal(pid, GetCurrentProcessId());
  assert_int_equal(hooks.asked_server, 1);
  assert_int_equal(hooks.asked_client, 1);
  end_clear(&s);
  end_clear(&client);
  bench_clear(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_own_client),
      cmocka_unit_test(test_own_client_in_byte_mode),
      cmocka_unit_test(test_name_in_utf8),
      cmocka_unit_test(test_plain_clients),
      cmocka_unit_test(test_close_leaves_the_rest),
      cmocka_unit_test(test_backlog),
      cmocka_unit_test(test_default_wait),
      cmocka_unit_test(test_keeps_the_loop_running),
      cmocka_unit_test(test_came_and_went),
      cmocka_unit_test(test_came_early),
      cmocka_unit_test(test_rush),
      cmocka_unit_test(test_pipe_exists),
      cmocka_unit_test(test_cannot_be_made),
      cmocka_unit_test(test_some_instances_fail),
      cmocka_unit_test(test_all_instances_fail),
      cmocka_unit_test(test_close_at_every_moment),
      cmocka_unit_test(test_close_while_failing),
      cmocka_unit_test(test_close_in_callback),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_no_handle_left),
      cmocka_unit_test(test_outlives_the_listener),
      cmocka_unit_test(test_user_only),
      cmocka_unit_test(test_pipe_is_the_users),
      cmocka_unit_test(test_peer_pid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
