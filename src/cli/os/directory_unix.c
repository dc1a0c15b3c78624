/* Making directories, on Unix: see directory.h.
 *
 * The path is followed name by name, each from the directory before it, which a descriptor holds. On the way it is
 * noted where somebody else could lead it to another place. If a name is missing and there is such a place, nothing is
 * made; else the directory is made, and it is certain that its path will lead to it.
 *
 * Ways to fail: somebody else could exchange it, the system says no, what is in the way is not a directory, a file
 * system that keeps no permissions. What was made before is removed again. */
#include "cli/os/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

enum { LINKS_MAX = 40 /* as in Linux */ };

typedef struct walk {
  int fd;              /* the directory that was reached */
  char rest[PATH_MAX]; /* what is still to be followed */
  char here[PATH_MAX]; /* the directory's path; empty for the root */
  unsigned links;
  bool last_is_file; /* the last name of `rest` is not to be followed */
  bool only_check;
  const char *why_not; /* why nothing may be made below what was reached, or NULL */
  char where[PATH_MAX];
  uvr_made_directories *made;
  uvrelay_error_t *error;
} walk;

static bool is_trusted(uid_t user)
{
  return user == 0 || user == geteuid();
}

static int fail(const walk *self, const char *name, int code)
{
  char path[2 * PATH_MAX];
  char quoted[UVR_QUOTED_SIZE];
  (void)snprintf(path, sizeof(path), "%s/%s", self->here, name);
  return uvr_error_set_system(self->error, UVRELAY_PHASE_LISTEN, code, 0, "cannot create the directory %s: %s",
                              uvr_quote(quoted, path), uv_strerror(code));
}

static int refuse(const walk *self, const char *name)
{
  char path[2 * PATH_MAX];
  char quoted[UVR_QUOTED_SIZE];
  char where[UVR_QUOTED_SIZE];
  (void)snprintf(path, sizeof(path), "%s/%s", self->here, name);
  return uvr_error_set(self->error, UVRELAY_PHASE_LISTEN, UV_EACCES,
                       "the directory %s does not exist and is not created, because %s %s, who could replace it: "
                       "create it yourself, or choose another place",
                       uvr_quote(quoted, path), uvr_quote(where, self->where), self->why_not);
}

/* What is missing right in the root directory was hardly meant. */
static int refuse_in_root(const walk *self, const char *name)
{
  char path[PATH_MAX + 1];
  char quoted[UVR_QUOTED_SIZE];
  (void)snprintf(path, sizeof(path), "/%s", name);
  return uvr_error_set(self->error, UVRELAY_PHASE_LISTEN, UV_ENOENT,
                       "there is no directory %s (ENOENT), and none is created directly in the root directory: check "
                       "the path, or create it yourself",
                       uvr_quote(quoted, path));
}

/* Notes that somebody else could lead the path to another place. */
static void distrust(walk *self, const char *name, const char *why_not)
{
  if (self->why_not == NULL) {
    self->why_not = why_not;
    (void)snprintf(self->where, sizeof(self->where), "%.*s%s%s", PATH_MAX / 2, self->here,
                   *name != '\0' || *self->here == '\0' ? "/" : "", name);
  }
}

/* Looks at the directory that was reached. */
static void look(walk *self, const struct stat *status)
{
  if (!is_trusted(status->st_uid)) {
    distrust(self, "", "belongs to another user");
  } else if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status->st_mode & S_ISVTX) == 0) {
    distrust(self, "", "can be written to by other users");
  }
}

/* Takes the first name out of the rest. False: there is none that is to be followed. */
static bool take_name(walk *self, char name[PATH_MAX])
{
  const char *start = self->rest + strspn(self->rest, "/");
  size_t length = strcspn(start, "/");
  const char *next = start + length + strspn(start + length, "/");
  if (length == 0 || (self->last_is_file && *next == '\0')) {
    return false;
  }
  memcpy(name, start, length);
  name[length] = '\0';
  memmove(self->rest, next, strlen(next) + 1);
  return true;
}

static bool add_here(walk *self, const char *name)
{
  size_t used = strlen(self->here);
  size_t length = strlen(name);
  if (used + 1 + length >= sizeof(self->here)) {
    return false;
  }
  self->here[used] = '/';
  memcpy(self->here + used + 1, name, length + 1);
  return true;
}

