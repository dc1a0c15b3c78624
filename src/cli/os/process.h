/* What the program does to its own process and to its children: process_unix.c and process_win.c. Not part of
 * the library. */
#ifndef UVR_CLI_OS_PROCESS_H
#define UVR_CLI_OS_PROCESS_H

#include <stdbool.h>

/* Lets it have as many descriptors as it is allowed to. */
void uvr_process_raise_limits(void);

/* Whether it was started so that it ignores this signal, as nohup does and a shell does in the background. */
bool uvr_process_ignores(int signal);

/* Whether a child may be given a session of its own, so that the terminal's signals don't reach it. */
bool uvr_process_has_sessions(void);

/* Sends a signal to all processes of the group that this child leads. False where there are no such groups. */
bool uvr_process_signal_group(int leader, int signal);

#endif
