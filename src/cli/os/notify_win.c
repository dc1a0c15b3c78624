/* Windows has no such protocol: see notify.h. */
#include "cli/os/notify.h"

int uvr_notify(const char *state)
{
  (void)state;
  return 0;
}
