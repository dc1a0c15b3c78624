/* A command: its words, from a command line that no shell reads, and the file of its program. Nothing is started here.
 *
 *   uvr_command command;
 *   if (uvr_command_split(&command, line, uvr_program_backslash_quotes(), &error) == 0   UV_EINVAL: wrong usage
 *       && uvr_command_find(&command, NULL, &error) == 0) {                              else: exit 1
 *     ... uv_spawn with command.file and command.argv ...
 *   }
 *   uvr_command_clear(&command);
 */
#ifndef UVR_CLI_CHILD_COMMAND_H
#define UVR_CLI_CHILD_COMMAND_H

#include <stdbool.h>

#include "uvrelay/common.h"

typedef struct uvr_command {
  char **argv; /* one block of memory: argc words, at least one, and a NULL. The first one is as it was written. */
  int argc;
  char *file; /* what is to be started, absolute; NULL until it is found */
} uvr_command;

/* Splits `line` at blanks (spaces, tabs, newlines). What stands in "..." or '...' is taken as it is, blanks included,
 * and may be a part of a word. With `backslash`, one outside of quotes takes the next character as it is, and within
 * "..." it does so before a backslash and before a double quote. There are no variables, patterns or other things of a
 * shell.
 *
 * Returns 0; or UV_EINVAL (no word, a first word that is empty, a quote or a backslash with nothing behind it),
 * UV_ENOMEM and *error (which may be NULL): then *self is all zero. */
int uvr_command_split(uvr_command *self, const char *line, bool backslash, uvrelay_error_t *error);

/* The command of these words, up to a NULL, whose file is known: both are copied. Returns 0; or UV_ENOMEM and *error,
 * then *self is all zero. */
int uvr_command_make(uvr_command *self, const char *file, const char *const words[], uvrelay_error_t *error);

/* Sets `file`: see uvr_program_find() for what is returned, and for `path`. */
int uvr_command_find(uvr_command *self, const char *path, uvrelay_error_t *error);

/* Frees it, also when it is all zero, which it then is. */
void uvr_command_clear(uvr_command *self);

#endif
