/* The event pool: a stack of handles behind a mutex; see event_pool.h. */
#include "base/event_pool_win.h"

struct uvr_event_pool {
  const uvrelay_allocator_t *memory;
  CRITICAL_SECTION mutex;
  size_t count;
  HANDLE events[UVR_EVENT_POOL_KEPT];
};

uvr_event_pool *uvr_event_pool_new(const uvrelay_allocator_t *memory)
{
  uvr_event_pool *pool = uvr_alloc(memory, sizeof(*pool));
  if (pool != NULL) {
    pool->memory = memory;
    InitializeCriticalSection(&pool->mutex);
  }
  return pool;
}

void uvr_event_pool_free(uvr_event_pool *pool)
{
  if (pool == NULL) {
    return;
  }
  while (pool->count > 0) {
    (void)CloseHandle(pool->events[--pool->count]);
  }
  DeleteCriticalSection(&pool->mutex);
  uvr_free(pool->memory, pool);
}

HANDLE uvr_event_pool_get(uvr_event_pool *pool)
{
  HANDLE event = NULL;
  EnterCriticalSection(&pool->mutex);
  if (pool->count > 0) {
    event = pool->events[--pool->count];
  }
  LeaveCriticalSection(&pool->mutex);
  return event != NULL ? event : CreateEventW(NULL, TRUE, FALSE, NULL);
}

void uvr_event_pool_put(uvr_event_pool *pool, HANDLE event)
{
  (void)ResetEvent(event);
  EnterCriticalSection(&pool->mutex);
  if (pool->count < UVR_EVENT_POOL_KEPT) {
    pool->events[pool->count++] = event;
    event = NULL;
  }
  LeaveCriticalSection(&pool->mutex);
  if (event != NULL) {
    (void)CloseHandle(event);
  }
}
