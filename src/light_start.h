/* A quicker start of the program: src/win/light_start.c. Not part of the library. */
#ifndef UVR_LIGHT_START_H
#define UVR_LIGHT_START_H

#include <stdbool.h>

/* To be called before anything of libuv's. `sockets`: whether they will be used. */
void uvr_light_start(bool sockets);

#endif
