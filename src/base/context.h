/* What every part of a relay works with: the owner's loop, memory and log, and what its streams share. */
#ifndef UVR_BASE_CONTEXT_H
#define UVR_BASE_CONTEXT_H

#include <uv.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"

/* How long the relay waits for others before it goes on, in milliseconds. Tests shorten these. */
typedef struct uvr_patience {
  unsigned last_writes_ms;  /* without progress: for what the left side sent before it was lost */
  unsigned stall_ms;        /* the same, where the left side is a client and the target takes nothing at all */
  unsigned stall_look_ms;   /* between two looks for a client that was lost meanwhile */
  unsigned watch_ms;        /* between two looks whether a half-closed peer is still there */
  unsigned close_ms;        /* for a peer to take the last bytes of a connection that is being closed */
  unsigned unsent_look_ms;  /* between two looks whether it has */
  unsigned last_words_ms;   /* for the other end of a mux to learn why its carrier is closed */
  unsigned overdue_ms;      /* for the answer to a ping, after its time is up: this process may have been stopped */
  unsigned accept_retry_ms; /* between two attempts to accept a client for whom there are no descriptors */
  unsigned relief_ms;       /* without trouble, until accepting is said to go on */
  unsigned credentials_ms;  /* for the credentials of a libassuan server that expects short ones */
  unsigned flush_ms; /* for the reader of a named pipe to take what precedes the zero-byte message, which is then sent
                        anyway */
  unsigned thread_retry_ms; /* between two requests to a thread to leave a blocking call */
  unsigned stdio_look_ms;   /* between two looks whether standard output has lost its reader */
} uvr_patience;

struct uvr_event_pool; /* event_pool_win.h */

typedef struct uvr_context {
  uv_loop_t *loop;
  uvrelay_allocator_t memory;
  uvrelay_log_t log;
  uvr_buffer_pool buffers;
  size_t message_size; /* the longest message that is kept whole from pipe to pipe, in bytes */
  uvr_patience patience;
  bool threads;                  /* pumps may each occupy a thread of libuv's pool */
  struct uvr_event_pool *events; /* Windows only; else NULL */
} uvr_context;

/* Whoever makes it may then change the size of its large buffers, message_size (at first 16 MiB), patience and threads
 * (at first false). Must outlive all that uses it. Returns 0 or UV_ENOMEM. */
int uvr_context_init(uvr_context *context, uv_loop_t *loop, const uvrelay_allocator_t *memory,
                     const uvrelay_log_t *log);

/* Frees what is shared. Only when every stream, dial and session made with it is closed. */
void uvr_context_clear(uvr_context *context);

#endif
