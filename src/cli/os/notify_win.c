/* Windows has no such protocol: see notify.h. */
#include "cli/os/notify.h"

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
