/* Finding a program: see find_program.h. The result is the first file of that name that is executable. As with a shell,
 * a file that is not executable does not end the search; it is only reported if there is no other. Unlike a shell, it
 * takes no empty or relative entry of PATH. */
#include "cli/child/find_program.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"

/* What is at one path. */
typedef struct candidate {
  int code;
  bool exists;
  bool directory;
} candidate;

/* Joins a directory of `length` bytes, at least 1, and a name. NULL: there is no memory. */
static char *join(const char *directory, size_t length, const char *name)
{
  size_t size = length + strlen(name) + 2;
  char *path = malloc(size);
  if (path != NULL) {
    (void)snprintf(path, size, "%.*s%s%s", (int)length, directory, directory[length - 1] == '/' ? "" : "/", name);
  }
  return path;
}

/* The absolute path of a name in the current directory. NULL: there is no memory, or no current directory. */
static char *join_current(const char *name)
{
  char current[PATH_MAX];
  return getcwd(current, sizeof(current)) == NULL ? NULL : join(current, strlen(current), name);
}

static candidate look_at(const char *path)
{
  struct stat status;
  candidate found = {.code = 0};
  if (stat(path, &status) != 0) {
    found.code = errno == ENOTDIR ? UV_ENOENT : -errno;
    return found;
  }
  found.exists = true;
  if (!S_ISREG(status.st_mode)) {
    found.directory = S_ISDIR(status.st_mode);
    found.code = UV_EACCES;
  } else if (access(path, X_OK) != 0) {
    found.code = -errno;
  }
  return found;
}

static int refuse(const char *name, const char *path, candidate found, uvrelay_error_t *error)
{
  char quoted[UVR_QUOTED_SIZE];
  char where[UVR_QUOTED_SIZE];
  if (found.directory) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, found.code, 0,
                                "cannot execute the program %s: %s is a directory", uvr_quote(quoted, name),
                                uvr_quote(where, path));
  }
  if (found.code == UV_ENOENT) {
    return uvr_error_set_system(error, UVRELAY_PHASE_NONE, found.code, 0, "cannot find the program %s: there is no %s",
                                uvr_quote(quoted, name), uvr_quote(where, path));
  }
  bool same = strcmp(name, path) == 0;
  bool inert = found.code == UV_EACCES && found.exists;
  return uvr_error_set_system(error, UVRELAY_PHASE_NONE, found.code, 0, "cannot execute the program %s%s%s: %s",
                              uvr_quote(quoted, name), same ? "" : ", which is ", same ? "" : uvr_quote(where, path),
                              inert ? "the file is not executable: chmod +x makes it so" : uv_strerror(found.code));
}

static int no_path(uvrelay_error_t *error)
{
  int code = -errno;
  return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0, "cannot search for a program: %s", uv_strerror(code));
}

static int find_path(const char *name, char **file, uvrelay_error_t *error)
{
  char *path = *name == '/' ? strdup(name) : join_current(name);
  if (path == NULL) {
    return no_path(error);
  }
  candidate found = look_at(path);
  if (found.code == 0) {
    *file = path;
    return 0;
  }
  (void)refuse(name, path, found, error);
  free(path);
  return found.code;
}

static int find_on_path(const char *name, const char *search, char **file, uvrelay_error_t *error)
{
  int code = UV_ENOENT;
  for (const char *next = search; next != NULL;) {
    size_t length = strcspn(next, ":");
    bool absolute = *next == '/';
    char *path = absolute ? join(next, length, name) : NULL;
    if (absolute && path == NULL) {
      return no_path(error);
    }
    candidate found = absolute ? look_at(path) : (candidate){.code = UV_ENOENT};
    if (found.code == 0) {
      *file = path;
      return 0;
    }
    if (found.exists && code == UV_ENOENT) {
      code = refuse(name, path, found, error);
    }
    free(path);
    next = next[length] == ':' ? next + length + 1 : NULL;
  }
  if (code != UV_ENOENT) {
    return code;
  }
  char quoted[UVR_QUOTED_SIZE];
  char where[UVR_QUOTED_SIZE];
  bool here = look_at(name).code == 0;
  return uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, 0,
                              "cannot find the program %s: it is not in any directory of PATH, %s%s%.100s",
                              uvr_quote(quoted, name), uvr_quote(where, search),
                              here ? ", and the current directory is not searched: write ./" : "", here ? name : "");
}

int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error)
{
  *file = NULL;
  if (strchr(name, '/') != NULL) {
    return find_path(name, file, error);
  }
  const char *search = path != NULL ? path : getenv("PATH");
  return find_on_path(name, search != NULL ? search : "/usr/local/bin:/usr/bin:/bin", file, error);
}

bool uvr_backslash_quotes(void)
{
  return true;
}
