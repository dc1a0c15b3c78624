/* What npipe_listen_win.c needs of npipe_win.c, beyond npipe.h. */
#ifndef UVR_STREAM_NPIPE_WIN_H
#define UVR_STREAM_NPIPE_WIN_H

#include "stream/npipe.h"

/* Makes a stream of an open file that completes through the loop's port already, with nothing under way; `message`:
 * it was made in message mode. `name` is copied. NULL when there is no memory; then the file is still the caller's. */
uvr_stream *uvr_npipe_stream_of(uvr_context *context, HANDLE file, bool message, const char *name);

#endif
