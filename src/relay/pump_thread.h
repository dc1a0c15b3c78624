/* A pump that runs on a thread of its own, between two streams that offer blocking calls. */
#ifndef UVR_RELAY_PUMP_THREAD_H
#define UVR_RELAY_PUMP_THREAD_H

#include <stdint.h>

#include "stream/stream.h"

typedef struct uvr_pump_thread uvr_pump_thread;

/* Reports how the pump ended: by this outcome, which is not UVR_DONE, of a read (`reading`) or else of a write. */
typedef void (*uvr_pump_thread_cb)(void *user, bool reading, uvr_outcome outcome, const uvrelay_error_t *error);

/* Starts a pump. on_end is called once, from the loop, unless the pump is stopped first. Returns NULL when there is no
 * memory or no thread. */
uvr_pump_thread *uvr_pump_thread_start(uvr_stream *source, uvr_stream *sink, uvr_pump_thread_cb on_end, void *user);

/* Asks the blocking call that is under way to return, and stops the pump after it. As the call may miss this, repeat it
 * while the thread is inside a stream. */
void uvr_pump_thread_stop(uvr_pump_thread *thread);

/* Returns the stream inside whose read or write the thread is, or NULL. After uvr_pump_thread_stop the thread does not
 * enter a stream again. */
const uvr_stream *uvr_pump_thread_inside(uvr_pump_thread *thread);

/* Whether something that was read is not written yet. */
bool uvr_pump_thread_is_holding(uvr_pump_thread *thread);

uint64_t uvr_pump_thread_bytes(uvr_pump_thread *thread);

/* Frees the pump, with the loop's next turn, and returns true; or returns false if it has not ended yet. */
bool uvr_pump_thread_free(uvr_pump_thread *thread);

#endif
