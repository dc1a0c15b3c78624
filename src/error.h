/* What went wrong, in a form that code can act on and a person can read. */
#ifndef UVR_ERROR_H
#define UVR_ERROR_H

#include <stdarg.h>

#ifdef __GNUC__
#define UVR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define UVR_PRINTF(text, first)
#endif

/* During what it happened. */
typedef enum uvr_phase {
  UVR_PHASE_NONE,
  UVR_PHASE_ADDRESS,   /* reading an address */
  UVR_PHASE_CONNECT,   /* connecting to the target */
  UVR_PHASE_HANDSHAKE, /* proving who we are to a socket file's server */
  UVR_PHASE_READ,
  UVR_PHASE_WRITE,
  UVR_PHASE_SHUTDOWN /* telling the peer that no more will come */
} uvr_phase;

#define UVR_ERROR_TEXT_MAX 512

/* An error. `code` 0 means that there is none and the rest says nothing. */
typedef struct uvr_error {
  int code;             /* a negative libuv code, UV_ENOENT and the like */
  unsigned long system; /* the Windows error code behind it, or 0 */
  uvr_phase phase;
  char text[UVR_ERROR_TEXT_MAX]; /* what, where and why: a sentence's text, without a full stop */
} uvr_error;

/* Fills in *error (which may be NULL) with a text made as by printf, and returns `code`. A text that is too
 * long is cut. */
int uvr_error_set(uvr_error *error, uvr_phase phase, int code, const char *format, ...) UVR_PRINTF(4, 5);

/* The same, and appends the cause: " (ERROR_PIPE_BUSY, 231)" where `system` is a Windows code, else
 * " (ECONNREFUSED)" from `code`. */
int uvr_error_set_system(uvr_error *error, uvr_phase phase, int code, unsigned long system, const char *format, ...)
    UVR_PRINTF(5, 6);

/* The name of a Windows error code that a pipe or socket may give ("ERROR_PIPE_BUSY"), or NULL. */
const char *uvr_error_system_name(unsigned long system);

#endif
