/* What only the system's native interface tells of a handle. Each is false where it does not tell. */
#ifndef UVR_BASE_FILE_QUERY_WIN_H
#define UVR_BASE_FILE_QUERY_WIN_H

#include <stdbool.h>

#include <windows.h>

/* Whether it was opened with FILE_FLAG_OVERLAPPED. */
bool uvr_file_is_overlapped(HANDLE file);

/* Whether a pipe's other end is closed, though there may be something left to read. */
bool uvr_pipe_is_closing(HANDLE pipe);

/* Whether a pipe carries bytes one way only. */
bool uvr_pipe_is_one_way(HANDLE pipe);

#endif
