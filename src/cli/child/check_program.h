/* Whether the system can start a program: what its file is. A file that is executable may still be none that the system
 * starts, and what it says then is misleading ("no such file or directory", "MZ: not found").
 *
 * check_program.c reads the file; what its system starts, and what to write instead, is in check_program_unix.c and
 * check_program_win.c. */
#ifndef UVR_CLI_CHILD_CHECK_PROGRAM_H
#define UVR_CLI_CHILD_CHECK_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "uvrelay/common.h"

typedef enum uvr_program_kind {
  UVR_PROGRAM_UNKNOWN, /* it cannot be read */
  UVR_PROGRAM_EMPTY,
  UVR_PROGRAM_ELF,     /* a program for Linux, or another Unix */
  UVR_PROGRAM_WINDOWS, /* for Windows or DOS: it begins with MZ */
  UVR_PROGRAM_SCRIPT,  /* it begins with #! */
  UVR_PROGRAM_TEXT,
  UVR_PROGRAM_BINARY /* anything else */
} uvr_program_kind;

/* The beginning of a file. */
typedef struct uvr_program_head {
  uvr_program_kind kind;
  size_t length;
  unsigned char bytes[4096];
} uvr_program_head;

void uvr_program_read(const char *file, uvr_program_head *head);

/* A number of `size` bytes, at most 8, at `offset`; 0 if it is not in the head. */
unsigned long long uvr_program_number(const uvr_program_head *head, size_t offset, size_t size, bool big_endian);

/* The first line behind `#!`, without blanks around it; NULL: the file is no script, or the line is too long. To be
 * freed. */
char *uvr_program_interpreter(const uvr_program_head *head);

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
