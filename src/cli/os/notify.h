/* Notifying the service manager of the program's state, by systemd's protocol: notify_unix.c and notify_win.c. */
#ifndef UVR_CLI_OS_NOTIFY_H
#define UVR_CLI_OS_NOTIFY_H

#include <stdbool.h>

/* Whether NOTIFY_SOCKET is set. */
bool uvr_notify_is_wanted(void);

/* Sends a state such as "READY=1" to the socket that the environment variable NOTIFY_SOCKET names. Returns 0, also when
 * it is not set, or a negative libuv code: UV_ETIMEDOUT after a second in which no process reads from the socket. */
int uvr_notify(const char *state);

/* The same, but does not wait: UV_ETIMEDOUT comes at once. */
int uvr_notify_at_once(const char *state);

#endif
