/* The public named pipe handle, uvrelay_npipe_t: how a relay adopts one.
 *
 * Its owner calls it through uvrelay/npipe.h. Inside, calls go down only:
 *
 *   handle               making, connecting, listening and closing
 *   reader    writer     reading and writing, which do not know each other
 *   types                what a handle is made of, and its wake-up */
#ifndef UVR_NPIPE_HANDLE_H
#define UVR_NPIPE_HANDLE_H

#include "stream/stream.h"
#include "uvrelay/npipe.h"

/* Connects a handle that is not in use to a stream that was made with the handle's own context. */
void uvr_npipe_adopt(uvrelay_npipe_t *npipe, uvr_stream *stream);

/* Whether a relay on this loop could be given the handle: 0, or a code for uvrelay_start to return. */
int uvr_npipe_check_gift(const uvrelay_npipe_t *npipe, const uv_loop_t *loop);

/* Gives the handle to a relay, which ends it by uvr_npipe_release. */
void uvr_npipe_give(uvrelay_npipe_t *npipe);

/* Returns the handle's stream, which now belongs to the caller, or NULL while a cancelled read is still under way: ask
 * again later. */
uvr_stream *uvr_npipe_detach_stream(uvrelay_npipe_t *npipe);

/* Closes a handle that was given. `cb`, which may be NULL, is called later, and on_closed after it, last. A stream that
 * was detached must be closed before this call. */
void uvr_npipe_release(uvrelay_npipe_t *npipe, uvrelay_npipe_close_cb cb, uvr_close_cb on_closed, void *user);

#endif
