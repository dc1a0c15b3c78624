/* Where files are, on Windows: see paths.h. */
#include "cli/os/paths.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

const char *uvr_paths_config_advice(void)
{
  return "write it, a route a line";
}

int uvr_paths_config(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  if (uv_os_getenv("APPDATA", base, &size) != 0 || size == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "cannot tell where the configuration file routes.conf is, as the variable APPDATA is not set: "
                         "give the file by --config=FILE");
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s\\uvrelay\\routes.conf", base);
  if (length < 0 || length >= UVR_PATH_SIZE) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOBUFS,
                         "the path of the configuration file routes.conf is too long: give it by --config=FILE");
  }
  return 0;
}
