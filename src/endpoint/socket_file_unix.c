/* The file of a listening Unix socket: see socket_file_unix.h.
 *
 * Happy path: the path is free, or it is a socket that nobody listens on, which is unlinked. bind makes the file with
 * the permissions that the socket was given before, minus those that the umask takes away, and chmod adds these again.
 *
 * Between the check that nobody listens and the unlink, another process could make a socket of its own. A lock on the
 * directory keeps other processes of uvrelay out in the meantime. The lock is advisory, and if it is not to be had
 * soon, the work goes on without it.
 *
 * Ways to fail: somebody listens on the path; it is not a socket; the directory's permissions forbid it. Nothing is
 * left behind then. */
#include "endpoint/socket_file_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"

enum { BACKLOG = 4096, LOCK_ATTEMPTS = 50 };

static int fail(uvrelay_error_t *error, const uvr_address *address)
{
  int code = -errno;
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "cannot listen on %s: %s", address->canonical,
                              uv_strerror(code));
}

static int lock_directory(const char *path)
{
  char directory[UVR_ADDRESS_UNIX_MAX + 1];
  size_t length = (size_t)(strrchr(path, '/') - path);
  memcpy(directory, path, length);
  memcpy(directory + length, length == 0 ? "/" : "", length == 0 ? 2 : 1);
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; fd >= 0 && i < LOCK_ATTEMPTS && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; i++) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return fd;
}

static int make_socket(void)
{
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Frees the path, if need be by removing a socket that nobody listens on. Returns 0, or a negative code and *error. */
static int clear_path(const uvr_address *address, const struct sockaddr_un *name, uvrelay_error_t *error)
{
  struct stat status;
  if (lstat(address->path, &status) != 0) {
    return errno == ENOENT ? 0 : fail(error, address);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EEXIST,
                         "cannot listen on %s: there is %s of that name, which is no socket and is left as it is: "
                         "choose another name or remove it",
                         address->canonical,
                         S_ISDIR(status.st_mode)   ? "a directory"
                         : S_ISLNK(status.st_mode) ? "a symbolic link"
                                                   : "a file");
  }
  int fd = make_socket();
  if (fd < 0) {
    return fail(error, address);
  }
  int result = connect(fd, (const struct sockaddr *)name, sizeof(*name));
  int why = errno;
  (void)close(fd);
  if (result == 0 || why == EAGAIN || why == EINPROGRESS) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_EADDRINUSE, 0,
                                "cannot listen on %s: another program listens there: end it first or choose another "
                                "name",
                                address->canonical);
  }
  if (why == EPROTOTYPE) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_EPROTOTYPE, 0,
                                "cannot listen on %s: another program receives packets there: choose another name",
                                address->canonical);
  }
  errno = why;
  return why == ECONNREFUSED && unlink(address->path) == 0 ? 0 : fail(error, address);
}

static int bind_and_listen(int fd, const uvr_address *address, const struct sockaddr_un *name, unsigned permissions,
                           uvr_socket_file *file, uvrelay_error_t *error)
{
  struct stat status;
  if (fchmod(fd, (mode_t)permissions) != 0 || bind(fd, (const struct sockaddr *)name, sizeof(*name)) != 0) {
    return fail(error, address);
  }
  int code = 0;
  if (lstat(address->path, &status) != 0 ||
      ((status.st_mode & 0777) != permissions && chmod(address->path, (mode_t)permissions) != 0) ||
      listen(fd, BACKLOG) != 0) {
    code = fail(error, address);
    (void)unlink(address->path);
    return code;
  }
  memcpy(file->path, name->sun_path, sizeof(file->path));
  file->device = status.st_dev;
  file->inode = status.st_ino;
  return 0;
}

int uvr_socket_file_listen(const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                           uvrelay_error_t *error)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  memcpy(name.sun_path, address->path, strlen(address->path) + 1); /* the parser has checked that it fits */
  int lock = lock_directory(address->path);
  int fd = -1;
  int code = clear_path(address, &name, error);
  if (code == 0) {
    fd = make_socket();
    code = fd < 0 ? fail(error, address) : bind_and_listen(fd, address, &name, permissions, file, error);
  }
  if (code != 0 && fd >= 0) {
    (void)close(fd);
  }
  if (lock >= 0) {
    (void)close(lock);
  }
  return code != 0 ? code : fd;
}

void uvr_socket_file_remove(uvr_socket_file *file)
{
  struct stat status;
  if (file->path[0] != '\0' && lstat(file->path, &status) == 0 && status.st_dev == file->device &&
      status.st_ino == file->inode) {
    (void)unlink(file->path);
  }
  file->path[0] = '\0';
}
