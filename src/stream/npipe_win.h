/* Making a named pipe's stream of the server's end. */
#ifndef UVR_STREAM_NPIPE_WIN_H
#define UVR_STREAM_NPIPE_WIN_H

#include "stream/npipe.h"

/* What a pipe is used for. */
typedef enum uvr_npipe_use {
  UVR_NPIPE_BOTH_WAYS,
  UVR_NPIPE_FOR_READING, /* only its other end writes */
  UVR_NPIPE_FOR_WRITING  /* only its other end reads */
} uvr_npipe_use;

/* Makes a stream of an open file that is already attached to the loop's completion port and has nothing under way.
 * `message`: the pipe is in message mode. `name` is copied. Returns NULL when there is no memory; then the file still
 * belongs to the caller. */
uvr_stream *uvr_npipe_stream_of(uvr_context *context, HANDLE file, uvr_npipe_use use, bool message, const char *name);

#endif
