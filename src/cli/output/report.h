/* The reports of serve and mux: lines of text, or with --json one JSON object a line, and the table of routes. Makes
 * whole lines and hands them to a callback. */
#ifndef UVR_CLI_OUTPUT_REPORT_H
#define UVR_CLI_OUTPUT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/input/config.h"
#include "cli/output/log_limit.h"
#include "cli/output/log_style.h"
#include "cli/output/report_route.h"
#include "cli/output/text_line.h"
#include "uvrelay.h"
#include "uvrelay/mux.h"

typedef struct uvr_report {
  bool json;
  bool verbose;
  bool marked;                                                /* each line has a mark, see log_style.h, */
  bool timed;                                                 /* with its time */
  void (*write)(void *user, const char *text, size_t length); /* one line or several, each with its newline */
  /* The same for one line that others can cause at will, and so as often as they like. NULL: `write` gets it. */
  void (*write_topic)(void *user, const uvr_log_topic *topic, const char *text, size_t length);
  void *user;
} uvr_report;

/* Hands over one line with its newline, in JSON an object, and clears it. */
void uvr_report_say(const uvr_report *self, uvr_log_level level, uvr_text_line *text);

/* The same for a line that others can cause at will, and so as often as they like. */
void uvr_report_say_topic(const uvr_report *self, uvr_log_level level, const uvr_log_topic *topic, uvr_text_line *text);

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

/* Whether a session has failed because the carrier of its mux has ended; `name` is what it was connected to over the
 * mux. Many fail at once then, for one reason, which is reported once. */
bool uvr_report_is_carrier_lost(const uvrelay_result_t *result, const char *name);

/* An event of the mux at the far end. Of sessions that have failed with the carrier it tells with -v only. */
void uvr_report_mux_event(const uvr_report *self, const uvrelay_mux_event_t *event);

/* How many connections of the far end have failed with the carrier; `why` is a sentence. */
void uvr_report_carrier_lost(const uvr_report *self, const char *why, uint64_t connections);

/* An error that concerns no route. `place`, where the error is in the input, may be NULL. */
void uvr_report_error(const uvr_report *self, const uvr_place *place, const uvrelay_error_t *error);

/* How to get help on a command, after the error that says why its command line is wrong. Nothing in JSON. */
void uvr_report_try(const uvr_report *self, const char *command);

/* Something worth knowing; `text` is a sentence. With -v only. */
void uvr_report_note(const uvr_report *self, const char *text);

/* Something that a relay cannot do for its peers; `text` is a sentence. */
void uvr_report_warning(const uvr_report *self, const char *text);

/* Lines of the log were dropped. */
void uvr_report_lost(const uvr_report *self, uint64_t lines);

#endif
