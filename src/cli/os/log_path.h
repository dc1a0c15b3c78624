/* Where the log of a serve in the background is. */
#ifndef UVR_CLI_OS_LOG_PATH_H
#define UVR_CLI_OS_LOG_PATH_H

#include "cli/os/paths.h"

/* ${XDG_STATE_HOME:-~/.local/state}/uvrelay/serve.log, on Windows %LOCALAPPDATA%\uvrelay\serve.log. Returns 0; or
 * UV_ENOENT or UV_ENOBUFS and *error. */
int uvr_log_path(char out[UVR_PATH_SIZE], uvrelay_error_t *error);

/* What separates directories in it. */
char uvr_log_path_separator(void);

#endif
