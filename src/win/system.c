/* Windows' side of system.h. */
#include "../system.h"

#include "event_pool.h"

int uvr_system_init(uvr_env *env)
{
  env->events = uvr_event_pool_new(&env->memory);
  return env->events == NULL ? UV_ENOMEM : 0;
}

void uvr_system_clear(uvr_env *env)
{
  uvr_event_pool_free(env->events);
  env->events = NULL;
}

bool uvr_system_has_npipes(void)
{
  return true;
}

bool uvr_system_pipes_half_close(void)
{
  return false; /* uv_shutdown closes the whole pipe there, soon after */
}

const char *uvr_system_lacks(uvr_address_kind kind)
{
  return kind == UVR_ADDRESS_UNIX
             ? "uvrelay for Windows does not dial Unix sockets; run the Linux uvrelay, or name a pipe or a tcp:// port"
             : NULL;
}

const char *uvr_system_lacks_listener(uvr_address_kind kind)
{
  return kind == UVR_ADDRESS_ASSUAN ? "a libassuan socket file is made by its own server"
         : kind == UVR_ADDRESS_UNIX
             ? "uvrelay for Windows does not listen on Unix sockets; name a pipe or a tcp:// port"
         : kind == UVR_ADDRESS_FD ? "Windows passes no sockets on; name a pipe or a tcp:// port"
                                  : NULL;
}

int uvr_system_is_hung_up(const uv_stream_t *stream)
{
  (void)stream; /* WSAPoll tells a half-closed connection and a lost one alike */
  return UV_ENOTSUP;
}
