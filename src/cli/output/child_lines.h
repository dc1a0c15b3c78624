/* Splits what a child writes to its standard error into lines for the log. Pure. */
#ifndef UVR_CLI_OUTPUT_CHILD_LINES_H
#define UVR_CLI_OUTPUT_CHILD_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line in bytes, without its NUL; a longer one is cut and ends in "...". */
#define UVR_CHILD_LINES_MAX 512

/* Initialise it with zeros and the callback. */
typedef struct uvr_child_lines {
  /* Gets each line that is not blank, without its newline. Bytes that are not UTF-8 and control characters are written
   * as \xNN. */
  void (*on_line)(void *user, const char *line);
  void *user;
  char text[UVR_CHILD_LINES_MAX + 1]; /* the incomplete line, not escaped yet */
  size_t length;
  bool cut; /* the line is longer than `text` */
} uvr_child_lines;

/* Adds bytes, and calls back for each line that they complete. */
void uvr_child_lines_add(uvr_child_lines *self, const char *bytes, size_t length);

/* The input has ended: what is left is the last line. */
void uvr_child_lines_end(uvr_child_lines *self);

/* Escapes `text` in the same way into `out`, which has `size` bytes, at least 4. If it was `cut` before or does not
 * fit, it ends in "...". Returns `out`. */
const char *uvr_child_lines_escape(char *out, size_t size, const char *text, bool cut);

#endif
