/* Reading the configuration of a running serve again.
 *
 * Routes that are in both configurations with the same addresses and options keep their listeners, connections and
 * counters. Others that are listened on at the same place are replaced: the listener goes on, unless its own options
 * are others, and connections end like those of routes that are gone, which have as long as --drain says. If anything
 * fails, nothing changes: what was there goes on. */
#ifndef UVR_CLI_SERVE_RELOAD_H
#define UVR_CLI_SERVE_RELOAD_H

#include "cli/serve/server.h"

/* Begins with a reload, or asks for another one if one is under way. `asker` gets the result; NULL: no one does. */
void uvr_reload_request(uvr_server *server, uvr_control_client *asker);

/* The serve stops: a reload that is under way is given up as it is, and its askers get an answer. */
void uvr_reload_abort(uvr_server *server);

#endif
