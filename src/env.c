/* The environment: see env.h. */
#include "env.h"

#include "system.h"

#define MESSAGE_SIZE ((size_t)16 * 1024 * 1024)

int uvr_env_init(uvr_env *env, uv_loop_t *loop, const uvrelay_allocator_t *memory, const uvrelay_log_t *log)
{
  *env = (uvr_env){.loop = loop, .memory = *memory, .log = *log, .message_size = MESSAGE_SIZE};
  uvr_buffer_pool_init(&env->buffers, &env->memory);
  return uvr_system_init(env);
}

void uvr_env_clear(uvr_env *env)
{
  uvr_system_clear(env);
  uvr_buffer_pool_clear(&env->buffers);
}
