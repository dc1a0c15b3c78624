/* Facts about a handle that only the system's native interface knows. Each is false if the system does not answer. */
#ifndef UVR_BASE_FILE_QUERY_WIN_H
#define UVR_BASE_FILE_QUERY_WIN_H

#include <stdbool.h>

#include <windows.h>

/* Whether it was opened with FILE_FLAG_OVERLAPPED. */
bool uvr_file_is_overlapped(HANDLE file);

/* Whether the other end of a pipe is closed. There may still be something to read. */
bool uvr_pipe_is_closing(HANDLE pipe);

/* Whether a pipe carries bytes in one direction only. */
bool uvr_pipe_is_one_way(HANDLE pipe);

#endif
