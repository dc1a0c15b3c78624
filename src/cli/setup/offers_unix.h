/* What Windows has that a preset leads to. */
#ifndef UVR_CLI_SETUP_OFFERS_UNIX_H
#define UVR_CLI_SETUP_OFFERS_UNIX_H

#include "cli/setup/job_unix.h"

/* Lists what exists on Windows for each preset, by the facts of the job's Windows program, and, on a terminal or with
 * --yes, offers what is there: what is accepted becomes one of the job's presets, and so does what setup has written
 * already. Where routes of the user's own are in the file, job->own_routes is set. Returns 0; or a negative code and
 * *error. */
int uvr_offers_make(uvr_job *job, uvrelay_error_t *error);

#endif
