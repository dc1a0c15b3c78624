/* Signals: see signals.h. */
#include "cli/os/signals.h"

#include <signal.h>
#include <stdbool.h>

#include "cli/os/process.h"
#include "cli/os/terminal.h"

#ifdef SIGUSR1
enum { STATUS_SIGNAL = SIGUSR1 };
#else
enum { STATUS_SIGNAL = 0 };
#endif

#ifdef SIGHUP
enum { HANGUP_SIGNAL = SIGHUP };
#else
enum { HANGUP_SIGNAL = 0 };
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

/* Whether a SIGHUP comes from somebody who wants a reload, and not from a terminal that has gone. */
static bool asks_for_reload(const uvr_signals *self)
{
  return self->on_reload != NULL && uvr_terminal_hangup_may_ask() && (!self->terminal || uvr_terminal_is_there());
}

static void on_signal(uv_signal_t *handle, int number)
{
  uvr_signals *self = handle->data;
  if (number == STATUS_SIGNAL) {
    self->on_status(self->user);
  } else if (number == HANGUP_SIGNAL && asks_for_reload(self)) {
    self->on_reload(self->user);
  } else {
    self->on_end(self->user);
  }
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
  self->terminal = self->on_reload != NULL && uvr_terminal_is_there();
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
