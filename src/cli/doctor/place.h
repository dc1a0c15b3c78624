/* The user's own files: place_unix.c and place_win.c. */
#ifndef UVR_CLI_DOCTOR_PLACE_H
#define UVR_CLI_DOCTOR_PLACE_H

#include "cli/doctor/check.h"

/* Whether others could have written a configuration file. */
void uvr_doctor_check_file(const char *path, uvr_check *check);

/* The remedy if there is no configuration file. */
const char *uvr_doctor_setup_remedy(void);

#endif
