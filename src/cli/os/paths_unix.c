/* Where files are, on Unix: see paths.h. */
#include "cli/os/paths.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

#define FILE_OF_ROUTES "/uvrelay/routes.conf"

static int refuse_long(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOBUFS,
                       "the path of the configuration file routes.conf is too long: give it by --config=FILE");
}

const char *uvr_paths_config_advice(void)
{
  return "run uvrelay setup, which writes it";
}

int uvr_paths_config(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  const char *below = "";
  int code = uv_os_getenv("XDG_CONFIG_HOME", base, &size);
  if (code != 0 || base[0] != '/') { /* a relative path is to be ignored, says the XDG specification */
    size = sizeof(base);
    code = uv_os_homedir(base, &size);
    below = "/.config";
  }
  if (code != 0 || base[0] != '/') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "cannot tell where the configuration file routes.conf is, as the home directory %s: set HOME, "
                         "or give the file by --config=FILE",
                         code != 0 ? "cannot be found" : "is not absolute");
  }
  while (size > 1 && base[size - 1] == '/') {
    base[--size] = '\0';
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s%s" FILE_OF_ROUTES, base, below);
  return length < 0 || length >= UVR_PATH_SIZE ? refuse_long(error) : 0;
}
