/* WSL's interop sockets: see wsl_interop_unix.h.
 *
 * For each session that was started from Windows, WSL's init listens on a Unix socket, /run/WSL/N_interop. N is the
 * number of its own process, which is an ancestor of all processes of the session. It also listens on 1_interop, which
 * may be a link and outlives the sessions. Services have no WSL_INTEROP; that of a program that outlives its session
 * names a socket on which no process listens.
 *
 * Who listens at the socket sees the command line and the environment of what is started. And /run/WSL belongs to
 * root, but everybody can write to it and it has no sticky bit: any user can make, remove, exchange and rename what is
 * in there, at any time. So no name in there says anything, not even that in WSL_INTEROP:
 * - A socket is held by a descriptor first, and then looked at. Links are followed if they are root's or this user's.
 * - The socket's file must belong to root or to this user, and so must the process that listens there.
 * - The program that is started inherits the descriptor, and its WSL_INTEROP is the path of that.
 *
 * Names of other users cost one lstat each and take no memory, so they do not hide the right one. A user who makes more
 * than ENTRIES_MAX of them can hide a session that is not an ancestor, if 1_interop is missing; nothing is sent then.
 *
 * Ways to fail: no process listens on any socket, or none is to be trusted. */
#include "cli/child/wsl_interop_unix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/child/trusted_file_unix.h"

enum { ANCESTORS_MAX = 256, SOCKETS_MAX = 1024, ENTRIES_MAX = 1024 * 1024 };

/* Whether somebody trusted listens at the socket that is open. Does not block. */
static bool is_live(int socket_file)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct ucred listener;
  socklen_t size = sizeof(listener);
  (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", socket_file);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool live = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
              getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0 && uvr_is_trusted(listener.uid);
  if (fd >= 0) {
    (void)close(fd);
  }
  return live;
}

/* Opens the socket at a path if it can be used, or returns -1. */
static int open_usable(const char *path, unsigned *foreign)
{
  struct stat status;
  int fd = uvr_open_trusted(path, &status);
  if (fd < 0) {
    *foreign += errno == EACCES ? 1 : 0;
    return -1;
  }
  if (!S_ISSOCK(status.st_mode) || !is_live(fd)) {
    (void)close(fd);
    return -1;
  }
  return fd;
}

/* Opens the socket of this process if it can be used, or returns -1. */
static int open_of_process(const uvr_wsl_interop *self, long process, unsigned *foreign)
{
  char path[PATH_MAX];
  int length = snprintf(path, sizeof(path), "%s/%ld_interop", self->run, process);
  return length > 0 && (size_t)length < sizeof(path) ? open_usable(path, foreign) : -1;
}

long uvr_wsl_parent_of(const char *proc, long process)
{
  char path[PATH_MAX];
  char text[512] = "";
  int length = snprintf(path, sizeof(path), "%s/%ld/stat", proc, process);
  FILE *file = length > 0 && (size_t)length < sizeof(path) ? fopen(path, "re") : NULL;
  if (file != NULL) {
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
  }
  const char *next = strrchr(text, ')'); /* the name before it may contain any character */
  if (next == NULL || strlen(next) < 5) {
    return 0;
  }
  return strtol(next + 4, NULL, 10); /* after a blank, the state and a blank */
}

/* The process number in the name of a socket, or 0 if it has another name. */
static long socket_process(const char *name)
{
  char *end = NULL;
  if (*name < '1' || *name > '9') {
    return 0;
  }
  long number = strtol(name, &end, 10);
  return number < INT_MAX && strcmp(end, "_interop") == 0 ? number : 0;
}

static int compare_down(const void *one, const void *other)
{
  long a = *(const long *)one;
  long b = *(const long *)other;
  return (a < b) - (a > b);
}

/* The number of the socket that an entry is, or 0 if it is not one or somebody else's. */
static long trusted_process(DIR *directory, const char *name, unsigned *foreign)
{
  struct stat status;
  long process = socket_process(name);
  if (process == 0 || fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !(S_ISSOCK(status.st_mode) || S_ISLNK(status.st_mode))) {
    return 0;
  }
  if (!uvr_is_trusted(status.st_uid)) {
    *foreign += 1;
    return 0;
  }
  return process;
}

/* Writes the highest numbers of trusted sockets, sorted down. Returns how many. */
static size_t list_sockets(const uvr_wsl_interop *self, long numbers[2 * SOCKETS_MAX], unsigned *foreign)
{
  size_t count = 0;
  DIR *directory = opendir(self->run);
  const struct dirent *entry;
  for (long i = 0; directory != NULL && i < ENTRIES_MAX && (entry = readdir(directory)) != NULL; i++) {
    long process = trusted_process(directory, entry->d_name, foreign);
    if (process != 0) {
      numbers[count++] = process;
    }
    if (count == 2 * (size_t)SOCKETS_MAX) {
      qsort(numbers, count, sizeof(numbers[0]), compare_down);
      count = SOCKETS_MAX;
    }
  }
  if (directory != NULL) {
    (void)closedir(directory);
  }
  qsort(numbers, count, sizeof(numbers[0]), compare_down);
  return count < SOCKETS_MAX ? count : SOCKETS_MAX;
}

/* Opens the usable socket with the highest number, or returns -1. */
static int open_highest(const uvr_wsl_interop *self, unsigned *foreign)
{
  long numbers[2 * SOCKETS_MAX];
  size_t count = list_sockets(self, numbers, foreign);
  int found = -1;
  for (size_t i = 0; i < count && found < 0; i++) {
    unsigned seen = 0; /* they are counted already */
    found = open_of_process(self, numbers[i], &seen);
  }
  return found;
}

int uvr_wsl_interop_find(const uvr_wsl_interop *self, unsigned *foreign)
{
  long process = self->process;
  unsigned given = 0;
  unsigned listed = 0;
  int found = self->given != NULL && *self->given != '\0' ? open_usable(self->given, &given) : -1;
  for (int i = 0; i < ANCESTORS_MAX && found < 0 && (process = uvr_wsl_parent_of(self->proc, process)) > 0; i++) {
    unsigned seen = 0; /* it is in the directory, too */
    found = open_of_process(self, process, &seen);
  }
  if (found < 0) {
    unsigned seen = 0;
    found = open_of_process(self, 1, &seen);
  }
  found = found >= 0 ? found : open_highest(self, &listed);
  *foreign = listed > 0 ? listed : given;
  return found;
}
