/* Where the log is, on Unix: see log_path.h. */
#include "cli/os/log_path.h"

#include <stdio.h>

#include <uv.h>

#include "base/error.h"

int uvr_log_path(char out[UVR_PATH_SIZE], uvrelay_error_t *error)
{
  char base[UVR_PATH_SIZE];
  size_t size = sizeof(base);
  const char *below = "";
  int code = uv_os_getenv("XDG_STATE_HOME", base, &size);
  if (code != 0 || base[0] != '/') { /* a relative path is to be ignored, says the XDG specification */
    size = sizeof(base);
    code = uv_os_homedir(base, &size);
    below = "/.local/state";
  }
  if (code != 0 || base[0] != '/') {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOENT,
                         "cannot tell where the log is to be, as there is no home directory: set HOME, or give the log "
                         "by --log-file=FILE");
  }
  int length = snprintf(out, UVR_PATH_SIZE, "%s%s/uvrelay/serve.log", base, below);
  if (length < 0 || length >= UVR_PATH_SIZE) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOBUFS,
                         "the path of the log serve.log is too long: give it by --log-file=FILE");
  }
  return 0;
}

char uvr_log_path_separator(void)
{
  return '/';
}
