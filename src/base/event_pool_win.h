/* A pool of manual-reset events, for operations that must not complete through the loop's completion port. */
#ifndef UVR_BASE_EVENT_POOL_WIN_H
#define UVR_BASE_EVENT_POOL_WIN_H

#include "base/memory.h"

#include <windows.h>

/* How many unused events a pool keeps at most. */
#define UVR_EVENT_POOL_KEPT 16

typedef struct uvr_event_pool uvr_event_pool;

/* An empty pool, or NULL when there is no memory. `memory` must outlive it. */
uvr_event_pool *uvr_event_pool_new(const uvrelay_allocator_t *memory);

/* Closes the events in the pool and frees it. All events must have been put back before. NULL is allowed. */
void uvr_event_pool_free(uvr_event_pool *pool);

/* An unsignaled manual-reset event: the one that was put back last, or a new one; NULL if the system has none, see
 * GetLastError. Callable from any thread. */
HANDLE uvr_event_pool_get(uvr_event_pool *pool);

/* Resets an event and puts it back; closes it if the pool has UVR_EVENT_POOL_KEPT already. Callable from any thread. */
void uvr_event_pool_put(uvr_event_pool *pool, HANDLE event);

#endif
