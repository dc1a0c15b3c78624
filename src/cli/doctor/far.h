/* The check of the far end. */
#ifndef UVR_CLI_DOCTOR_FAR_H
#define UVR_CLI_DOCTOR_FAR_H

#include "cli/doctor/findings.h"

/* Starts the far end, asks it several times, and connects through it to the targets of all routes that need it. */
void uvr_doctor_check_far_end(uvr_doctor *doctor, uvr_check *check);

#endif
