/* A uv_tcp_t or uv_pipe_t as a stream. */
#ifndef UVR_STREAM_UV_H
#define UVR_STREAM_UV_H

#include "stream.h"

/* Makes a stream around a new handle of `type`, UV_TCP or UV_NAMED_PIPE, not yet connected. The caller connects or
 * opens the handle that uvr_stream_uv_handle gives, and closes the stream whether that worked or not. `name` is
 * copied. Returns 0, or a negative libuv code. */
int uvr_stream_uv_new(uvr_env *env, uv_handle_type type, const char *name, uvr_stream **out);

/* The handle inside. Its `data` is the stream's own. */
uv_stream_t *uvr_stream_uv_handle(uvr_stream *stream);

#endif
