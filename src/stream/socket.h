/* One direction of a connected socket that other processes may share, as a stream; on Windows, both directions. Unlike
 * a libuv handle, it leaves the socket blocking if it was; but not on Windows, where it is an overlapped socket as a
 * uv_tcp_t.
 */
#ifndef UVR_STREAM_SOCKET_H
#define UVR_STREAM_SOCKET_H

#include "stream/stream.h"

/* Makes a stream that either reads from the socket or writes to it. Its half-close shuts down the socket's output.
 * `name` must last as long as the stream. Closing the stream closes *fd; on Windows *fd becomes -1, as the stream has a
 * handle of its own. Returns 0; or a negative code: then *fd still belongs to the caller, and *out is unchanged or a
 * stream that must be closed. */
int uvr_stream_socket_new(uvr_context *context, uv_file *fd, bool reads, const char *name, uvr_stream **out);

#endif
