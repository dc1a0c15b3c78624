/* Opening a trusted file: see trusted_file_unix.h. The path is followed name by name, each from the directory before
 * it, and what a name leads to is held by a descriptor before it is looked at. */
#include "cli/child/trusted_file_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 40 /* as in Linux */ };

bool uvr_is_trusted(uid_t user)
{
  return user == 0 || user == geteuid();
}

static void close_keeping_errno(int fd)
{
  int code = errno;
  if (fd >= 0) {
    (void)close(fd);
  }
  errno = code;
}

/* Puts what the link leads to before the rest of the path. */
static bool insert_link(int link, char path[PATH_MAX])
{
  char target[PATH_MAX];
  char whole[2 * PATH_MAX + 1];
  ssize_t length = readlinkat(link, "", target, sizeof(target));
  if (length <= 0) {
    errno = length == 0 ? ENOENT : errno;
    return false;
  }
  int needed = snprintf(whole, sizeof(whole), "%.*s/%s", (int)length, target, path);
  if (needed >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return false;
  }
  memcpy(path, whole, (size_t)needed + 1);
  return true;
}

/* Takes the first name out of the path. False: there is none. */
static bool take_name(char path[PATH_MAX], char name[PATH_MAX])
{
  const char *start = path + strspn(path, "/");
  size_t length = strcspn(start, "/");
  memcpy(name, start, length);
  name[length] = '\0';
  memmove(path, start + length, strlen(start + length) + 1);
  return length > 0;
}

/* Where a path begins. */
static int open_beginning(const char *path)
{
  return open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Goes from `fd` to what the name in it leads to, unless that is a link, which goes into the path. Returns the new
 * descriptor, or -1; closes `fd`. */
static int go_on(int fd, const char *name, char path[PATH_MAX], unsigned *links)
{
  struct stat status;
  int next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0 || fstat(next, &status) != 0) {
    close_keeping_errno(next);
    close_keeping_errno(fd);
    return -1;
  }
  if (!S_ISLNK(status.st_mode)) {
    (void)close(fd);
    return next;
  }
  bool follows = false;
  if (!uvr_is_trusted(status.st_uid)) {
    errno = EACCES;
  } else if (++*links > LINKS_MAX) {
    errno = ELOOP;
  } else {
    follows = insert_link(next, path);
  }
  close_keeping_errno(next);
  if (follows && *path != '/') {
    return fd; /* relative to the directory that has the link */
  }
  close_keeping_errno(fd);
  return follows ? open_beginning(path) : -1;
}

int uvr_open_trusted(const char *path, struct stat *status)
{
  char rest[PATH_MAX];
  char name[PATH_MAX];
  unsigned links = 0;
  if (*path == '\0' || strlen(path) >= sizeof(rest)) {
    errno = *path == '\0' ? ENOENT : ENAMETOOLONG;
    return -1;
  }
  memcpy(rest, path, strlen(path) + 1);
  int fd = open_beginning(path);
  while (fd >= 0 && take_name(rest, name)) {
    fd = go_on(fd, name, rest, &links);
  }
  if (fd < 0) {
    return -1;
  }
  int result = fstat(fd, status);
  if (result == 0 && !uvr_is_trusted(status->st_uid)) {
    errno = EACCES;
    result = -1;
  }
  if (result != 0) {
    close_keeping_errno(fd);
    return -1;
  }
  return fd;
}
