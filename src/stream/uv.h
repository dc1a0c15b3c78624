/* A uv_tcp_t or uv_pipe_t as a stream. */
#ifndef UVR_STREAM_UV_H
#define UVR_STREAM_UV_H

#include "stream/stream.h"

/* Makes a stream around a new handle of `type`, UV_TCP or UV_NAMED_PIPE, not yet connected. The caller connects or
 * opens the handle that uvr_stream_uv_handle gives, and closes the stream whether that worked or not. `name` is
 * copied. Returns 0, or a negative libuv code. */
int uvr_stream_uv_new(uvr_context *context, uv_handle_type type, const char *name, uvr_stream **out);

/* Makes a stream around a connected handle that somebody else owns, on the context's loop, neither reading nor closing.
 * The stream uses it, its `data` included, and closes it; then its `data` is as before and on_handle_closed, unless
 * NULL, is called, before the stream's own close callback: its memory is its owner's again. `name` is copied. Returns 0
 * or UV_ENOMEM. */
int uvr_stream_uv_adopt(uvr_context *context, uv_stream_t *handle, uv_close_cb on_handle_closed, const char *name,
                        uvr_stream **out);

/* Undoes uvr_stream_uv_adopt, and frees the stream without closing the handle. Only if nothing was done with it. */
void uvr_stream_uv_give_back(uvr_stream *stream);

/* Sets up a connected TCP handle: small answers do not wait for the acknowledgement of earlier ones, and a peer whose
 * computer is gone is found. */
void uvr_stream_uv_tune_tcp(uv_tcp_t *tcp);

/* The handle inside. Its `data` is the stream's own. */
uv_stream_t *uvr_stream_uv_handle(uvr_stream *stream);

#endif
