/* Going on in a process of its own that has left the terminal, as serve --background does: detach_unix.c and
 * detach_win.c.
 *
 * The first process waits until the other one is ready, or has ended, and then ends itself. Until it is ready, the
 * other one's errors go where the first one's do; afterwards they are lost. */
#ifndef UVR_CLI_OS_DETACH_H
#define UVR_CLI_OS_DETACH_H

#include <stdint.h>

#include "uvrelay/common.h"

typedef struct uvr_detach_options {
  /* On Windows, where the other process cannot use the console of the first one: a file for what it says until it is
   * ready, which is emptied before, and shown if it ends. */
  const char *errors;
  const char
      *lock; /* while the other process is not ready, no other process that names this file goes on; NULL: no lock */
} uvr_detach_options;

/* What the other process keeps until it is ready. */
typedef struct uvr_detached {
  intptr_t ready;
} uvr_detached;

typedef enum uvr_detach_result {
  UVR_DETACH_GO_ON, /* this is the other process */
  UVR_DETACH_OVER,  /* this is the first one: *status is the exit status that it is to end with */
  UVR_DETACH_FAILED /* *error says why */
} uvr_detach_result;

/* Must be called before there are threads. */
uvr_detach_result uvr_detach(const uvr_detach_options *options, uvr_detached *out, int *status, uvrelay_error_t *error);

/* This process, the other one, is ready. */
void uvr_detach_ready(uvr_detached *self);

#endif
