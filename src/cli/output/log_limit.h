/* Limits the log, most lines of which can be caused by others: by a client that connects in a loop, by a target that is
 * gone, by what a far end writes. Lines are the same if they differ in numbers or quoted text only.
 *
 * Time is cut into windows of 10 s; the first line after a quiet time begins one. Within a window, the first few lines
 * that are the same pass at once; those that follow are counted, and at the window's end the last of them is written
 * with the count. They go on being counted until a window has none. All lines of one kind and route together are
 * limited in the same way, and so are all lines of the log. Nothing is left out without being counted, and the memory
 * is bounded.
 *
 * Pure: its owner tells the time and calls it again when a window is over. */
#ifndef UVR_CLI_OUTPUT_LOG_LIMIT_H
#define UVR_CLI_OUTPUT_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UVR_LOG_LIMIT_MS = 10000 };

/* How many lines pass in a window. */
typedef struct uvr_log_allowance {
  unsigned same;  /* of those that are the same */
  unsigned alike; /* of one kind and route */
  unsigned all;   /* of the log; half of them only for lines that are the first of their sort */
} uvr_log_allowance;

/* What a line is about. */
typedef struct uvr_log_topic {
  const char *kind;
  const char *listen; /* the route, or NULL */
  const char *target;
  const char *text; /* what makes two lines of a kind and route the same */
  unsigned same;    /* replaces that of the allowance; 0: does not */
} uvr_log_topic;

typedef struct uvr_log_sort uvr_log_sort;

/* Initialise it with zeros and the first members. */
typedef struct uvr_log_limit {
  bool json;
  uvr_log_allowance allowance;
  void (*write)(void *user, const char *text, size_t length);
  uint64_t (*now)(void *user); /* ms */
  /* A window has begun: uvr_log_limit_tick is to be called when UVR_LOG_LIMIT_MS have passed. */
  void (*on_window)(void *user);
  void *user;
  /* The rest is private. */
  bool open; /* a window */
  uint64_t since;
  uvr_log_sort *sorts;
  size_t count;
  size_t capacity;
  unsigned passed;
  uint64_t left_out; /* lines that belong to no sort, as there are too many */
  uint64_t left_out_since;
} uvr_log_limit;

/* Adds a whole line, with its newline; in JSON an object. */
void uvr_log_limit_add(uvr_log_limit *self, const uvr_log_topic *topic, const char *line, size_t length);

/* Ends the window if its time is over. */
void uvr_log_limit_tick(uvr_log_limit *self);

/* Writes what was counted so far, and forgets everything. */
void uvr_log_limit_end(uvr_log_limit *self);

#endif
