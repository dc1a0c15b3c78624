/* A line of text that is built piece by piece. Pure except for the memory of a long one: if that runs out, the line has
 * failed, and further pieces are dropped. Whatever a short one says, such as that there is no memory, needs none. */
#ifndef UVR_CLI_OUTPUT_TEXT_LINE_H
#define UVR_CLI_OUTPUT_TEXT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { UVR_TEXT_LINE_SHORT = 1536 }; /* a sentence of an error, with what to try and all characters escaped, fits */

/* Initialise it with zeros, and clear it in the end. It must not be copied. */
typedef struct uvr_text_line {
  char *text; /* has a NUL only if one was added */
  size_t length;
  size_t capacity;
  bool failed; /* there was no memory */
  char own[UVR_TEXT_LINE_SHORT];
} uvr_text_line;

/* Adds bytes as they are. */
void uvr_text_line_bytes(uvr_text_line *self, const char *bytes, size_t length);

/* Puts bytes before all the others. */
void uvr_text_line_insert(uvr_text_line *self, const char *bytes, size_t length);

/* Adds formatted text, of 255 bytes at most. */
void uvr_text_line_add(uvr_text_line *self, const char *format, ...) UVR_PRINTF(2, 3);

/* Adds text from outside, for people: hidden characters and bytes that are not UTF-8 become \xNN. */
void uvr_text_line_text(uvr_text_line *self, const char *text);

/* Adds text from outside as a JSON string. */
void uvr_text_line_string(uvr_text_line *self, const char *text);

/* Adds a member to a JSON object that has one already. */
void uvr_text_line_member(uvr_text_line *self, const char *name, const char *text);
void uvr_text_line_number(uvr_text_line *self, const char *name, uint64_t number);

/* Adds a time in the format of RFC 3339, in UTC. */
void uvr_text_line_time(uvr_text_line *self, int64_t seconds, int milliseconds);

/* The same of the present. */
void uvr_text_line_now(uvr_text_line *self);

/* Begins a JSON object for an event that happens now; "}" must end it. */
void uvr_text_line_begin(uvr_text_line *self, const char *event);

void uvr_text_line_clear(uvr_text_line *self);

#endif
