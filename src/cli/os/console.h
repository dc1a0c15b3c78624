/* The console window of a program started without a terminal: console_win.c. */
#ifndef UVR_CLI_OS_CONSOLE_H
#define UVR_CLI_OS_CONSOLE_H

/* Hides the console window if it is this program's alone. NULL when it is hidden; else why it is not: a sentence. */
const char *uvr_console_hide(void);

#endif
