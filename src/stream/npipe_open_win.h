/* Opening a Windows named pipe. */
#ifndef UVR_STREAM_NPIPE_OPEN_WIN_H
#define UVR_STREAM_NPIPE_OPEN_WIN_H

#include <uv.h>

#include "base/error.h"

/* Opens the pipe `path`, \\.\pipe\NAME in UTF-8, for reading and writing. May be called on any thread; opening a pipe
 * of another computer may take long. `name` is what messages call the pipe. Returns 0 and the open file, or a negative
 * code and *error: UV_ENOENT when there is no such pipe, UV_EBUSY when all its instances are in use, UV_EACCES when
 * access is denied, and others. */
int uvr_npipe_open(const char *path, const char *name, uvrelay_impersonation_t level, uv_os_fd_t *file,
                   uvrelay_error_t *error);

/* Closes an open file that became no stream. */
void uvr_npipe_discard(uv_os_fd_t file);

#endif
