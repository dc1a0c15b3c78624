/* Finding the program for Windows: the one that setup takes, and where it belongs. */
#ifndef UVR_CLI_SETUP_WINDOWS_PROGRAM_UNIX_H
#define UVR_CLI_SETUP_WINDOWS_PROGRAM_UNIX_H

#include <stdbool.h>

#include "cli/setup/job_unix.h"

/* Finds the job's Windows program, unless that was done, and asks it for its facts: the first one of this version, on a
 * drive of Windows if possible; else the first one that runs. Returns 0 and sets the job's `windows`; or a negative
 * code and *error. */
int uvr_windows_program_find(uvr_job *job, uvrelay_error_t *error);

/* Whether a file is on a drive of Windows. */
bool uvr_windows_has(const uvr_job *job, const char *file);

#endif
