/* Signals: see signals.h. */
#include "cli/os/signals.h"

#include <signal.h>
#include <stdbool.h>

#include "cli/os/process.h"

#ifdef SIGUSR1
enum { STATUS_SIGNAL = SIGUSR1 };
#else
enum { STATUS_SIGNAL = 0 };
#endif

static const int end_signals[] = {
    SIGINT,
    SIGTERM,
#ifdef SIGHUP
    SIGHUP,
#endif
#ifdef SIGBREAK
    SIGBREAK,
#endif
};

static void on_signal(uv_signal_t *handle, int number)
{
  uvr_signals *self = handle->data;
  (number == STATUS_SIGNAL ? self->on_status : self->on_end)(self->user);
}

static int start_one(uvr_signals *self, uv_loop_t *loop, int number)
{
  uv_signal_t *handle = &self->handles[self->count];
  int code = uv_signal_init(loop, handle);
  if (code != 0) {
    return code;
  }
  self->count++;
  handle->data = self;
  return uvr_process_ignores(number) ? 0 : uv_signal_start(handle, on_signal, number);
}

int uvr_signals_start(uvr_signals *self, uv_loop_t *loop)
{
  int code = 0;
  for (size_t i = 0; code == 0 && i < sizeof(end_signals) / sizeof(end_signals[0]); i++) {
    code = start_one(self, loop, end_signals[i]);
  }
  if (code == 0 && STATUS_SIGNAL != 0 && self->on_status != NULL) {
    code = start_one(self, loop, STATUS_SIGNAL);
  }
  return code;
}

void uvr_signals_close(uvr_signals *self)
{
  for (size_t i = 0; i < self->count; i++) {
    uv_close((uv_handle_t *)&self->handles[i], NULL);
  }
}
