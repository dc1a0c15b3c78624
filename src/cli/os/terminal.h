/* The terminal that the program was started in: terminal_unix.c and terminal_win.c. */
#ifndef UVR_CLI_OS_TERMINAL_H
#define UVR_CLI_OS_TERMINAL_H

#include <stdbool.h>

/* Whether standard output is a terminal on which text can be drawn again in the place of the old one. */
bool uvr_terminal_can_redraw(void);

/* Whether this process has a controlling terminal that is still there. On Windows never. */
bool uvr_terminal_is_there(void);

/* Whether a SIGHUP can be a request by somebody. If not, it always says that the terminal has gone, as on Windows. */
bool uvr_terminal_hangup_may_ask(void);

/* Whether the shells that are usual here are those of Windows. */
bool uvr_terminal_is_windows(void);

#endif
