/* Standard error, written by a thread of its own: a reader that does not read, or a terminal that is held, stops the
 * log and not the relay. What cannot be written is lost, and counted. */
#ifndef UVR_CLI_OUTPUT_LOG_WRITER_H
#define UVR_CLI_OUTPUT_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

typedef struct uvr_log_writer {
  uv_file fd;
  uv_thread_t thread;
  uv_mutex_t mutex; /* for all that follows */
  uv_cond_t changed;
  char *waiting; /* what the thread has not taken */
  size_t length;
  size_t capacity;
  bool writing; /* the thread has taken something */
  bool ending;
  bool threaded; /* else each text is written at once */
  uint64_t lost; /* texts, since uvr_log_writer_lost() */
} uvr_log_writer;

/* Where no thread can be had, writing may block; nothing fails. */
void uvr_log_writer_start(uvr_log_writer *self, uv_file fd);

/* Writes a text, later. */
void uvr_log_writer_add(uvr_log_writer *self, const char *text, size_t length);

/* How many texts were lost since it was asked last. */
uint64_t uvr_log_writer_lost(uvr_log_writer *self);

/* Waits until all is written, but no longer than this. */
void uvr_log_writer_flush(uvr_log_writer *self, uint64_t timeout_ms);

/* The same, and ends the thread, unless that still writes: then it stays as it is until the process ends. */
void uvr_log_writer_end(uvr_log_writer *self, uint64_t timeout_ms);

#endif
