/* What is said of a reload: in the log, and to the process that asked for it. */
#ifndef UVR_CLI_SERVE_RELOAD_REPORT_H
#define UVR_CLI_SERVE_RELOAD_REPORT_H

#include <stddef.h>

#include "cli/input/config.h"
#include "cli/input/serve_options.h"
#include "cli/output/report.h"
#include "cli/output/text_line.h"

/* How many routes it has left alone, changed, added and removed. */
typedef struct uvr_reload_counts {
  size_t kept;
  size_t changed;
  size_t added;
  size_t gone;
} uvr_reload_counts;

/* It is done. `before` and `after` are the settings, of which some need a restart. Sets *text to the answer, a line. */
void uvr_reload_say_done(const uvr_report *report, const uvr_reload_counts *counts, const uvr_serve_options *before,
                         const uvr_serve_options *after, uvr_text_line *text);

/* It has failed, and nothing has changed except for `lost` routes, which could not be made again. Sets *text to the
 * answer, a sentence followed by a NUL. */
void uvr_reload_say_failed(const uvr_report *report, const uvr_place *place, const uvrelay_error_t *error,
                           unsigned lost, uvr_text_line *text);

#endif
