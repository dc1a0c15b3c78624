/* The pool of relay buffers: see buffer.h. It keeps a bounded number of each size and frees the rest. */
#include "base/buffer.h"

enum { SMALL_KEPT = 64, LARGE_KEPT = 8, LARGE_KEPT_BYTES = 512 * 1024, HUGE_KEPT_BYTES = 1024 * 1024 };

/* The kept buffers of one size. */
typedef struct kept {
  uvr_buffer **list;
  size_t *count;
  size_t most; /* of them */
} kept;

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
  clear_list(pool, &pool->huge_free);
  clear_list(pool, &pool->giant_free);
  uvr_splice_clear(pool);
  pool->small_count = 0;
  pool->large_count = 0;
  pool->huge_count = 0;
  pool->giant_count = 0;
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

static size_t at_least_one(size_t n)
{
  return n > 0 ? n : 1;
}

static kept kept_of(uvr_buffer_pool *pool, size_t capacity)
{
  if (capacity == UVR_BUFFER_SMALL) {
    return (kept){&pool->small_free, &pool->small_count, SMALL_KEPT};
  }
  if (capacity == pool->large) {
    size_t most = at_least_one(LARGE_KEPT_BYTES / capacity);
    return (kept){&pool->large_free, &pool->large_count, most < LARGE_KEPT ? most : LARGE_KEPT};
  }
  if (capacity == pool->huge) {
    return (kept){&pool->huge_free, &pool->huge_count, at_least_one(HUGE_KEPT_BYTES / capacity)};
  }
  if (capacity == pool->giant) {
    return (kept){&pool->giant_free, &pool->giant_count, at_least_one(HUGE_KEPT_BYTES / capacity)};
  }
  return (kept){0};
}

static uvr_buffer *get(uvr_buffer_pool *pool, size_t capacity)
{
  kept of = kept_of(pool, capacity);
  uvr_buffer *buffer = *of.list;
  if (buffer == NULL) {
    return uvr_buffer_new(pool, capacity);
  }
  *of.list = buffer->next;
  (*of.count)--;
  buffer->next = NULL;
  buffer->length = 0;
  buffer->before = 0;
  buffer->end_of_message = false;
  return buffer;
}

uvr_buffer *uvr_buffer_get(uvr_buffer_pool *pool, size_t wanted)
{
  bool is_small = wanted <= UVR_BUFFER_SMALL || pool->large <= UVR_BUFFER_SMALL;
  return get(pool, is_small ? UVR_BUFFER_SMALL : pool->large);
}

uvr_buffer *uvr_buffer_get_huge(uvr_buffer_pool *pool)
{
  return get(pool, pool->huge);
}

uvr_buffer *uvr_buffer_get_giant(uvr_buffer_pool *pool)
{
  return get(pool, pool->giant);
}

void uvr_buffer_put(uvr_buffer_pool *pool, uvr_buffer *buffer)
{
  if (buffer == NULL) {
    return;
  }
  if (buffer->holders > 0) {
    buffer->holders--;
    return;
  }
  if (buffer->splice != NULL) {
    uvr_splice_put(pool, buffer);
    return;
  }
  /* The sizes that the pool does not have are 0. */
  kept of = buffer->capacity > 0 ? kept_of(pool, buffer->capacity) : (kept){0};
  if (of.most == 0 || *of.count >= of.most) {
    uvr_free(pool->memory, buffer);
    return;
  }
  buffer->next = *of.list;
  *of.list = buffer;
  (*of.count)++;
}
