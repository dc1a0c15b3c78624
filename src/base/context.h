/* What every part of a relay works with: the owner's loop, memory and log, and what its streams share. */
#ifndef UVR_BASE_CONTEXT_H
#define UVR_BASE_CONTEXT_H

#include <uv.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"

struct uvr_event_pool; /* event_pool_win.h */

typedef struct uvr_context {
  uv_loop_t *loop;
  uvrelay_allocator_t memory;
  uvrelay_log_t log;
  uvr_buffer_pool buffers;
  size_t message_size;           /* the longest message that is kept whole from pipe to pipe, in bytes */
  bool threads;                  /* pumps may each occupy a thread of libuv's pool */
  struct uvr_event_pool *events; /* Windows only; else NULL */
} uvr_context;

/* Whoever makes it may then change the size of its large buffers, message_size (at first 16 MiB) and threads (at first
 * false). Must outlive all that uses it. Returns 0 or UV_ENOMEM. */
int uvr_context_init(uvr_context *context, uv_loop_t *loop, const uvrelay_allocator_t *memory,
                     const uvrelay_log_t *log);

/* Frees what is shared. Only when every stream, dial and session made with it is closed. */
void uvr_context_clear(uvr_context *context);

#endif
