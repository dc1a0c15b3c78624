/* The far end of a running serve: made at its start, or by a reload that first needs one. */
#ifndef UVR_CLI_SERVE_FAR_END_H
#define UVR_CLI_SERVE_FAR_END_H

#include "cli/serve/server.h"

/* Finds the command of the far end, if the configuration needs one and there is none yet. Returns 0; or the exit
 * status, *error, and *place, whose file is NULL if the error has no place. */
int uvr_far_end_find(uvr_server *server, const uvr_serve_options *options, const uvr_config *config, uvr_place *place,
                     uvrelay_error_t *error);

/* Makes the supervisor, if there is a command for it and none yet. Returns 0, or a negative code and *error. */
int uvr_far_end_make(uvr_server *server, const uvr_serve_options *options, uvrelay_error_t *error);

#endif
