/* What serve says: lines for people, or with --json one JSON object a line; and the table of its routes. Makes whole
 * lines, which somebody else writes. */
#ifndef UVR_CLI_REPORT_H
#define UVR_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "routes.h"
#include "uvrelay.h"

typedef struct uvr_report {
  bool json;
  bool verbose;
  void (*write)(void *user, const char *text, size_t length); /* one line or several, each with its newline */
  void *user;
} uvr_report;

/* A route, as it is told of. */
typedef struct uvr_report_route {
  const char *listen; /* canonical, as is the target */
  const char *target;
  uvrelay_route_counters_t counters; /* for the status only */
  const char *error;                 /* the same; NULL: none */
} uvr_report_route;

/* A route listens. */
void uvr_report_listening(const uvr_report *self, const uvr_report_route *route);

/* What the library says of a route. */
void uvr_report_event(const uvr_report *self, const uvr_report_route *route, const uvrelay_event_t *event);

/* The table of all routes. */
void uvr_report_status(const uvr_report *self, const uvr_report_route *routes, size_t count);

/* It stops; so many connections are open. */
void uvr_report_stopping(const uvr_report *self, size_t open);

/* It has stopped; so many connections had not ended by themselves. */
void uvr_report_stopped(const uvr_report *self, uint64_t cut);

/* Something is wrong with serve itself. `place` may be NULL. */
void uvr_report_error(const uvr_report *self, const uvr_place *place, const uvrelay_error_t *error);

/* So many lines of the log could not be written. */
void uvr_report_lost(const uvr_report *self, uint64_t lines);

#endif
