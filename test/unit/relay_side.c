/* A side of a session under test: see relay_side.h. */
#include "relay_side.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <io.h>
#define dup  _dup
#define dup2 _dup2
#else
#include <unistd.h>
#endif

#include <cmocka.h>

enum { FILE_MODE = 0600, STANDARD_INPUT = 0 };

/* TCP. */

static void on_connected(uv_connect_t *request, int code)
{
  assert_int_equal(code, 0);
  *(bool *)request->data = true;
}

static void close_listener(relay_side *side)
{
  if (side->listener_open) {
    side->listener_open = false;
    uv_close(&side->listener.handle, NULL);
  }
}

static void on_connection(uv_stream_t *listener, int code)
{
  relay_side *side = listener->data;
  assert_int_equal(code, 0);
  assert_false(side->far_connected);
  assert_int_equal(uv_accept(listener, far_stream_new(&side->remote, &side->r->loop, listener->type)), 0);
  side->far_connected = true;
  if (!side_is_given(side)) {
    far_start(&side->remote);
  }
  close_listener(side);
}

/* A port of our own, on which no process listens yet. */
static unsigned bind_tcp(relay_side *side)
{
  struct sockaddr_in address;
  int size = sizeof(address);
  assert_int_equal(uv_tcp_init(&side->r->loop, &side->listener.tcp), 0);
  side->listener.handle.data = side;
  (void)uv_tcp_simultaneous_accepts(&side->listener.tcp, 0); /* else Windows makes 32 sockets for them */
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_bind(&side->listener.tcp, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_tcp_getsockname(&side->listener.tcp, (struct sockaddr *)&address, &size), 0);
  side->listener_open = true;
  return ntohs(address.sin_port);
}

static unsigned listen_on_tcp(relay_side *side)
{
  unsigned port = bind_tcp(side);
  assert_int_equal(uv_listen(&side->listener.stream, 1, on_connection), 0);
  return port;
}

static void give_tcp(relay_side *side)
{
  struct sockaddr_in address;
  assert_int_equal(uv_ip4_addr("127.0.0.1", (int)listen_on_tcp(side), &address), 0);
  assert_int_equal(uv_tcp_init(&side->r->loop, &side->given.tcp), 0);
  assert_int_equal(uv_tcp_connect(&side->connect, &side->given.tcp, (struct sockaddr *)&address, on_connected), 0);
}

static void dial_tcp(relay_side *side)
{
  (void)snprintf(side->address, sizeof(side->address), "tcp://127.0.0.1:%u", listen_on_tcp(side));
}

/* What the systems do not have in common. */

static void listen_on_pipe(relay_side *side, const char *name)
{
  assert_int_equal(uv_pipe_init(&side->r->loop, &side->listener.pipe, 0), 0);
  side->listener.handle.data = side;
  side->listener_open = true;
  uv_pipe_pending_instances(&side->listener.pipe, 1);
  assert_int_equal(uv_pipe_bind(&side->listener.pipe, name), 0);
  assert_int_equal(uv_listen(&side->listener.stream, 1, on_connection), 0);
}

#ifdef _WIN32

static void give_pipe(relay_side *side)
{
  char name[64];
  (void)snprintf(name, sizeof(name), "\\\\.\\pipe\\uvrelay-test-%u-%p", (unsigned)uv_os_getpid(), (void *)side);
  listen_on_pipe(side, name);
  assert_int_equal(uv_pipe_init(&side->r->loop, &side->given.pipe, 0), 0);
  uv_pipe_connect(&side->connect, &side->given.pipe, name, on_connected);
}

static void give_any(relay_side *side)
{
  give_tcp(side);
}

static void dial_any(relay_side *side, const scratch *files)
{
  (void)files;
  dial_tcp(side);
}

static void dial_nobody(relay_side *side, const scratch *files)
{
  (void)files;
  (void)snprintf(side->address, sizeof(side->address), "tcp://127.0.0.1:%u", bind_tcp(side));
}

static const char lacking[] = "unix:///run/none";

#else

