/* WSL's interop: what starts Windows programs. */
#ifndef UVR_CLI_DOCTOR_INTEROP_UNIX_H
#define UVR_CLI_DOCTOR_INTEROP_UNIX_H

#include "cli/doctor/findings.h"

/* The kernel's handler. */
void uvr_doctor_check_handler(uvr_doctor *doctor, uvr_check *check);

/* The socket that WSL listens at. */
void uvr_doctor_check_interop(uvr_doctor *doctor, uvr_check *check);

/* Whether drive C is mounted and answers. */
void uvr_doctor_check_drive(uvr_doctor *doctor, uvr_check *check);

/* Starts a Windows program that does nothing. */
void uvr_doctor_check_start(uvr_doctor *doctor, uvr_check *check);

#endif
