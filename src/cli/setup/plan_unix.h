/* The plan of setup: a list of steps. --dry-run, a second run and --remove all come from the same list. */
#ifndef UVR_CLI_SETUP_PLAN_UNIX_H
#define UVR_CLI_SETUP_PLAN_UNIX_H

#include <stdbool.h>

#include "cli/setup/job_unix.h"

/* Makes the plan, shows it, asks, and carries it out, as the job's options say. Returns 0, *changed: something was done
 * or, with --dry-run, would be; or a negative code and *error: UV_ECANCELED, if the user has said no. */
int uvr_plan_run(uvr_job *job, bool *changed, uvrelay_error_t *error);

#endif
