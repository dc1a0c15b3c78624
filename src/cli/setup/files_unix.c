/* Files that setup writes: see files_unix.h.
 *
 * Ways to fail: the directory cannot be made or written to, the disk is full. Then the new file is removed, and the old
 * one stays. While a file is written, signals wait, so that none is left over by Ctrl-C. */
#include "cli/setup/files_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/file.h"
#include "cli/setup/text_unix.h"

enum { PATIENCE = 100, PAUSE_NS = 100000000 };

#define OLD ".old-"

static const char *remedy(int code)
{
  switch (code) {
  case EROFS:
    return ": the file system is read-only";
  case EACCES:
  case EPERM:
    return ": check its owner with `ls -ld`";
  case ENOSPC:
  case EDQUOT:
    return ": free space on the disk";
  default:
    return "";
  }
}

static int fail(const char *what, const char *path, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  int code = errno;
  return uvr_error_set(error, UVRELAY_PHASE_NONE, -code, "cannot %s %s: %s (%s)%s", what, uvr_quote(quoted, path),
                       uv_strerror(-code), uv_err_name(-code), remedy(code));
}

static int refuse_link(const char *path, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                       "cannot use %s: it is a dangling link: remove it, or create what it points to",
                       uvr_quote(quoted, path));
}

bool uvr_setup_is_there(const char *path)
{
  struct stat status;
  return lstat(path, &status) == 0;
}

int uvr_setup_read(const char *path, char **out, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  size_t length = 0;
  *out = NULL;
  int code = uvr_file_read(path, out, &length);
  if (code == UV_ENOENT || code == UV_ENOTDIR) {
    return 0;
  }
  if (code != 0) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot read the file %s: %s",
                                uvr_quote(quoted, path), uv_strerror(code));
  }
  if (strlen(*out) != length) {
    free(*out);
    *out = NULL;
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL, "the file %s is not text: it contains a zero byte",
                         uvr_quote(quoted, path));
  }
  return 0;
}

int uvr_setup_make_directory(const char *path, uvr_record *record, uvrelay_error_t *error)
{
  char part[PATH_MAX];
  struct stat status;
  if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
    return 0;
  }
  if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
    errno = ENAMETOOLONG;
    return fail("create the directory", path, error);
  }
  for (char *slash = part + 1; slash != NULL;) {
    slash = strchr(slash, '/');
    if (slash != NULL) {
      *slash = '\0';
    }
    if (mkdir(part, 0700) == 0) {
      int code = uvr_record_add(record, UVR_RECORD_DIRECTORY, part, error);
      if (code != 0) {
        return code;
      }
    } else {
      int why = errno;
      bool there = stat(part, &status) == 0;
      if (!there && why == EEXIST) {
        return refuse_link(part, error);
      }
      if (!there || !S_ISDIR(status.st_mode)) {
        errno = there ? ENOTDIR : why;
        return fail("create the directory", part, error);
      }
    }
    if (slash != NULL) {
      *slash++ = '/';
    }
  }
  return 0;
}

static int make_parent(const char *path, uvr_record *record, uvrelay_error_t *error)
{
  char directory[PATH_MAX];
  if (snprintf(directory, sizeof(directory), "%s", path) >= (int)sizeof(directory)) {
    errno = ENAMETOOLONG;
    return fail("write", path, error);
  }
  char *slash = strrchr(directory, '/');
  if (slash == NULL || slash == directory) {
    return 0;
  }
  *slash = '\0';
  return uvr_setup_make_directory(directory, record, error);
}

static bool write_all(int fd, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t count = write(fd, bytes, length);
    if (count < 0 && errno != EINTR) {
      return false;
    }
    bytes += count > 0 ? count : 0;
    length -= count > 0 ? (size_t)count : 0;
  }
  return true;
}

static bool is_in_use(int code)
{
  return code == EACCES || code == EPERM || code == EBUSY || code == ETXTBSY || code == EEXIST;
}

/* Renames the new file; a running program of Windows is moved away first, and comes back if that does not help. */
static bool put_in_place(const char *new, const char *path, bool move_away)
{
  char away[PATH_MAX];
  if (rename(new, path) == 0) {
    return true;
  }
  int code = errno;
  int length = snprintf(away, sizeof(away), "%s" OLD "%ld", path, (long)getpid());
  if (!move_away || !is_in_use(code) || length >= (int)sizeof(away) || rename(path, away) != 0) {
    errno = code;
    return false;
  }
  if (rename(new, path) == 0) {
    return true;
  }
  code = errno;
  (void)rename(away, path);
  errno = code;
  return false;
}

/* The permissions of a file that is replaced. Where a drive of Windows keeps none, that is not a failure. */
static bool set_mode(int fd, const char *path, mode_t mode)
{
  struct stat old;
  struct stat new;
  bool replaces = stat(path, &old) == 0;
  mode = replaces ? old.st_mode & 07777 : mode;
  if (fstat(fd, &new) != 0 || ((new.st_mode & 07777) != mode && fchmod(fd, mode) != 0 && errno != EPERM)) {
    return false;
  }
  return !replaces || (old.st_uid == new.st_uid &&old.st_gid == new.st_gid) || geteuid() != 0 ||
         fchown(fd, old.st_uid, old.st_gid) == 0;
}