static int open_directory(int at, const char *name)
{
  return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void go_to(walk *self, int fd)
{
  if (self->fd >= 0) {
    (void)close(self->fd);
  }
  self->fd = fd;
}

/* Begins at the root. Returns 0 or an error of the system. */
static int begin(walk *self)
{
  struct stat status;
  go_to(self, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  self->here[0] = '\0';
  if (self->fd < 0 || fstat(self->fd, &status) != 0) {
    return uv_translate_sys_error(errno);
  }
  look(self, &status);
  return 0;
}

/* Puts what a link leads to before the rest of the path. */
static int follow(walk *self, const char *name, const struct stat *status)
{
  char target[PATH_MAX];
  char whole[2 * PATH_MAX + 1];
  ssize_t length = readlinkat(self->fd, name, target, sizeof(target));
  if (length <= 0 || ++self->links > LINKS_MAX) {
    return length < 0 ? uv_translate_sys_error(errno) : length == 0 ? UV_ENOENT : UV_ELOOP;
  }
  int needed = snprintf(whole, sizeof(whole), "%.*s/%s", (int)length, target, self->rest);
  if (needed < 0 || needed >= PATH_MAX) {
    return UV_ENAMETOOLONG;
  }
  if (!is_trusted(status->st_uid)) {
    distrust(self, name, "is a link of another user");
  }
  memcpy(self->rest, whole, (size_t)needed + 1);
  return target[0] == '/' ? begin(self) : 0;
}

static bool remember(walk *self, const char *name)
{
  uvr_made_directories *made = self->made;
  size_t size = strlen(self->here) + strlen(name) + 2;
  char **paths = realloc(made->paths, (made->count + 1) * sizeof(*paths));
  if (paths == NULL) {
    return false;
  }
  made->paths = paths;
  char *path = malloc(size);
  if (path == NULL) {
    return false;
  }
  (void)snprintf(path, size, "%s/%s", self->here, name);
  made->paths[made->count++] = path;
  return true;
}

/* Makes the directory of this name. Returns 0, also if there is one by now, or an error of the system. */
static int make(walk *self, const char *name)
{
  struct stat status;
  mode_t mask = umask(S_IRWXG | S_IRWXO);
  int code = mkdirat(self->fd, name, S_IRWXU) == 0 ? 0 : uv_translate_sys_error(errno);
  (void)umask(mask);
  if (code != 0) {
    return code == UV_EEXIST ? 0 : code;
  }
  if (fstatat(self->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    code = uv_translate_sys_error(errno);
  } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 || status.st_uid != geteuid()) {
    code = UV_ENOTSUP; /* its file system keeps no permissions */
  } else if (!remember(self, name)) {
    code = UV_ENOMEM;
  }
  if (code != 0) {
    (void)unlinkat(self->fd, name, AT_REMOVEDIR);
  }
  return code;
}

/* Goes on to the name, which is in the directory that was reached, and makes it if it is missing. Returns 0; or a code
 * and the error. With `only_check`, *missing tells that the rest is missing. */
static int go_on(walk *self, const char *name, bool *missing)
{
  struct stat status;
  int code = fstatat(self->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : uv_translate_sys_error(errno);
  if (code == UV_ENOENT) {
    if (self->here[0] == '\0') {
      return refuse_in_root(self, name);
    }
    if (self->why_not != NULL) {
      return refuse(self, name);
    }
    *missing = self->only_check;
    code = self->only_check ? 0 : make(self, name);
    if (code != 0 || self->only_check) {
      return code == 0 ? 0 : fail(self, name, code);
    }
    code = fstatat(self->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : uv_translate_sys_error(errno);
  }
  if (code == 0 && S_ISLNK(status.st_mode)) {
    code = follow(self, name, &status);
    return code == 0 ? 0 : fail(self, name, code);
  }
  int next = code == 0 ? open_directory(self->fd, name) : -1;
  if (code == 0 && (next < 0 || fstat(next, &status) != 0)) {
    code = uv_translate_sys_error(errno);
  }
  if (code == 0 && !add_here(self, name)) {
    code = UV_ENAMETOOLONG;
  }
  if (code != 0) {
    if (next >= 0) {
      (void)close(next);
    }
    return fail(self, name, code);
  }
  go_to(self, next);
  look(self, &status);
  return 0;
}

static int walk_path(walk *self, const char *path)
{
  char name[PATH_MAX];
  bool missing = false;
  if (*path != '/' || strlen(path) >= sizeof(self->rest)) {
    return fail(self, "", *path != '/' ? UV_EINVAL : UV_ENAMETOOLONG);
  }
  memcpy(self->rest, path, strlen(path) + 1);
  int code = begin(self);
  if (code != 0) {
    (void)fail(self, "", code);
  }
  while (code == 0 && !missing && take_name(self, name)) {
    code = go_on(self, name, &missing);
  }
  go_to(self, -1);
  return code;
}

/* Whether the directory of the path, or of the file at it, is missing. Where the system cannot tell that, the code that
 * uses the path reports why. */
static bool is_missing(const char *path, bool last_is_file)
{
  char copy[PATH_MAX];
  struct stat status;
  size_t length = strlen(path);
  while (last_is_file && length > 0 && path[length - 1] != '/') {
    length--;
  }
  if (length >= sizeof(copy)) {
    return false;
  }
  memcpy(copy, path, length);
  copy[length] = '\0';
  return length > 0 && stat(copy, &status) != 0 && errno == ENOENT;
}

static void remove_last(uvr_made_directories *self, unsigned first)
{
  while (self->count > first) {
    char *path = self->paths[--self->count];
    (void)rmdir(path);
    free(path);
  }
}

static int make_all(const char *path, bool last_is_file, bool only_check, uvr_made_directories *made,
                    uvrelay_error_t *error)
{
  uvr_made_directories own = {.count = 0};
  walk *self;
  if (!is_missing(path, last_is_file)) {
    return 0;
  }
  if ((self = calloc(1, sizeof(*self))) == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "not enough memory for the path of a directory");
  }
  self->fd = -1;
  self->last_is_file = last_is_file;
  self->only_check = only_check;
  self->made = made != NULL ? made : &own;
  self->error = error;
  unsigned first = self->made->count;
  int code = walk_path(self, path);
  if (code != 0) {
    remove_last(self->made, first);
  }
  free(self);
  uvr_made_directories_clear(&own);
  return code;
}

int uvr_directory_make(const char *path, uvr_made_directories *made, uvrelay_error_t *error)
{
  return make_all(path, false, false, made, error);
}

int uvr_directory_make_for(const char *file, uvr_made_directories *made, uvrelay_error_t *error)
{
  return make_all(file, true, false, made, error);
}

int uvr_directory_check_for(const char *file, uvrelay_error_t *error)
{
  return make_all(file, true, true, NULL, error);
}

void uvr_made_directories_remove(uvr_made_directories *self)
{
  remove_last(self, 0);
  uvr_made_directories_clear(self);
}

void uvr_made_directories_clear(uvr_made_directories *self)
{
  for (unsigned i = 0; i < self->count; i++) {
    free(self->paths[i]);
  }
  free(self->paths);
  *self = (uvr_made_directories){.count = 0};
}
