/* libuv's streams as ours, over connected pairs of TCP sockets and of pipes: bytes whole and in order with partial
 * writes, half-close, one read at a time, unread bytes, a peer that is gone, closing with anything under way; handles
 * of somebody else's that are adopted and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <netinet/tcp.h>
#endif

#include <cmocka.h>

#include "base/os.h"
#include "rig.h"
#include "scratch.h"
#include "stream/uv.h"

enum { TRANSFER = 3 * 1024 * 1024, TURNS_MAX = 40, FILL_MAX = 64, HELD_MS = 200 };

typedef struct end {
  uvr_stream *stream;
  rig *r;
  unsigned seed; /* of what it writes */
  unsigned expected_seed;
  uint64_t to_write;
  uint64_t begun;   /* bytes given to writes */
  uint64_t written; /* bytes of finished writes */
  uint64_t read;
  uvr_buffer *outgoing;
  bool reading;
  bool keep_reading;
  unsigned reads; /* finished */
  bool got;
  uvr_outcome read_outcome;
  int read_code;
  bool wrote;
  bool writing;
  uvr_outcome write_outcome;
  int write_code;
  bool shut;
  uvr_outcome shutdown_outcome;
  bool closing;
  bool closed;
  bool close_in_read;
} end;

typedef struct pair {
  rig r;
  scratch files;
  uv_handle_type type;
  end a; /* connected */
  end b; /* accepted */
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } listener;
  bool connected;
  bool accepted;
  uv_stream_t *connecting; /* the handle of `a` */
  uv_stream_t *own;        /* the same, where somebody else owns it: on the heap */
  bool own_closed;
} pair;

static void on_connected(uv_connect_t *request, int code)
{
  assert_int_equal(code, 0);
  *(bool *)request->data = true;
}

static void on_connection(uv_stream_t *listener, int code)
{
  pair *p = listener->data;
  assert_int_equal(code, 0);
  assert_int_equal(uv_accept(listener, uvr_stream_uv_handle(p->b.stream)), 0);
  p->accepted = true;
}

static void pipe_name(const pair *p, char name[SCRATCH_PATH_MAX])
{
#ifdef _WIN32
  (void)snprintf(name, SCRATCH_PATH_MAX, "\\\\.\\pipe\\uvrelay-test-%s", strrchr(p->files.directory, '/') + 1);
#else
  (void)scratch_path(&p->files, "socket", name);
#endif
}

