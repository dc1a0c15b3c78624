/* Reading the configuration of serve: the files and routes that its command line names. */
#ifndef UVR_CLI_SERVE_LOAD_H
#define UVR_CLI_SERVE_LOAD_H

#include "cli/input/config.h"
#include "cli/input/serve_options.h"

/* Reads and checks all files and routes of the command line, with their options. *config must be all zero; it must be
 * cleared in any case. Returns 0; or UV_EINVAL or UV_ENOMEM, *error, and *place, whose file is NULL if the error has no
 * place in one. */
int uvr_serve_load(uvr_serve_options *options, uvr_config *config, uvr_place *place, uvrelay_error_t *error);

#endif
