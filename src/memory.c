/* Memory: see memory.h. */
#include "memory.h"

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

uvr_memory uvr_memory_default(void)
{
  return (uvr_memory){.allocate = allocate, .release = release, .user = NULL};
}

void *uvr_alloc(const uvr_memory *memory, size_t size)
{
  void *block = memory->allocate(memory->user, size);
  if (block != NULL) {
    memset(block, 0, size);
  }
  return block;
}

void uvr_free(const uvr_memory *memory, void *block)
{
  if (block != NULL) {
    memory->release(memory->user, block);
  }
}
