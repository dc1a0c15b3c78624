/* A serve that runs without systemd, in the background. */
#ifndef UVR_CLI_SETUP_BACKGROUND_UNIX_H
#define UVR_CLI_SETUP_BACKGROUND_UNIX_H

#include <stdbool.h>

#include "cli/setup/job_unix.h"

/* Whether one of this user's runs. */
bool uvr_background_runs(const uvr_job *job);

/* Starts one with the job's configuration; does nothing if one runs. Its log, if there is none yet, is recorded. */
int uvr_background_start(uvr_job *job, uvrelay_error_t *error);

/* Removes what those that have run have left: their log, if it was recorded, and the directory of their sockets. */
int uvr_background_clean(uvr_job *job, uvrelay_error_t *error);

/* Stops those that run, and waits for their ends. */
int uvr_background_stop(const uvr_job *job, uvrelay_error_t *error);

/* Has those that run read their configuration again. */
int uvr_background_reload(const uvr_job *job, uvrelay_error_t *error);

/* The same for the serve of this process, in the background or not. Returns UV_ENOTSUP if it cannot be asked. */
int uvr_background_reload_one(const uvr_job *job, long process, uvrelay_error_t *error);

#endif
