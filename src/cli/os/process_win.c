/* Windows has no such limits and signals: see process.h. */
#include "cli/os/process.h"

#include <stdlib.h>

#include <windows.h>

void uvr_process_raise_limits(void)
{
}

/* Everything else runs on the system's pool. libuv reads the environment of the C runtime, which is another one than
 * uv_os_setenv sets. */
void uvr_process_set_threads(size_t targets)
{
  (void)targets;
  (void)_putenv_s("UV_THREADPOOL_SIZE", "2");
}

/* WSL keeps standard output open until the process has ended. */
const char *uvr_process_output_note(void)
{
  return "standard output is closed; in WSL its reader sees that only when this program exits: with -ep it would exit "
         "now";
}

static void CALLBACK on_time(void *user, BOOLEAN fired)
{
  (void)user;
  (void)fired;
  (void)TerminateProcess(GetCurrentProcess(), 1); /* ExitProcess would wait for a lock that another thread may hold */
}

void uvr_process_end_within(unsigned seconds)
{
  HANDLE timer; /* is the system's until the process ends */
  (void)CreateTimerQueueTimer(&timer, NULL, on_time, NULL, 1000 * seconds, 0, WT_EXECUTEONLYONCE);
}

bool uvr_process_ignores(int signal)
{
  (void)signal;
  return false;
}

int uvr_process_interrupted_status(void)
{
  return (int)0xC000013A; /* STATUS_CONTROL_C_EXIT, with which Ctrl-C ends programs */
}
