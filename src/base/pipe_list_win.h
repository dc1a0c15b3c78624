/* The named pipes of this computer. */
#ifndef UVR_BASE_PIPE_LIST_WIN_H
#define UVR_BASE_PIPE_LIST_WIN_H

#include <stdbool.h>

#include <windows.h>

/* Calls on_name with the name of each pipe, without \\.\pipe\ before it, in UTF-8, until that returns false. No pipe is
 * opened. Names that are no valid UTF-16, or longer than a pipe's name can be, are left out. Returns 0 or a Windows
 * code: Wine cannot list its pipes. */
DWORD uvr_pipe_list(bool (*on_name)(void *user, const char *name), void *user);

#endif
