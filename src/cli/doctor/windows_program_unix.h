/* uvrelay.exe, as WSL sees it. */
#ifndef UVR_CLI_DOCTOR_WINDOWS_PROGRAM_UNIX_H
#define UVR_CLI_DOCTOR_WINDOWS_PROGRAM_UNIX_H

#include "cli/doctor/findings.h"

/* Its file: found where, executable, a program, on which disk. */
void uvr_doctor_check_windows_file(uvr_doctor *doctor, uvr_check *check);

/* What it says: whether it starts, its version, whose it is. */
void uvr_doctor_check_windows_facts(uvr_doctor *doctor, uvr_check *check);

#endif
