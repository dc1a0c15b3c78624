/* Facts about a handle that only the system's native interface knows. Those that are bool are false if it
 * does not answer. */
#ifndef UVR_BASE_FILE_QUERY_WIN_H
#define UVR_BASE_FILE_QUERY_WIN_H

#include <stdbool.h>

#include <windows.h>

/* Whether it was opened with FILE_FLAG_OVERLAPPED. */
bool uvr_file_is_overlapped(HANDLE file);

/* Whether two handles are of one open file: the same handle, or duplicates. */
bool uvr_file_is_same(HANDLE one, HANDLE other);

/* Whether our end of a pipe is no longer of use: the other end is closed, or its server has disconnected us. There may
 * still be something to read. */
bool uvr_pipe_is_over(HANDLE pipe);

/* In which directions a pipe carries bytes, as its server has made it, and seen from our end. */
typedef struct uvr_pipe_ways {
  bool known; /* false: the system does not answer; then both others are true */
  bool in;    /* to us */
  bool out;
} uvr_pipe_ways;

uvr_pipe_ways uvr_pipe_ways_of(HANDLE pipe);

/* Which of the rights in `wanted` the handle was opened with; all of them if the system does not answer. */
DWORD uvr_file_rights(HANDLE file, DWORD wanted);

#endif
