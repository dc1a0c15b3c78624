/* Memory from the allocator that the owner of the relay has given. */
#ifndef UVR_BASE_MEMORY_H
#define UVR_BASE_MEMORY_H

#include "uvrelay/common.h"

/* malloc and free. */
uvrelay_allocator_t uvr_memory_default(void);

/* `size` bytes of zeros, to be freed with uvr_free, or NULL if there is no memory. */
void *uvr_alloc(const uvrelay_allocator_t *memory, size_t size);

/* Frees `block`; NULL is allowed. */
void uvr_free(const uvrelay_allocator_t *memory, void *block);

#endif
