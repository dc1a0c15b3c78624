/* Where a relay's memory comes from: the allocator that its owner chose. */
#ifndef UVR_BASE_MEMORY_H
#define UVR_BASE_MEMORY_H

#include "uvrelay/common.h"

/* malloc and free. */
uvrelay_allocator_t uvr_memory_default(void);

/* `size` zeroed bytes, or NULL when there is no memory. Give them back with uvr_free. */
void *uvr_alloc(const uvrelay_allocator_t *memory, size_t size);

/* Gives `block` back; NULL is allowed. */
void uvr_free(const uvrelay_allocator_t *memory, void *block);

#endif
