/* The signals that end the program, and the one that asks for its status, on the systems that have them. Those that the
 * program was started with ignored, as by nohup, stay so. */
#ifndef UVR_CLI_OS_SIGNALS_H
#define UVR_CLI_OS_SIGNALS_H

#include <stddef.h>

#include <uv.h>

enum { UVR_SIGNALS_MAX = 5 };

/* Set the first members before it is started. */
typedef struct uvr_signals {
  void (*on_end)(void *user);
  void (*on_status)(void *user); /* NULL: nobody is to ask for it */
  void *user;
  /* The rest is private. */
  uv_signal_t handles[UVR_SIGNALS_MAX];
  size_t count; /* those that must be closed */
} uvr_signals;

/* Handles them from now on; they keep the loop alive until uvr_signals_close(), which must be called in any case.
 * Returns 0, or the first error. */
int uvr_signals_start(uvr_signals *self, uv_loop_t *loop);

/* Closes the handles, for which the loop must run once more. */
void uvr_signals_close(uvr_signals *self);

#endif
