/* Opening a Windows named pipe. */
#ifndef UVR_STREAM_NPIPE_OPEN_WIN_H
#define UVR_STREAM_NPIPE_OPEN_WIN_H

#include <uv.h>

#include "base/error.h"
#include "base/file_query_win.h"

/* Opens the pipe `path`, \\.\pipe\NAME in UTF-8, for reading and writing, or for the one direction that it has. May be
 * called on any thread; opening a pipe of another computer may take long. `name` is what messages call the pipe.
 * Returns 0 and the open file, or a negative code and *error: UV_ENOENT when there is no such pipe, UV_EBUSY when all
 * its instances are in use, UV_EACCES when access is denied, and others. With `asks_owner` the open file can be asked
 * who owns the pipe, which needs one more right (READ_CONTROL). */
int uvr_npipe_open(const char *path, const char *name, uvrelay_impersonation_t level, bool asks_owner, uv_os_fd_t *file,
                   uvrelay_error_t *error);

/* Closes an open file that became no stream. */
void uvr_npipe_discard(uv_os_fd_t file);

/* How the tries for fewer and fewer rights are made, so that they can be tested without a server for each case. */
typedef struct uvr_npipe_opener {
  HANDLE (*open)(void *user, DWORD access); /* as CreateFile, whose error is to be in GetLastError */
  uvr_pipe_ways (*ways_of)(HANDLE file);
  void (*close)(HANDLE file);
} uvr_npipe_opener;

/* Returns the open file, or INVALID_HANDLE_VALUE and GetLastError. */
HANDLE uvr_npipe_open_by(const uvr_npipe_opener *opener, void *user);

#endif