static void connect_pair(pair *p, uv_connect_t *request)
{
  request->data = &p->connected;
  if (p->type == UV_TCP) {
    struct sockaddr_in address;
    int size = sizeof(address);
    assert_int_equal(uv_tcp_init(&p->r.loop, &p->listener.tcp), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_bind(&p->listener.tcp, (struct sockaddr *)&address, 0), 0);
    p->listener.stream.data = p;
    assert_int_equal(uv_listen(&p->listener.stream, 1, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&p->listener.tcp, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(uv_tcp_connect(request, (uv_tcp_t *)p->connecting, (struct sockaddr *)&address, on_connected), 0);
    return;
  }
  char name[SCRATCH_PATH_MAX];
  pipe_name(p, name);
  assert_int_equal(uv_pipe_init(&p->r.loop, &p->listener.pipe, 0), 0);
  assert_int_equal(uv_pipe_bind(&p->listener.pipe, name), 0);
  p->listener.stream.data = p;
  assert_int_equal(uv_listen(&p->listener.stream, 1, on_connection), 0);
  uv_pipe_connect(request, (uv_pipe_t *)p->connecting, name, on_connected);
}

static void on_closed_flag(void *user)
{
  *(bool *)user = true;
}

static void pair_connect(pair *p)
{
  uv_connect_t request;
  assert_int_equal(uvr_stream_uv_new(&p->r.context, p->type, "accepted", &p->b.stream), 0);
  p->a.r = p->b.r = &p->r;
  p->a.seed = p->b.expected_seed = 1;
  p->b.seed = p->a.expected_seed = 2;
  connect_pair(p, &request);
  assert_true(rig_run_until(&p->r, &p->connected));
  assert_true(rig_run_until(&p->r, &p->accepted));
  uv_close((uv_handle_t *)&p->listener, NULL);
}

static void pair_begin(pair *p, uv_handle_type type)
{
  memset(p, 0, sizeof(*p));
  rig_init(&p->r);
  scratch_init(&p->files);
  p->type = type;
}

static void pair_init(pair *p, uv_handle_type type)
{
  pair_begin(p, type);
  char name[] = "a name that is copied";
  assert_int_equal(uvr_stream_uv_new(&p->r.context, type, name, &p->a.stream), 0);
  memset(name, 'x', sizeof(name) - 1);
  assert_string_equal(p->a.stream->name, "a name that is copied");
  p->connecting = uvr_stream_uv_handle(p->a.stream);
  pair_connect(p);
}

static void close_end_how(end *e, uvr_close_how how)
{
  if (!e->closing) {
    e->closing = true;
    uvr_stream_close(e->stream, how, on_closed_flag, &e->closed);
    assert_false(e->closed);
  }
}

static void close_end(end *e)
{
  close_end_how(e, UVR_CLOSE_NOW);
}

static void pair_clear(pair *p)
{
  close_end(&p->a);
  close_end(&p->b);
  rig_run(&p->r);
  assert_true(p->a.closed && p->b.closed);
  uvr_buffer_put(&p->r.context.buffers, p->a.outgoing);
  uvr_buffer_put(&p->r.context.buffers, p->b.outgoing);
  scratch_clear(&p->files);
  rig_clear(&p->r);
}

/* Reading. */

static void on_read(void *user, uvr_outcome outcome, uvr_buffer *buffer, const uvrelay_error_t *error)
{
  end *e = user;
  assert_true(e->reading); /* one callback for each read that was asked for */
  assert_false(e->closing);
  e->reading = false;
  e->got = true;
  e->reads++;
  e->read_outcome = outcome;
  e->read_code = error != NULL ? error->code : 0;
  assert_true((error != NULL) == (outcome == UVR_GONE || outcome == UVR_FAILED));
  assert_true((buffer != NULL) == (outcome == UVR_DONE));
  if (buffer != NULL) {
    assert_in_range(buffer->length, 1, buffer->capacity);
    for (size_t i = 0; i < buffer->length; i++) {
      if (buffer->data[i] != rig_byte(e->expected_seed, e->read + i)) {
        fail_msg("byte %u was changed on its way", (unsigned)(e->read + i));
      }
    }
    e->read += buffer->length;
    uvr_buffer_put(&e->r->context.buffers, buffer);
  }
  if (e->close_in_read) {
    close_end(e);
  } else if (e->keep_reading && outcome == UVR_DONE) {
    e->reading = true;
    uvr_stream_read(e->stream, on_read, e);
  }
}

static void begin_read(end *e)
{
  e->got = false;
  e->reading = true;
  uvr_stream_read(e->stream, on_read, e);
}

static void read_once(end *e)
{
  begin_read(e);
  assert_true(rig_run_until(e->r, &e->got));
}

/* Reads until an end, or until so many bytes came. */
static void read_all(end *e, uint64_t until)
{
  do {
    read_once(e);
  } while (e->read_outcome == UVR_DONE && e->read < until);
}

/* Writing. */

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error);

static void write_next(end *e)
{
  if (e->outgoing == NULL) {
    e->outgoing = uvr_buffer_get(&e->r->context.buffers, UVR_BUFFER_LARGE);
    assert_non_null(e->outgoing);
  }
  uint64_t left = e->to_write - e->begun;
  e->outgoing->length = left < UVR_BUFFER_LARGE ? (size_t)left : UVR_BUFFER_LARGE;
  for (size_t i = 0; i < e->outgoing->length; i++) {
    e->outgoing->data[i] = rig_byte(e->seed, e->begun + i);
  }
  e->begun += e->outgoing->length;
  e->writing = true;
  uvr_stream_write(e->stream, e->outgoing->data, e->outgoing->length, on_write, e);
}

static void on_write(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  end *e = user;
  assert_true(e->writing);
  assert_false(e->closing);
  e->writing = false;
  e->write_outcome = outcome;
  e->write_code = error != NULL ? error->code : 0;
  assert_true((error != NULL) == (outcome != UVR_DONE));
  if (outcome == UVR_DONE) {
    e->written += e->outgoing->length;
    if (e->begun < e->to_write) {
      write_next(e);
      return;
    }
  }
  e->wrote = true;
}

static void begin_write(end *e, uint64_t size)
{
  e->wrote = false;
  e->to_write = e->begun + size;
  write_next(e);
}

static void write_all(end *e, uint64_t size)
{
  begin_write(e, size);
  assert_true(rig_run_until(e->r, &e->wrote));
  assert_int_equal(e->write_outcome, UVR_DONE);
}

static void on_shutdown(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  end *e = user;
  assert_false(e->closing);
  assert_true((error != NULL) == (outcome != UVR_DONE));
  e->shut = true;
  e->shutdown_outcome = outcome;
}

static void shut_down(end *e)
{
  uvr_stream_shutdown(e->stream, on_shutdown, e);
  assert_true(rig_run_until(e->r, &e->shut));
}

/* Writes until the other end, which does not read, takes no more; the last write is left under way. */
static void fill(end *e)
{
  e->wrote = false;
  e->to_write = UINT64_MAX;
  write_next(e);
  for (unsigned i = 0; i < FILL_MAX; i++) {
    rig_turns(e->r, 5);
    uv_sleep(1);
  }
  assert_true(e->writing);
  assert_in_range(e->written, 0, 64 * 1024 * 1024);
}

static const uv_handle_type types[] = {UV_TCP, UV_NAMED_PIPE};

/* One who still sends, and is slow to read, gets all that was written to him before a gentle close, and its end. */
static void test_close_gently(void **state)
{
  (void)state;
  for (unsigned held = 0; held < 2; held++) {
    pair p;
    pair_init(&p, UV_TCP);
    p.r.context.patience.close_ms = held == 0 ? RIG_PATIENCE_MS : HELD_MS;
    write_all(&p.a, 100000); /* it has no reader */
    write_all(&p.b, 100000);
    rig_turns(&p.r, 10);
    uv_update_time(&p.r.loop);
    uint64_t begun = uv_hrtime();
    close_end_how(&p.b, UVR_CLOSE_GENTLY);
    rig_turns(&p.r, 10);
    write_all(&p.a, 1000); /* and still sends */
    read_all(&p.a, UINT64_MAX);
    assert_int_equal(p.a.read_outcome, UVR_END_OF_INPUT);
    assert_int_equal(p.a.read, 100000);
    if (held == 0) {
      close_end(&p.a); /* which ends the wait */
    }
    assert_true(rig_run_until(&p.r, &p.b.closed));
    uint64_t waited_ms = (uv_hrtime() - begun) / 1000000;
    assert_in_range(waited_ms, held == 0 ? 0 : HELD_MS * 9 / 10, RIG_SOON_MS);
    pair_clear(&p);
  }
}

/* What was cut shows as a reset, after all that was written, if bytes have gone either way: else it is an end. */
static void test_close_cut(void **state)
{
  (void)state;
  enum { NOTHING, WRITTEN, READ, CASES };
  for (unsigned n = 0; n < 2 * CASES; n++) {
    unsigned used = n / 2;
    pair p;
    pair_init(&p, UV_TCP);
    if (used == WRITTEN) {
      write_all(&p.b, 100000);
    } else if (used == READ) {
      write_all(&p.a, 1000);
      read_all(&p.b, 1000);
      assert_int_equal(p.b.read, 1000);
    }
    rig_turns(&p.r, 10);
    close_end_how(&p.b, n % 2 == 0 ? UVR_CLOSE_CUT : UVR_CLOSE_CUT_AFTER_WRITES);
    rig_turns(&p.r, 10);
    read_all(&p.a, UINT64_MAX);
    if (used == NOTHING) {
      assert_int_equal(p.a.read_outcome, UVR_END_OF_INPUT);
    } else if (uvr_os_pipes_half_close()) { /* Unix: Windows throws away what was not read, Wine hides the reset */
      assert_int_equal(p.a.read_outcome, UVR_FAILED);
      assert_int_equal(p.a.read_code, UV_ECONNRESET);
      assert_int_equal(p.a.read, used == WRITTEN ? 100000 : 0);
    }
    close_end(&p.a);
    assert_true(rig_run_until(&p.r, &p.b.closed));
    pair_clear(&p);
  }
}

/* The end of the process. */

static bool is_armed(const pair *p)
{
  struct linger linger;
  assert_true(uvr_os_get_linger(uvr_stream_uv_handle(p->a.stream), &linger));
  return linger.l_onoff != 0 && linger.l_linger == 0;
}

/* Until the end was passed on, the end of the process would be a reset. */
static void test_arm(void **state)
{
  (void)state;
  pair p;
  pair_init(&p, UV_TCP);
  assert_false(is_armed(&p));
  uvr_stream_arm(p.a.stream);
  assert_true(is_armed(&p));
  write_all(&p.a, 1000);
  assert_true(is_armed(&p));
  shut_down(&p.a);
  assert_false(is_armed(&p));
  pair_clear(&p);
  pair_init(&p, UV_NAMED_PIPE);
  uvr_stream_arm(p.a.stream); /* does nothing */
  pair_clear(&p);
}

static bool may_delay(const pair *p)
{
  uv_os_fd_t fd;
  int no_delay = 0;
  socklen_t size = sizeof(no_delay);
  assert_int_equal(uv_fileno((const uv_handle_t *)uvr_stream_uv_handle(p->a.stream), &fd), 0);
  assert_int_equal(getsockopt((uv_os_sock_t)fd, IPPROTO_TCP, TCP_NODELAY, (char *)&no_delay, &size), 0);
  return no_delay == 0;
}

/* A system delays a write only while an earlier segment is not acknowledged. */
static void test_no_write_is_delayed(void **state)
{
  (void)state;
  static const uint64_t first[] = {1, 512, 513, 100000};
  for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
    pair p;
    pair_init(&p, UV_TCP);
    uvr_stream_uv_tune_tcp((uv_tcp_t *)uvr_stream_uv_handle(p.a.stream), false);
    write_all(&p.a, first[i]);
    assert_int_equal(may_delay(&p), first[i] <= 512);
    write_all(&p.a, 1);
    assert_false(may_delay(&p));
    read_all(&p.b, first[i] + 1);
    pair_clear(&p);
  }
}

