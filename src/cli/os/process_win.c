/* Windows has none of such limits, signals, sessions and groups: see process.h. */
#include "cli/os/process.h"

void uvr_process_raise_limits(void)
{
}

bool uvr_process_ignores(int signal)
{
  (void)signal;
  return false;
}

bool uvr_process_has_sessions(void)
{
  return false; /* without a window it has a console of its own, and with one it would not end with its parent */
}

bool uvr_process_signal_group(int leader, int signal)
{
  (void)leader;
  (void)signal;
  return false;
}
