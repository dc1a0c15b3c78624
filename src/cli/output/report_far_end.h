/* The reports of serve about the far end of --via. */
#ifndef UVR_CLI_OUTPUT_REPORT_FAR_END_H
#define UVR_CLI_OUTPUT_REPORT_FAR_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/output/report.h"

/* It was started, and it is ready. `command` is its command line. */
void uvr_report_far_end_started(const uvr_report *self, const char *command, int process);
void uvr_report_far_end_ready(const uvr_report *self, const char *command);
/* The far end has ended or could not be started, and will be started again after so long; with `needs_client` not
 * until a client needs it, and not earlier than that. `why` is a sentence. Its first `reason_length` bytes are the
 * reason, of which every letter and number counts when it is compared with others; the rest are details. */
void uvr_report_far_end_down(const uvr_report *self, const char *why, size_t reason_length, uint64_t retry_ms,
                             bool needs_client);
/* The far end has written a line to its standard error. */
void uvr_report_far_end_line(const uvr_report *self, const char *line);

#endif