/* An orderly close loses nothing of what waits in the system; and what a close cuts off is no end. */
static void test_close_armed(void **state)
{
  (void)state;
  for (unsigned gently = 0; gently < 2; gently++) {
    pair p;
    pair_init(&p, UV_TCP);
    uvr_stream_arm(p.a.stream);
    write_all(&p.a, 1000000);
    close_end_how(&p.a, gently ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW);
    rig_turns(&p.r, 10);
    read_all(&p.b, UINT64_MAX);
    assert_int_equal(p.b.read_outcome, UVR_END_OF_INPUT);
    assert_int_equal(p.b.read, 1000000);
    pair_clear(&p);
    pair_init(&p, UV_TCP);
    p.r.context.patience.close_ms = HELD_MS;
    uvr_stream_arm(p.a.stream);
    fill(&p.a);
    close_end_how(&p.a, gently ? UVR_CLOSE_GENTLY : UVR_CLOSE_NOW);
    assert_true(rig_run_until(&p.r, &p.a.closed));
    read_all(&p.b, UINT64_MAX);
    if (uvr_os_pipes_half_close()) { /* Wine hides the reset */
      assert_int_equal(p.b.read_outcome, UVR_FAILED);
      assert_int_equal(p.b.read_code, UV_ECONNRESET);
    }
    pair_clear(&p);
  }
}

