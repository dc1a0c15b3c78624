/* Whether the system can start a program: what its file is. A file that is executable may still be none that the system
 * starts, and what it says then is misleading ("no such file or directory", "MZ: not found").
 *
 * What its system starts, and what to write instead, is in check_program_unix.c and check_program_win.c. */
#ifndef UVR_CLI_CHILD_CHECK_PROGRAM_H
#define UVR_CLI_CHILD_CHECK_PROGRAM_H

#include <stdbool.h>

#include "cli/child/program_head.h"
#include "uvrelay/common.h"

/* Checks the file of the program that a command names `name`. Returns 0 if it can be started, as far as can be seen; or
 * UV_EFTYPE or UV_ENOENT and *error, which says what to write instead. */
int uvr_program_check(const char *name, const char *file, uvrelay_error_t *error);

/* Unix only: the shell that runs this file, as it is a script without a first line that names its interpreter; else
 * NULL. The system does not start such a file, and not every C library has a shell do so. */
const char *uvr_program_shell(const char *file);

/* Checks the words of a command whose program's file this is. Returns 0 if the program can be given them; or UV_EINVAL
 * and *error, which says what to write instead. */
int uvr_program_check_words(const char *file, char *const words[], uvrelay_error_t *error);

/* Why this file must not be started now, though it may be later; NULL: it may be. */
const char *uvr_program_obstacle(const char *file);

/* Why a program may not have been started after all, though it has exited with this status; NULL: it probably was. */
const char *uvr_program_doubt(const char *file, long long status);

/* Whether the command line begins with a path of the other system. If so, writes an error for the case that there is no
 * such file here. */
bool uvr_program_is_foreign_path(const char *line, uvrelay_error_t *error);

#endif
