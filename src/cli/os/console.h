/* The console window of a program started without a terminal: console_win.c. */
#ifndef UVR_CLI_OS_CONSOLE_H
#define UVR_CLI_OS_CONSOLE_H

/* Hides the console window. NULL when it is hidden; else why there was none to hide: a sentence's text. */
const char *uvr_console_hide(void);

#endif
