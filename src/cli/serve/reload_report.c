/* What is said of a reload: see reload_report.h. */
#include "cli/serve/reload_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define RESTART_SIZE 160

static void add_name(char names[RESTART_SIZE], bool differs, const char *name)
{
  size_t length = strlen(names);
  if (differs) {
    (void)snprintf(names + length, RESTART_SIZE - length, "%s%s", length == 0 ? "" : ", ", name);
  }
}

static bool are_different(const char *one, const char *other)
{
  return one == NULL || other == NULL ? one != other : strcmp(one, other) != 0;
}

/* The settings that have changed and that only a restart applies, with commas between them. */
static void list_restart(const uvr_serve_options *before, const uvr_serve_options *after, char names[RESTART_SIZE])
{
  names[0] = '\0';
  add_name(names, are_different(before->via, after->via), "via");
  add_name(names, before->eager != after->eager, "eager");
  add_name(names, before->window_total != after->window_total, "window-total");
  add_name(names, before->json != after->json, "json");
  add_name(names, before->control != after->control, "control");
  add_name(names, are_different(before->log_file, after->log_file), "log-file");
  add_name(names, before->log_size != after->log_size, "log-size");
  add_name(names, before->timestamps != after->timestamps, "timestamps");
  add_name(names, before->allow_remote_files != after->allow_remote_files, "allow-remote-files");
}

void uvr_reload_say_done(const uvr_report *report, const uvr_reload_counts *counts, const uvr_serve_options *before,
                         const uvr_serve_options *after, uvr_text_line *text)
{
  char names[RESTART_SIZE];
  uvr_text_line line = {.text = NULL};
  list_restart(before, after, names);
  uvr_text_line_add(text,
                    "the configuration was read again: %" PRIu64 " route%s unchanged, %" PRIu64 " changed, %" PRIu64
                    " new, %" PRIu64 " gone",
                    (uint64_t)counts->kept, counts->kept == 1 ? "" : "s", (uint64_t)counts->changed,
                    (uint64_t)counts->added, (uint64_t)counts->gone);
  if (names[0] != '\0') {
    uvr_text_line_add(text, "; changes to %s need a restart", names);
  }
  if (report->json) {
    uvr_text_line_begin(&line, "reloaded");
    uvr_text_line_number(&line, "unchanged", counts->kept);
    uvr_text_line_number(&line, "changed", counts->changed);
    uvr_text_line_number(&line, "new", counts->added);
    uvr_text_line_number(&line, "gone", counts->gone);
    uvr_text_line_member(&line, "needs_restart", names);
    uvr_text_line_add(&line, "}\n");
  } else {
    uvr_text_line_add(&line, "uvrelay: ");
    uvr_text_line_bytes(&line, text->text, text->length);
    uvr_text_line_add(&line, "\n");
  }
  uvr_text_line_add(text, "\n");
  uvr_report_say(report, UVR_LOG_NOTICE, &line);
}

void uvr_reload_say_failed(const uvr_report *report, const uvr_place *place, const uvrelay_error_t *error,
                           unsigned lost, uvr_text_line *text)
{
  uvrelay_error_t whole = *error;
  if (lost == 0) {
    (void)uvr_error_set(&whole, error->phase, error->code, "%.400s: nothing was changed by the reload", error->text);
  } else {
    (void)uvr_error_set(&whole, error->phase, error->code,
                        "%.400s: the reload was undone, but %u route%s could not be restored: the log says why",
                        error->text, lost, lost == 1 ? "" : "s");
  }
  uvr_report_error(report, place, &whole);
  if (place->file != NULL) {
    uvr_text_line_add(text, "%.200s:%u:%u: ", place->file, place->line, place->column);
  }
  uvr_text_line_bytes(text, whole.text, strlen(whole.text) + 1);
}
