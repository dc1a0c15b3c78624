/* The checks of serve and of a route's listener. */
#ifndef UVR_CLI_DOCTOR_LISTENER_UNIX_H
#define UVR_CLI_DOCTOR_LISTENER_UNIX_H

#include "cli/doctor/findings.h"

/* Whether a serve runs; where routes were given on the command line, that is not asked. */
void uvr_doctor_check_serve(uvr_doctor *doctor, uvr_check *check);

/* Whether a running serve of this user listens there; if not, which process does, or what is in the way. */
void uvr_doctor_check_listener(const uvr_doctor *doctor, const uvr_doctor_route *route, uvr_check *check);

#endif
