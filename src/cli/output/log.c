/* The log: see log.h. */
#include "cli/output/log.h"

#include "cli/output/log_fd.h"

enum { STANDARD_ERROR = 2, NS_PER_MS = 1000000, EARLY_MS = 50, READY_PATIENCE_MS = 1000 };

/* With -v everything is asked for that happens to a connection, but not without any limit either. */
static const uvr_log_allowance ordinary = {.same = 5, .alike = 100, .all = 200};
static const uvr_log_allowance generous = {.same = 10000, .alike = 10000, .all = 20000};

static void report_lost(uvr_log *self)
{
  uint64_t lost = uvr_log_writer_lost(&self->writer);
  if (lost > 0) {
    uvr_report_lost(&self->report, lost);
  }
}

/* The line on what the limit has left out has no mark. */
static void write_text(void *user, const char *text, size_t length)
{
  uvr_log *self = user;
  uvr_text_line line = {.text = NULL};
  report_lost(self);
  if (uvr_log_is_marked(text)) {
    uvr_log_writer_add(&self->writer, text, length);
    return;
  }
  uvr_text_line_bytes(&line, text, length);
  uvr_log_mark(&line, UVR_LOG_WARNING, self->report.timed);
  uvr_log_writer_add(&self->writer, line.failed ? text : line.text, line.failed ? length : line.length);
  uvr_text_line_clear(&line);
}

static void write_topic(void *user, const uvr_log_topic *topic, const char *text, size_t length)
{
  uvr_log *self = user;
  uvr_log_limit_add(&self->limit, topic, text, length);
}

static uint64_t now(void *user)
{
  (void)user; /* the loop's time does not advance without a loop, and while it is busy */
  return uv_hrtime() / NS_PER_MS;
}

static void on_timer(uv_timer_t *timer)
{
  uvr_log *self = timer->data;
  uvr_log_limit_tick(&self->limit);
  if (self->limit.open && !uv_is_active((uv_handle_t *)timer)) { /* by its own clock the window is not over yet */
    (void)uv_timer_start(timer, on_timer, EARLY_MS, 0);
  }
}

static void on_window(void *user)
{
  uvr_log *self = user;
  if (self->timed) {
    (void)uv_timer_start(&self->timer, on_timer, UVR_LOG_LIMIT_MS, 0);
  }
}

void uvr_log_init(uvr_log *self, bool json, bool verbose)
{
  *self = (uvr_log){.report = {.json = json,
                               .verbose = verbose,
                               .marked = true,
                               .write = write_text,
                               .write_topic = write_topic,
                               .user = self},
                    .limit = {.json = json,
                              .allowance = verbose ? generous : ordinary,
                              .write = write_text,
                              .now = now,
                              .on_window = on_window,
                              .user = self},
                    .writer = {.fd = STANDARD_ERROR},
                    .style = uvr_log_fd_style(STANDARD_ERROR)};
  self->style.colours = self->style.colours && !json;
  uvr_log_writer_set_style(&self->writer, self->style, self->file_style);
}

void uvr_log_set_times(uvr_log *self, bool on_standard_error, bool in_file)
{
  self->style.times = on_standard_error && !self->report.json && !self->style.priorities;
  self->file_style.times = in_file && !self->report.json;
  self->report.timed = self->style.times || self->file_style.times;
  uvr_log_writer_set_style(&self->writer, self->style, self->file_style);
}

void uvr_log_set_verbose(uvr_log *self, bool verbose)
{
  self->report.verbose = verbose;
  self->limit.allowance = verbose ? generous : ordinary;
}

static void write_to_standard_error(void *user, const char *text, size_t length)
{
  const uvr_log *log = user;
  uvr_log_fd_write(STANDARD_ERROR, &log->style, text, length);
}

/* On the thread that writes. A reader of standard error who does not read stops the log, but nothing else. */
static void on_file_fault(void *user, const uvrelay_error_t *error)
{
  uvr_log *log = user;
  const uvr_report report = {.json = log->report.json,
                             .marked = true,
                             .timed = log->style.times,
                             .write = write_to_standard_error,
                             .user = log};
  uvr_report_error(&report, NULL, error);
}

int uvr_log_open_file(uvr_log *self, const char *path, uint64_t size, uvrelay_error_t *error)
{
  int code = uvr_log_file_open(&self->file, path, size > 0 ? size : UVR_LOG_FILE_SIZE, error);
  if (code == 0) {
    uvr_log_writer_set_file(&self->writer, &self->file, on_file_fault, self);
  }
  return code;
}

void uvr_log_ready(uvr_log *self)
{
  if (self->file.path != NULL) {
    uvr_log_writer_flush(&self->writer, READY_PATIENCE_MS);
  }
  uvr_log_writer_stop_echo(&self->writer);
}

void uvr_log_start(uvr_log *self)
{
  uvr_log_writer_start(&self->writer, STANDARD_ERROR);
  uvr_log_writer_set_style(&self->writer, self->style, self->file_style);
  if (self->file.path != NULL) {
    uvr_log_writer_set_file(&self->writer, &self->file, on_file_fault, self);
  }
}

int uvr_log_start_timer(uvr_log *self, uv_loop_t *loop)
{
  int code = uv_timer_init(loop, &self->timer);
  if (code == 0) {
    self->timer.data = self;
    self->timed = true;
    uv_unref((uv_handle_t *)&self->timer);
  }
  return code;
}

void uvr_log_stop_timer(uvr_log *self)
{
  if (self->timed) {
    self->timed = false;
    uv_close((uv_handle_t *)&self->timer, NULL);
  }
}

void uvr_log_write_counts(uvr_log *self)
{
  uvr_log_limit_end(&self->limit);
}

void uvr_log_end(uvr_log *self, uint64_t timeout_ms)
{
  uint64_t end = now(self) + timeout_ms;
  uvr_log_limit_end(&self->limit);
  uvr_log_writer_flush(&self->writer, timeout_ms); /* makes room to tell what was lost */
  report_lost(self);
  uint64_t time = now(self);
  uvr_log_writer_end(&self->writer, time < end ? end - time : 0);
  if (!self->writer.threaded && self->file.path != NULL) {
    self->writer.file = NULL;
    uvr_log_file_close(&self->file);
  }
}
