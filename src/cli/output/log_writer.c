/* The log writer: see log_writer.h. The thread takes the whole queue and writes it while more texts are queued. There
 * are two blocks for that, from the start on, so that a few lines always have room. */
#include "cli/output/log_writer.h"

#include <stdlib.h>
#include <string.h>

#include "cli/os/thread.h"
#include "cli/output/log_fd.h"

enum { WAITING_MAX = 1024 * 1024, BLOCK_SIZE = 4096, STACK_SIZE = 64 * 1024 };

/* Lines on their way to the file. */
typedef struct file_lines {
  const uvr_log_writer *writer;
  uint64_t lost; /* lines that it did not take */
} file_lines;

static void write_file(void *user, const char *text, size_t length)
{
  file_lines *self = user;
  uvrelay_error_t error;
  uint64_t lost = uvr_log_file_write(self->writer->file, text, length, &error);
  if (lost > 0 && error.code != 0) {
    self->writer->on_fault(self->writer->user, &error);
  }
  self->lost += lost;
}

/* Returns how many lines the file did not take. */
static uint64_t write_all(const uvr_log_writer *self, bool echo, const char *text, size_t length)
{
  file_lines lines = {.writer = self};
  if (self->file == NULL || echo) {
    uvr_log_fd_write(self->fd, &self->style, text, length);
  }
  if (self->file != NULL) {
    uvr_log_style_render(&self->file_style, text, length, write_file, &lines);
  }
  return lines.lost;
}

static void run(void *user)
{
  uvr_log_writer *self = user;
  uv_mutex_lock(&self->mutex);
  while (self->length > 0 || !self->ending) {
    if (self->length == 0) {
      uv_cond_wait(&self->changed, &self->mutex);
      continue;
    }
    char *text = self->waiting;
    size_t length = self->length;
    size_t capacity = self->capacity;
    self->waiting = self->spare;
    self->spare = NULL;
    self->length = 0;
    self->capacity = BLOCK_SIZE;
    self->writing = true;
    bool echo = self->echo;
    uv_mutex_unlock(&self->mutex);
    uint64_t lost = write_all(self, echo, text, length);
    char *smaller = capacity > BLOCK_SIZE ? realloc(text, BLOCK_SIZE) : NULL;
    uv_mutex_lock(&self->mutex);
    self->spare = smaller != NULL ? smaller : text;
    self->writing = false;
    self->lost += lost;
    uv_cond_broadcast(&self->changed);
  }
  uv_mutex_unlock(&self->mutex);
}

static void free_blocks(uvr_log_writer *self)
{
  free(self->waiting);
  free(self->spare);
  self->waiting = NULL;
  self->spare = NULL;
}

void uvr_log_writer_start(uvr_log_writer *self, uv_file fd)
{
  *self =
      (uvr_log_writer){.fd = fd, .capacity = BLOCK_SIZE, .waiting = malloc(BLOCK_SIZE), .spare = malloc(BLOCK_SIZE)};
  bool has_blocks = self->waiting != NULL && self->spare != NULL;
  if (!has_blocks || uv_mutex_init(&self->mutex) != 0) {
    free_blocks(self);
    return;
  }
  if (uv_cond_init(&self->changed) != 0) {
    uv_mutex_destroy(&self->mutex);
    free_blocks(self);
    return;
  }
  self->threaded = uvr_thread_start(&self->thread, STACK_SIZE, run, self) == 0;
  if (!self->threaded) {
    uv_cond_destroy(&self->changed);
    uv_mutex_destroy(&self->mutex);
    free_blocks(self);
  }
}

void uvr_log_writer_set_style(uvr_log_writer *self, uvr_log_style style, uvr_log_style file_style)
{
  self->style = style;
  self->file_style = file_style;
}

void uvr_log_writer_set_file(uvr_log_writer *self, uvr_log_file *file,
                             void (*on_fault)(void *user, const uvrelay_error_t *error), void *user)
{
  self->file = file;
  self->echo = true;
  self->on_fault = on_fault;
  self->user = user;
}

void uvr_log_writer_stop_echo(uvr_log_writer *self)
{
  if (self->threaded) {
    uv_mutex_lock(&self->mutex);
    self->echo = false;
    uv_mutex_unlock(&self->mutex);
  } else {
    self->echo = false;
  }
}

/* Makes room for a text in the queue. */
static bool make_room(uvr_log_writer *self, size_t length)
{
  size_t wanted = self->length + length;
  if (self->length > 0 && wanted > WAITING_MAX) {
    return false;
  }
  if (wanted <= self->capacity) {
    return true;
  }
  size_t capacity = wanted * 2;
  char *waiting = realloc(self->waiting, capacity);
  if (waiting == NULL) {
    return false;
  }
  self->waiting = waiting;
  self->capacity = capacity;
  return true;
}

void uvr_log_writer_add(uvr_log_writer *self, const char *text, size_t length)
{
  if (!self->threaded) {
    (void)write_all(self, self->echo, text, length);
    return;
  }
  uv_mutex_lock(&self->mutex);
  if (make_room(self, length)) {
    memcpy(self->waiting + self->length, text, length);
    self->length += length;
    uv_cond_broadcast(&self->changed);
  } else {
    self->lost++;
  }
  uv_mutex_unlock(&self->mutex);
}

uint64_t uvr_log_writer_lost(uvr_log_writer *self)
{
  uint64_t lost = 0;
  if (self->threaded) {
    uv_mutex_lock(&self->mutex);
    /* Only once there is room to report it. */
    if (self->lost > 0 && self->length < WAITING_MAX / 2) {
      lost = self->lost;
      self->lost = 0;
    }
    uv_mutex_unlock(&self->mutex);
  }
  return lost;
}

/* Returns whether everything is written. The caller holds the mutex. */
static bool wait_idle(uvr_log_writer *self, uint64_t timeout_ms)
{
  const uint64_t ms = 1000000; /* in ns */
  uint64_t end = uv_hrtime() + timeout_ms * ms;
  while (self->length > 0 || self->writing) {
    uint64_t now = uv_hrtime();
    if (now >= end) {
      return false;
    }
    (void)uv_cond_timedwait(&self->changed, &self->mutex, end - now);
  }
  return true;
}

void uvr_log_writer_flush(uvr_log_writer *self, uint64_t timeout_ms)
{
  if (self->threaded) {
    uv_mutex_lock(&self->mutex);
    (void)wait_idle(self, timeout_ms);
    uv_mutex_unlock(&self->mutex);
  }
}

void uvr_log_writer_end(uvr_log_writer *self, uint64_t timeout_ms)
{
  if (!self->threaded) {
    return;
  }
  uv_mutex_lock(&self->mutex);
  bool idle = wait_idle(self, timeout_ms);
  self->ending = idle;
  uv_cond_broadcast(&self->changed);
  uv_mutex_unlock(&self->mutex);
  if (idle) {
    (void)uv_thread_join(&self->thread);
    uv_cond_destroy(&self->changed);
    uv_mutex_destroy(&self->mutex);
    free_blocks(self);
    self->threaded = false;
  }
}