/* The tests, each for both kinds. */

static void test_transfer(void **state)
{
  for (unsigned i = 0; i < 2; i++) {
    (void)state;
    pair p;
    pair_init(&p, types[i]);
    assert_true(p.a.stream->can_half_close);
    assert_false(p.a.stream->keeps_messages);
    p.a.keep_reading = p.b.keep_reading = true; /* both ways at once */
    begin_read(&p.a);
    begin_read(&p.b);
    begin_write(&p.a, TRANSFER);
    begin_write(&p.b, TRANSFER);
    assert_true(rig_run_until(&p.r, &p.a.wrote));
    assert_true(rig_run_until(&p.r, &p.b.wrote));
    for (unsigned turns = 0; turns < 1000 && (p.a.read < TRANSFER || p.b.read < TRANSFER); turns++) {
      rig_turns(&p.r, 1);
      uv_sleep(p.a.read + p.b.read == 0 ? 1 : 0);
    }
    assert_int_equal(p.a.read, TRANSFER);
    assert_int_equal(p.b.read, TRANSFER);
    pair_clear(&p);
  }
}

/* A reader that stops stops the writer, and gets every byte when it goes on, in whatever pieces. */
static void test_backpressure(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init(&p, types[i]);
    fill(&p.a);
    uint64_t stuck = p.a.written;
    rig_turns(&p.r, 20);
    assert_int_equal(p.a.written, stuck);
    assert_int_equal(p.b.reads, 0);
    p.a.to_write = p.a.begun; /* no more after the one that is under way */
    read_all(&p.b, p.a.begun);
    assert_int_equal(p.b.read, p.a.begun);
    assert_true(rig_run_until(&p.r, &p.a.wrote));
    assert_int_equal(p.a.write_outcome, UVR_DONE);
    assert_int_equal(p.a.written, p.a.begun);
    pair_clear(&p);
  }
}

