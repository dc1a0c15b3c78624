/* Threads on Windows, where there are no signals that a thread could get: see thread.h. */
#include "cli/os/thread.h"

int uvr_thread_start(uv_thread_t *out, size_t stack_size, uv_thread_cb run, void *user)
{
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = stack_size};
  return uv_thread_create_ex(out, &options, run, user);
}
