/* A quicker start of the program: slim_start_win.c. Not part of the library. */
#ifndef UVR_CLI_OS_SLIM_START_H
#define UVR_CLI_OS_SLIM_START_H

#include <stdbool.h>

/* To be called before anything of libuv's. `sockets`: whether they will be used. */
void uvr_slim_start(bool sockets);

#endif
