/* The test's own directory: see scratch.h. */
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

static void with_slashes(char *path)
{
#ifdef _WIN32
  for (; *path != '\0'; path++) {
    *path = *path == '\\' ? '/' : *path;
  }
#else
  (void)path;
#endif
}

void scratch_init(scratch *s)
{
  char pattern[SCRATCH_PATH_MAX];
  size_t size = sizeof(pattern) - 32;
  assert_int_equal(uv_os_tmpdir(pattern, &size), 0);
  (void)strcat(pattern, "/uvrelay-test-XXXXXX");
  uv_fs_t request;
  assert_int_equal(uv_fs_mkdtemp(NULL, &request, pattern, NULL), 0);
  /* By its real name: that of Windows' directory for such files may be a short one, such as RUNNER~1. */
  uv_fs_t real;
  assert_int_equal(uv_fs_realpath(NULL, &real, request.path, NULL), 0);
  (void)snprintf(s->directory, sizeof(s->directory), "%s", (const char *)real.ptr);
  uv_fs_req_cleanup(&real);
  uv_fs_req_cleanup(&request);
  with_slashes(s->directory);
}

void scratch_clear(scratch *s)
{
  uv_fs_t scan;
  assert_true(uv_fs_scandir(NULL, &scan, s->directory, 0, NULL) >= 0);
  uv_dirent_t entry;
  while (uv_fs_scandir_next(&scan, &entry) != UV_EOF) {
    char path[SCRATCH_PATH_MAX];
    uv_fs_t request;
    (void)uv_fs_unlink(NULL, &request, scratch_path(s, entry.name, path), NULL);
    uv_fs_req_cleanup(&request);
  }
  uv_fs_req_cleanup(&scan);
  uv_fs_t request;
  assert_int_equal(uv_fs_rmdir(NULL, &request, s->directory, NULL), 0);
  uv_fs_req_cleanup(&request);
}

const char *scratch_path(const scratch *s, const char *name, char path[SCRATCH_PATH_MAX])
{
  int length = snprintf(path, SCRATCH_PATH_MAX, "%s/%s", s->directory, name);
  assert_in_range(length, 1, SCRATCH_PATH_MAX - 1);
  return path;
}

void scratch_write(const scratch *s, const char *name, const void *data, size_t size)
{
  char path[SCRATCH_PATH_MAX];
  FILE *file = fopen(scratch_path(s, name, path), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}
