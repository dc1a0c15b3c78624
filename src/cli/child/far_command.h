/* Which command is the far end of serve. */
#ifndef UVR_CLI_CHILD_FAR_COMMAND_H
#define UVR_CLI_CHILD_FAR_COMMAND_H

#include "cli/child/command.h"
#include "cli/input/config.h"

/* Finds it: the one of --via (`line`, or NULL), or on WSL uvrelay.exe. `route` is the first that needs it, or NULL.
 * With *told, the command line for people, in `line` or a constant. Returns 0, or the exit status and *error. */
int uvr_via_find(const char *line, const uvr_wanted_route *route, uvr_command *out, const char **told,
                 uvrelay_error_t *error);

#endif
