/* What a user of the program can try after an error. */
#ifndef UVR_CLI_INPUT_HINT_H
#define UVR_CLI_INPUT_HINT_H

#include "cli/input/options.h"

/* A phrase in the program's own words, its flags included, or NULL when there is nothing to try. */
const char *uvr_hint(const uvrelay_error_t *error, const uvr_options *options);

#endif
