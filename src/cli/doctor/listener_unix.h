/* The check of a route's listener. */
#ifndef UVR_CLI_DOCTOR_LISTENER_UNIX_H
#define UVR_CLI_DOCTOR_LISTENER_UNIX_H

#include "cli/doctor/findings.h"

/* Whether a running serve of this user listens there; if not, who does, or what is in its way. */
void uvr_doctor_check_listener(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check);

#endif
