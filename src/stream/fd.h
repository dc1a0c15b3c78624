/* One direction of a descriptor that only blocking calls can use (a file, a console, an anonymous Windows pipe), as a
 * stream. The calls are made on libuv's thread pool. */
#ifndef UVR_STREAM_FD_H
#define UVR_STREAM_FD_H

#include "stream/stream.h"

/* The blocking calls of such a stream, for a stream that is made of it. */
uvr_outcome uvr_stream_fd_read(uvr_stream *stream, uvr_buffer *buffer, uvrelay_error_t *error);
uvr_outcome uvr_stream_fd_write(uvr_stream *stream, const char *data, size_t length, uvrelay_error_t *error);

/* Whether the reader of what is written is known to have left. False while a write is under way, which notices that
 * itself: on Windows the query would wait for the write. */
bool uvr_stream_fd_reader_gone(uvr_stream *stream);

/* Makes a call that is under way end, where the system can do that, and each later one fail. Returns whether none is
 * left under way; may take a tenth of a second to find that one is. */
bool uvr_stream_fd_leave(uvr_stream *stream);

/* Makes a stream that either reads from `fd` or writes to it. `name` must last as long as the stream. The descriptor
 * belongs to the stream. Closing the stream waits for a read or a write that is under way, as no system can cancel one
 * safely; a program that is exiting need not wait. `both_ways`: another stream goes the other way over the same open
 * file, see uvr_blocking_file_of(). Returns 0, or UV_ENOMEM, and then `fd` still belongs to the caller. */
int uvr_stream_fd_new(uvr_context *context, uv_file fd, bool both_ways, const char *name, uvr_stream **out);

#endif
