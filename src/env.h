/* What every part of a relay works with: the owner's loop, memory and log, and what its streams share. */
#ifndef UVR_ENV_H
#define UVR_ENV_H

#include <uv.h>

#include "buffer.h"
#include "log.h"
#include "memory.h"

struct uvr_event_pool; /* src/win/event_pool.h */

typedef struct uvr_env {
  uv_loop_t *loop;
  uvrelay_allocator_t memory;
  uvrelay_log_t log;
  uvr_buffer_pool buffers;
  size_t message_size;           /* the longest message that is kept whole from pipe to pipe, in bytes */
  bool threads;                  /* pumps may each occupy a thread of libuv's pool */
  struct uvr_event_pool *events; /* Windows only; else NULL */
} uvr_env;

/* Whoever makes it may then change the size of its large buffers, message_size (at first 16 MiB) and threads (at first
 * false). Must outlive all that uses it. Returns 0 or UV_ENOMEM. */
int uvr_env_init(uvr_env *env, uv_loop_t *loop, const uvrelay_allocator_t *memory, const uvrelay_log_t *log);

/* Frees what is shared. Only when every stream, dial and session made with it is closed. */
void uvr_env_clear(uvr_env *env);

#endif
