/* Which serve this is: by its configuration files and the routes of its command line. Two of the same identity would
 * listen at the same places. */
#ifndef UVR_CLI_SERVE_IDENTITY_H
#define UVR_CLI_SERVE_IDENTITY_H

#include "cli/serve/server.h"

/* Finds the absolute paths of the configuration files, and sets server->configs. */
void uvr_identity_set(uvr_server *server);

void uvr_identity_clear(uvr_server *server);

/* Adds the identity as lines, config PATH and route TEXT. */
void uvr_identity_add(const uvr_server *server, uvr_text_line *text);

/* Whether another serve of this user with the same identity runs, and is not stopping. */
bool uvr_identity_runs(const uvr_server *server);

#endif
