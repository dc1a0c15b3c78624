/* A quicker start of the program: slim_start_win.c. */
#ifndef UVR_CLI_OS_SLIM_START_H
#define UVR_CLI_OS_SLIM_START_H

#include <stdbool.h>

/* Must be called before libuv. `sockets`: whether the program will use sockets. */
void uvr_slim_start(bool sockets);

#endif
