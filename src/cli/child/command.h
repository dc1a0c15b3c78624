/* A command: its words, parsed from a command line without a shell, and the file of its program. Nothing is started
 * here.
 *
 *   uvr_command command;
 *   if (uvr_command_split(&command, line, uvr_backslash_quotes(), &error) == 0   UV_EINVAL: wrong usage
 *       && uvr_command_find(&command, NULL, &error) == 0) {                              not 0: exit 1
 *     ... uvr_child_start with command.file and command.argv ...
 *   }
 *   uvr_command_clear(&command);
 */
#ifndef UVR_CLI_CHILD_COMMAND_H
#define UVR_CLI_CHILD_COMMAND_H

#include <stdbool.h>

#include "uvrelay/common.h"

typedef struct uvr_command {
  char *
      *argv; /* argc words, at least one, and a NULL, in one block of memory. The first word is as the user wrote it. */
  int argc;
  char *file; /* the program's file, absolute; NULL until it is found */
} uvr_command;

/* Splits `line` at blanks (spaces, tabs, newlines). Text in "..." or '...' is literal, blanks included, and may be a
 * part of a word. If `backslash` is set, a backslash outside of quotes makes the next character literal, and so does
 * one within "..." before a backslash or a double quote. There are no variables, patterns or other features of a shell.
 *
 * Returns 0; or, with *self all zero, UV_ENOMEM or UV_EINVAL and *error (which may be NULL): there is no word, the
 * first word is empty, a quote is not closed, or nothing follows a backslash. */
int uvr_command_split(uvr_command *self, const char *line, bool backslash, uvrelay_error_t *error);

/* Makes a command of these words, which end with a NULL, and of its program's file; copies both. Returns 0; or
 * UV_ENOMEM and *error, with *self all zero. */
int uvr_command_make(uvr_command *self, const char *file, const char *const words[], uvrelay_error_t *error);

/* Finds the program and sets `file`. For `path` and for what is returned see uvr_find_program(). */
int uvr_command_find(uvr_command *self, const char *path, uvrelay_error_t *error);

/* Frees the memory and sets *self to zero. A command that is all zero already is allowed. */
void uvr_command_clear(uvr_command *self);

#endif
