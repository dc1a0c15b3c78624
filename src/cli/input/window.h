/* The value of --window-total, a flag of serve and of mux. Pure. */
#ifndef UVR_CLI_INPUT_WINDOW_H
#define UVR_CLI_INPUT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "uvrelay/common.h"

#define UVR_WINDOW_FORM "--window-total=SIZE, such as --window-total=64M"

/* Parses a number of bytes: decimal, optionally followed by K, M or G (powers of 1024). Returns false and *error (which
 * may be NULL), with code UV_EINVAL, for any other text and for a number that is too small or too large. */
bool uvr_window_parse(const char *text, uint64_t *bytes, uvrelay_error_t *error);

#endif
