/* What a child writes to its standard error, as lines that are fit for a log. Pure. */
#ifndef UVR_CLI_OUTPUT_CHILD_LINES_H
#define UVR_CLI_OUTPUT_CHILD_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a line, as it is told, without its NUL; a longer one is cut and ends in "...". */
#define UVR_LINES_MAX 512

/* To begin as all zero but for the callback. */
typedef struct uvr_lines {
  /* Gets each line that is not blank: valid UTF-8 without its end; other bytes and control characters are \xNN. */
  void (*on_line)(void *user, const char *line);
  void *user;
  char text[UVR_LINES_MAX + 1]; /* the line that is not complete, as it came */
  size_t length;
  bool cut; /* it is longer than that */
} uvr_lines;

/* Takes what has come. */
void uvr_lines_take(uvr_lines *self, const char *bytes, size_t length);

/* No more will come: what is left is a line. */
void uvr_lines_end(uvr_lines *self);

/* Puts such a text, up to its NUL, into `size` bytes, at least 4; if it was `cut`, or must be, it ends in "...".
 * Returns `out`. */
const char *uvr_lines_escape(char *out, size_t size, const char *text, bool cut);

#endif
