/* Reads a libassuan socket file from disk. */
#ifndef UVR_ENDPOINT_ASSUAN_FILE_H
#define UVR_ENDPOINT_ASSUAN_FILE_H

#include "address/assuan.h"

/* Blocks: for a thread of the pool. Returns 0, or a negative code (UV_ENOENT when there is no such file) and *error.
 * The caller wipes *out when it is done with it. */
int uvr_assuan_read_file(const char *path, uvr_assuan *out, uvrelay_error_t *error);

#endif
