/* The routes of a running serve. */
#ifndef UVR_CLI_SERVE_ROUTES_H
#define UVR_CLI_SERVE_ROUTES_H

#include "cli/serve/server.h"

/* Makes a route of the configuration's, whose text then belongs to it. It does not listen yet. Returns NULL if there is
 * no memory. */
uvr_served *uvr_routes_new(uvr_server *server, uvr_config_route *wanted);

/* The same of another one that is served, with a copy of its text. */
uvr_served *uvr_routes_copy(const uvr_served *other);

/* Frees one that does not listen. NULL is allowed. */
void uvr_routes_free(uvr_served *self);

/* Begins to listen, with the directory made if it is that of a socket and missing. Returns 0, or a negative code and
 * *error. */
int uvr_routes_add(uvr_served *self, uvr_made_directories *made, uvrelay_error_t *error);

/* Puts it in the place of `from`, which ends when its connections have. Returns 0, or a negative code; then
 * uvrelay_error() says why. */
int uvr_routes_replace(uvr_served *self, uvr_served *from);

/* Removes it, or limits the time of one that is being removed: its connections have so long. It frees itself. */
void uvr_routes_remove(uvr_served *self, uint64_t timeout_ms);

/* Whether all routes have stopped listening. */
bool uvr_routes_are_all_lost(const uvr_server *server);

/* Sets whether all routes know the mux of the far end. */
void uvr_routes_set_via(uvr_served *self);

/* For reports. */
uvr_report_route uvr_routes_row(const uvrelay_route_t *route);

/* Writes the table of all routes to the log. */
void uvr_routes_say_status(uvr_server *server);

/* The same, for the timer of --status. */
void uvr_routes_on_timer(uv_timer_t *timer);

/* How many bytes all connections have received from the far end so far. `user` is the uvr_server. */
uint64_t uvr_routes_count_received(void *user);

#endif
