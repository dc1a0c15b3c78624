/* Unix's side of system.h. */
#include "../system.h"

int uvr_system_init(uvr_env *env)
{
  (void)env;
  return 0;
}

void uvr_system_clear(uvr_env *env)
{
  (void)env;
}

bool uvr_system_has_npipes(void)
{
  return false;
}

bool uvr_system_pipes_half_close(void)
{
  return true;
}

const char *uvr_system_lacks(uvr_address_kind kind)
{
  return kind == UVR_ADDRESS_NPIPE
             ? "named pipes exist on Windows only; run uvrelay.exe there (in WSL it can be started from Linux)"
             : NULL;
}
