/* A uv_tcp_t or uv_pipe_t as a stream. */
#ifndef UVR_STREAM_UV_H
#define UVR_STREAM_UV_H

#include "stream/stream.h"

/* Makes a stream around a new handle of `type`, UV_TCP or UV_NAMED_PIPE, not yet connected. The caller connects or
 * opens the handle (uvr_stream_uv_handle), and closes the stream whether that succeeds or not. `name` is copied.
 * Returns 0 or a negative libuv code. */
int uvr_stream_uv_new(uvr_context *context, uv_handle_type type, const char *name, uvr_stream **out);

/* The same for TCP, with a socket of this family, AF_INET or AF_INET6, so that it can be armed before it is connected.
 */
int uvr_stream_uv_new_tcp(uvr_context *context, unsigned family, const char *name, uvr_stream **out);

/* Makes a stream of a connected socket that other processes may share, so that its end shows them no reset. Returns 0;
 * or a negative code: then the socket still belongs to the caller, and *out is NULL or a stream that must be closed. */
int uvr_stream_uv_new_passed(uvr_context *context, uv_os_sock_t socket, const char *name, uvr_stream **out);

/* Makes a stream around a connected handle in somebody else's memory, on the context's loop, which is neither reading
 * nor closing. The stream uses the handle, its `data` included, and closes it. Then it restores `data` and calls
 * on_handle_closed, unless that is NULL, before its own close callback: the handle's memory is its owner's again.
 * `name` is copied. Returns 0 or UV_ENOMEM. */
int uvr_stream_uv_adopt(uvr_context *context, uv_stream_t *handle, uv_close_cb on_handle_closed, const char *name,
                        uvr_stream **out);

/* Undoes uvr_stream_uv_adopt: frees the stream without closing the handle. Only before the stream is used. */
void uvr_stream_uv_give_back(uvr_stream *stream);

/* Sets the options of a stream's own TCP handle that has a socket: no delay (before it matters), so that small writes
 * do not wait for an acknowledgement, and with `keepalive`, that a peer whose computer has vanished is noticed. On the
 * loopback interface, none can. */
void uvr_stream_uv_tune_tcp(uv_tcp_t *tcp, bool keepalive);

/* Says that a new stream's socket is armed already (uvr_stream_arm), as it was accepted on one that is. */
void uvr_stream_uv_set_armed(uvr_stream *stream);

/* The handle inside. Its `data` is the stream's own. */
uv_stream_t *uvr_stream_uv_handle(uvr_stream *stream);

#endif
