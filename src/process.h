/* What the program does to its own process: src/unix/process.c and src/win/process.c. Not part of the library. */
#ifndef UVR_PROCESS_H
#define UVR_PROCESS_H

#include <stdbool.h>

/* Lets it have as many descriptors as it is allowed to. */
void uvr_process_raise_limits(void);

/* Whether it was started so that it ignores this signal, as nohup does and a shell does in the background. */
bool uvr_process_ignores(int signal);

#endif
