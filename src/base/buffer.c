/* The pool of relay buffers: see buffer.h. It keeps a bounded number of each size and frees the rest. */
#include "base/buffer.h"

enum { SMALL_KEPT = 64, LARGE_KEPT = 8, LARGE_KEPT_BYTES = 512 * 1024 };

void uvr_buffer_pool_init(uvr_buffer_pool *pool, const uvrelay_allocator_t *memory)
{
  *pool = (uvr_buffer_pool){.memory = memory, .large = UVR_BUFFER_LARGE};
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

uvr_buffer *uvr_buffer_new(uvr_buffer_pool *pool, size_t capacity)
{
  /* Not zeroed: every byte that is read is written first. */
  uvr_buffer *buffer = pool->memory->allocate(pool->memory->user, sizeof(*buffer) + capacity);
  if (buffer != NULL) {
    *buffer = (uvr_buffer){.capacity = capacity};
  }
  return buffer;
}

uvr_buffer *uvr_buffer_get(uvr_buffer_pool *pool, size_t wanted)
{
  bool is_small = wanted <= UVR_BUFFER_SMALL || pool->large <= UVR_BUFFER_SMALL;
  uvr_buffer **list = is_small ? &pool->small_free : &pool->large_free;
  size_t *count = is_small ? &pool->small_count : &pool->large_count;
  uvr_buffer *buffer = *list;
  if (buffer == NULL) {
    return uvr_buffer_new(pool, is_small ? UVR_BUFFER_SMALL : pool->large);
  }
  *list = buffer->next;
  (*count)--;
  buffer->next = NULL;
  buffer->length = 0;
  buffer->end_of_message = false;
  return buffer;
}

void uvr_buffer_put(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  if (buffer == NULL) {
    return;
  }
  bool is_small = buffer->capacity == UVR_BUFFER_SMALL;
  uvr_buffer **list = is_small ? &pool->small_free : &pool->large_free;
  size_t *count = is_small ? &pool->small_count : &pool->large_count;
  bool keep = is_small ? *count < SMALL_KEPT
                       : buffer->capacity == pool->large && *count < LARGE_KEPT &&
                             (*count == 0 || (*count + 1) * pool->large <= LARGE_KEPT_BYTES);
  if (!keep) {
    uvr_free(pool->memory, buffer);
    return;
  }
  buffer->next = *list;
  *list = buffer;
  (*count)++;
}
