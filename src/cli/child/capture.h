/* Running a program to its end and collecting what it prints. */
#ifndef UVR_CLI_CHILD_CAPTURE_H
#define UVR_CLI_CHILD_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uvrelay/common.h"

/* More output than this of a program is not kept, nor are more errors. */
#define UVR_CAPTURE_MAX ((size_t)1024 * 1024)

typedef struct uvr_capture {
  /* To be set. */
  const char *file; /* absolute */
  char **words;     /* followed by a NULL; the first one is the program's name */
  uint64_t timeout_ms;
  /* The result, to be cleared. */
  char *output; /* what it has written to its standard output, followed by a NUL */
  size_t length;
  char errors[1024]; /* the last lines of its standard error, without the last newline */
  bool timed_out;    /* it was killed, as it had not ended in time */
  int64_t status;    /* its exit status */
  int signal;        /* that has ended it, or 0 */
  uint64_t duration_ms;
} uvr_capture;

/* Runs the program with an empty standard input; in WSL a program for Windows as uvr_wsl_prepare() says. Returns 0 if
 * it was started and is over, however it has ended; or a negative code and *error. */
int uvr_capture_run(uvr_capture *self, uvrelay_error_t *error);

void uvr_capture_clear(uvr_capture *self);

#endif
