/* Threads on Unix: see thread.h. */
#include "cli/os/thread.h"

#include <pthread.h>
#include <signal.h>

int uvr_thread_start(uv_thread_t *out, size_t stack_size, uv_thread_cb run, void *user)
{
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = stack_size};
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread begins with the mask of the one that starts it */
  int code = uv_thread_create_ex(out, &options, run, user);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}
