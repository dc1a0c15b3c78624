/* What the user of the program can do about an error. */
#ifndef UVR_CLI_INPUT_HINT_H
#define UVR_CLI_INPUT_HINT_H

#include "cli/input/options.h"

/* A phrase that may name flags of the program, or NULL if there is nothing to suggest. */
const char *uvr_hint(const uvrelay_error_t *error, const uvr_options *options);

#endif
