/* Making a named pipe's stream of the server's end. */
#ifndef UVR_STREAM_NPIPE_WIN_H
#define UVR_STREAM_NPIPE_WIN_H

#include "stream/npipe.h"

/* Makes a stream of an open file that is already attached to the loop's completion port and has nothing under way.
 * `message`: the pipe is in message mode. `name` is copied. Returns NULL when there is no memory; then the file still
 * belongs to the caller. */
uvr_stream *uvr_npipe_stream_of(uvr_context *context, HANDLE file, bool message, const char *name);

#endif
