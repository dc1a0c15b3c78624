/* Limits, threads, signals and process groups: process_unix.c and process_win.c. */
#ifndef UVR_CLI_OS_PROCESS_H
#define UVR_CLI_OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Raises the limit of open descriptors as far as this process may. */
void uvr_process_raise_limits(void);

/* Gives libuv's pool so many threads that, besides reading and writing standard input and output, names of so many
 * targets can be looked up, or their files opened, at the same time (see endpoint/offload.h). Must be called before the
 * pool is used. */
void uvr_process_set_threads(size_t targets);

/* Whether this process was started with the signal ignored, as by nohup, or by a shell in the background. */
bool uvr_process_ignores(int signal);

/* Whether a child can have a session of its own, so that signals of the terminal do not reach it. */
bool uvr_process_has_sessions(void);

/* Sends a signal to all processes of the group whose leader is this child. False where the system has no groups. */
bool uvr_process_signal_group(int leader, int signal);

#endif
