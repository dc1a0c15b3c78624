/* Running other programs: see tool_unix.h. */
#include "cli/setup/tool_unix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/child/capture.h"
#include "cli/child/find_program.h"
#include "cli/setup/text_unix.h"

/* A start by systemd may take its 90 s, and a question none. */
enum { PATIENCE_MS = 120000, QUESTION_PATIENCE_MS = 10000, WORDS_MAX = 16 };

/* The command as it would be typed. */
static void join(const char *name, const char *const words[], char *text, size_t size)
{
  int used = snprintf(text, size, "%s", name);
  for (size_t i = 0; words[i] != NULL && used > 0 && (size_t)used < size; i++) {
    used += snprintf(text + used, size - (size_t)used, " %s", words[i]);
  }
}

static int judge(const uvr_capture *run, const char *name, const char *const words[], uvrelay_error_t *error)
{
  char command[256];
  char time[UVR_TIME_SIZE];
  const int line = (int)strcspn(run->errors, "\n");
  join(name, words, command, sizeof(command));
  if (run->timed_out) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ETIMEDOUT, "`%s` did not end within %s", command,
                         uvr_time_text(time, run->timeout_ms));
  }
  if (run->signal != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "`%s` was killed by signal %d", command, run->signal);
  }
  if (run->status != 0) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EIO, "`%s` failed with status %" PRId64 "%s%.*s", command,
                         run->status, line == 0 ? "" : ": ", line, run->errors);
  }
  return 0;
}

static int run_for(uint64_t patience_ms, const char *name, const char *const words[], char **output,
                   uvrelay_error_t *error)
{
  char *file = NULL;
  char *all[WORDS_MAX + 2] = {(char *)name};
  for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++) {
    all[i + 1] = (char *)words[i];
  }
  if (output != NULL) {
    *output = NULL;
  }
  int code = uvr_find_program(name, NULL, &file, error);
  if (code != 0) {
    return code;
  }
  uvr_capture run = {.file = file, .words = all, .timeout_ms = patience_ms};
  code = uvr_capture_run(&run, error);
  if (code == 0) {
    code = judge(&run, name, words, error);
  }
  if (output != NULL && run.output != NULL) {
    run.length -= run.length > 0 && run.output[run.length - 1] == '\n' ? 1 : 0;
    run.output[run.length] = '\0';
    *output = strdup(run.output);
  }
  uvr_capture_clear(&run);
  free(file);
  return code;
}

int uvr_tool_run(const char *name, const char *const words[], char **output, uvrelay_error_t *error)
{
  return run_for(PATIENCE_MS, name, words, output, error);
}

int uvr_tool_systemctl(const char *const words[], uvrelay_error_t *error)
{
  const char *all[WORDS_MAX + 1] = {"--user"};
  for (size_t i = 0; i + 1 < WORDS_MAX && words[i] != NULL; i++) {
    all[i + 1] = words[i];
  }
  return uvr_tool_run("systemctl", all, NULL, error);
}

bool uvr_tool_unit_is(const char *verb, const char *unit, const char *word)
{
  char *output = NULL;
  (void)run_for(QUESTION_PATIENCE_MS, "systemctl", (const char *const[]){"--user", verb, unit, NULL}, &output, NULL);
  bool is = output != NULL && strcmp(output, word) == 0;
  free(output);
  return is;
}

/* Without a login session, as by su, the manager may be there though its place is not in the environment. */
static void set_runtime_directory(void)
{
  char path[64];
  (void)snprintf(path, sizeof(path), "/run/user/%ld", (long)geteuid());
  if (getenv("XDG_RUNTIME_DIR") == NULL && access(path, X_OK) == 0) {
    (void)setenv("XDG_RUNTIME_DIR", path, 1);
  }
}

bool uvr_tool_has_manager(void)
{
  static const char *const states[] = {"initializing", "starting", "running", "degraded", "maintenance"};
  char *output = NULL;
  bool has = false;
  if (!uvr_tool_is_there("systemctl")) {
    return false;
  }
  set_runtime_directory();
  (void)run_for(QUESTION_PATIENCE_MS, "systemctl", (const char *const[]){"--user", "is-system-running", NULL}, &output,
                NULL);
  for (size_t i = 0; output != NULL && i < sizeof(states) / sizeof(states[0]); i++) {
    has = has || strcmp(output, states[i]) == 0;
  }
  free(output);
  return has;
}

/* The last line of uvrelay's own in the journal, without its name; NULL: there is none. */
static const char *last_words(char *journal)
{
  static const char name[] = "uvrelay: ";
  const char *found = NULL;
  for (char *line = journal; line != NULL;) {
    char *newline = strchr(line, '\n');
    if (newline != NULL) {
      *newline++ = '\0';
    }
    found = strncmp(line, name, sizeof(name) - 1) == 0 ? line + sizeof(name) - 1 : found;
    line = newline;
  }
  return found;
}

int uvr_tool_service(const char *verb, uvrelay_error_t *error)
{
  static const char *const ask[] = {"--user", "-u", "uvrelay.service", "-n", "10", "-o",
                                    "cat",    "-q", "--no-pager",      NULL};
  uvrelay_error_t why;
  char *journal = NULL;
  int code = uvr_tool_systemctl((const char *const[]){verb, "uvrelay.service", NULL}, &why);
  if (code == 0) {
    return 0;
  }
  (void)run_for(QUESTION_PATIENCE_MS, "journalctl", ask, &journal, NULL);
  const char *words = last_words(journal);
  (void)uvr_error_set(error, UVRELAY_PHASE_NONE, code,
                      "%.400s: `uvrelay doctor` and `journalctl --user -u uvrelay -n 20` say more",
                      words != NULL ? words : why.text);
  free(journal);
  return code;
}

bool uvr_tool_is_there(const char *name)
{
  char *file = NULL;
  bool is = uvr_find_program(name, NULL, &file, NULL) == 0;
  free(file);
  return is;
}
