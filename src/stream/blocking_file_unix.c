/* Calls that block, on Unix: see blocking_file.h. */
#include "stream/blocking_file.h"

#include <poll.h>

uvr_blocking_file uvr_blocking_file_of(uv_file fd, bool both_ways)
{
  (void)both_ways;
  return (uvr_blocking_file){.fd = fd};
}

/* Whether a call that has returned `result` is to be repeated: a signal has interrupted it, or it would have had to
 * wait and now need not. */
static bool wait_for(const uvr_blocking_file *file, short events, ssize_t result)
{
  struct pollfd poll_fd = {.fd = file->fd, .events = events};
  return result == UV_EINTR || (result == UV_EAGAIN && poll(&poll_fd, 1, -1) != 0);
}

ssize_t uvr_blocking_file_read(const uvr_blocking_file *file, char *data, size_t size)
{
  ssize_t result;
  do {
    uv_fs_t request;
    uv_buf_t buf = uv_buf_init(data, (unsigned)size);
    result = uv_fs_read(NULL, &request, file->fd, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
  } while (wait_for(file, POLLIN, result));
  return result;
}

int uvr_blocking_file_write(const uvr_blocking_file *file, const char *data, size_t length)
{
  ssize_t result = 0;
  while (length > 0) {
    uv_fs_t request;
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)length);
    result = uv_fs_write(NULL, &request, file->fd, &buf, 1, -1, NULL);
    uv_fs_req_cleanup(&request);
    if (result > 0) {
      data += result;
      length -= (size_t)result;
    } else if (!wait_for(file, POLLOUT, result)) {
      return result == 0 ? UV_EIO : (int)result; /* a device that accepts nothing would be tried forever */
    }
  }
  return 0;
}

void uvr_blocking_file_cancel(uvr_blocking_file *file)
{
  (void)file; /* no call can be cancelled safely */
}
