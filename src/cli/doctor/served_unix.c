/* Asking a serve: see served_unix.h. It answers a line a route: LISTEN, TARGET, the age of the last error in ms and
 * that error, with tabs between them. */
#include "cli/doctor/served_unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/control/ask.h"
#include "cli/control/place.h"

enum { ANSWER_MS = 1500, FIELDS = 4 };

/* Splits a line at its tabs. */
static void split(char *line, char *fields[FIELDS])
{
  for (int i = 0; i < FIELDS; i++) {
    size_t length = i < FIELDS - 1 ? strcspn(line, "\t") : strlen(line);
    fields[i] = line;
    line += length;
    if (*line != '\0') {
      *line++ = '\0';
    }
  }
}

static void add_failure(const char *age, const char *error, uvr_check *check)
{
  char time[UVR_TIME_SIZE];
  size_t length = strlen(check->text);
  (void)uvr_time_text(time, strtoull(age, NULL, 10) / 1000 * 1000);
  (void)snprintf(check->text + length, sizeof(check->text) - length, "; its last failure, %s ago: %s", time, error);
  uvr_utf8_trim(check->text);
}

static void judge(const uvr_doctor *doctor, const uvr_doctor_route *route, char *const fields[FIELDS], uvr_check *check)
{
  char served[UVR_QUOTED_SIZE];
  char wanted[UVR_QUOTED_SIZE];
  if (strcmp(fields[1], route->target.address.canonical) != 0) {
    size_t length = strlen(check->text);
    check->state = UVR_CHECK_WARNING;
    (void)snprintf(check->text + length, sizeof(check->text) - length, ", but leads to %s, not to %s",
                   uvr_quote(served, fields[1]), uvr_quote(wanted, route->target.address.canonical));
    uvr_check_add_remedy(check, "%s reload", doctor->own);
  }
  if (*fields[3] != '\0') {
    add_failure(fields[2], fields[3], check);
  }
}

void uvr_doctor_ask_served(const uvr_doctor *doctor, const uvr_doctor_route *route, int process, uvr_check *check)
{
  char directory[UVR_CONTROL_PATH_SIZE];
  char address[UVR_CONTROL_PATH_SIZE + 32];
  uvr_control_answer_text answer = {.text = NULL};
  if (uvr_control_directory(directory) != 0) {
    return;
  }
  (void)snprintf(address, sizeof(address), "unix://%s/%d.sock", directory, process);
  if (uvr_control_ask(address, "routes", ANSWER_MS, &answer, NULL) != 0) {
    return;
  }
  for (char *line = answer.ok ? answer.text : NULL; line != NULL && *line != '\0';) {
    char *fields[FIELDS];
    size_t length = strcspn(line, "\n");
    char *next = line + length + (line[length] == '\n' ? 1 : 0);
    line[length] = '\0';
    split(line, fields);
    if (strcmp(fields[0], route->config->listener.canonical) == 0) {
      judge(doctor, route, fields, check);
    }
    line = next;
  }
  uvr_control_answer_clear(&answer);
}
