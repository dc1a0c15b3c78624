/* The log: see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

void uvr_log_line(const uvrelay_log_t *log, const char *format, ...)
{
  if (log->write == NULL) {
    return;
  }
  char line[UVRELAY_ERROR_TEXT_SIZE + 128];
  va_list args;
  va_start(args, format);
  if (vsnprintf(line, sizeof(line), format, args) >= (int)sizeof(line)) {
    uvr_utf8_trim(line);
  }
  va_end(args);
  log->write(log->user, line);
}