/* Nothing comes that was not asked for, and nothing of it is lost. */
static void test_one_read_at_a_time(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init(&p, types[i]);
    write_all(&p.a, 10);
    read_all(&p.b, 10);
    unsigned reads = p.b.reads;
    write_all(&p.a, 20); /* on_read asserts that it was asked */
    rig_turns(&p.r, 10);
    assert_int_equal(p.b.reads, reads);
    read_all(&p.b, 30);
    assert_int_equal(p.b.read, 30);
    pair_clear(&p);
  }
}

static void test_half_close(void **state)
{
  (void)state;
#ifdef _WIN32
  unsigned kinds = 1; /* libuv's Windows pipes have no half-close; nothing of ours dials them */
#else
  unsigned kinds = 2;
#endif
  for (unsigned i = 0; i < kinds; i++) {
    pair p;
    pair_init(&p, types[i]);
    p.b.keep_reading = true;
    begin_read(&p.b);
    write_all(&p.a, 300000);
    shut_down(&p.a);
    assert_int_equal(p.a.shutdown_outcome, UVR_DONE);
    for (unsigned turns = 0; turns < 1000 && p.b.read_outcome == UVR_DONE; turns++) {
      rig_turns(&p.r, 1);
      uv_sleep(turns > 100 ? 1 : 0);
    }
    assert_int_equal(p.b.read, 300000); /* all that was written, then the end */
    assert_int_equal(p.b.read_outcome, UVR_END_OF_INPUT);
    write_all(&p.b, 100000); /* the other direction lives on */
    read_all(&p.a, 100000);
    assert_int_equal(p.a.read, 100000);
    close_end(&p.b);
    read_once(&p.a);
    assert_int_equal(p.a.read_outcome, UVR_END_OF_INPUT);
    pair_clear(&p);
  }
}

/* The end of input is reported to one who asks for it only after the bytes before it. */
static void test_end_waits_to_be_read(void **state)
{
  (void)state;
  pair p;
  pair_init(&p, UV_TCP);
  write_all(&p.a, 5);
  shut_down(&p.a);
  rig_turns(&p.r, 20);
  assert_int_equal(p.b.reads, 0);
  read_once(&p.b);
  assert_int_equal(p.b.read_outcome, UVR_DONE);
  read_once(&p.b);
  assert_int_equal(p.b.read_outcome, UVR_END_OF_INPUT);
  pair_clear(&p);
}

/* Writing to one who has gone without reading: an end or an error, soon, and not forever "done". */
static void test_peer_gone(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned pending = 0; pending < 2; pending++) {
      pair p;
      pair_init(&p, types[i]);
      if (pending == 1) {
        fill(&p.a);
      }
      close_end(&p.b);
      if (pending == 1) {
        assert_true(rig_run_until(&p.r, &p.a.wrote));
      }
      for (unsigned n = 0; n < 100 && p.a.write_outcome == UVR_DONE; n++) {
        begin_write(&p.a, 1000);
        assert_true(rig_run_until(&p.r, &p.a.wrote));
        uv_sleep(1);
      }
      assert_int_equal(p.a.write_outcome, UVR_GONE);
      pair_clear(&p);
    }
  }
}

