/* What a running serve says of a route. */
#ifndef UVR_CLI_DOCTOR_SERVED_UNIX_H
#define UVR_CLI_DOCTOR_SERVED_UNIX_H

#include "cli/doctor/findings.h"

/* Asks the serve of this process number, which listens for the route, and adds to the result what is of interest: that
 * it leads elsewhere, and what failed last. Adds nothing if it cannot be asked. */
void uvr_doctor_ask_served(const uvr_doctor *doctor, const uvr_doctor_route *route, int process, uvr_check *check);

#endif
