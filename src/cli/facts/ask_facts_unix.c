/* Asking the Windows program for its facts: see ask_facts.h.
 *
 * Normal case: it prints the lines and exits with status 0. Ways to fail: it cannot be started, and WSL's part may say
 * why; it does not exit in time; it exits with another status, as a version without the command does; what it has
 * printed does not begin as facts do, has a NUL, or is cut. */
#include "cli/facts/ask_facts.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/capture.h"
#include "cli/child/check_program.h"
#include "cli/child/failure.h"
#include "cli/child/wsl.h"

/* Its first start may be long: a scanner of viruses looks at it, and the program may lie on the Linux disk. */
enum { PATIENCE_MS = 45000, WRONG_USAGE = 2 };

static const char FIRST_LINE[] = "facts=1";

/* Why WSL starts no Windows program now, as far as it shows. */
static bool wsl_warns(const char *file, uvrelay_error_t *warning)
{
  uvr_wsl wsl;
  uvr_wsl_start start;
  uvr_wsl_init(&wsl);
  int code = uvr_wsl_prepare(&wsl, file, &start, warning);
  if (start.refused) {
    size_t length = strlen(warning->text);
    (void)snprintf(warning->text + length, sizeof(warning->text) - length, ": %s", start.remedy);
  }
  uvr_wsl_start_clear(&start);
  return code != 0;
}

static int fail_to_start(const char *file, const char *quoted, int code, uvrelay_error_t *error)
{
  char *words[] = {(char[]){"uvrelay.exe"}, NULL};
  const uvr_command command = {.file = (char *)file, .argv = words};
  uvrelay_error_t why;
  if (wsl_warns(file, &why)) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code, "%s cannot be started: %s", quoted, why.text);
  }
  (void)uvr_failure_to_start(&command, quoted, NULL, code, error);
  return code;
}

static const char *last_line(const char *errors)
{
  const char *newline = strrchr(errors, '\n');
  return newline == NULL ? errors : newline + 1;
}

/* Whether a version without the command has taken the word for a target. */
static bool is_old(const uvr_capture *run)
{
  static const char name[] = "uvrelay: ";
  bool says = strncmp(run->errors, name, sizeof(name) - 1) == 0 || strstr(run->errors, "\nuvrelay: ") != NULL;
  return run->signal == 0 && run->status == WRONG_USAGE && says;
}

static int fail_by_exit(const uvr_capture *run, const char *quoted, uvrelay_error_t *error)
{
  char line[UVR_QUOTED_SIZE];
  const uvr_child_exit how = {.exited = true, .status = run->status, .signal = run->signal};
  char *words[] = {(char[]){"uvrelay.exe"}, NULL};
  const uvr_command command = {.file = (char *)run->file, .argv = words};
  uvrelay_error_t why;
  if (is_old(run)) {
    return uvr_error_set(
        error, UVRELAY_PHASE_NONE, UV_ENOSYS,
        "%s does not know the command `facts`, because it is older than this program: replace it with the same version",
        quoted);
  }
  if (wsl_warns(run->file, &why)) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "%s cannot be started: %s", quoted, why.text);
  }
  why.text[0] = '\0';
  (void)uvr_failure_by_exit(&command, quoted, false, &how, &why);
  const char *meaning = uvr_wsl_explain(run->errors);
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "%s%s%s%s%s", why.text, *run->errors == '\0' ? "" : ": ",
                       *run->errors == '\0' ? "" : uvr_quote(line, last_line(run->errors)), meaning == NULL ? "" : ": ",
                       meaning == NULL ? "" : meaning);
}

static int fail_by_output(const uvr_capture *run, const char *quoted, uvrelay_error_t *error)
{
  char line[UVR_QUOTED_SIZE];
  if (run->length == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPROTO, "%s facts prints nothing: is it uvrelay.exe?", quoted);
  }
  if (run->length >= UVR_CAPTURE_MAX) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPROTO, "%s facts prints too much: is it uvrelay.exe?", quoted);
  }
  run->output[strcspn(run->output, "\n")] = '\0';
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EPROTO, "%s facts prints %s instead of %s: is it uvrelay.exe?",
                       quoted, uvr_quote(line, run->output), FIRST_LINE);
}

/* Ends each line by a NUL, and takes the carriage return before it away. False: these are no facts. */
static bool split(char *text, size_t length, uvr_facts *out)
{
  if (length == 0 || length >= UVR_CAPTURE_MAX || memchr(text, '\0', length) != NULL) {
    return false;
  }
  size_t first = sizeof(FIRST_LINE) - 1;
  if (strncmp(text, FIRST_LINE, first) != 0 || (text[first] != '\n' && strncmp(text + first, "\r\n", 2) != 0)) {
    return false;
  }
  char *to = text;
  for (char *line = text; *line != '\0';) {
    size_t size = strcspn(line, "\n");
    char *next = line + size + (line[size] == '\n' ? 1 : 0);
    size -= size > 0 && line[size - 1] == '\r' ? 1 : 0;
    memmove(to, line, size);
    to += size;
    line = next;
    if (to < line) {
      *to++ = '\0';
    } else {
      to++; /* the last line has no newline: the NUL after the text ends it */
    }
  }
  out->text = text;
  out->end = to;
  return true;
}

int uvr_facts_ask(const char *file, uvr_facts *out, uvrelay_error_t *error)
{
  return uvr_facts_ask_within(file, PATIENCE_MS, out, error);
}

int uvr_facts_ask_within(const char *file, uint64_t limit_ms, uvr_facts *out, uvrelay_error_t *error)
{
  char *words[] = {(char[]){"uvrelay.exe"}, (char[]){"facts"}, NULL};
  char quoted[UVR_QUOTED_SIZE];
  char time[UVR_TIME_SIZE];
  uvr_capture run = {.file = file, .words = words, .timeout_ms = limit_ms};
  *out = (uvr_facts){.text = NULL};
  (void)uvr_quote(quoted, file);
  const char *obstacle = uvr_program_obstacle(file);
  uvrelay_error_t why;
  if (obstacle != NULL && wsl_warns(file, &why)) { /* which says how to fix it */
    obstacle = why.text;
  }
  if (obstacle != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EFTYPE, "%s cannot be started: %s", quoted, obstacle);
  }
  int code = uvr_capture_run(&run, NULL);
  if (code != 0) {
    code = fail_to_start(file, quoted, code, error);
  } else if (run.timed_out) {
    code = uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ETIMEDOUT,
                         "%s did not end within %s: restart WSL with `wsl.exe --shutdown`, typed on Windows", quoted,
                         uvr_time_text(time, limit_ms));
  } else if (run.signal != 0 || run.status != 0) {
    code = fail_by_exit(&run, quoted, error);
  } else if (!split(run.output, run.length, out)) {
    code = fail_by_output(&run, quoted, error);
  } else {
    out->duration_ms = run.duration_ms;
    run.output = NULL; /* it is out->text */
  }
  uvr_capture_clear(&run);
  return code;
}

const char *uvr_facts_get(const uvr_facts *self, const char *name, const char *after)
{
  size_t length = strlen(name);
  const char *line = after != NULL ? after + strlen(after) + 1 : self->text;
  for (; line != NULL && line < self->end; line += strlen(line) + 1) {
    if (strncmp(line, name, length) == 0 && line[length] == '=') {
      return line + length + 1;
    }
  }
  return NULL;
}

void uvr_facts_clear(uvr_facts *self)
{
  free(self->text);
  *self = (uvr_facts){.text = NULL};
}
