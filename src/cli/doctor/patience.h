/* Calling a function on a thread, so that the caller can go on if it does not return in time. */
#ifndef UVR_CLI_DOCTOR_PATIENCE_H
#define UVR_CLI_DOCTOR_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/doctor/check.h"

/* Calls run(user, check) and copies the check to *check when it returns. Returns whether it has returned within the
 * limit; if not, it goes on with a check of its own until the process ends. */
bool uvr_doctor_call(void (*run)(void *user, uvr_check *check), void *user, uint64_t limit_ms, uvr_check *check);

#endif
