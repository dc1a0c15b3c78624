/* Splits what a child writes to its standard error into lines for the log. Pure.
 *
 * Lines are UTF-8 or UTF-16 (little-endian, with or without a byte order mark): old versions of wsl.exe write their own
 * messages in UTF-16, before the lines of a program for Linux. Which one it is, is judged for each line. */
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
  char raw[2 * UVR_CHILD_LINES_MAX + 1]; /* the incomplete line, as it was received, without its newline */
  size_t length;
  bool was_wide; /* the line before was UTF-16 */
  bool held;     /* a newline was received that may be half of a UTF-16 unit: the next byte tells */
  bool ended;    /* a line has ended with a newline that may have been the first half of a UTF-16 one */
  bool cut;      /* the line is longer than `raw` */
  bool cut_wide; /* and what is in `raw` has UTF-16 */
  size_t run;    /* of a line that is cut: how many bytes of ASCII were received last */
} uvr_child_lines;

/* Adds bytes, and calls back for each line that they complete. */
void uvr_child_lines_add(uvr_child_lines *self, const char *bytes, size_t length);

/* Nothing has been received for some time: calls back for a line that only waited for the next byte. */
void uvr_child_lines_settle(uvr_child_lines *self);

/* The input has ended: what is left is the last line. */
void uvr_child_lines_end(uvr_child_lines *self);

/* Escapes `text` in the same way into `out`, which has `size` bytes, at least 4. If it was `cut` before or does not
 * fit, it ends in "...". Returns `out`. */
const char *uvr_child_lines_escape(char *out, size_t size, const char *text, bool cut);

#endif
