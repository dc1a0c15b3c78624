/* Reading the configuration of serve: the files and routes that its command line names, or the file in its usual place.
 */
#ifndef UVR_CLI_SERVE_LOAD_H
#define UVR_CLI_SERVE_LOAD_H

#include "cli/input/config.h"
#include "cli/input/serve_options.h"

/* Reads and checks all files and routes of the command line, with their options; without any, the file that
 * uvr_paths_config() names. `given` is the command line, which stays as it is, so that all can be read again. *options
 * becomes what holds: the command line, and what files say besides. (After an error, too, as far as they were read.)
 * Its text is in argv or in the config. *config must be all zero; it must be cleared in any case. Returns 0; or
 * UV_EINVAL or UV_ENOMEM, *error, and *place, whose file is NULL if the error has no place in one. */
int uvr_serve_load(const uvr_serve_options *given, uvr_serve_options *options, uvr_config *config, uvr_place *place,
                   uvrelay_error_t *error);

/* Whether all of it can be read again: not what came from standard input, nor from a pipe or a terminal, which would
 * not end, or not even open, before somebody writes to it. Returns 0, or UV_EINVAL and *error. */
int uvr_serve_load_may_repeat(const uvr_serve_options *given, uvrelay_error_t *error);

#endif
