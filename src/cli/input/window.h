/* The value of --window-total, which serve and mux share. Pure. */
#ifndef UVR_CLI_INPUT_WINDOW_H
#define UVR_CLI_INPUT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "uvrelay/common.h"

#define UVR_WINDOW_FORM "--window-total=SIZE, such as --window-total=64M"

/* Bytes as a decimal number, or with K, M or G (of 1024) behind it. False, with *error (which may be NULL) and code
 * UV_EINVAL, for all else, and for what is too little or too much. */
bool uvr_window_parse(const char *text, uint64_t *bytes, uvrelay_error_t *error);

#endif
