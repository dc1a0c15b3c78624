/* Filling in the details of an error. */
#ifndef UVR_BASE_ERROR_H
#define UVR_BASE_ERROR_H

#include <stdbool.h>

#include "uvrelay/common.h"

#ifdef __GNUC__
#define UVR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define UVR_PRINTF(text, first)
#endif

/* Fills in *error (which may be NULL) with a formatted text, and returns `code`. A text that is too long is cut. */
int uvr_error_set(uvrelay_error_t *error, uvrelay_phase_t phase, int code, const char *format, ...) UVR_PRINTF(4, 5);

/* The same for a text that needs no formatting: `subject` and then `rest`. */
int uvr_error_say(uvrelay_error_t *error, uvrelay_phase_t phase, int code, const char *subject, const char *rest);

/* As uvr_error_set, and appends the cause: " (ERROR_PIPE_BUSY, 231)" if `system` is a Windows code, " (ECONNREFUSED)"
 * from `code` if it is 0. */
int uvr_error_set_system(uvrelay_error_t *error, uvrelay_phase_t phase, int code, unsigned long system,
                         const char *format, ...) UVR_PRINTF(5, 6);

/* Whether a target could not be connected to because it is not there: UVRELAY_RETRY_ABSENT. */
static inline bool uvr_error_is_absence(const uvrelay_error_t *error)
{
  return error->phase == UVRELAY_PHASE_CONNECT && (error->code == UV_ENOENT || error->code == UV_ECONNREFUSED);
}

/* The name of a Windows error code of a pipe or a socket ("ERROR_PIPE_BUSY"), or NULL. */
const char *uvr_error_system_name(unsigned long system);

#endif
