/* Where a relay's memory comes from: the allocator that its owner chose. */
#ifndef UVR_MEMORY_H
#define UVR_MEMORY_H

#include <stddef.h>

typedef struct uvr_memory {
  void *(*allocate)(void *user, size_t size); /* as malloc */
  void (*release)(void *user, void *block);   /* as free; `block` is never NULL */
  void *user;
} uvr_memory;

/* malloc and free. */
uvr_memory uvr_memory_default(void);

/* `size` zeroed bytes, or NULL when there is no memory. Give them back with uvr_free. */
void *uvr_alloc(const uvr_memory *memory, size_t size);

/* Gives `block` back; NULL is allowed. */
void uvr_free(const uvr_memory *memory, void *block);

#endif
