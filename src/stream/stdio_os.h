/* What the relay must know of a standard descriptor from the system: stdio_os_unix.c and stdio_os_win.c. */
#ifndef UVR_STREAM_STDIO_OS_H
#define UVR_STREAM_STDIO_OS_H

#include <stdbool.h>

#include <uv.h>

typedef enum uvr_stdio_kind {
  UVR_STDIO_CLOSED,   /* there is none */
  UVR_STDIO_BLOCKING, /* files, consoles, anonymous Windows pipes, and whatever is unknown */
  UVR_STDIO_PIPE,     /* a uv_pipe_t can open it; ends by being closed */
  UVR_STDIO_SOCKET,   /* the same, and ends by a shutdown */
  UVR_STDIO_NPIPE,    /* a Windows pipe that only uvr_npipe_stream can read */
  UVR_STDIO_TCP       /* a uv_tcp_t can open it */
} uvr_stdio_kind;

uvr_stdio_kind uvr_stdio_kind_of(uv_file fd);

/* The state of a descriptor that opening it with libuv changes and that other processes may share (O_NONBLOCK), and
 * its way back. */
int uvr_stdio_state(uv_file fd);
void uvr_stdio_restore(uv_file fd, int state);

/* Makes a descriptor that is used by blocking calls block, should it not. */
void uvr_stdio_set_blocking(uv_file fd);

/* Whether a socket holds input that has not been read. */
bool uvr_stdio_has_input(uv_file fd);

/* Whether the reader at the other end of this pipe or socket is known to be gone. Never blocks. */
bool uvr_stdio_reader_gone(uv_file fd);

/* Takes a standard descriptor out of its place, so that libuv, which leaves 0, 1 and 2 open, can close it: gives
 * another one for the same file, with the null device behind the old one. Gives `fd` itself when it is closed. */
uv_file uvr_stdio_take(uv_file fd);

/* Closes a descriptor, standard ones too. */
void uvr_stdio_close(uv_file fd);

#endif
