/* Memory: see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *user, size_t size)
{
  (void)user;
  return malloc(size);
}

static void release(void *user, void *block)
{
  (void)user;
  free(block);
}

uvrelay_allocator_t uvr_memory_default(void)
{
  return (uvrelay_allocator_t){.allocate = allocate, .release = release, .user = NULL};
}

void *uvr_alloc(const uvrelay_allocator_t *memory, size_t size)
{
  void *block = memory->allocate(memory->user, size);
  if (block != NULL) {
    memset(block, 0, size);
  }
  return block;
}

void uvr_free(const uvrelay_allocator_t *memory, void *block)
{
  if (block != NULL) {
    memory->release(memory->user, block);
  }
}
