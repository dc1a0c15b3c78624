/* How a running serve is doing, as text for people and as a JSON object. Pure. */
#ifndef UVR_CLI_SERVE_STATUS_TEXT_H
#define UVR_CLI_SERVE_STATUS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/output/text_line.h"
#include "uvrelay.h"

typedef struct uvr_status_route {
  const char *name;   /* or NULL */
  const char *listen; /* canonical, as is the target */
  const char *target;
  uvrelay_route_counters_t counters;
  const char *error; /* the last one, or NULL */
  uint64_t error_age_ms;
  bool lost; /* it no longer listens */
} uvr_status_route;

typedef struct uvr_status_far_end {
  const char *state;
  const char *command;
  int process; /* 0: none */
  uint64_t age_ms;
  uint64_t starts;
  const char *error; /* or NULL */
  uint64_t error_age_ms;
} uvr_status_far_end;

typedef struct uvr_status {
  int process;
  int64_t since; /* in seconds since 1970 */
  uint64_t age_ms;
  bool stopping;
  const char *const *configs; /* the configuration files */
  size_t config_count;
  const uvr_status_route *routes;
  size_t route_count;
  size_t draining;                   /* routes that a reload has removed and whose connections are not over */
  const uvr_status_far_end *far_end; /* or NULL */
} uvr_status;

/* Lines for people, the last one with its newline. */
void uvr_status_text(const uvr_status *self, uvr_text_line *out);

/* One line. */
void uvr_status_json(const uvr_status *self, uvr_text_line *out);

#endif
