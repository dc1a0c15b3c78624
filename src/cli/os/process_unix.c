/* Unix's part of process.h. */
#include "cli/os/process.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void uvr_process_raise_limits(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Opening files may occupy a quarter of the pool. Threads are only made when the pool is first used. */
void uvr_process_set_threads(size_t targets)
{
  enum { STANDARD = 2, MOST = 128 };
  char text[16];
  size_t count = targets == 0 ? STANDARD : 4 * (targets + 1);
  (void)snprintf(text, sizeof(text), "%zu", count < MOST ? count : MOST);
  (void)setenv("UV_THREADPOOL_SIZE", text, 1);
}

const char *uvr_process_output_note(void)
{
  return NULL;
}

static void on_alarm(int number)
{
  (void)number;
  _exit(1);
}

void uvr_process_end_within(unsigned seconds)
{
  sigset_t set;
  const struct sigaction action = {.sa_handler = on_alarm};
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGALRM);
  (void)sigaction(SIGALRM, &action, NULL);
  (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  (void)alarm(seconds);
}

bool uvr_process_ignores(int signal)
{
  struct sigaction action;
  return sigaction(signal, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

int uvr_process_interrupted_status(void)
{
  return 1;
}
