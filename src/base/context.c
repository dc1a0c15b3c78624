/* The environment: see context.h. */
#include "base/context.h"

#include "base/os.h"

#define MESSAGE_SIZE ((size_t)16 * 1024 * 1024)

int uvr_context_init(uvr_context *context, uv_loop_t *loop, const uvrelay_allocator_t *memory, const uvrelay_log_t *log)
{
  *context = (uvr_context){.loop = loop, .memory = *memory, .log = *log, .message_size = MESSAGE_SIZE};
  uvr_buffer_pool_init(&context->buffers, &context->memory);
  return uvr_os_init(context);
}

void uvr_context_clear(uvr_context *context)
{
  uvr_os_clear(context);
  uvr_buffer_pool_clear(&context->buffers);
}
