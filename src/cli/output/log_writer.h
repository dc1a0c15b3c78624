/* Writes the log to standard error, or to a file, on a thread of its own, so that a reader that does not read, or a
 * terminal that is stopped, blocks the log and not the relay. What cannot be written is dropped and counted. Lines may
 * have marks: see log_style.h. */
#ifndef UVR_CLI_OUTPUT_LOG_WRITER_H
#define UVR_CLI_OUTPUT_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "cli/output/log_file.h"
#include "cli/output/log_style.h"

typedef struct uvr_log_writer {
  uv_file fd;
  uvr_log_style style;      /* of what `fd` gets */
  uvr_log_style file_style; /* of what the file gets */
  uvr_log_file *file;       /* is written to instead; NULL: none */
  bool echo;                /* `fd` is written to as well */
  /* The file cannot be written to. Called on the thread that writes. */
  void (*on_fault)(void *user, const uvrelay_error_t *error);
  void *user;
  uv_thread_t thread;
  uv_mutex_t mutex; /* for all that follows */
  uv_cond_t changed;
  /* What the thread has not begun to write. It has room for a few lines from the start, even without memory. */
  char *waiting;
  size_t length;
  size_t capacity;
  char *spare;  /* the next `waiting`, of the first size; NULL: the thread is writing it */
  bool writing; /* the thread is writing */
  bool ending;
  bool threaded; /* if not, each text is written at once */
  uint64_t lost; /* texts that were dropped since uvr_log_writer_lost() */
} uvr_log_writer;

/* Starts the thread. Cannot fail: without a thread, writing may block. */
void uvr_log_writer_start(uvr_log_writer *self, uv_file fd);

/* Sets the styles, which are plain otherwise. To be called at once after the start, or without one. */
void uvr_log_writer_set_style(uvr_log_writer *self, uvr_log_style style, uvr_log_style file_style);

/* From now on writes to the file, which remains the caller's, and until uvr_log_writer_stop_echo() to `fd`, too. To be
 * called at once after the start, or without one. */
void uvr_log_writer_set_file(uvr_log_writer *self, uvr_log_file *file,
                             void (*on_fault)(void *user, const uvrelay_error_t *error), void *user);

/* What is queued from now on goes to the file only. */
void uvr_log_writer_stop_echo(uvr_log_writer *self);

/* Queues a text to be written. */
void uvr_log_writer_add(uvr_log_writer *self, const char *text, size_t length);

/* How many texts were dropped since the last call. */
uint64_t uvr_log_writer_lost(uvr_log_writer *self);

/* Waits until everything is written, or until the time is over. */
void uvr_log_writer_flush(uvr_log_writer *self, uint64_t timeout_ms);

/* The same, and then ends the thread. A thread that is still writing is left running until the process ends. */
void uvr_log_writer_end(uvr_log_writer *self, uint64_t timeout_ms);

#endif
