/* A route, as reports and tables show it. */
#ifndef UVR_CLI_OUTPUT_REPORT_ROUTE_H
#define UVR_CLI_OUTPUT_REPORT_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "uvrelay.h"

typedef struct uvr_report_route {
  const char *listen; /* canonical, as is the target */
  const char *target;
  uvrelay_route_counters_t counters; /* for the status only */
  const char *error;                 /* its last error, for the status only; NULL: none */
  const char *name;                  /* NULL or empty: it has none */
} uvr_report_route;

static inline bool uvr_report_has_name(const uvr_report_route *route)
{
  return route->name != NULL && *route->name != '\0';
}

#endif
