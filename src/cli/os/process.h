/* Limits, threads and signals: process_unix.c and process_win.c. */
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

/* What users have to know who wait for the end of this process's standard output, now that it was closed; NULL where
 * they see that end at once. */
const char *uvr_process_output_note(void);

/* Ends this process with status 1 if it still runs after so many seconds, even if a call of the system does not return
 * until then. Messages that were not written yet are lost. */
void uvr_process_end_within(unsigned seconds);

/* Whether this process was started with the signal ignored, as by nohup, or by a shell in the background. */
bool uvr_process_ignores(int signal);

/* The exit status of a program that a signal ends. Where the system sends one, it is not asked for. */
int uvr_process_interrupted_status(void);

#endif
