/* A descriptor of whatever kind, used by calls that block: a file, a console, a pipe, a socket.
 *
 * Other processes may share it, and may have left it, or leave it at any time, in a state in which calls do not wait
 * (O_NONBLOCK on Unix, PIPE_NOWAIT on Windows). That is not changed here: such a call is repeated, after a pause or
 * when the system says that it can go on, and nothing is lost. */
#ifndef UVR_STREAM_BLOCKING_FILE_H
#define UVR_STREAM_BLOCKING_FILE_H

#include <stdbool.h>

#include <uv.h>

typedef struct uvr_blocking_file {
  uv_file fd;
  bool overlapped;         /* on Windows: a call must say how it waits */
  bool looks;              /* on Windows: a read must not wait in the system */
  bool special;            /* on Windows: the C library's calls would fail, or lose bytes */
  volatile long cancelled; /* on Windows: no further call may begin */
} uvr_blocking_file;

/* Looks what the descriptor needs. It stays its owner's. `both_ways`: another thread writes to the same open file, or
 * reads from it, meanwhile; as Windows lets only one call at a time into a pipe that is not overlapped, a read of such
 * a one looks from time to time whether there is something, instead of waiting in the system. */
uvr_blocking_file uvr_blocking_file_of(uv_file fd, bool both_ways);

/* Reads once, at the current position. Returns the number of bytes; 0 at the end of the input, but not where somebody
 * has written nothing to a byte-type pipe; or a libuv code. */
ssize_t uvr_blocking_file_read(const uvr_blocking_file *file, char *data, size_t size);

/* Writes everything, at the current position. Returns 0 or a libuv code. */
int uvr_blocking_file_write(const uvr_blocking_file *file, const char *data, size_t length);

/* Makes calls that other threads are inside, and all later ones, return UV_ECANCELED soon, where the system can do
 * that; as a call that is just beginning is missed, it must be repeated until none is inside. No byte is lost. */
void uvr_blocking_file_cancel(uvr_blocking_file *file);

#endif
