/* A descriptor to read from and one to write to, as one stream: standard input and output. */
#ifndef UVR_STREAM_STDIO_H
#define UVR_STREAM_STDIO_H

#include "stream/stream.h"

/* Closes two descriptors of which no stream was made. They may be closed already, and they may be the same one. */
void uvr_stream_stdio_discard(uv_file input, uv_file output);

/* Makes a stream of two descriptors of whatever kind, which belong to it from then on; either may be closed already,
 * and for one that could not be had there is a libuv code in place of its number (below -1), which is the failure. The
 * output is closed by the half-close, the rest with the stream. On Unix libuv does not close the descriptors 0, 1
 * and 2: pass copies. Returns 0, or a negative code and *error. Then *out is NULL and the descriptors are closed, or
 * *out is a stream that must be closed, which closes them. */
int uvr_stream_stdio_new(uvr_context *context, uv_file input, uv_file output, uvr_stream **out, uvrelay_error_t *error);

/* While it is open, the stream has made pipes of Windows wait that do not (PIPE_NOWAIT), and restores them when it
 * closes them. A process that ends without closing it does so by the first of these. The second one says whether there
 * are any. After it nothing can be read or written. */
void uvr_stream_stdio_restore(uvr_stream *stream);
bool uvr_stream_stdio_must_restore(const uvr_stream *stream);

#endif
