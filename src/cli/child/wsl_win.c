/* Windows is not WSL: see wsl.h. */
#include "cli/child/wsl.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"

void uvr_wsl_init(uvr_wsl *self)
{
  *self = (uvr_wsl){.run = NULL};
}

bool uvr_wsl_is(const uvr_wsl *self)
{
  (void)self;
  return false;
}

int uvr_wsl_find_far_end(const uvr_wsl *self, char **file, uvrelay_error_t *error)
{
  (void)self;
  *file = NULL;
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOTSUP, "this is not WSL");
}

char *uvr_wsl_windows_path(const uvr_wsl *self, const char *path)
{
  (void)self;
  (void)path;
  return NULL;
}

bool uvr_wsl_may_concern(const char *file)
{
  (void)file;
  return false;
}

int uvr_wsl_prepare(const uvr_wsl *self, const char *file, uvr_wsl_start *start, uvrelay_error_t *error)
{
  (void)self;
  (void)file;
  (void)error;
  *start = (uvr_wsl_start){.directory = NULL};
  return 0;
}

const char *uvr_wsl_explain(const char *line)
{
  return strstr(line, "execvpe") != NULL && strstr(line, "uvrelay") != NULL
             ? "WSL finds no uvrelay without a login shell: put the Linux program into /usr/local/bin, or use "
               "--via=\"wsl.exe -e PATH mux\""
             : NULL;
}

void uvr_wsl_start_clear(uvr_wsl_start *start)
{
  (void)start;
}
