/* The few things that each system does its own way: os_unix.c and os_win.c. */
#ifndef UVR_BASE_OS_H
#define UVR_BASE_OS_H

#include <stdbool.h>

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

/* Whether the peer of a socket is gone, which libuv shows no more once its end of input was read: 1 or 0; an error code
 * where that cannot be asked. */
int uvr_os_is_hung_up(const uv_stream_t *stream);

/* The error that a socket has met and not yet told, as a libuv code, or 0. It is told once. */
int uvr_os_pending_error(const uv_stream_t *stream);

/* How many bytes that were written to a TCP connection its peer has not acknowledged; 0 where that cannot be told. */
size_t uvr_os_unsent(const uv_stream_t *stream);

/* Keeps a descriptor of the process free until it is released, so that a connection to be made can have it. Returns
 * what uvr_os_close_spare_fd takes; 0 where none is to be had, or where they are never short. */
int uvr_os_open_spare_fd(const uv_loop_t *loop);

/* Releases it, if there is one, and sets it to 0. */
void uvr_os_close_spare_fd(int *spare_fd);

#endif
