/* Finding a program's file: find_program_unix.c and find_program_win.c. */
#ifndef UVR_CLI_CHILD_FIND_PROGRAM_H
#define UVR_CLI_CHILD_FIND_PROGRAM_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Finds the file of the program that a command names. A name with a slash is the path of the file. Any other name is
 * searched for in the directories of `path`, or, if that is NULL, of PATH. Never in the current directory, where
 * somebody may have put a program of that name: empty and relative entries are left out. On Windows the name need not
 * have its extension, ".exe" or another one of PATHEXT.
 *
 * Returns 0 and *file, absolute and to be freed; or *error (which may be NULL) and
 * - UV_ENOENT: there is no such file; the text says where it was searched for
 * - UV_EACCES: the file is not executable, or it is a directory
 * - UV_ENOMEM, or another error of the search. */
int uvr_find_program(const char *name, const char *path, char **file, uvrelay_error_t *error);

/* Whether a backslash quotes the next character in a command line. Where it does not, it separates directories. */
bool uvr_backslash_quotes(void);

#endif