/* A reset that a write has met, which the system tells once only, is not an end of input for the next read. */
static void test_reset_met_by_a_write(void **state)
{
  (void)state;
  pair p;
  pair_init(&p, UV_TCP);
  write_all(&p.b, 100000);
  rig_turns(&p.r, 10);
  close_end_how(&p.b, UVR_CLOSE_CUT);
  assert_true(rig_run_until(&p.r, &p.b.closed));
  for (unsigned n = 0; n < 100 && p.a.write_outcome == UVR_DONE; n++) {
    begin_write(&p.a, 1000);
    assert_true(rig_run_until(&p.r, &p.a.wrote));
    uv_sleep(1);
  }
  assert_int_equal(p.a.write_outcome, UVR_GONE);
  read_all(&p.a, UINT64_MAX);
  assert_int_equal(p.a.read_outcome, UVR_FAILED);
  assert_int_equal(p.a.read_code, UV_ECONNRESET);
  pair_clear(&p);
}

/* A pipe whose peer is gone says so in the orderly way. */
static void test_pipe_peer_gone(void **state)
{
  (void)state;
  pair p;
  pair_init(&p, UV_NAMED_PIPE);
  close_end(&p.b);
  rig_turns(&p.r, 5);
  begin_write(&p.a, 1000);
  assert_true(rig_run_until(&p.r, &p.a.wrote));
  assert_int_equal(p.a.write_outcome, UVR_GONE);
  assert_int_equal(p.a.write_code, UV_EPIPE);
  read_once(&p.a);
  assert_int_equal(p.a.read_outcome, UVR_END_OF_INPUT);
  pair_clear(&p);
}

static uvr_buffer *unread_bytes(pair *p, unsigned seed, size_t size)
{
  uvr_buffer *buffer = uvr_buffer_get(&p->r.context.buffers, UVR_BUFFER_SMALL);
  assert_non_null(buffer);
  for (size_t i = 0; i < size; i++) {
    buffer->data[i] = rig_byte(seed, i);
  }
  buffer->length = size;
  return buffer;
}

static void test_unread(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init(&p, types[i]);
    uvr_stream_unread(p.b.stream, unread_bytes(&p, p.a.seed, 17));
    p.a.begun = 17; /* what comes through the socket follows it */
    write_all(&p.a, 1000);
    rig_turns(&p.r, 5);
    assert_int_equal(p.b.reads, 0); /* only when asked for */
    read_once(&p.b);
    assert_int_equal(p.b.read, 17);
    read_all(&p.b, 1017);
    assert_int_equal(p.b.read, 1017);
    pair_clear(&p);
    /* Closed before anybody reads it: pair_clear counts. */
    pair_init(&p, types[i]);
    uvr_stream_unread(p.b.stream, unread_bytes(&p, p.a.seed, 17));
    pair_clear(&p);
  }
}

/* Closing, with reads and writes under way, at every turn. The buffer of the write is ours and must not be touched by
 * then; rig_clear and the sanitizers see what is forgotten or used too late. */
static void test_close(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
      pair p;
      pair_init(&p, types[i]);
      begin_read(&p.a);
      if (turns % 2 == 0) {
        p.b.keep_reading = true;
        begin_read(&p.b);
      }
      begin_write(&p.a, 40 * UVR_BUFFER_LARGE);
      if (turns % 3 == 0) {
        begin_write(&p.b, 40 * UVR_BUFFER_LARGE);
      }
      rig_turns(&p.r, turns);
      close_end(&p.a);
      if (turns % 5 != 0) {
        assert_true(rig_run_until(&p.r, &p.a.closed)); /* else both at once */
      }
      pair_clear(&p);
    }
  }
}

static void test_close_with_write_stuck(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init(&p, types[i]);
    fill(&p.a);
    close_end(&p.a); /* on_write must not come afterwards */
    assert_true(rig_run_until(&p.r, &p.a.closed));
    assert_true(p.a.writing);
    pair_clear(&p);
  }
}

