/* One direction of a descriptor that only blocking calls can use (a file, a console, an anonymous Windows pipe) as
 * a stream: they are made on libuv's thread pool. */
#ifndef UVR_STREAM_FD_H
#define UVR_STREAM_FD_H

#include "stream/stream.h"

/* The blocking calls of such a stream, which a stream around it can use as its own. */
uvr_outcome uvr_stream_fd_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error);
uvr_outcome uvr_stream_fd_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error);

/* Whether the reader of what is written is known to be gone. Not while a write is under way, which will find out by
 * itself: Windows would let the question wait for it. */
bool uvr_stream_fd_reader_gone(uvr_stream *stream);

/* A stream that reads from `fd` or writes to it, one of the two. `name` must last as long as the stream. The
 * descriptor belongs to the stream. Closing it waits for a read or write that is under way, as no system lets us
 * take one back safely; a program that ends need not wait. Returns 0 or UV_ENOMEM (then `fd` stays the caller's). */
int uvr_stream_fd_new(uvr_context *context, uv_file fd, const char *name, uvr_stream **out);

#endif
