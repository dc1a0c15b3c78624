/* Unix sockets as a kind of endpoint.
 *
 * Connecting: the kernel connects to the path at once; or, where it is to be checked which socket that is, to the one
 * that was found there.
 *
 * Listening: see socket_file_unix.c and acceptor_unix.c.
 *
 * Ways to fail: there is no such file, no process listens on it, it takes packets, too many clients are waiting there,
 * access is denied, or somebody else than the option `owner` allows listens there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/real_path.h"
#include "endpoint/acceptor_unix.h"
#include "endpoint/kind.h"
#include "endpoint/socket_file_unix.h"
#include "endpoint/unix_attempt_unix.h"

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

static void connect_to(uvr_attempt *attempt, const char *path)
{
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
  int code = uvr_unix_attempt_connect(attempt, &to, sizeof(to));
  if (code == 0) {
    uvr_unix_attempt_connected(attempt);
  } else {
    fail(attempt, code);
  }
}

/* Connects to what was found at the path, by its descriptor: the path may lead elsewhere by now. */
static void connect_found(uvr_attempt *attempt, int fd)
{
  char path[32];
  const uvr_connect_options *options = attempt->options;
  uvr_address place = *attempt->address;
  int code = fd < 0 ? uv_translate_sys_error(errno) : uvr_real_path(fd, place.path, sizeof(place.path));
  if (code != 0) {
    place = *attempt->address;
  }
  if (options->check(options->check_user, &place, &attempt->error) != 0) {
    uvr_attempt_fail(attempt);
    return;
  }
  if (fd >= 0 && code != 0 && code != UV_ENOENT) {
    (void)uvr_error_set(&attempt->error, UVRELAY_PHASE_CONNECT, UV_EACCES, UVR_REAL_PATH_UNKNOWN,
                        attempt->address->canonical, uv_strerror(code));
    uvr_attempt_fail(attempt);
    return;
  }
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  if (code == 0) {
    connect_to(attempt, path);
  } else {
    fail(attempt, code);
  }
}

static void connect_real(uvr_attempt *attempt)
{
  uvr_os_close_spare_fd(&attempt->options->spare_fd);
  int fd = open(attempt->address->path, O_PATH | O_CLOEXEC);
  connect_found(attempt, fd); /* which may free the attempt */
  if (fd >= 0) {
    (void)close(fd);
  }
}

static void unix_connect(uvr_attempt *attempt)
{
  const uvr_connect_options *options = attempt->options;
  if (options->check != NULL && options->check_real) {
    connect_real(attempt);
    return;
  }
  if (options->check != NULL && options->check(options->check_user, attempt->address, &attempt->error) != 0) {
    uvr_attempt_fail(attempt); /* a link leads elsewhere by now */
    return;
  }
  connect_to(attempt, attempt->address->path);
}

static const uvr_connector connector = {.size = sizeof(uvr_attempt), .connect = unix_connect};

/* Listening. */

static int unix_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  uvr_socket_file file = {.path = ""};
  int fd = uvr_socket_file_listen(request->address, request->options->permissions, &file, error);
  request->address->file[0] = file.device;
  request->address->file[1] = file.inode;
  const uvr_unix_listener listener = {.fd = fd, .type = UV_NAMED_PIPE, .file = &file};
  return fd < 0 ? fd : uvr_acceptor_unix(request, &listener, out, error);
}

/* Links may lead to the listener's file. */
static bool unix_same_place(const uvr_address *target, const uvr_address *listener)
{
  struct stat to;
  struct stat at = {.st_dev = listener->file[0], .st_ino = listener->file[1]};
  return strcmp(target->path, listener->path) == 0 ||
         (stat(target->path, &to) == 0 && (at.st_ino != 0 || lstat(listener->path, &at) == 0) &&
          to.st_dev == at.st_dev && to.st_ino == at.st_ino);
}

const uvr_kind uvr_unix_kind = {.connector = &connector, .listen = unix_listen, .same_place = unix_same_place};
