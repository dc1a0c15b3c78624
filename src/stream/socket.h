/* One direction of a connected socket that other processes may share, as a stream. Unlike a libuv handle, it leaves the
 * socket blocking if it was. Windows has no such streams, as none of its standard handles is opened as a socket. */
#ifndef UVR_STREAM_SOCKET_H
#define UVR_STREAM_SOCKET_H

#include "stream/stream.h"

/* Makes a stream that either reads from the socket or writes to it. Its half-close shuts down the socket's output.
 * `name` must last as long as the stream. Closing the stream closes `fd`. Returns 0, or a negative code, and then `fd`
 * still belongs to the caller. */
int uvr_stream_socket_new(uvr_context *context, uv_file fd, bool reads, const char *name, uvr_stream **out);

#endif
