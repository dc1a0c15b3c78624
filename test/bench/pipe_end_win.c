/* The far end of a named pipe for benchmarks, in plain blocking Win32: as fast as the pipe lets it, with no hashing.
 *
 *   pipe_end PIPE byte|message source|sink|echo BYTES
 *
 * Prints a line when the pipe is there, serves one client, and ends when BYTES went through or the client is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

enum { CHUNK = 64 * 1024 };

static int source(HANDLE pipe, char *chunk, unsigned long long bytes)
{
  while (bytes > 0) {
    DWORD part = bytes < CHUNK ? (DWORD)bytes : CHUNK;
    DWORD written;
    if (!WriteFile(pipe, chunk, part, &written, NULL)) {
      return 1;
    }
    bytes -= written;
  }
  return !FlushFileBuffers(pipe);
}

static int sink(HANDLE pipe, char *chunk, unsigned long long bytes, int echo)
{
  while (bytes > 0) {
    DWORD got;
    DWORD written;
    if (!ReadFile(pipe, chunk, CHUNK, &got, NULL) && GetLastError() != ERROR_MORE_DATA) {
      return 1;
    }
    if (echo && !WriteFile(pipe, chunk, got, &written, NULL)) {
      return 1;
    }
    bytes -= got;
  }
  return echo ? !FlushFileBuffers(pipe) : 0;
}

int main(int argc, char **argv)
{
  static char chunk[CHUNK];
  if (argc != 5) {
    fprintf(stderr, "usage: pipe_end PIPE byte|message source|sink|echo BYTES\n");
    return 2;
  }
  DWORD mode = strcmp(argv[2], "message") == 0 ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE;
  unsigned long long bytes = strtoull(argv[4], NULL, 10);
  HANDLE pipe = CreateNamedPipeA(argv[1], PIPE_ACCESS_DUPLEX, mode, 1, CHUNK, CHUNK, 0, NULL);
  if (pipe == INVALID_HANDLE_VALUE) {
    fprintf(stderr, "pipe_end: cannot make %s (Windows error %lu)\n", argv[1], GetLastError());
    return 1;
  }
  printf("listening\n");
  fflush(stdout);
  if (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) {
    return 1;
  }
  return strcmp(argv[3], "source") == 0 ? source(pipe, chunk, bytes)
                                        : sink(pipe, chunk, bytes, strcmp(argv[3], "echo") == 0);
}
