/* A line of the log, put together piece by piece in memory of its own. Pure but for that. Where the memory runs out the
 * line has failed, and further pieces are left out. */
#ifndef UVR_CLI_OUTPUT_TEXT_LINE_H
#define UVR_CLI_OUTPUT_TEXT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* To begin as all zero, and to be cleared. */
typedef struct uvr_line {
  char *text; /* without a NUL, unless one was added */
  size_t length;
  size_t capacity;
  bool failed; /* there was no memory */
} uvr_line;

/* Adds bytes as they are. */
void uvr_line_bytes(uvr_line *self, const char *bytes, size_t length);

/* Adds what printf makes of it, 256 bytes at most. */
void uvr_line_add(uvr_line *self, const char *format, ...) UVR_PRINTF(2, 3);

/* Adds text that came from outside, for people: a control character, or a byte that is not UTF-8, becomes a "?". */
void uvr_line_text(uvr_line *self, const char *text);

/* Adds it as a JSON string. */
void uvr_line_string(uvr_line *self, const char *text);

/* Adds a member that is not the first one of its JSON object. */
void uvr_line_member(uvr_line *self, const char *name, const char *text);
void uvr_line_number(uvr_line *self, const char *name, uint64_t number);

/* Adds a time as RFC 3339 has it, in UTC. */
void uvr_line_time(uvr_line *self, int64_t seconds, int milliseconds);

void uvr_line_clear(uvr_line *self);

#endif
