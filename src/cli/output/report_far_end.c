/* Reports of the far end: see report_far_end.h. */
#include "cli/output/report_far_end.h"

static void say_far_end(const uvr_report *self, uvr_log_level level, const char *kind, const char *what,
                        uvr_text_line *text)
{
  uvr_text_line_add(text, self->json ? "}\n" : "\n");
  uvr_report_say_topic(self, level, &(uvr_log_topic){.kind = kind, .text = what}, text);
}

static void begin_far_end(uvr_text_line *text, const uvr_report *self, const char *kind, const char *member,
                          const char *what)
{
  if (self->json) {
    uvr_text_line_begin(text, kind);
    uvr_text_line_member(text, member, what);
  } else {
    uvr_text_line_add(text, "uvrelay: far end: ");
    uvr_text_line_text(text, what);
  }
}

void uvr_report_far_end_started(const uvr_report *self, const char *command, int process)
{
  static const char kind[] = "far-end-started";
  if (self->verbose) {
    uvr_text_line text = {.text = NULL};
    begin_far_end(&text, self, kind, "command", command);
    if (self->json) {
      uvr_text_line_number(&text, "pid", (uint64_t)process);
    } else {
      uvr_text_line_add(&text, " started (process %d)", process);
    }
    say_far_end(self, UVR_LOG_INFO, kind, "", &text);
  }
}

void uvr_report_far_end_ready(const uvr_report *self, const char *command)
{
  static const char kind[] = "far-end-ready";
  if (self->verbose) {
    uvr_text_line text = {.text = NULL};
    begin_far_end(&text, self, kind, "command", command);
    if (!self->json) {
      uvr_text_line_add(&text, " is ready");
    }
    say_far_end(self, UVR_LOG_INFO, kind, "", &text);
  }
}

/* If it fails again and again for one reason, that is reported once and then counted. */
void uvr_report_far_end_down(const uvr_report *self, const char *why, size_t reason_length, uint64_t retry_ms,
                             bool needs_client)
{
  static const char kind[] = "far-end-down";
  uvr_text_line text = {.text = NULL};
  begin_far_end(&text, self, kind, "text", why);
  if (self->json) {
    uvr_text_line_number(&text, "retry_ms", retry_ms);
    uvr_text_line_add(&text, needs_client ? ",\"needs_client\":true" : "");
  } else if (needs_client) {
    uvr_text_line_add(&text, "; the next client starts it again");
  } else {
    uvr_text_line_add(&text, "; starting it again in %g s", (double)retry_ms / 1000);
  }
  uvr_text_line reason = {.text = NULL};
  uvr_text_line_bytes(&reason, why, reason_length);
  uvr_text_line_bytes(&reason, "", 1);
  uvr_text_line_add(&text, self->json ? "}\n" : "\n");
  uvr_report_say_topic(self, UVR_LOG_ERROR,
                       &(uvr_log_topic){.kind = kind, .listen = reason.text, .text = why + reason_length, .same = 1},
                       &text);
  uvr_text_line_clear(&reason);
}

void uvr_report_far_end_line(const uvr_report *self, const char *line)
{
  static const char kind[] = "far-end-says";
  uvr_text_line text = {.text = NULL};
  begin_far_end(&text, self, kind, "text", line);
  say_far_end(self, UVR_LOG_NOTICE, kind, line, &text);
}
