/* This program: system_unix.c and system_win.c. */
#ifndef UVR_CLI_DOCTOR_SYSTEM_H
#define UVR_CLI_DOCTOR_SYSTEM_H

#include "cli/doctor/findings.h"

/* Its version and where it is. */
void uvr_doctor_check_program(uvr_doctor *doctor, uvr_check *check);

#endif
