/* The log: lines of text for the function that the owner of the relay has given. */
#ifndef UVR_BASE_LOG_H
#define UVR_BASE_LOG_H

#include "base/error.h"

/* Writes one line of formatted text. Does nothing if the owner wants no log. */
void uvr_log_line(const uvrelay_log_t *log, const char *format, ...) UVR_PRINTF(2, 3);

#endif
