/* Reading a socket file: see assuan_file.h. Only a regular file is opened, because opening a device may do something.
 * Something else may take its place in the meantime, so opening does not wait for the other end of a FIFO, and what was
 * opened is looked at again. */
#include "endpoint/assuan_file.h"

#include <uv.h>

#include "base/real_path.h"
#include "endpoint/owner.h"

enum { LEASE_LOOK_MS = 20 };

static int fail(const char *path, int code, uvrelay_error_t *error)
{
  const char *what = code == UV_ENOENT ? "there is no socket file" : "cannot read the socket file";
  return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code, 0, "%s %s", what, path);
}

static int fail_irregular(const char *path, uvrelay_error_t *error)
{
  return uvr_error_set(
      error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
      "%s is not a socket file, because it is not a regular file (for a Unix socket, write unix://PATH)", path);
}

/* Takes the answer to whether a file is regular from a request, which has ended with `code`. */
static int check_regular(const char *path, int code, uv_fs_t *request, uvrelay_error_t *error)
{
  bool regular = code == 0 && (request->statbuf.st_mode & S_IFMT) == S_IFREG;
  uv_fs_req_cleanup(request);
  return code != 0 ? fail(path, code, error) : regular ? 0 : fail_irregular(path, error);
}

/* Reads up to `size` bytes. Returns how many were read, or a negative code. */
static int read_all(uv_file file, char *data, size_t size)
{
  size_t have = 0;
  while (have < size) {
    uv_fs_t request;
    uv_buf_t buf = uv_buf_init(data + have, (unsigned)(size - have));
    int count = uv_fs_read(NULL, &request, file, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (count < 0 && count != UV_EINTR) {
      return count;
    }
    if (count == 0) {
      break;
    }
    have += count > 0 ? (size_t)count : 0;
  }
  return (int)have;
}

/* Never waits for the writer of a FIFO that has taken the file's place; waits for a program that holds a lease on the
 * file, which the system ends after some time. */
static uv_file open_file(const char *path)
{
  uv_fs_t request;
  uv_file file;
  while ((file = uv_fs_open(NULL, &request, path, UV_FS_O_RDONLY | UV_FS_O_NONBLOCK, 0, NULL)) == UV_EAGAIN) {
    uv_fs_req_cleanup(&request);
    uv_sleep(LEASE_LOOK_MS);
  }
  uv_fs_req_cleanup(&request);
  return file;
}

int uvr_assuan_read_file(const char *path, const char *owner, char *real, uvr_assuan *out, uvrelay_error_t *error)
{
  uv_fs_t request;
  if (real != NULL) {
    *real = '\0';
  }
  int code = check_regular(path, uv_fs_stat(NULL, &request, path, NULL), &request, error);
  if (code != 0) {
    return code;
  }
  uv_file file = open_file(path);
  if (file < 0) {
    return fail(path, file, error);
  }
  char data[UVR_ASSUAN_FILE_MAX + 1];
  code = check_regular(path, uv_fs_fstat(NULL, &request, file, NULL), &request, error);
  int found = real != NULL ? uvr_real_path(file, real, UVR_ADDRESS_PATH_SIZE) : 0;
  if (found != 0) {
    *real = '\0';
  }
  if (code == 0 && found != 0 && found != UV_ENOENT) {
    code = uvr_error_set(error, UVRELAY_PHASE_CONNECT, UV_EACCES, UVR_REAL_PATH_UNKNOWN, path, uv_strerror(found));
  } else if (code == 0) {
    code = found != 0 ? fail(path, found, error) : uvr_owner_check_file(file, path, owner, error);
  }
  int size = code == 0 ? read_all(file, data, sizeof(data)) : 0;
  (void)uv_fs_close(NULL, &request, file, NULL);
  uv_fs_req_cleanup(&request);
  if (code != 0) {
    return code;
  }
  code = size < 0 ? fail(path, size, error) : uvr_assuan_parse(path, data, (size_t)size, out, error);
  uvr_assuan_wipe(data, sizeof(data));
  return code;
}
