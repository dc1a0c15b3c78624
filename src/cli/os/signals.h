/* The signals that end the program, and those that ask for its status or for a reload, on the systems that have them.
 * Those that the program was started with ignored, as by nohup, stay so.
 *
 * SIGHUP asks for a reload, unless it says that the terminal has gone: then it is one of those that end the program. */
#ifndef UVR_CLI_OS_SIGNALS_H
#define UVR_CLI_OS_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

enum { UVR_SIGNALS_MAX = 5 };

/* Set the first members before it is started. */
typedef struct uvr_signals {
  void (*on_end)(void *user);
  void (*on_status)(void *user); /* NULL: no signal asks for it */
  void (*on_reload)(void *user); /* NULL: SIGHUP always ends the program */
  void *user;
  /* The rest is private. */
  uv_signal_t handles[UVR_SIGNALS_MAX];
  size_t count;  /* those that must be closed */
  bool terminal; /* there was a controlling terminal at the start */
} uvr_signals;

/* Handles them from now on; they keep the loop alive until uvr_signals_close(), which must be called in any case.
 * Returns 0, or the first error. */
int uvr_signals_start(uvr_signals *self, uv_loop_t *loop);

/* Closes the handles, for which the loop must run once more. */
void uvr_signals_close(uvr_signals *self);

#endif
