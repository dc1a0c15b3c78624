/* Waits until a stream of libuv's can be written without writing to it: what to write can then be chosen as late as
 * possible. */
#ifndef UVR_STREAM_WRITABLE_H
#define UVR_STREAM_WRITABLE_H

#include "base/context.h"

typedef struct uvr_writable uvr_writable;

/* Calls `on_writable` once, from the loop, when a write to `handle` would not have to wait, or would fail. `*self` is
 * NULL before the first call, and is used again by later ones. Returns false where that is not possible. Must not be
 * called while it waits. */
bool uvr_writable_await(uvr_writable **self, uvr_context *context, const uv_stream_t *handle,
                        void (*on_writable)(void *user), void *user);

/* Ends the waiting, if there is any, and calls `on_closed`, which may be before this returns. `self` may be NULL. Must
 * be called before the handle is closed. */
void uvr_writable_close(uvr_writable *self, uvr_close_cb on_closed, void *user);

#endif
