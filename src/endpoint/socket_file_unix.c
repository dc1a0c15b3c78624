/* The file of a listening Unix socket: see socket_file_unix.h.
 *
 * Happy path: the path is free, or it is a socket on which no process listens, which is unlinked. bind makes the file
 * with its permissions; see bind_unix.h.
 *
 * Where others may write to the directory, or to one above it, they can exchange the file, or a whole directory, at any
 * time. So the directory is opened once, and everything but bind, which takes only paths, is done in there. A file is
 * held by a descriptor while it is looked at, links are never followed, permissions are never changed afterwards, and
 * before a file is unlinked, it is compared with the one that was looked at. What is left to such a person is what the
 * directory permits anyhow: to move the file away and to put another one in its place.
 *
 * Between the check that no process listens and the unlink, another process could make a socket of its own. A lock on
 * the directory keeps other processes of uvrelay out in the meantime. The lock is advisory, and if it is not to be had
 * soon, the work goes on without it.
 *
 * Ways to fail: somebody listens on the path; it is not a socket; the directory's permissions forbid it; the file
 * cannot have the permissions; somebody exchanges the file meanwhile. Nothing is left behind then. */
#include "endpoint/socket_file_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "endpoint/bind_unix.h"

enum { BACKLOG = 4096, LOCK_ATTEMPTS = 50 };

/* The directory of the file and the file's name in it. */
typedef struct place {
  int directory;
  const char *name;
} place;

static int fail(uvrelay_error_t *error, const uvr_address *address)
{
  int code = -errno;
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "cannot listen on %s: %s", address->canonical,
                              uv_strerror(code));
}

static int fail_exchanged(uvrelay_error_t *error, const uvr_address *address)
{
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EADDRINUSE,
                       "cannot listen on %s: its file or a directory in its path was replaced meanwhile: choose a "
                       "directory that only you can write to",
                       address->canonical);
}

/* The last part of the path; of one that ends in a slash, the directory itself. */
static const char *name_in(const char *path)
{
  const char *name = strrchr(path, '/') + 1;
  return *name != '\0' ? name : ".";
}

static bool is_file(const struct stat *status, dev_t device, ino_t inode)
{
  return status->st_dev == device && status->st_ino == inode;
}

static int open_directory(const char *path)
{
  char directory[UVR_ADDRESS_UNIX_MAX + 1];
  size_t length = (size_t)(strrchr(path, '/') - path);
  memcpy(directory, path, length);
  memcpy(directory + length, length == 0 ? "/" : "", length == 0 ? 2 : 1);
  return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int lock_directory(int directory)
{
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; fd >= 0 && i < LOCK_ATTEMPTS && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; i++) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return fd;
}

static int make_socket(void)
{
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Connects to the socket that `file` was opened at, or, where /proc is missing, to that at `path`. Returns 0 or the
 * error's number. */
static int probe(int file, const struct sockaddr_un *path)
{
  struct sockaddr_un held = {.sun_family = AF_UNIX};
  (void)snprintf(held.sun_path, sizeof(held.sun_path), "/proc/self/fd/%d", file);
  int fd = make_socket();
  int result = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&held, sizeof(held));
  if (fd >= 0 && result != 0 && errno == ENOENT) {
    result = connect(fd, (const struct sockaddr *)path, sizeof(*path));
  }
  int why = result == 0 ? 0 : errno;
  if (fd >= 0) {
    (void)close(fd);
  }
  return why;
}

/* Removes the file if it is still this one. Returns false, and sets errno, if it is there after that; errno is 0 if
 * another one is. */
static bool remove_file(const place *at, dev_t device, ino_t inode)
{
  struct stat now;
  if (fstatat(at->directory, at->name, &now, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT;
  }
  errno = 0;
  return is_file(&now, device, inode) && unlinkat(at->directory, at->name, 0) == 0;
}

/* Removes what `file` was opened at if it is a socket on which no process listens. */
static int clear_file(int file, const place *at, const uvr_address *address, const struct sockaddr_un *path,
                      uvrelay_error_t *error)
{
  struct stat status;
  if (fstat(file, &status) != 0) {
    return fail(error, address);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return uvr_error_set(
        error, UVRELAY_PHASE_LISTEN, UV_EEXIST,
        "cannot listen on %s: %s with this name exists and is not a socket: choose another name, or remove it",
        address->canonical,
        S_ISDIR(status.st_mode)   ? "a directory"
        : S_ISLNK(status.st_mode) ? "a symbolic link"
                                  : "a file");
  }
  int why = probe(file, path);
  if (why == 0 || why == EAGAIN || why == EINPROGRESS) {
    return uvr_error_set_system(
        error, UVRELAY_PHASE_LISTEN, UV_EADDRINUSE, 0,
        "cannot listen on %s: another program is listening there: stop it first, or choose another name",
        address->canonical);
  }
  if (why == EPROTOTYPE) {
    return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, UV_EPROTOTYPE, 0,
                                "cannot listen on %s: another program receives datagrams there: choose another name",
                                address->canonical);
  }
  errno = why;
  if (why != ECONNREFUSED) {
    return fail(error, address);
  }
  if (!remove_file(at, status.st_dev, status.st_ino)) {
    return errno != 0 ? fail(error, address) : fail_exchanged(error, address);
  }
  return 0;
}

