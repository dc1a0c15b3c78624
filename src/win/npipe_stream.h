/* What src/win/npipe_listen.c needs of src/win/npipe.c, beyond npipe.h. */
#ifndef UVR_NPIPE_STREAM_H
#define UVR_NPIPE_STREAM_H

#include "../npipe.h"

/* Makes a stream of an open file that completes through the loop's port already, with nothing under way; `message`:
 * it was made in message mode. `name` is copied. NULL when there is no memory; then the file is still the caller's. */
uvr_stream *uvr_npipe_stream_of(uvr_env *env, HANDLE file, bool message, const char *name);

#endif
