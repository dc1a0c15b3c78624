/* A descriptor to read from and one to write to, as one stream: standard input and output. */
#ifndef UVR_STREAM_STDIO_H
#define UVR_STREAM_STDIO_H

#include "stream/stream.h"

/* Closes two descriptors that became no stream; a closed one is allowed, and so is the same one twice. */
void uvr_stream_stdio_discard(uv_file input, uv_file output);

/* Takes both descriptors over, of whatever kind they are; a closed one is allowed. They are closed with the stream,
 * the output already by its half-close (on Unix libuv leaves descriptors 0, 1 and 2 open: pass copies). Returns 0, or
 * a negative code and *error: then *out is NULL and the descriptors are closed, or it is a stream that must be closed
 * and closes them. */
int uvr_stream_stdio_new(uvr_context *context, uv_file input, uv_file output, uvr_stream **out, uvrelay_error_t *error);

#endif