static void give_pipe(relay_side *side)
{
  uv_os_sock_t pair[2];
  assert_int_equal(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), 0);
  uv_stream_t *remote = far_stream_new(&side->remote, &side->r->loop, UV_NAMED_PIPE);
  assert_int_equal(uv_pipe_open((uv_pipe_t *)remote, pair[0]), 0);
  assert_int_equal(uv_pipe_init(&side->r->loop, &side->given.pipe, 0), 0);
  assert_int_equal(uv_pipe_open(&side->given.pipe, pair[1]), 0);
  side->given_connected = true;
  side->far_connected = true;
}

static void give_any(relay_side *side)
{
  give_pipe(side);
}

static const char *socket_path(relay_side *side, const scratch *files, char path[SCRATCH_PATH_MAX])
{
  char name[16];
  (void)snprintf(name, sizeof(name), "socket-%u", side->remote.seed);
  (void)snprintf(side->address, sizeof(side->address), "unix://%s", scratch_path(files, name, path));
  return path;
}

static void dial_any(relay_side *side, const scratch *files)
{
  char path[SCRATCH_PATH_MAX];
  listen_on_pipe(side, socket_path(side, files, path));
}

/* A file that is not a socket refuses like a socket on which no process listens; and no other test gets hold of it. */
static void dial_nobody(relay_side *side, const scratch *files)
{
  char path[SCRATCH_PATH_MAX];
  scratch_write(files, strrchr(socket_path(side, files, path), '/') + 1, "", 0);
}

static const char lacking[] = "//./pipe/none";

#endif

/* Streams. */

static void give(relay_side *side)
{
  side->connect.data = &side->given_connected;
  if (side->kind == GIVEN_TCP) {
    give_tcp(side);
  } else if (side->kind == GIVEN_PIPE) {
    give_pipe(side);
  } else {
    give_any(side);
  }
  side->given_open = true;
  side->given.handle.data = side;
  if (!side->given_connected || !side->far_connected) {
    assert_true(rig_run_until(side->r, &side->given_connected));
    assert_true(rig_run_until(side->r, &side->far_connected));
  }
  far_start(&side->remote);
}

/* Descriptors. */

static void close_fd(uv_file fd)
{
  if (fd != -1) {
    uv_fs_t request;
    assert_int_equal(uv_fs_close(NULL, &request, fd, NULL), 0);
    uv_fs_req_cleanup(&request);
  }
}

static bool is_open(uv_file fd)
{
  uv_fs_t request;
  int code = uv_fs_fstat(NULL, &request, fd, NULL);
  uv_fs_req_cleanup(&request);
  return code != UV_EBADF;
}

static void make_standard(relay_side *side)
{
  side->saved_input = dup(STANDARD_INPUT);
  assert_int_not_equal(side->saved_input, -1);
  assert_int_not_equal(dup2(side->input, STANDARD_INPUT), -1);
  close_fd(side->input);
  side->input = STANDARD_INPUT;
}

/* The number has stayed taken, by the null device. */
static void restore_standard(relay_side *side, bool taken)
{
  char byte;
  uv_buf_t buf = uv_buf_init(&byte, 1);
  uv_fs_t request;
  assert_true(is_open(STANDARD_INPUT));
  if (taken) {
    assert_int_equal(uv_fs_read(NULL, &request, STANDARD_INPUT, &buf, 1, -1, NULL), 0);
    uv_fs_req_cleanup(&request);
  }
  assert_int_not_equal(dup2(side->saved_input, STANDARD_INPUT), -1);
  close_fd(side->saved_input);
  side->input = -1;
}

static void make_pipes(relay_side *side)
{
  uv_file input[2];
  uv_file output[2];
  int flags = side->kind == ASYNC_PIPES ? UV_NONBLOCK_PIPE : 0;
  assert_int_equal(uv_pipe(input, flags, UV_NONBLOCK_PIPE), 0);
  assert_int_equal(uv_pipe(output, UV_NONBLOCK_PIPE, flags), 0);
  side->input = input[0];
  side->output = output[1];
  if (side->kind == STANDARD) {
    make_standard(side);
  }
  far_open_pipes(&side->remote, &side->r->loop, output[0], input[1]);
  side->far_connected = true;
  far_start(&side->remote);
}

