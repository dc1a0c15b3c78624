/* The user's own files: place_unix.c and place_win.c. */
#ifndef UVR_CLI_DOCTOR_PLACE_H
#define UVR_CLI_DOCTOR_PLACE_H

#include "cli/doctor/check.h"

/* Whether others could have written a configuration file. */
void uvr_doctor_check_file(const char *path, uvr_check *check);

/* What starts this program in the user's shell: its name, or where that would start another program or none, its path.
 * Returns `word`. */
const char *uvr_doctor_own_command(char word[UVR_SHELL_WORD_SIZE]);

/* The remedy if there is no configuration file. `own` is what starts this program; NULL: this is not WSL, so `setup`
 * would refuse. */
void uvr_doctor_add_setup_remedy(const char *own, uvr_check *check);

#endif
