/* What every part of a relay uses: its owner's loop, memory and log, and what its streams share. */
#ifndef UVR_BASE_CONTEXT_H
#define UVR_BASE_CONTEXT_H

#include <uv.h>

#include "base/alarm.h"
#include "base/buffer.h"
#include "base/closing.h"
#include "base/log.h"
#include "base/memory.h"

/* How long the library waits for others, in milliseconds. Tests shorten these times. */
typedef struct uvr_patience {
  unsigned last_writes_ms;  /* for what the left side sent before it was lost, while no byte of it is written */
  unsigned stall_ms;        /* the same, where the left side is a client and the target accepts no byte at all */
  unsigned stall_look_ms;   /* between two checks for a client that was lost in the meantime */
  unsigned watch_ms;        /* between two checks whether a half-closed peer is still there */
  unsigned close_ms;        /* for a peer to receive the last bytes of a connection that is being closed */
  unsigned unsent_look_ms;  /* between two checks whether it has received them */
  unsigned last_words_ms;   /* for the other end of a mux to learn why its carrier is closed */
  unsigned unheard_ms;      /* for anything from the far end of a mux that was sent something, before it is pinged */
  unsigned overdue_ms;      /* for an overdue answer to a ping, as this process may have been suspended */
  unsigned accept_retry_ms; /* between two attempts to accept a client when descriptors have run out */
  unsigned relief_ms;       /* without a failure, before a route reports that it accepts again */
  unsigned credentials_ms;  /* for the credentials of a libassuan server that expects short ones */
  unsigned flush_ms; /* for the reader of a named pipe to read what precedes the zero-byte message; when it is over, the
                        message is sent anyway */
  unsigned thread_retry_ms;   /* between two requests to a thread to leave a blocking call */
  unsigned stdio_look_ms;     /* between two checks whether standard output has lost its reader */
  unsigned look_up_memory_ms; /* before a name whose look-up has failed is looked up again */
} uvr_patience;

struct uvr_event_pool; /* event_pool_win.h */
struct uvr_offload;    /* endpoint/offload.h */
struct uvr_hangups;    /* stream/hangup.h */

typedef struct uvr_context {
  uv_loop_t *loop;
  uvrelay_allocator_t memory;
  uvrelay_log_t log;
  uvrelay_log_t warnings; /* of what a relay cannot do for its peers */
  uvr_buffer_pool buffers;
  uvr_clock *clock;    /* for all alarms */
  size_t message_size; /* the longest message that is kept whole from pipe to pipe, in bytes */
  uvr_patience patience;
  bool remote_files;             /* socket files may be on other computers */
  bool threads;                  /* pumps may each start a thread */
  struct uvr_event_pool *events; /* Windows only; else NULL */
  struct uvr_offload *offload;   /* made by those who connect to addresses; else NULL */
  struct uvr_hangups *hangups;   /* made while streams watch for one; else NULL */
  unsigned room;                 /* for how many clients more there are descriptors, as far as is known: see
                                    endpoint/room_unix.h; 0: it is not known */
  uvr_closing *leftovers;        /* the owner's, which waits for it: counts what is being closed after a failure and has
                                    no other owner by then; NULL: the owner runs the loop until all is closed */
} uvr_context;

/* Initialises a context, which must outlive everything that uses it. Its owner may then change the size of its large
 * buffers, message_size (16 MiB at first), patience and threads (false at first). Returns 0 or UV_ENOMEM. */
int uvr_context_init(uvr_context *context, uv_loop_t *loop, const uvrelay_allocator_t *memory,
                     const uvrelay_log_t *log);

/* Frees what is shared. Every stream, dial and session made with the context must be closed before, and then the clock,
 * if an alarm was ever set. */
void uvr_context_clear(uvr_context *context);

#endif
