/* Where files are, on Windows: see paths.h. */
#include "cli/os/paths.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

/* A file in the directory that a variable names. Returns 0, UV_ENOENT or UV_ENOBUFS. */
static int find(const char *variable, const char *file, char out[UVR_PATH_SIZE])
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  if (uv_os_getenv(variable, base, &size) != 0 || size == 0) {
    return UV_ENOENT;
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s\\uvrelay\\%s", base, file);
  return length < 0 || length >= UVR_PATH_SIZE ? UV_ENOBUFS : 0;
}

const char *uvr_paths_config_advice(void)
{
  return "write it, one route per line";
}

int uvr_paths_config(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  int code = find("APPDATA", "routes.conf", out);
  if (code == UV_ENOENT) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                         "cannot determine where the configuration file routes.conf is, because the variable APPDATA "
                         "is not set: use --config=FILE");
  }
  return code == 0 ? 0
                   : uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                                   "the path of the configuration file routes.conf is too long: use --config=FILE");
}

int uvr_paths_log(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  int code = find("LOCALAPPDATA", "serve.log", out);
  if (code == UV_ENOENT) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, code,
        "cannot determine where to write the log, because the variable LOCALAPPDATA is not set: use --log-file=FILE");
  }
  return code == 0 ? 0
                   : uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                                   "the path of the log serve.log is too long: use --log-file=FILE");
}

char uvr_paths_separator(void)
{
  return '\\';
}