static void test_close_with_shutdown_under_way(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned turns = 0; turns < 4; turns++) {
      pair p;
      pair_init(&p, types[i]);
      write_all(&p.a, 1000);
      uvr_stream_shutdown(p.a.stream, on_shutdown, &p.a);
      rig_turns(&p.r, turns);
      close_end(&p.a);
      pair_clear(&p);
    }
  }
}

static void test_close_in_callback(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned ended = 0; ended < 2; ended++) {
      pair p;
      pair_init(&p, types[i]);
      p.b.close_in_read = true;
      begin_read(&p.b);
      if (ended == 0) {
        write_all(&p.a, 1000);
      } else {
        close_end(&p.a);
      }
      assert_true(rig_run_until(&p.r, &p.b.closed));
      assert_int_equal(p.b.reads, 1);
      pair_clear(&p);
    }
  }
}

/* A stream that was never connected can be closed, too. */
static void test_close_unconnected(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    rig r;
    rig_init(&r);
    uvr_stream *stream = NULL;
    assert_int_equal(uvr_stream_uv_new(&r.context, types[i], "x", &stream), 0);
    bool closed = false;
    uvr_stream_close(stream, UVR_CLOSE_NOW, on_closed_flag, &closed);
    assert_true(rig_run_until(&r, &closed));
    r.fail_at = r.allocations + 1;
    assert_int_equal(uvr_stream_uv_new(&r.context, types[i], "x", &stream), UV_ENOMEM);
    rig_clear(&r);
  }
}

/* Without memory for a buffer the read fails, and the stream can still be used and closed. */
static void test_no_memory(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init(&p, types[i]);
    write_all(&p.a, 1000);
    p.r.fail_at = p.r.allocations + 1;
    read_once(&p.b);
    assert_int_equal(p.b.read_outcome, UVR_FAILED);
    assert_int_equal(p.b.read_code, UV_ENOBUFS);
    pair_clear(&p);
  }
}

/* Handles that somebody else owns. */

static void on_own_closed(uv_handle_t *handle)
{
  pair *p = handle->data; /* as it was before */
  assert_ptr_equal(handle, p->own);
  assert_false(p->own_closed);
  assert_false(p->a.closed); /* the stream's own callback comes after */
  p->own_closed = true;
  memset(p->own, 0x5A, p->type == UV_TCP ? sizeof(uv_tcp_t) : sizeof(uv_pipe_t));
  free(p->own);
}

/* The connected end is a handle of our own, which is not adopted yet. */
static void pair_init_own(pair *p, uv_handle_type type)
{
  pair_begin(p, type);
  p->own = malloc(type == UV_TCP ? sizeof(uv_tcp_t) : sizeof(uv_pipe_t)); /* and not a byte more */
  assert_non_null(p->own);
  assert_int_equal(type == UV_TCP ? uv_tcp_init(&p->r.loop, (uv_tcp_t *)p->own)
                                  : uv_pipe_init(&p->r.loop, (uv_pipe_t *)p->own, 0),
                   0);
  p->connecting = p->own;
  pair_connect(p);
  p->own->data = p;
}

static void adopt(pair *p, uv_close_cb on_closed)
{
  char name[] = "another name that is copied";
  assert_int_equal(uvr_stream_uv_adopt(&p->r.context, p->own, on_closed, name, &p->a.stream), 0);
  memset(name, 'x', sizeof(name) - 1);
  assert_string_equal(p->a.stream->name, "another name that is copied");
  assert_ptr_equal(uvr_stream_uv_handle(p->a.stream), p->own);
}

static void test_adopt(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init_own(&p, types[i]);
    adopt(&p, on_own_closed);
    bool half = types[i] == UV_TCP || uvr_os_pipes_half_close();
    assert_int_equal(p.a.stream->can_half_close, half);
    assert_false(p.a.stream->keeps_messages);
    p.a.keep_reading = p.b.keep_reading = true;
    begin_read(&p.a);
    begin_read(&p.b);
    begin_write(&p.a, 500000);
    begin_write(&p.b, 500000);
    for (unsigned turns = 0; turns < 1000 && (p.a.read < 500000 || p.b.read < 500000); turns++) {
      rig_turns(&p.r, 1);
      uv_sleep(turns > 100 ? 1 : 0);
    }
    assert_int_equal(p.a.read, 500000);
    assert_int_equal(p.b.read, 500000);
    if (half) {
      shut_down(&p.a);
      assert_int_equal(p.a.shutdown_outcome, UVR_DONE);
    }
    close_end(&p.a);
    assert_false(p.own_closed);
    assert_true(rig_run_until(&p.r, &p.a.closed));
    assert_true(p.own_closed);
    pair_clear(&p);
  }
}

