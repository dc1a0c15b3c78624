/* What serve tells the service manager, systemd: a line on its state, which `systemctl status` shows, such as
 * "3 routes, 12 connections, far end running". manager_unix.c and manager_win.c.
 *
 * Two seconds after something has changed the line is sent, unless it is the same as before. While nothing changes,
 * nothing is done. Without a manager, too. */
#ifndef UVR_CLI_SERVE_MANAGER_H
#define UVR_CLI_SERVE_MANAGER_H

#include "cli/serve/server.h"

/* It listens: sends that, with the line. Returns 0 or a negative code, of uvr_notify(). */
int uvr_manager_ready(uvr_server *server);

/* Something may have changed that the line says. */
void uvr_manager_changed(uvr_server *server);

/* It is stopping, and so many connections are open: sends that as the last line. */
void uvr_manager_stopping(uvr_server *server, size_t open);

/* Closes the timer. */
void uvr_manager_close(uvr_server *server);

#endif
