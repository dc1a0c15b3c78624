/* Where the log is, on Windows: see log_path.h. */
#include "cli/os/log_path.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

int uvr_log_path(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  if (uv_os_getenv("LOCALAPPDATA", base, &size) != 0 || size == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "cannot tell where the log is to be, as the variable LOCALAPPDATA is not set: give the log by "
                         "--log-file=FILE");
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s\\uvrelay\\serve.log", base);
  if (length < 0 || length >= UVR_PATH_SIZE) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOBUFS,
                         "the path of the log serve.log is too long: give it by --log-file=FILE");
  }
  return 0;
}

char uvr_log_path_separator(void)
{
  return '\\';
}
