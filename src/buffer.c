/* The pool of relay buffers: see buffer.h. It keeps a bounded number of each size and frees the rest. */
#include "buffer.h"

enum { SMALL_KEPT = 64, LARGE_KEPT = 8 };

void uvr_buffer_pool_init(uvr_buffer_pool *pool, const uvr_memory *memory)
{
  *pool = (uvr_buffer_pool){.memory = memory};
}

static void clear_list(uvr_buffer_pool *pool, uvr_buffer **list)
{
  while (*list != NULL) {
    uvr_buffer *buffer = *list;
    *list = buffer->next;
    uvr_free(pool->memory, buffer);
  }
}

void uvr_buffer_pool_clear(uvr_buffer_pool *pool)
{
  clear_list(pool, &pool->small_free);
  clear_list(pool, &pool->large_free);
  pool->small_count = 0;
  pool->large_count = 0;
}

uvr_buffer *uvr_buffer_get(uvr_buffer_pool *pool, size_t capacity)
{
  bool small = capacity == UVR_BUFFER_SMALL;
  uvr_buffer **list = small ? &pool->small_free : &pool->large_free;
  size_t *count = small ? &pool->small_count : &pool->large_count;
  uvr_buffer *buffer = *list;
  if (buffer != NULL) {
    *list = buffer->next;
    (*count)--;
  } else {
    /* Not zeroed: every byte that is read is written first. */
    buffer = pool->memory->allocate(pool->memory->user, sizeof(*buffer) + capacity);
    if (buffer == NULL) {
      return NULL;
    }
  }
  buffer->next = NULL;
  buffer->capacity = capacity;
  buffer->length = 0;
  buffer->end_of_message = false;
  return buffer;
}

void uvr_buffer_put(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  if (buffer == NULL) {
    return;
  }
  bool small = buffer->capacity == UVR_BUFFER_SMALL;
  uvr_buffer **list = small ? &pool->small_free : &pool->large_free;
  size_t *count = small ? &pool->small_count : &pool->large_count;
  size_t kept = small ? SMALL_KEPT : LARGE_KEPT;
  if (*count >= kept) {
    uvr_free(pool->memory, buffer);
    return;
  }
  buffer->next = *list;
  *list = buffer;
  (*count)++;
}
