/* The file of --log-file: see log_file.h.
 *
 * Normal case: lines are appended until the next one would exceed the limit. Then the file is closed and renamed to
 * FILE.1, in place of an older one, and a new file is made. Where it cannot be renamed, as while another program of
 * Windows reads it, it is copied to FILE.1 and emptied. If somebody has moved or removed it, a new one is made, too.
 * Another process may write to the same file: whether it has been turned over, and its size, is checked again.
 *
 * Ways to fail: at the start, it cannot be opened or is not an ordinary file. Later, it cannot be written to, turned
 * over or made again. Then lines are left out, and the next ones are tried again; opening it, no more than once in a
 * second.
 */
#include "cli/output/log_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

#define RETRY_NS UINT64_C(1000000000)

static int status_of(const char *path, uv_file fd, uv_stat_t *out)
{
  uv_fs_t request;
  int code = path != NULL ? uv_fs_stat(NULL, &request, path, NULL) : uv_fs_fstat(NULL, &request, fd, NULL);
  if (code == 0) {
    *out = request.statbuf;
  }
  uv_fs_req_cleanup(&request);
  return code;
}

static void close_fd(uvr_log_file *self)
{
  uv_fs_t request;
  if (self->fd >= 0) {
    (void)uv_fs_close(NULL, &request, self->fd, NULL);
    uv_fs_req_cleanup(&request);
    self->fd = -1;
  }
}

/* Opens it where it should be, and finds out how long it is. */
static int open_again(uvr_log_file *self, bool empties)
{
  uv_stat_t status;
  int code = uvr_log_file_open_fd(self->path, empties, &self->fd);
  if (code == 0) {
    code = status_of(NULL, self->fd, &status);
    self->size = code == 0 ? status.st_size : 0;
    if (code != 0) {
      close_fd(self);
    }
  } else {
    self->fd = -1;
  }
  return code;
}

/* Sets the two paths. The file is there already. */
static int set_paths(uvr_log_file *self, const char *path)
{
  uv_fs_t request;
  int code = uv_fs_realpath(NULL, &request, path, NULL);
  const char *real = code == 0 ? request.ptr : path;
  size_t size = strlen(real) + sizeof(".1");
  self->path = malloc(size);
  self->old = malloc(size);
  bool done = self->path != NULL && self->old != NULL;
  if (done) {
    (void)snprintf(self->path, size, "%s", real);
    (void)snprintf(self->old, size, "%s.1", real);
  }
  uv_fs_req_cleanup(&request);
  return done ? 0 : UV_ENOMEM;
}

int uvr_log_file_open(uvr_log_file *self, const char *path, uint64_t limit, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uv_stat_t status;
  *self = (uvr_log_file){.limit = limit, .fd = -1};
  int code = uvr_log_file_open_fd(path, false, &self->fd);
  if (code == UV_EINVAL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                         "the log file %s is not a regular file: choose a file that can be appended to",
                         uvr_quote(quoted, path));
  }
  self->fd = code == 0 ? self->fd : -1;
  code = code == 0 ? set_paths(self, path) : code;
  code = code == 0 ? status_of(NULL, self->fd, &status) : code;
  if (code != 0) {
    uvr_log_file_close(self);
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot open the log file %s: %s",
                                uvr_quote(quoted, path), uv_strerror(code));
  }
  self->size = status.st_size;
  return 0;
}

void uvr_log_file_close(uvr_log_file *self)
{
  close_fd(self);
  free(self->path);
  free(self->old);
  self->path = NULL;
  self->old = NULL;
}

/* Whether the file that is open is still at its place. If so, finds out how long it is: others may have appended. */
static bool is_at_its_place(uvr_log_file *self)
{
  uv_stat_t here;
  uv_stat_t there;
  bool same = status_of(NULL, self->fd, &here) == 0 && status_of(self->path, -1, &there) == 0 &&
              here.st_ino == there.st_ino && here.st_dev == there.st_dev;
  self->size = same ? here.st_size : self->size;
  return same;
}

/* Whether so many bytes are too many. */
static bool is_full(const uvr_log_file *self, size_t length)
{
  return self->size > 0 && self->size + length > self->limit;
}

/* Turns it over, unless another process has just done that. */
static int turn_over(uvr_log_file *self, size_t length)
{
  uv_fs_t request;
  int code = 0;
  if (!is_at_its_place(self)) {
    close_fd(self);
    code = open_again(self, false);
  }
  if (code != 0 || !is_full(self, length)) {
    return code;
  }
  close_fd(self);
  code = uv_fs_rename(NULL, &request, self->path, self->old, NULL);
  uv_fs_req_cleanup(&request);
  if (code == 0) {
    return open_again(self, false);
  }
  code = uv_fs_copyfile(NULL, &request, self->path, self->old, 0, NULL);
  uv_fs_req_cleanup(&request);
  return code == 0 ? open_again(self, true) : code;
}

/* Makes it ready for so many bytes. */
static int prepare(uvr_log_file *self, size_t length)
{
  int code = 0;
  if (self->fd < 0) {
    uint64_t now = uv_hrtime();
    if (now < self->retry_at) {
      return UV_EAGAIN;
    }
    self->retry_at = now + RETRY_NS;
    code = open_again(self, false);
  }
  if (code == 0 && is_full(self, length)) {
    code = turn_over(self, length);
    self->torn = false;
  }
  return code;
}

static int write_bytes(uvr_log_file *self, const char *bytes, size_t length)
{
  while (length > 0) {
    uv_fs_t request;
    const uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
    int written = uv_fs_write(NULL, &request, self->fd, &buffer, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (written <= 0) {
      return written < 0 ? written : UV_EIO;
    }
    self->torn = (size_t)written < length;
    self->size += (unsigned)written;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

static int write_line(uvr_log_file *self, const char *line, size_t length)
{
  int code = prepare(self, length);
  if (code == 0 && self->torn) {
    code = write_bytes(self, "\n", 1);
  }
  return code == 0 ? write_bytes(self, line, length) : code;
}

uint64_t uvr_log_file_write(uvr_log_file *self, const char *lines, size_t length, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  uint64_t lost = 0;
  error->code = 0;
  if (self->fd >= 0 && !is_at_its_place(self)) {
    close_fd(self);
    self->torn = false;
    self->retry_at = 0;
  }
  while (length > 0) {
    const char *newline = memchr(lines, '\n', length);
    size_t line = newline != NULL ? (size_t)(newline - lines) + 1 : length;
    int code = write_line(self, lines, line);
    if (code == 0) {
      self->faulty = false;
    } else {
      lost++;
      if (!self->faulty) {
        self->faulty = true;
        (void)uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0,
                                   "the log file %s cannot be written to, so lines are left out until it can: %s",
                                   uvr_quote(quoted, self->path), uv_strerror(code));
      }
    }
    lines += line;
    length -= line;
  }
  return lost;
}
