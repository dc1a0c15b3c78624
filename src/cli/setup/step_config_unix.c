/* The step for the configuration: the routes are written as @NAME, one per line, into a block of routes.conf. What else
 * is in the file, and in the block, stays as it is.
 *
 * Ways to fail: the file, or what it would become, has an error, which is reported with its place; the block has lost
 * its end; the file cannot be written. Then it is left as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/input/config.h"
#include "cli/input/config_file.h"
#include "cli/setup/block_unix.h"
#include "cli/setup/files_unix.h"
#include "cli/setup/step_unix.h"
#include "cli/setup/text_unix.h"

static int no_memory(uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory");
}

/* Parses the file's text as serve does. */
static int parse(const uvr_job *job, const char *text, uvr_config *config, uvrelay_error_t *error)
{
  uvr_place place = {.file = NULL};
  uvrelay_error_t wrong = {.code = 0};
  char *copy = strdup(text);
  *config = (uvr_config){.options = {.size = sizeof(config->options)}};
  if (copy == NULL) {
    return no_memory(error);
  }
  int code = uvr_config_add_file(config, job->config, copy, strlen(copy), &place, &wrong);
  code = code == 0 ? uvr_config_check(config, &place, &wrong) : code;
  free(copy);
  if (code != 0 && place.file != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_NONE, code, "%.160s:%u:%u: %.300s", job->config, place.line, place.column,
                         wrong.text);
  }
  return code == 0 ? 0 : uvr_error_set(error, UVRELAY_PHASE_NONE, code, "%.160s: %.300s", job->config, wrong.text);
}

int uvr_step_config_has_routes(const uvr_job *job, const char *text, bool *has, uvrelay_error_t *error)
{
  uvr_config config;
  int code = parse(job, text, &config, error);
  *has = code == 0 && config.count > 0;
  uvr_config_clear(&config);
  return code;
}

static bool has_preset(const uvr_config *config, const uvr_preset *preset)
{
  for (size_t i = 0; i < config->count; i++) {
    if (config->routes[i].preset == preset) {
      return true;
    }
  }
  return false;
}

static int find_block(const uvr_job *job, const char *text, uvr_block *block, bool *found, uvrelay_error_t *error)
{
  uvr_block_state state = uvr_block_find(text, block);
  *found = state == UVR_BLOCK_FOUND;
  return state != UVR_BLOCK_DAMAGED ? 0
                                    : uvr_error_set(error, UVRELAY_PHASE_NONE, UV_EINVAL,
                                                    "%.160s: one of the two lines between which `uvrelay setup` writes "
                                                    "is missing or repeated: fix it by hand",
                                                    job->config);
}

/* Reads the file; a missing one is an empty text. */
static int read_config(const uvr_job *job, char **text, uvrelay_error_t *error)
{
  int code = uvr_setup_read(job->config, text, error);
  if (code == 0 && *text == NULL) {
    *text = strdup("");
    code = *text == NULL ? no_memory(error) : 0;
  }
  return code;
}

/* Setting up. */

/* The lines of those presets that the configuration lacks; *names: the same as a list. Both allocated. */
static bool missing_lines(const uvr_job *job, const uvr_config *config, char **lines, char **names)
{
  *lines = strdup("");
  *names = strdup("");
  for (size_t i = 0; i < job->preset_count && *lines != NULL && *names != NULL; i++) {
    if (has_preset(config, job->presets[i])) {
      continue;
    }
    char *more = uvr_setup_format("%s@%s\n", *lines, job->presets[i]->name);
    char *list = uvr_setup_format("%s%s@%s", *names, **names == '\0' ? "" : ", ", job->presets[i]->name);
    free(*lines);
    free(*names);
    *lines = more;
    *names = list;
  }
  return *lines != NULL && *names != NULL;
}

/* The file's text with these lines at the end of the block, which is made if there is none. */
static char *add_lines(const char *text, const uvr_block *block, bool found, const char *lines, char **shown)
{
  char *inside = found ? uvr_setup_format("%.*s%s", (int)(block->last - block->inside), text + block->inside, lines)
                       : strdup(lines);
  *shown = inside == NULL ? NULL : uvr_block_make(inside);
  free(inside);
  size_t end = strlen(text);
  return *shown == NULL ? NULL : uvr_block_replace(text, found ? block->start : end, found ? block->end : end, *shown);
}

/* Makes the text that the file is to have, or NULL if it has it. */
static int plan_lines(const uvr_job *job, const char *text, char **new, char **shown, char **names,
                      uvrelay_error_t *error)
{
  uvr_config config;
  uvr_block block;
  bool found = false;
  char *lines = NULL;
  int code = parse(job, text, &config, error);
  code = code == 0 ? find_block(job, text, &block, &found, error) : code;
  if (code == 0 && !missing_lines(job, &config, &lines, names)) {
    code = no_memory(error);
  }
  uvr_config_clear(&config);
  if (code == 0 && *lines != '\0') {
    *new = add_lines(text, &block, found, lines, shown);
    code = *new == NULL ? no_memory(error) : parse(job, *new, &config, error);
    if (*new != NULL) {
      uvr_config_clear(&config);
    }
  }
  free(lines);
  return code;
}

static int look(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  char *text = NULL;
  char *new = NULL;
  char *names = NULL;
  int code = read_config(job, &text, error);
  code = code == 0 ? plan_lines(job, text, &new, &step->detail, &names, error) : code;
  if (code == 0 && new != NULL) {
    job->config_changes = true;
    code = uvr_step_say(&step->text, uvr_setup_format("Write %s to %s", names, job->config), error);
  }
  free(text);
  free(new);
  free(names);
  return code;
}

