/* All checks, in their order: checks_unix.c and checks_win.c. */
#ifndef UVR_CLI_DOCTOR_CHECKS_H
#define UVR_CLI_DOCTOR_CHECKS_H

#include <stddef.h>

#include "cli/doctor/findings.h"

/* The checks, at most 32. */
const uvr_doctor_check *uvr_doctor_checks(size_t *count);

/* The index of the check that targets behind a far end depend on; the number of checks if there is none. */
size_t uvr_doctor_far_check(void);

/* The checks of each route. */
const uvr_doctor_route_check *uvr_doctor_route_checks(size_t *count);

#endif