/* What its owner has set for its closing is so again. */
static void test_adopt_armed(void **state)
{
  (void)state;
  pair p;
  pair_init_own(&p, UV_TCP);
  struct linger linger = {.l_onoff = 1, .l_linger = 5};
  assert_true(uvr_os_set_linger(p.own, &linger));
  adopt(&p, on_own_closed);
  uvr_stream_arm(p.a.stream);
  assert_true(is_armed(&p));
  shut_down(&p.a);
  assert_true(uvr_os_get_linger(p.own, &linger));
  assert_true(linger.l_onoff != 0);
  assert_int_equal(linger.l_linger, 5);
  pair_clear(&p);
}

/* Its owner need not learn of it, and has it back all the same. */
static void test_adopt_without_callback(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init_own(&p, types[i]);
    adopt(&p, NULL);
    write_all(&p.a, 100);
    close_end(&p.a);
    assert_true(rig_run_until(&p.r, &p.a.closed));
    assert_ptr_equal(p.own->data, &p);
    free(p.own);
    pair_clear(&p);
  }
}

static void test_adopt_close(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    for (unsigned turns = 0; turns < TURNS_MAX / 2; turns++) {
      pair p;
      pair_init_own(&p, types[i]);
      adopt(&p, on_own_closed);
      begin_read(&p.a);
      begin_write(&p.a, 40 * UVR_BUFFER_LARGE);
      begin_write(&p.b, 1000);
      if (turns % 2 == 0) {
        begin_read(&p.b);
      }
      rig_turns(&p.r, turns);
      pair_clear(&p);
      assert_true(p.own_closed);
    }
  }
}

/* Given back it is open, its owner's, and as it was. */
static void test_give_back(void **state)
{
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    pair p;
    pair_init_own(&p, types[i]);
    size_t blocks = p.r.blocks;
    for (unsigned again = 0; again < 2; again++) {
      adopt(&p, on_own_closed);
      uvr_stream_uv_give_back(p.a.stream);
      assert_int_equal(p.r.blocks, blocks);
      assert_ptr_equal(p.own->data, &p);
      assert_false(uv_is_closing((uv_handle_t *)p.own));
    }
    p.r.fail_at = p.r.allocations + 1;
    assert_int_equal(uvr_stream_uv_adopt(&p.r.context, p.own, on_own_closed, "x", &p.a.stream), UV_ENOMEM);
    assert_ptr_equal(p.own->data, &p);
    adopt(&p, on_own_closed); /* it works as ever */
    write_all(&p.a, 1000);
    read_all(&p.b, 1000);
    assert_int_equal(p.b.read, 1000);
    pair_clear(&p);
    assert_true(p.own_closed);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_transfer),
      cmocka_unit_test(test_backpressure),
      cmocka_unit_test(test_one_read_at_a_time),
      cmocka_unit_test(test_half_close),
      cmocka_unit_test(test_close_gently),
      cmocka_unit_test(test_close_cut),
      cmocka_unit_test(test_arm),
      cmocka_unit_test(test_no_write_is_delayed),
      cmocka_unit_test(test_close_armed),
      cmocka_unit_test(test_end_waits_to_be_read),
      cmocka_unit_test(test_peer_gone),
      cmocka_unit_test(test_reset_met_by_a_write),
      cmocka_unit_test(test_pipe_peer_gone),
      cmocka_unit_test(test_unread),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_close_with_write_stuck),
      cmocka_unit_test(test_close_with_shutdown_under_way),
      cmocka_unit_test(test_close_in_callback),
      cmocka_unit_test(test_close_unconnected),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_adopt),
      cmocka_unit_test(test_adopt_armed),
      cmocka_unit_test(test_adopt_without_callback),
      cmocka_unit_test(test_adopt_close),
      cmocka_unit_test(test_give_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
