/* serve --check: what would be served. */
#ifndef UVR_CLI_SERVE_CHECK_H
#define UVR_CLI_SERVE_CHECK_H

#include "cli/serve/server.h"

/* Checks what is only checked when a route is listened on, as far as that opens nothing. Returns 0; or a negative code,
 * *error, and *place, whose file is NULL if the error has none. */
int uvr_check_routes(const uvr_config *config, uvr_place *place, uvrelay_error_t *error);

/* Prints each route: its name, its listener, its target, and how that is reached. The command of the far end must be
 * known, if there is one. Returns the exit status. */
int uvr_check_print(const uvr_server *server);

#endif
