/* Windows has no such protocol: see notify.h. */
#include "cli/os/notify.h"

bool uvr_notify_is_wanted(void)
{
  return false;
}

int uvr_notify(const char *state)
{
  (void)state;
  return 0;
}

int uvr_notify_at_once(const char *state)
{
  (void)state;
  return 0;
}
