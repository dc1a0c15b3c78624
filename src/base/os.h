/* The few things that each system does in its own way: os_unix.c and os_win.c. */
#ifndef UVR_BASE_OS_H
#define UVR_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/memory.h"

struct uvr_event_pool; /* event_pool_win.h */

/* Makes the pool of events that Windows' streams share; on Unix *events becomes NULL. Returns 0 or UV_ENOMEM. */
int uvr_os_new_events(const uvrelay_allocator_t *memory, struct uvr_event_pool **events);
void uvr_os_free_events(struct uvr_event_pool *events);

/* Whether this system has named pipes. */
bool uvr_os_has_npipes(void);

/* Whether a uv_pipe_t can be half-closed and still be read from. */
bool uvr_os_pipes_half_close(void);

/* Half-closes a connected socket to which no write of libuv's is under way. Returns 0 or a libuv code. */
int uvr_os_shutdown(const uv_stream_t *stream);

/* Whether the peer of a socket is gone, which libuv no longer shows after the end of input: 1 or 0, or an error code
 * where the system cannot tell. `output_ended`: this side has half-closed it. */
int uvr_os_is_hung_up(const uv_stream_t *stream, bool output_ended);

/* The socket's pending error, as a libuv code, or 0. Asking clears it. */
int uvr_os_pending_error(const uv_stream_t *stream);

/* Whether the peer of a socket has ended its output, and nothing of that is left to read. */
bool uvr_os_input_is_over(const uv_stream_t *stream);

/* Whether uvr_os_read can read; else libuv must. */
bool uvr_os_reads_streams(void);

/* Reads what is there. Returns the number of bytes, not 0; or UV_EOF, UV_EAGAIN or another error. *is_pipe, false
 * before the first read, becomes true if the stream is not a socket. Descriptors that come with the bytes are dropped;
 * *descriptors, unless that is NULL, says whether there were any. */
ssize_t uvr_os_read(const uv_stream_t *stream, char *data, size_t size, bool *is_pipe, bool *descriptors);

/* Reads and sets what becomes of a TCP connection when its socket is closed, if only by the end of the process
 * (SO_LINGER): with {1, 0} it is reset, and what the system has not sent yet is lost. Returns whether it could. */
bool uvr_os_get_linger(const uv_stream_t *stream, struct linger *out);
bool uvr_os_set_linger(const uv_stream_t *stream, const struct linger *linger);

/* How many bytes written to a TCP connection its peer has not acknowledged yet, or an error code where the system
 * cannot tell. */
int uvr_os_unsent(const uv_stream_t *stream);

/* Connects a new TCP handle, which has a socket, to an address of this computer: there, most systems know at once how
 * that ends. Returns 0: it is connected; UV_EALREADY: a write to it waits until it is; UV_ENOSYS: the system does not
 * know at once, and nothing was done; any other code: it cannot be connected. */
int uvr_os_connect(uv_tcp_t *tcp, const struct sockaddr *ip);

/* Whether an IP address, whose port is 0, is one of this computer's. `length` is that of the struct, in bytes. */
bool uvr_os_has_ip(const struct sockaddr *address, size_t length);

/* Occupies a descriptor, so that closing it later leaves one for a connection when the process has no other. Returns
 * what uvr_os_close_spare_fd needs; 0 where there is none left, or where the system never runs short of them. */
int uvr_os_open_spare_fd(const uv_loop_t *loop);

/* Closes the spare descriptor, if there is one, and sets *spare_fd to 0. */
void uvr_os_close_spare_fd(int *spare_fd);

#endif
