/* A first argument that was probably meant to be a command. */
#ifndef UVR_CLI_MISTYPED_H
#define UVR_CLI_MISTYPED_H

#include <stdbool.h>

#include "uvrelay/common.h"

/* Whether the first argument is not a TARGET but a word that is near a command, the name of a preset, or a command that
 * is written as a flag, such as --serve: then *error says what was probably meant. */
bool uvr_mistyped_command(int argc, char *const argv[], uvrelay_error_t *error);

#endif
