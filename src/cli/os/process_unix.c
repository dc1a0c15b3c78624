/* Unix's part of process.h. */
#include "cli/os/process.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

void uvr_process_raise_limits(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

bool uvr_process_ignores(int signal)
{
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

bool uvr_process_has_sessions(void)
{
  return true;
}

bool uvr_process_signal_group(int leader, int signal)
{
  (void)kill(-leader, signal);
  return true;
}
