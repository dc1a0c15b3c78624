/* The console window of a program started without a terminal: src/win/console.c. */
#ifndef UVR_CONSOLE_H
#define UVR_CONSOLE_H

/* Hides the console window. NULL when it is hidden; else why there was none to hide: a sentence's text. */
const char *uvr_console_hide(void);

#endif
