/* Where each running `uvrelay serve` of this user can be asked: a socket or, on Windows, a pipe of the user's own, and
 * a directory in which there is a file for each of them. place_unix.c and place_win.c. */
#ifndef UVR_CLI_CONTROL_PLACE_H
#define UVR_CLI_CONTROL_PLACE_H

#include <stddef.h>

#include <uv.h>

#include "uvrelay/common.h"

/* Sizes in bytes, with the NUL. */
#define UVR_CONTROL_ADDRESS_SIZE 192
#define UVR_CONTROL_PATH_SIZE    1024

/* Where a process listens. */
typedef struct uvr_control_place {
  int process;                            /* its number */
  char address[UVR_CONTROL_ADDRESS_SIZE]; /* as for a listener and a target */
} uvr_control_place;

/* This process's place, with the directory made if it is missing. Returns 0 and *out; or a negative code and *error:
 * there is no home directory, the directory cannot be made or is not the user's alone, its path is too long. */
int uvr_control_place_make(uvr_control_place *out, uvrelay_error_t *error);

/* This process listens there now: others find it from now on, until it ends or uvr_control_place_clear() is called.
 * Returns a file to be given to that, or a negative code. */
uv_file uvr_control_place_show(const uvr_control_place *place);
void uvr_control_place_clear(uv_file file);

/* The places of all processes, in the order of their numbers. Removes what dead processes have left. Returns how many
 * there are, at most UVR_CONTROL_NAMES_MAX, and *out, to be freed; 0 if there is no memory. */
size_t uvr_control_place_list(uvr_control_place **out);

/* No process listens at this place any longer: removes what is left of it. */
void uvr_control_place_forget(const uvr_control_place *place);

/* How to have a serve run on this system, as a phrase. */
const char *uvr_control_advice(void);

/* The directory. Returns 0, or a negative code. */
int uvr_control_directory(char path[UVR_CONTROL_PATH_SIZE]);

#endif
