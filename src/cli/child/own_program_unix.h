/* This program, as its user calls it. */
#ifndef UVR_CLI_CHILD_OWN_PROGRAM_UNIX_H
#define UVR_CLI_CHILD_OWN_PROGRAM_UNIX_H

#include <stdbool.h>

/* The file of this program, by the name that PATH finds if that is this program: its file may have another name after
 * an update. *on_path (which may be NULL) says whether it is. To be freed; NULL: it is not known, or there is no
 * memory. */
char *uvr_own_program(bool *on_path);

#endif
