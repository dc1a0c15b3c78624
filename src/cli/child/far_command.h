/* The command that serve starts as its far end. */
#ifndef UVR_CLI_CHILD_FAR_COMMAND_H
#define UVR_CLI_CHILD_FAR_COMMAND_H

#include "cli/child/command.h"
#include "cli/input/config.h"

/* Finds the command: `line`, the value of --via, or without it (NULL) the one of far_default.h. `route` is the first
 * one that needs a far end, or NULL. Sets *shown to the command line for messages, which is `line` or a constant.
 * Returns 0; or the exit status and *error. */
int uvr_far_command_find(const char *line, const uvr_config_route *route, uvr_command *out, const char **shown,
                         uvrelay_error_t *error);

#endif
