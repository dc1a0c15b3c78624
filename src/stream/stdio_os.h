/* What the system knows of a standard descriptor. */
#ifndef UVR_STREAM_STDIO_OS_H
#define UVR_STREAM_STDIO_OS_H

#include <stdbool.h>

#include <uv.h>

#include "stream/stream.h"

typedef enum uvr_stdio_kind {
  UVR_STDIO_CLOSED,   /* not open */
  UVR_STDIO_BLOCKING, /* files, consoles, Windows pipes and sockets that are not overlapped, and whatever is unknown */
  UVR_STDIO_PIPE,     /* a uv_pipe_t can open it; its half-close is to close it */
  UVR_STDIO_SOCKET,   /* its half-close is a shutdown; on Windows, an overlapped one */
  UVR_STDIO_NPIPE     /* a Windows pipe that only uvr_npipe_stream can read */
} uvr_stdio_kind;

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd);

/* Prepares a pipe for uv_pipe_open(), which makes it non-blocking: replaces *fd by another descriptor of the same pipe
 * whose state no other process shares, and closes the old one. Returns false if that is not possible. Then the pipe
 * must be used by calls that may block. */
bool uvr_stdio_unshare(uv_file *fd);

/* Makes a Windows pipe wait that does not (PIPE_NOWAIT), as others have left it. Returns what uvr_stdio_restore()
 * needs; 0 if it waits already, or may not be changed, or is no such pipe. */
unsigned uvr_stdio_make_wait(uv_file fd);

/* Gives a pipe its state back. No other thread may be inside a call with it, as this would wait for its end. */
void uvr_stdio_restore(uv_file fd, unsigned state);

/* Whether two descriptors are one open file that must be used by one stream. On Unix each has a stream of its own. */
bool uvr_stdio_is_one(uv_file input, uv_file output);

/* What a descriptor is that cannot be read from or written to as a stream of bytes, such as "a socket that listens, not
 * a connection"; NULL if it can. */
const char *uvr_stdio_unfit(uv_file fd);

/* Whether it may be a socket, as far as that shows before the system's sockets are initialised. */
bool uvr_stdio_may_be_socket(uv_file fd);

/* Whether it is one. */
bool uvr_stdio_is_socket(uv_file fd);

/* Ends the output of a socket that is used by calls that block, before it is closed. */
void uvr_stdio_end_output(uv_file fd);

/* Whether a socket holds input that has not been read. */
bool uvr_stdio_has_input(uv_file fd);

/* Whether the writer of a pipe, or the peer of a socket, has ended the input. Nothing may be reading, in no other
 * process that shares the descriptor either: on Windows this would wait for that. */
uvr_input_state uvr_stdio_input_state(uv_file fd);

bool uvr_stdio_is_tcp(uv_file fd);

/* Whether closing a socket now may lose what was written to it: the peer of a TCP connection has not received all yet,
 * and may still send, which resets a connection that is closed. */
bool uvr_stdio_may_lose(uv_file fd);

/* Whether the reader at the other end of this pipe or socket is known to have left. Never blocks. */
bool uvr_stdio_reader_gone(uv_file fd);

/* Moves a standard descriptor to another number, so that libuv, which never closes 0, 1 and 2, can close it. The old
 * number becomes the null device. Returns the new number; or `fd` itself if that is not open; or, if there is no number
 * left, a libuv code, which uvr_stream_stdio_new() reports, and the descriptor is closed. */
uv_file uvr_stdio_detach(uv_file fd);

/* Closes a descriptor, standard ones too. */
void uvr_stdio_close(uv_file fd);

#endif
