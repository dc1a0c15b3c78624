/* The terminal that the program was started in: terminal_unix.c and terminal_win.c. */
#ifndef UVR_CLI_OS_TERMINAL_H
#define UVR_CLI_OS_TERMINAL_H

#include <stdbool.h>

/* Whether standard output is a terminal on which text can be drawn again in the place of the old one. */
bool uvr_terminal_can_redraw(void);

/* Whether standard output (1) or standard error (2) shows colours: it is a terminal, which can do that, and the
 * environment variable NO_COLOR is not set. */
bool uvr_terminal_has_colours(int fd);

/* Has a terminal that shows colours understand them, and returns its state before; and gives that back. A console of
 * Windows is shared with other programs, so these belong right before and after what is written. */
unsigned long uvr_terminal_begin_colours(int fd);
void uvr_terminal_end_colours(int fd, unsigned long state);

/* Whether this process has a controlling terminal that is still there. On Windows never. */
bool uvr_terminal_is_there(void);

/* Whether a SIGHUP can be a request by somebody. If not, it always says that the terminal has gone, as on Windows. */
bool uvr_terminal_hangup_may_ask(void);

/* Whether the shells that are usual here are those of Windows. */
bool uvr_terminal_is_windows(void);

#endif
