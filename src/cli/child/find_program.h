/* Finding a program's file as the system's shell does: find_program_unix.c and find_program_win.c. Not part of the
 * library. */
#ifndef UVR_CLI_CHILD_FIND_PROGRAM_H
#define UVR_CLI_CHILD_FIND_PROGRAM_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Finds the file of the program that a command names. A name with a slash is that file, else it is looked for in the
 * directories of `path`; NULL: where the system looks, which is the environment's PATH and on Windows some other
 * places. On Windows the name may lack its ".exe".
 *
 * Returns 0 and *file, absolute and to be freed; or *error (which may be NULL) and
 * - UV_ENOENT: there is no such file; the text says where it was looked for
 * - UV_EACCES: there is one, but it is not executable, or a directory
 * - UV_ENOMEM, or what looking gave. */
int uvr_program_find(const char *name, const char *path, char **file, uvrelay_error_t *error);

/* Whether backslash quotes in a command line; else it is part of paths. */
bool uvr_program_backslash_quotes(void);

#endif
