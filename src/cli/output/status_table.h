/* The table of routes that --status and SIGUSR1 print. */
#ifndef UVR_CLI_OUTPUT_STATUS_TABLE_H
#define UVR_CLI_OUTPUT_STATUS_TABLE_H

#include <stddef.h>

#include "cli/output/report_route.h"
#include "cli/output/text_line.h"

/* Each adds all routes: as lines with columns, or as one JSON object with its newline. */
void uvr_status_table_text(uvr_text_line *out, const uvr_report_route *routes, size_t count);
void uvr_status_table_json(uvr_text_line *out, const uvr_report_route *routes, size_t count);

#endif
