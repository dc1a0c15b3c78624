/* What a relay has to say while it works, a line at a time, to the function that its owner chose. */
#ifndef UVR_BASE_LOG_H
#define UVR_BASE_LOG_H

#include "base/error.h"

/* Says one line, made as by printf. Costs nothing when the log is silent. */
void uvr_log_line(const uvrelay_log_t *log, const char *format, ...) UVR_PRINTF(2, 3);

#endif
