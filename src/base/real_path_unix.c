/* Where an open file is, on Unix: the kernel tells it in /proc. */
#include "base/real_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that was removed meanwhile has a path that may be another one's by now. */
int uvr_real_path(uv_file file, char *path, size_t size)
{
  char name[32];
  struct stat status;
  (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
  ssize_t length = readlink(name, path, size);
  if (length < 0 || fstat(file, &status) != 0) {
    return errno == ENOENT ? UV_ENOTSUP : uv_translate_sys_error(errno); /* there is no /proc */
  }
  if ((size_t)length >= size) {
    return UV_ENAMETOOLONG;
  }
  path[length] = '\0';
  return status.st_nlink == 0 || path[0] != '/' ? UV_ENOENT : 0;
}

int uvr_real_path_of(const char *name, char *path, size_t size)
{
  uv_fs_t request;
  int code = uv_fs_realpath(NULL, &request, name, NULL);
  if (code == 0) {
    size_t length = strlen(request.ptr);
    code = length < size ? 0 : UV_ENAMETOOLONG;
    memcpy(path, request.ptr, length < size ? length + 1 : 0);
  }
  uv_fs_req_cleanup(&request);
  return code;
}
