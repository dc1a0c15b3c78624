/* Opening the log's file on Unix: see log_file.h. */
#include <fcntl.h>
#include <sys/stat.h>

#include "cli/output/log_file.h"

enum { MODE = 0600 };

static int check(uv_file fd)
{
  uv_fs_t request;
  int code = uv_fs_fstat(NULL, &request, fd, NULL);
  bool plain = code == 0 && S_ISREG(request.statbuf.st_mode);
  uv_fs_req_cleanup(&request);
  return code != 0 || plain ? code : UV_EINVAL;
}

/* O_NONBLOCK is for a FIFO, which would wait for its reader; it does not matter to an ordinary file. */
int uvr_log_file_open_fd(const char *path, bool empties, uv_file *out)
{
  uv_fs_t request;
  const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | (empties ? O_TRUNC : 0);
  int fd = uv_fs_open(NULL, &request, path, flags, MODE, NULL);
  uv_fs_req_cleanup(&request);
  if (fd < 0) {
    return fd == UV_ENXIO || fd == UV_EISDIR ? UV_EINVAL : fd;
  }
  int code = check(fd);
  if (code != 0) {
    (void)uv_fs_close(NULL, &request, fd, NULL);
    uv_fs_req_cleanup(&request);
    return code;
  }
  *out = fd;
  return 0;
}
