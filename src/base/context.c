/* The context: see context.h. */
#include "base/context.h"

#include "base/os.h"

#define MESSAGE_SIZE ((size_t)16 * 1024 * 1024)

static const uvr_patience usual_patience = {.last_writes_ms = 1000,
                                            .stall_ms = 10000,
                                            .stall_look_ms = 1000,
                                            .watch_ms = 500,
                                            .close_ms = 2000,
                                            .unsent_look_ms = 20,
                                            .last_words_ms = 200,
                                            .unheard_ms = 2000,
                                            .overdue_ms = 100,
                                            .accept_retry_ms = 50,
                                            .relief_ms = 1000,
                                            .credentials_ms = 300,
                                            .flush_ms = 30000,
                                            .thread_retry_ms = 10,
                                            .stdio_look_ms = 250,
                                            .look_up_memory_ms = 2000};

int uvr_context_init(uvr_context *context, uv_loop_t *loop, const uvrelay_allocator_t *memory, const uvrelay_log_t *log)
{
  *context = (uvr_context){
      .loop = loop, .memory = *memory, .log = *log, .message_size = MESSAGE_SIZE, .patience = usual_patience};
  uvr_buffer_pool_init(&context->buffers, &context->memory);
  int code = uvr_os_new_events(&context->memory, &context->events);
  if (code == 0) {
    context->clock = uvr_clock_new(&context->memory, loop);
    code = context->clock != NULL ? 0 : UV_ENOMEM;
  }
  if (code != 0) {
    uvr_context_clear(context);
  }
  return code;
}

void uvr_context_clear(uvr_context *context)
{
  uvr_clock_free(context->clock);
  uvr_os_free_events(context->events);
  uvr_buffer_pool_clear(&context->buffers);
}
