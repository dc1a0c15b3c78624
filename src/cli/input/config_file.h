/* Configuration files of serve. A line is a route, LISTEN=TARGET; or NAME=VALUE, an option of all routes of the file,
 * or a setting of serve. */
#ifndef UVR_CLI_INPUT_CONFIG_FILE_H
#define UVR_CLI_INPUT_CONFIG_FILE_H

#include <stddef.h>

#include "cli/input/config.h"

/* Adds the routes of a file, all with the file's options, and takes over its settings. `text` is its contents, `length`
 * bytes followed by a NUL; it is modified. Returns 0; or UV_EINVAL or UV_ENOMEM, *error, and the *place of the
 * error. */
int uvr_config_add_file(uvr_config *config, const char *file, char *text, size_t length, uvr_place *place,
                        uvrelay_error_t *error);

#endif
