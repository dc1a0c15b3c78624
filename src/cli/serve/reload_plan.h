/* What a reload is to change: which routes of the new configuration are served already, and which take a place. */
#ifndef UVR_CLI_SERVE_RELOAD_PLAN_H
#define UVR_CLI_SERVE_RELOAD_PLAN_H

#include "cli/serve/server.h"

/* Fills in the entries of server->reload, one for each route of its configuration: marks routes that are kept, and
 * makes the others. Returns 0 or UV_ENOMEM. */
int uvr_reload_match(uvr_server *server);

#endif
