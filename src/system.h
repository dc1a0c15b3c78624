/* The few things that each system does its own way: src/unix/system.c and src/win/system.c. */
#ifndef UVR_SYSTEM_H
#define UVR_SYSTEM_H

#include <stdbool.h>

#include "address.h"
#include "env.h"

/* Makes and frees what env.h says only one system has. */
int uvr_system_init(uvr_env *env);
void uvr_system_clear(uvr_env *env);

/* Whether this system has named pipes. */
bool uvr_system_has_npipes(void);

/* Whether a uv_pipe_t can be half-closed and still be read from. */
bool uvr_system_pipes_half_close(void);

/* NULL when this system can dial the address; else why not, and what could be done: a sentence's text. */
const char *uvr_system_lacks(const uvr_address *address);

/* The same for listening. */
const char *uvr_system_lacks_listener(uvr_address_kind kind);

/* Whether the peer of a socket is gone, which libuv shows no more once its end of input was read: 1 or 0; an error code
 * where that cannot be asked. */
int uvr_system_is_hung_up(const uv_stream_t *stream);

/* The error that a socket has met and not yet told, as a libuv code, or 0. It is told once. */
int uvr_system_pending_error(const uv_stream_t *stream);

/* How many bytes that were written to a TCP connection its peer has not acknowledged; 0 where that cannot be told. */
size_t uvr_system_unsent(const uv_stream_t *stream);

/* Keeps a descriptor of the process free until it is released, so that a connection to be made can have it. Returns
 * what uvr_system_release takes; 0 where none is to be had, or where they are never short. */
int uvr_system_reserve(const uv_loop_t *loop);

/* Releases it, if there is one, and sets it to 0. */
void uvr_system_release(int *reserved);

#endif
