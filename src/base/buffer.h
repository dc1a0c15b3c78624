/* The buffers of a relay's data, and the pool that keeps a few of them for the next reader.
 *
 * There are two sizes: small ones for reads that wait on an idle connection, large ones for a busy one. A long message
 * gets a buffer of its own size, which is not kept. */
#ifndef UVR_BASE_BUFFER_H
#define UVR_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

#define UVR_BUFFER_SMALL ((size_t)1024)      /* bytes */
#define UVR_BUFFER_LARGE ((size_t)64 * 1024) /* bytes, unless the pool's owner chooses another size */

/* Whether the pool's owner may choose this size for the large ones. */
static inline bool uvr_buffer_may_be_large(size_t bytes)
{
  return bytes >= UVR_BUFFER_SMALL && bytes <= (size_t)16 * 1024 * 1024;
}

typedef struct uvr_buffer uvr_buffer;
struct uvr_buffer {
  uvr_buffer *next;
  size_t capacity;     /* bytes of `data` */
  size_t length;       /* how many bytes of `data` are filled */
  bool end_of_message; /* the last byte is the last one of a message */
  char data[];
};

typedef struct uvr_buffer_pool {
  const uvrelay_allocator_t *memory;
  size_t large; /* bytes; its owner may set it at first, to UVR_BUFFER_SMALL or more */
  uvr_buffer *small_free;
  uvr_buffer *large_free;
  size_t small_count; /* on the free lists */
  size_t large_count;
} uvr_buffer_pool;

void uvr_buffer_pool_init(uvr_buffer_pool *pool, const uvrelay_allocator_t *memory);

/* Frees the buffers in the pool. All buffers must have been put back before. */
void uvr_buffer_pool_clear(uvr_buffer_pool *pool);

/* An empty buffer, large if more than UVR_BUFFER_SMALL bytes are wanted, or NULL if there is no memory. */
uvr_buffer *uvr_buffer_get(uvr_buffer_pool *pool, size_t wanted);

/* An empty buffer of exactly `capacity` bytes, or NULL if there is no memory. */
uvr_buffer *uvr_buffer_new(uvr_buffer_pool *pool, size_t capacity);

/* Puts a buffer back; NULL is allowed. */
void uvr_buffer_put(uvr_buffer_pool *pool, uvr_buffer *buffer);

#endif
