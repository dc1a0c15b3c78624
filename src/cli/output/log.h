/* The log of serve and mux: reports, limited, and written to standard error or to a file by a thread.
 *
 *   uvr_log_init(&log, json, verbose);
 *   uvr_log_set_times(&log, false, true);     if wanted
 *   uvr_report_...(&log.report, ...);         written at once
 *   uvr_log_open_file(&log, path, 0, &error); with --log-file: from now on to the file, too
 *   uvr_log_start(&log);                      from now on by the thread
 *   uvr_log_start_timer(&log, &loop);         not 0: no timer; counts wait for the next line
 *   uvr_log_ready(&log);                      from now on to the file only, if there is one
 *   ... run the loop, and before it can end ...
 *   uvr_log_stop_timer(&log);
 *   uvr_log_end(&log, patience_ms);           with what was counted
 */
#ifndef UVR_CLI_OUTPUT_LOG_H
#define UVR_CLI_OUTPUT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "cli/output/log_limit.h"
#include "cli/output/log_writer.h"
#include "cli/output/report.h"

/* It must not be moved in memory. */
typedef struct uvr_log {
  uvr_report report;
  uvr_log_limit limit;
  uvr_log_writer writer;
  uvr_log_style style;      /* of standard error */
  uvr_log_style file_style; /* of the file */
  uv_timer_t timer;
  bool timed;        /* the timer is open */
  uvr_log_file file; /* of --log-file; without a path: none */
} uvr_log;

void uvr_log_init(uvr_log *self, bool json, bool verbose);

/* Has each line of text begin with its time, on standard error, unless that is the journal, and in the file. JSON has
 * times anyway. To be called before the file is opened and the thread is started. */
void uvr_log_set_times(uvr_log *self, bool on_standard_error, bool in_file);

/* Changes what is said from now on. */
void uvr_log_set_verbose(uvr_log *self, bool verbose);

/* Opens the file of --log-file; `size` is that of --log-size, or 0. Until uvr_log_ready() all goes to standard error,
 * too, as somebody who starts the program looks there. Returns 0; or a negative code and *error. */
int uvr_log_open_file(uvr_log *self, const char *path, uint64_t size, uvrelay_error_t *error);

/* The start has succeeded. */
void uvr_log_ready(uvr_log *self);

/* Starts the thread that writes. */
void uvr_log_start(uvr_log *self);

/* Makes the timer that writes what was counted. It does not keep the loop alive. Returns 0 or a negative code. */
int uvr_log_start_timer(uvr_log *self, uv_loop_t *loop);

/* Closes the timer, if there is one. */
void uvr_log_stop_timer(uvr_log *self);

/* Writes what was counted so far. */
void uvr_log_write_counts(uvr_log *self);

/* Writes what was counted, and ends the thread: see uvr_log_writer_end(). */
void uvr_log_end(uvr_log *self, uint64_t timeout_ms);

#endif