/* Frees the path, if need be by removing a socket on which no process listens. Returns 0, or a negative code and
 * *error. */
static int clear_path(const place *at, const uvr_address *address, const struct sockaddr_un *path,
                      uvrelay_error_t *error)
{
  int file = openat(at->directory, at->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) {
    return errno == ENOENT ? 0 : fail(error, address);
  }
  int code = clear_file(file, at, address, path, error);
  (void)close(file);
  return code;
}

static int bind_and_listen(int fd, const place *at, const uvr_address *address, const struct sockaddr_un *path,
                           unsigned permissions, uvrelay_error_t *error, struct stat *status)
{
  int code = uvr_bind_with_permissions(fd, path, permissions);
  if (code != 0) {
    errno = -code;
    return fail(error, address);
  }
  bool found = fstatat(at->directory, at->name, status, AT_SYMLINK_NOFOLLOW) == 0;
  if (found ? !S_ISSOCK(status->st_mode) : errno == ENOENT) {
    return fail_exchanged(error, address);
  }
  if (!found) {
    code = fail(error, address);
    (void)unlinkat(at->directory, at->name, 0); /* ours, or what somebody has put in its place */
    return code;
  }
  if ((status->st_mode & 0777) != permissions) {
    code = uvr_error_set(
        error, UVRELAY_PHASE_LISTEN, UV_EPERM,
        "cannot listen on %s: its file gets the permissions %04o instead of %04o, because of the file system, the "
        "directory's default ACL, or the umask: choose another directory, or allow them with perm=%04o",
        address->canonical, (unsigned)status->st_mode & 0777, permissions, (unsigned)status->st_mode & 0777);
  } else if (listen(fd, BACKLOG) != 0) {
    code = fail(error, address);
  }
  if (code != 0) {
    (void)remove_file(at, status->st_dev, status->st_ino);
  }
  return code;
}

/* Returns a descriptor, or a negative code and *error. */
static int listen_in(const place *at, const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                     uvrelay_error_t *error)
{
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct stat directory = {.st_dev = 0};
  struct stat status = {.st_dev = 0};
  memcpy(path.sun_path, address->path, strlen(address->path) + 1); /* the parser has checked that it fits */
  int code = clear_path(at, address, &path, error);
  if (code != 0) {
    return code;
  }
  int fd = make_socket();
  if (fd < 0 || fstat(at->directory, &directory) != 0) {
    code = fail(error, address);
  } else {
    code = bind_and_listen(fd, at, address, &path, permissions, error, &status);
  }
  if (code != 0) {
    if (fd >= 0) {
      (void)close(fd);
    }
    return code;
  }
  memcpy(file->path, path.sun_path, sizeof(file->path));
  file->device = status.st_dev;
  file->inode = status.st_ino;
  file->directory_device = directory.st_dev;
  file->directory_inode = directory.st_ino;
  return fd;
}

int uvr_socket_file_listen(const uvr_address *address, unsigned permissions, uvr_socket_file *file,
                           uvrelay_error_t *error)
{
  const place at = {.directory = open_directory(address->path), .name = name_in(address->path)};
  if (at.directory < 0) {
    return fail(error, address);
  }
  int lock = lock_directory(at.directory);
  int fd = listen_in(&at, address, permissions, file, error);
  if (lock >= 0) {
    (void)close(lock);
  }
  (void)close(at.directory);
  return fd;
}

int uvr_socket_file_remove(uvr_socket_file *file)
{
  struct stat status;
  if (file->path[0] == '\0') {
    return 0;
  }
  const place at = {.directory = open_directory(file->path), .name = name_in(file->path)};
  int code = at.directory >= 0 || errno == ENOENT ? 0 : -errno;
  if (at.directory >= 0) {
    bool known = fstat(at.directory, &status) == 0;
    bool is_ours = known && is_file(&status, file->directory_device, file->directory_inode);
    code = !known || (is_ours && !remove_file(&at, file->device, file->inode)) ? -errno : 0;
    (void)close(at.directory);
  }
  if (code != 0) {
    return code;
  }
  file->path[0] = '\0';
  return 0;
}