static int act(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  char *text = NULL;
  char *new = NULL;
  char *shown = NULL;
  char *names = NULL;
  bool is_new = !uvr_setup_is_there(job->config);
  int code = uvr_job_make_directory(job, error);
  code = code == 0 ? read_config(job, &text, error) : code;
  code = code == 0 ? plan_lines(job, text, &new, &shown, &names, error) : code;
  if (code == 0 && new != NULL) {
    code = uvr_setup_record_newline(job->config, text, &job->record, error);
    code = code == 0 ? uvr_setup_write_recorded(job->config, is_new, new, 0600, &job->record, error) : code;
  }
  free(text);
  free(new);
  free(shown);
  free(names);
  return code;
}

/* Taking back. */

typedef struct back {
  char *text;       /* what the file is to have; NULL: it stays */
  char *changed;    /* the first line in the block that is not setup's, or NULL */
  bool routes_left; /* in the file */
  bool block_left;
  bool at_end; /* the block stood there */
} back;

/* Whether a line is one that setup writes; *taken: for a preset that is to be taken back. */
static bool is_own_line(const uvr_job *job, const char *line, size_t length, bool *taken)
{
  length -= length > 0 && line[length - 1] == '\n' ? 1 : 0;
  length -= length > 0 && line[length - 1] == '\r' ? 1 : 0;
  bool own = length > 1 && *line == '@' && uvr_presets_find(line + 1, length - 1) != NULL;
  *taken = own && uvr_job_concerns(job, line + 1, length - 1);
  return own;
}

/* The lines of the block that stay. */
static char *left_lines(const uvr_job *job, const char *text, const uvr_block *block, back *out)
{
  char *left = strdup("");
  for (const char *line = text + block->inside; left != NULL && line < text + block->last;) {
    size_t length = strcspn(line, "\n") + 1;
    bool taken = false;
    if (!is_own_line(job, line, length, &taken) && out->changed == NULL) {
      out->changed = strndup(line, strcspn(line, "\r\n"));
    }
    if (!taken) {
      char *more = uvr_setup_format("%s%.*s", left, (int)length, line);
      free(left);
      left = more;
    }
    line += length;
  }
  return left;
}

static int plan_back(const uvr_job *job, const char *text, back *out, uvrelay_error_t *error)
{
  uvr_config config;
  uvr_block block;
  bool found = false;
  int code = find_block(job, text, &block, &found, error);
  if (code == 0 && found) {
    char *left = left_lines(job, text, &block, out);
    bool keeps_block = job->preset_count > 0 && left != NULL && *left != '\0';
    out->block_left = keeps_block;
    out->at_end = text[block.end] == '\0';
    char *put = keeps_block ? uvr_block_make(left) : left == NULL ? NULL : strdup(left);
    out->text = put == NULL ? NULL : uvr_block_replace(text, block.start, block.end, put);
    code = out->text == NULL ? no_memory(error) : 0;
    if (out->text != NULL && keeps_block && strcmp(out->text, text) == 0) {
      free(out->text);
      out->text = NULL;
    }
    free(left);
    free(put);
  }
  /* An error in the file is no reason to leave the block there. */
  if (code == 0) {
    out->routes_left = parse(job, out->text != NULL ? out->text : text, &config, NULL) == 0 && config.count > 0;
    uvr_config_clear(&config);
  }
  return code;
}

static void back_clear(back *self)
{
  free(self->text);
  free(self->changed);
}

static int look_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  char *text = NULL;
  back plan = {.text = NULL};
  int code = read_config(job, &text, error);
  code = code == 0 ? plan_back(job, text, &plan, error) : code;
  job->nothing_left = code == 0 && (job->preset_count == 0 || !plan.routes_left);
  if (code == 0 && plan.text != NULL) {
    job->config_changes = true;
    code = uvr_step_say(&step->text,
                        job->preset_count == 0
                            ? uvr_setup_format("Remove setup's routes from %s", job->config)
                            : uvr_setup_format("Remove @%s%s from %s", job->presets[0]->name,
                                               job->preset_count > 1 ? " and the others" : "", job->config),
                        error);
  }
  if (code == 0 && plan.changed != NULL && job->preset_count == 0) {
    code = uvr_step_say(
        &step->note,
        uvr_setup_format("%s keeps the line %s, because setup did not write it", job->config, plan.changed), error);
  }
  free(text);
  back_clear(&plan);
  return code;
}

static int act_back(uvr_job *job, uvr_step *step, uvrelay_error_t *error)
{
  (void)step;
  char *text = NULL;
  back plan = {.text = NULL};
  int code = read_config(job, &text, error);
  code = code == 0 ? plan_back(job, text, &plan, error) : code;
  if (code == 0 && plan.text != NULL) {
    bool empty = *plan.text == '\0' && uvr_record_has(&job->record, UVR_RECORD_FILE, job->config);
    code = plan.block_left ? 0 : uvr_setup_restore_newline(job->config, plan.at_end, plan.text, &job->record, error);
    code = code != 0 ? code
           : empty   ? uvr_setup_unlink(job->config, false, error)
                     : uvr_setup_write(job->config, plan.text, strlen(plan.text), 0600, false, &job->record, error);
  }
  if (code == 0 && job->nothing_left) {
    code = uvr_record_drop(&job->record, UVR_RECORD_FILE, job->config, error);
  }
  free(text);
  back_clear(&plan);
  return code;
}

const uvr_step_kind uvr_step_config = {.set_up = {look, act}, .take_back = {look_back, act_back}};
