/* The system: WSL or not, its settings, systemd. */
#ifndef UVR_CLI_DOCTOR_WSL_UNIX_H
#define UVR_CLI_DOCTOR_WSL_UNIX_H

#include "cli/doctor/findings.h"

/* Which system it is. */
void uvr_doctor_check_system(uvr_doctor *doctor, uvr_check *check);

/* Whether systemd runs it. */
void uvr_doctor_check_systemd(uvr_doctor *doctor, uvr_check *check);

/* The section [interop] of /etc/wsl.conf. */
void uvr_doctor_check_wsl_conf(uvr_doctor *doctor, uvr_check *check);

/* Whether Windows programs are to be started from here. */
bool uvr_doctor_uses_interop(const uvr_doctor *doctor);

#endif
