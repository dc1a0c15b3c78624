/* Windows has neither such limits nor such signals: see process.h. */
#include "../process.h"

void uvr_process_raise_limits(void)
{
}

bool uvr_process_ignores(int signal)
{
  (void)signal;
  return false;
}
