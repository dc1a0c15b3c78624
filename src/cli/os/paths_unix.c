/* Where files are, on Unix: see paths.h. */
#include "cli/os/paths.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

/* A file in a directory of the XDG specification: that of a variable, or one in the home directory. Returns 0; or
 * UV_ENOENT, and *why, which continues "the home directory"; or UV_ENOBUFS. */
static int find(const char *variable, const char *below, const char *file, char out[UVR_PATH_SIZE], const char **why)
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  int code = uv_os_getenv(variable, base, &size);
  if (code == 0 && base[0] == '/') { /* a relative path is to be ignored, says the specification */
    below = "";
  } else {
    size = sizeof(base);
    code = uv_os_homedir(base, &size);
  }
  if (code != 0 || base[0] != '/') {
    *why = code != 0 ? "cannot be found" : "is not absolute";
    return UV_ENOENT;
  }
  while (size > 1 && base[size - 1] == '/') {
    base[--size] = '\0';
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s%s/uvrelay/%s", base, below, file);
  return length < 0 || length >= UVR_PATH_SIZE ? UV_ENOBUFS : 0;
}

const char *uvr_paths_config_advice(void)
{
  return "in WSL, run uvrelay setup, which writes it";
}

int uvr_paths_config(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  const char *why = "";
  int code = find("XDG_CONFIG_HOME", "/.config", "routes.conf", out, &why);
  if (code == UV_ENOENT) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                         "cannot determine where the configuration file routes.conf is, because the home directory %s: "
                         "set HOME, or use --config=FILE",
                         why);
  }
  return code == 0 ? 0
                   : uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                                   "the path of the configuration file routes.conf is too long: use --config=FILE");
}

int uvr_paths_log(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  const char *why = "";
  int code = find("XDG_STATE_HOME", "/.local/state", "serve.log", out, &why);
  if (code == UV_ENOENT) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, code,
        "cannot determine where to write the log, because the home directory %s: set HOME, or use --log-file=FILE",
        why);
  }
  return code == 0 ? 0
                   : uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                                   "the path of the log serve.log is too long: use --log-file=FILE");
}

char uvr_paths_separator(void)
{
  return '/';
}
