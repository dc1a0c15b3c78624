/* The log: see log.h. */
#include "cli/output/log.h"

#include "stream/blocking_file.h"

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

static void write_text(void *user, const char *text, size_t length)
{
  uvr_log *self = user;
  report_lost(self);
  uvr_log_writer_add(&self->writer, text, length);
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
  *self = (uvr_log){
      .report = {.json = json, .verbose = verbose, .write = write_text, .write_topic = write_topic, .user = self},
      .limit = {.json = json,
                .allowance = verbose ? generous : ordinary,
                .write = write_text,
                .now = now,
                .on_window = on_window,
                .user = self},
      .writer = {.fd = STANDARD_ERROR}};
}

void uvr_log_set_verbose(uvr_log *self, bool verbose)
{
  self->report.verbose = verbose;
  self->limit.allowance = verbose ? generous : ordinary;
}

static void write_to_standard_error(void *user, const char *text, size_t length)
{
  const uvr_blocking_file file = uvr_blocking_file_of(STANDARD_ERROR, false);
  (void)user;
  (void)uvr_blocking_file_write(&file, text, length);
}

/* On the thread that writes. A reader of standard error who does not read stops the log, but nothing else. */
static void on_file_fault(void *user, const uvrelay_error_t *error)
{
  const uvr_log *log = user;
  const uvr_report report = {.json = log->report.json, .write = write_to_standard_error};
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
