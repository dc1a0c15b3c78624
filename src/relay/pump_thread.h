/* A direction of a relay as one job on libuv's thread pool, between two streams that offer blocking calls. */
#ifndef UVR_RELAY_PUMP_THREAD_H
#define UVR_RELAY_PUMP_THREAD_H

#include <stdint.h>

#include "stream/stream.h"

typedef struct uvr_pump_thread uvr_pump_thread;

/* How the job ended: `outcome`, which is not UVR_DONE, of a read (`reading`) or of a write. */
typedef void (*uvr_pump_thread_cb)(void *user, bool reading, uvr_outcome outcome, const uvrelay_error_t *error);

/* Starts the job. on_end comes once, from the loop, unless it was stopped. NULL when there is no memory. */
uvr_pump_thread *uvr_pump_thread_start(uvr_stream *source, uvr_stream *sink, uvr_pump_thread_cb on_end, void *user);

/* Makes it end after the call that it is in, which it asks to return. May be missed: repeat it while the job is
 * inside a stream. */
void uvr_pump_thread_stop(uvr_pump_thread *job);

/* The stream inside whose read or write the job is, or NULL. After uvr_pump_thread_stop it goes into no other. */
const uvr_stream *uvr_pump_thread_inside(uvr_pump_thread *job);

/* Whether it has read something that is not yet written. */
bool uvr_pump_thread_is_holding(uvr_pump_thread *job);

uint64_t uvr_pump_thread_bytes(uvr_pump_thread *job);

/* Frees the job and returns true, or returns false when it has not ended. */
bool uvr_pump_thread_free(uvr_pump_thread *job);

#endif
