/* A file: see file.h. */
#include "cli/input/file.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "stream/blocking_file.h"

enum { FILE_MAX = 16 * 1024 * 1024, FIRST_SIZE = 4096 };

static int read_all(uv_file fd, char **out, size_t *length)
{
  const uvr_blocking_file file = uvr_blocking_file_of(fd, false);
  char *text = NULL;
  size_t used = 0;
  size_t capacity = 0;
  ssize_t count = 1;
  while (count > 0 && used < FILE_MAX) {
    if (capacity - used < 2) {
      capacity = capacity == 0 ? FIRST_SIZE : capacity * 2;
      char *more = realloc(text, capacity);
      if (more == NULL) {
        free(text);
        return UV_ENOMEM;
      }
      text = more;
    }
    count = uvr_blocking_file_read(&file, text + used, capacity - used - 1);
    used += count > 0 ? (size_t)count : 0;
  }
  if (count != 0 && count != UV_EOF) {
    free(text);
    return count > 0 ? UV_EFBIG : (int)count;
  }
  text[used] = '\0';
  *out = text;
  *length = used;
  return 0;
}

int uvr_file_read(const char *name, char **out, size_t *length)
{
  uv_fs_t request;
  if (strcmp(name, "-") == 0) {
    return read_all(0, out, length);
  }
  int file = uv_fs_open(NULL, &request, name, UV_FS_O_RDONLY, 0, NULL);
  uv_fs_req_cleanup(&request);
  if (file < 0) {
    return file;
  }
  int code = read_all(file, out, length);
  (void)uv_fs_close(NULL, &request, file, NULL);
  uv_fs_req_cleanup(&request);
  return code;
}
