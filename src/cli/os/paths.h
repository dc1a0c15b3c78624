/* Where the program's own files are. */
#ifndef UVR_CLI_OS_PATHS_H
#define UVR_CLI_OS_PATHS_H

#include <stddef.h>

#include "uvrelay/common.h"

/* The size of such a path, in bytes with its NUL. */
#define UVR_PATH_SIZE 4096

/* The file that serve reads when it is given neither a route nor a file: ${XDG_CONFIG_HOME:-~/.config}/uvrelay/
 * routes.conf, on Windows %APPDATA%\uvrelay\routes.conf. Returns 0; or UV_ENOENT or UV_ENOBUFS and *error. */
int uvr_paths_config(char out[UVR_PATH_SIZE], uvrelay_error_t *error);

/* How to get that file, as the beginning of a sentence. */
const char *uvr_paths_config_advice(void);

/* The log of a serve in the background: ${XDG_STATE_HOME:-~/.local/state}/uvrelay/serve.log, on Windows
 * %LOCALAPPDATA%\uvrelay\serve.log. Returns the same. */
int uvr_paths_log(char out[UVR_PATH_SIZE], uvrelay_error_t *error);

/* What separates directories in these paths. */
char uvr_paths_separator(void);

#endif