static bool write_new(char *new, const char *path, const char *bytes, size_t length, mode_t mode, bool move_away)
{
  int fd = mkostemp(new, O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  bool written = write_all(fd, bytes, length) && set_mode(fd, path, mode) && (fsync(fd) == 0 || errno == EINVAL);
  int code = errno;
  if (close(fd) != 0 && written) {
    written = false;
    code = errno;
  }
  errno = code;
  if (written && put_in_place(new, path, move_away)) {
    return true;
  }
  code = errno;
  (void)unlink(new);
  errno = code;
  return false;
}

int uvr_setup_write(const char *path, const char *bytes, size_t length, mode_t mode, bool move_away, uvr_record *record,
                    uvrelay_error_t *error)
{
  char real[PATH_MAX];
  char new[PATH_MAX + 32];
  sigset_t signals;
  sigset_t before;
  int code = make_parent(path, record, error);
  if (code != 0) {
    return code;
  }
  if (realpath(path, real) == NULL) {
    if (errno == ENOENT && uvr_setup_is_there(path)) {
      return refuse_link(path, error);
    }
    if (errno != ENOENT) {
      return fail("write", path, error);
    }
    (void)snprintf(real, sizeof(real), "%s", path);
  }
  (void)snprintf(new, sizeof(new), "%s.new-XXXXXX", real);
  (void)sigfillset(&signals);
  (void)sigprocmask(SIG_BLOCK, &signals, &before);
  code = write_new(new, real, bytes, length, mode, move_away) ? 0 : fail("write", path, error);
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  return code;
}

int uvr_setup_write_recorded(const char *path, bool is_new, const char *text, mode_t mode, uvr_record *record,
                             uvrelay_error_t *error)
{
  int code = is_new ? uvr_record_add(record, UVR_RECORD_FILE, path, error) : 0;
  if (code != 0) {
    return code;
  }
  code = uvr_setup_write(path, text, strlen(text), mode, false, record, error);
  if (code != 0 && is_new) {
    (void)uvr_record_drop(record, UVR_RECORD_FILE, path, NULL);
  }
  return code;
}

int uvr_setup_record_newline(const char *path, const char *text, uvr_record *record, uvrelay_error_t *error)
{
  size_t length = text == NULL ? 0 : strlen(text);
  bool lacks = length > 0 && text[length - 1] != '\n';
  return lacks ? uvr_record_add(record, UVR_RECORD_NEWLINE, path, error) : 0;
}

int uvr_setup_restore_newline(const char *path, bool at_end, char *text, uvr_record *record, uvrelay_error_t *error)
{
  size_t length = strlen(text);
  if (!uvr_record_has(record, UVR_RECORD_NEWLINE, path)) {
    return 0;
  }
  if (at_end && length > 0 && text[length - 1] == '\n') {
    text[length - 1] = '\0';
  }
  return uvr_record_drop(record, UVR_RECORD_NEWLINE, path, error);
}

int uvr_setup_link(const char *target, const char *path, uvr_record *record, uvrelay_error_t *error)
{
  struct stat status;
  int code = make_parent(path, record, error);
  if (code != 0) {
    return code;
  }
  if (lstat(path, &status) == 0 && !S_ISLNK(status.st_mode)) {
    errno = EEXIST;
    return fail("create the link", path, error);
  }
  char *new = uvr_setup_format("%s.new-%ld", path, (long)getpid());
  if (new == NULL) {
    errno = ENOMEM;
    return fail("create the link", path, error);
  }
  (void)unlink(new);
  if (symlink(target, new) != 0 || rename(new, path) != 0) {
    code = fail("create the link", path, error);
    (void)unlink(new);
  }
  free(new);
  return code;
}

int uvr_setup_unlink(const char *path, bool patient, uvrelay_error_t *error)
{
  const struct timespec pause = {.tv_nsec = PAUSE_NS};
  for (int i = 0; unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR; i++) {
    if (!patient || !is_in_use(errno) || i == PATIENCE) {
      return fail("remove", path, error);
    }
    (void)nanosleep(&pause, NULL);
  }
  return 0;
}

void uvr_setup_remove_old(const char *path)
{
  glob_t found;
  /* The path may have characters of patterns: they are quoted by GLOB's backslash. */
  char *pattern = malloc(2 * strlen(path) + sizeof(OLD) + 1);
  if (pattern == NULL) {
    return;
  }
  char *to = pattern;
  for (const char *from = path; *from != '\0'; from++) {
    if (strchr("*?[]\\", *from) != NULL) {
      *to++ = '\\';
    }
    *to++ = *from;
  }
  memcpy(to, OLD "*", sizeof(OLD "*"));
  if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) {
      (void)unlink(found.gl_pathv[i]);
    }
    globfree(&found);
  }
  free(pattern);
}