static uv_file open_file(const scratch *files, const char *name, int flags)
{
  char path[SCRATCH_PATH_MAX];
  uv_fs_t request;
  int fd = uv_fs_open(NULL, &request, scratch_path(files, name, path), flags, FILE_MODE, NULL);
  uv_fs_req_cleanup(&request);
  assert_true(fd >= 0);
  return fd;
}

static void make_files(relay_side *side, const scratch *files)
{
  char name[16];
  char data[SIDE_FILE_SIZE];
  for (size_t i = 0; i < sizeof(data); i++) {
    data[i] = rig_byte(side->remote.seed, i);
  }
  (void)snprintf(name, sizeof(name), "in-%u", side->remote.seed);
  (void)snprintf(side->output_name, sizeof(side->output_name), "out-%u", side->remote.seed);
  scratch_write(files, name, data, sizeof(data));
  side->input = open_file(files, name, UV_FS_O_RDONLY);
  side->output = open_file(files, side->output_name, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC);
}

/* All of them. */

void side_init(relay_side *side, side_kind kind, rig *r, const scratch *files, const far_script *script, unsigned seed,
               unsigned expected_seed)
{
  side->kind = kind;
  side->r = r;
  side->input = -1;
  side->output = -1;
  far_init(&side->remote, script, seed, expected_seed);
  switch (kind) {
  case GIVEN_TCP:
  case GIVEN_PIPE:
  case GIVEN:
    give(side);
    break;
  case DIALLED_TCP:
    dial_tcp(side);
    break;
  case DIALLED:
    dial_any(side, files);
    break;
  case REFUSED:
    dial_nobody(side, files);
    break;
  case LACKING:
    (void)snprintf(side->address, sizeof(side->address), "%s", lacking);
    break;
  case PIPES:
  case ASYNC_PIPES:
  case STANDARD:
    make_pipes(side);
    break;
  case NOTHING:
    break;
  case FILES:
    make_files(side, files);
    break;
  }
}

bool side_is_given(const relay_side *side)
{
  return side->kind == GIVEN_TCP || side->kind == GIVEN_PIPE || side->kind == GIVEN;
}

uvrelay_endpoint_t side_endpoint(relay_side *side, uv_close_cb closed)
{
  if (side_is_given(side)) {
    return uvrelay_stream(&side->given.stream, closed);
  }
  return side->address[0] != '\0' ? uvrelay_address(side->address) : uvrelay_stdio(side->input, side->output);
}

void side_assert_untouched(const relay_side *side)
{
  assert_int_equal(side->given_closed, 0);
  if (side_is_given(side)) {
    assert_ptr_equal(side->given.handle.data, side);
    assert_false(uv_is_closing(&side->given.handle));
    assert_false(uv_is_active(&side->given.handle));
    assert_true(uv_is_readable(&side->given.stream) && uv_is_writable(&side->given.stream));
  } else if (side->input != -1) {
    assert_true(is_open(side->input) && is_open(side->output));
  }
}

void side_close(relay_side *side, bool taken)
{
  close_listener(side);
  far_close(&side->remote);
  if (side->given_open && !taken) {
    side_assert_untouched(side);
    uv_close(&side->given.handle, NULL);
  }
  if (side->kind == STANDARD) {
    restore_standard(side, taken);
  }
  if (!taken) {
    close_fd(side->input);
    close_fd(side->output);
  }
}

static uint64_t check_file(const relay_side *side, const scratch *files, unsigned expected_seed)
{
  char data[SIDE_FILE_SIZE + 1];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  uv_fs_t request;
  uv_file fd = open_file(files, side->output_name, UV_FS_O_RDONLY);
  int size = uv_fs_read(NULL, &request, fd, &buf, 1, 0, NULL);
  uv_fs_req_cleanup(&request);
  close_fd(fd);
  assert_in_range(size, 0, sizeof(data));
  for (int i = 0; i < size; i++) {
    if (data[i] != rig_byte(expected_seed, (uint64_t)i)) {
      fail_msg("byte %d was changed on its way", i);
    }
  }
  return (uint64_t)size;
}

uint64_t side_received(const relay_side *side, const scratch *files, unsigned expected_seed)
{
  return side->kind == FILES ? check_file(side, files, expected_seed) : side->remote.received;
}
