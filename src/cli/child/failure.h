/* Why a process cannot be started, or has exited, as a sentence about the command. */
#ifndef UVR_CLI_CHILD_FAILURE_H
#define UVR_CLI_CHILD_FAILURE_H

#include <stdbool.h>

#include "cli/child/child.h"
#include "cli/child/command.h"
#include "uvrelay/common.h"

/* Each of them sets *error, in which the command is called `name`, and returns whether it is of no use to try again
 * before the program's file is replaced. */

/* The process was not started: because of `obstacle`, or, if that is NULL, uvr_child_start() has returned `code`. */
bool uvr_failure_to_start(const uvr_command *command, const char *name, const char *obstacle, int code,
                          uvrelay_error_t *error);

/* The process has exited. `up`: not before it was of use. Sets the text only. */
bool uvr_failure_by_exit(const uvr_command *command, const char *name, bool up, const uvr_child_exit *exit,
                         uvrelay_error_t *error);

#endif
