/* The reports of serve and mux: lines of text, or with --json one JSON object a line, and the table of routes. Makes
 * whole lines and hands them to a callback. */
#ifndef UVR_CLI_OUTPUT_REPORT_H
#define UVR_CLI_OUTPUT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/input/config.h"
#include "uvrelay.h"
#include "uvrelay/mux.h"

typedef struct uvr_report {
  bool json;
  bool verbose;
  void (*write)(void *user, const char *text, size_t length); /* one line or several, each with its newline */
  void *user;
} uvr_report;

/* A route in a report. */
typedef struct uvr_report_route {
  const char *listen; /* canonical, as is the target */
  const char *target;
  uvrelay_route_counters_t counters; /* for the status only */
  const char *error;                 /* its last error, for the status only; NULL: none */
} uvr_report_route;

/* A route listens. */
void uvr_report_listening(const uvr_report *self, const uvr_report_route *route);

/* An event of a route. */
void uvr_report_event(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event);

/* The table of all routes. */
void uvr_report_status(const uvr_report *self, const uvr_report_route *routes, size_t count);

/* The relay is stopping; `open` connections are open. */
void uvr_report_stopping(const uvr_report *self, size_t open);

/* The relay has stopped; `cut` connections did not end by themselves. */
void uvr_report_stopped(const uvr_report *self, uint64_t cut);

/* The far end of --via. `command` is its command line. */
void uvr_report_far_end_started(const uvr_report *self, const char *command, int process);
void uvr_report_far_end_ready(const uvr_report *self, const char *command);
/* The far end has ended or could not be started; `why` is a sentence. */
void uvr_report_far_end_down(const uvr_report *self, const char *why, uint64_t retry_ms);
/* The far end has written a line to its standard error. */
void uvr_report_far_end_line(const uvr_report *self, const char *line);

/* An event of the mux at the far end. */
void uvr_report_mux_event(const uvr_report *self, const uvrelay_mux_event_t *event);

/* An error that concerns no route. `place`, where the error is in the input, may be NULL. */
void uvr_report_error(const uvr_report *self, const uvr_place *place, const uvrelay_error_t *error);

/* Lines of the log were dropped. */
void uvr_report_lost(const uvr_report *self, uint64_t lines);

#endif
