/* The log: see log.h. */
#include "log.h"

#include <stddef.h>
#include <stdio.h>

void uvr_log_line(const uvr_log *log, const char *format, ...)
{
  if (log->write == NULL) {
    return;
  }
  char line[UVR_ERROR_TEXT_MAX + 128];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  log->write(log->user, line);
}
