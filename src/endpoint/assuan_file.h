/* Reading a socket file of libassuan from disk. */
#ifndef UVR_ENDPOINT_ASSUAN_FILE_H
#define UVR_ENDPOINT_ASSUAN_FILE_H

#include "address/assuan.h"

/* Reads and parses the file, if it belongs to a user whom `owner` names (owner.h). Unless `real` is NULL, the real path
 * of what was read is written there, whether or not it was a socket file; it is empty if there was nothing to read, or
 * if its path cannot be determined, which is a failure, too. This blocks, so call it on the thread pool. Returns 0, or
 * a negative code (UV_ENOENT when there is no such file, UV_EPERM when it belongs to somebody else) and *error. The
 * caller wipes *out after use. */
int uvr_assuan_read_file(const char *path, const char *owner, char *real, uvr_assuan *out, uvrelay_error_t *error);

#endif
