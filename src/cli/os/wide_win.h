/* Text for Windows. Both functions return memory to be freed, or NULL if there is none. */
#ifndef UVR_CLI_OS_WIDE_WIN_H
#define UVR_CLI_OS_WIDE_WIN_H

#include <wchar.h>

/* UTF-8 as UTF-16. */
wchar_t *uvr_to_wide(const char *text);

/* UTF-16 as UTF-8. */
char *uvr_to_utf8(const wchar_t *wide);

#endif
