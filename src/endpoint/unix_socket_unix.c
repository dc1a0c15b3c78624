/* Unix sockets as a kind of endpoint.
 *
 * Connecting: libuv connects to the path.
 *
 * Listening: see socket_file_unix.c and acceptor_unix.c.
 *
 * Ways to fail: there is no such file, nobody listens on it, it takes packets, too many clients are waiting there,
 * access is denied, or somebody else than the option `owner` allows listens there. */
#include <string.h>
#include <sys/stat.h>

#include "endpoint/acceptor_unix.h"
#include "endpoint/kind.h"
#include "endpoint/socket_file_unix.h"
#include "endpoint/unix_attempt_unix.h"
#include "stream/uv.h"

/* Connecting. */

static void fail(uvr_attempt *attempt, int code)
{
  const char *name = attempt->address->canonical;
  if (code == UV_ENOENT) {
    (void)uvr_error_set_system(&attempt->error, UVRELAY_PHASE_CONNECT, code, 0, "there is no socket %s", name);
    uvr_attempt_fail(attempt);
  } else {
    uvr_unix_attempt_fail(attempt, code);
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  uvr_attempt *attempt = uvr_attempt_of_request(request, code);
  if (attempt != NULL && code == 0) {
    uvr_unix_attempt_connected(attempt);
  } else if (attempt != NULL) {
    fail(attempt, code);
  }
}

static void unix_connect(uvr_attempt *attempt)
{
  const uvr_connect_options *options = attempt->options;
  if (options->check != NULL && options->check(options->check_user, attempt->address, &attempt->error) != 0) {
    uvr_attempt_fail(attempt); /* a link leads elsewhere by now */
    return;
  }
  int code = uvr_attempt_make_stream(attempt, UV_NAMED_PIPE);
  if (code != 0) {
    fail(attempt, code);
    return;
  }
  uv_pipe_connect(&attempt->request, (uv_pipe_t *)uvr_stream_uv_handle(attempt->stream), attempt->address->path,
                  on_connected);
}

static const uvr_connector connector = {.size = sizeof(uvr_attempt), .connect = unix_connect};

/* Listening. */

static int unix_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  uvr_socket_file file = {.path = ""};
  int fd = uvr_socket_file_listen(request->address, request->options->permissions, &file, error);
  const uvr_unix_listener listener = {.fd = fd, .type = UV_NAMED_PIPE, .file = &file};
  return fd < 0 ? fd : uvr_acceptor_unix(request, &listener, out, error);
}

/* Links may lead to the listener's file. */
static bool unix_same_place(const uvr_address *target, const uvr_address *listener)
{
  struct stat to;
  struct stat at;
  return strcmp(target->path, listener->path) == 0 ||
         (stat(target->path, &to) == 0 && lstat(listener->path, &at) == 0 && to.st_dev == at.st_dev &&
          to.st_ino == at.st_ino);
}

const uvr_kind uvr_unix_kind = {.connector = &connector, .listen = unix_listen, .same_place = unix_same_place};
