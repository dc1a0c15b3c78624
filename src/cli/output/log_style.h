/* How the lines of the log look where they are written: with their times, with priorities for the journal, in colour.
 *
 * Until then each line has a mark before it, which says how grave it is and, if asked for, when it was made. Lines have
 * no control characters, so a mark cannot be taken for text. Without a mark a line is an ordinary one without a time.
 * Pure. */
#ifndef UVR_CLI_OUTPUT_LOG_STYLE_H
#define UVR_CLI_OUTPUT_LOG_STYLE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/output/text_line.h"

/* How grave a line is: the priorities of syslog, which the journal has, too. */
typedef enum uvr_log_level {
  UVR_LOG_ERROR = 3,   /* something was not done */
  UVR_LOG_WARNING = 4, /* something was, but not as somebody may expect */
  UVR_LOG_NOTICE = 5,  /* worth knowing, without -v too */
  UVR_LOG_INFO = 6     /* what happens */
} uvr_log_level;

typedef struct uvr_log_style {
  bool times;      /* each line begins with its time */
  bool priorities; /* each line begins with its priority, as in <4> */
  bool colours;    /* errors and warnings have colours */
} uvr_log_style;

/* Puts a mark before the line, with the present time if `timed`. */
void uvr_log_mark(uvr_text_line *line, uvr_log_level level, bool timed);

bool uvr_log_is_marked(const char *text);

/* Gives lines in this style to a function, as few times as possible, without dividing any; but a line of more than 4000
 * bytes that gets something before or behind it, in pieces. The last line may lack its newline. */
void uvr_log_style_render(const uvr_log_style *style, const char *text, size_t length,
                          void (*write)(void *user, const char *text, size_t length), void *user);

#endif
