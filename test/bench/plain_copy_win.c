/* The yardstick for speed: what a plain Windows program reaches that copies between its standard handles and a named
 * pipe with two blocking threads and nothing else.
 *
 *   plain_copy_win PIPE
 *
 * It ends with 0 when the pipe is gone or sends a zero-byte message. After the end of standard input it goes on
 * copying the other way. The pipe is opened overlapped, and each operation is waited for, because Windows makes the
 * operations on a blocking handle wait for one another. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

enum { BUFFER = 65536 };

/* Waits for an overlapped operation that has just been started. Returns 0 or the error. */
static DWORD wait_for(HANDLE pipe, OVERLAPPED *operation, BOOL started, DWORD *count)
{
  DWORD error = started ? 0 : GetLastError();
  if (error != 0 && error != ERROR_IO_PENDING && error != ERROR_MORE_DATA)
    return error;
  return GetOverlappedResult(pipe, operation, count, TRUE) ? 0 : GetLastError();
}

static DWORD WINAPI copy_to_pipe(void *argument)
{
  HANDLE pipe = argument, in = GetStdHandle(STD_INPUT_HANDLE);
  OVERLAPPED operation = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  char *buffer = malloc(BUFFER);
  DWORD got, written;
  if (buffer == NULL || operation.hEvent == NULL)
    ExitProcess(1);
  while (ReadFile(in, buffer, BUFFER, &got, NULL) && got > 0) {
    DWORD error = wait_for(pipe, &operation, WriteFile(pipe, buffer, got, NULL, &operation), &written);
    if (error != 0)
      ExitProcess(error == ERROR_NO_DATA || error == ERROR_PIPE_NOT_CONNECTED ? 0 : 1);
  }
  free(buffer);
  CloseHandle(operation.hEvent);
  return 0;
}

static int copy_from_pipe(HANDLE pipe)
{
  HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
  OVERLAPPED operation = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  char *buffer = malloc(BUFFER);
  DWORD got, written, error;
  if (buffer == NULL || operation.hEvent == NULL)
    return 1;
  for (;;) {
    error = wait_for(pipe, &operation, ReadFile(pipe, buffer, BUFFER, NULL, &operation), &got);
    if ((error != 0 && error != ERROR_MORE_DATA) || got == 0)
      break;
    if (!WriteFile(out, buffer, got, &written, NULL))
      return 1;
  }
  return error == 0 || error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED ? 0 : 1;
}

int main(int argc, char **argv)
{
  DWORD mode = PIPE_READMODE_MESSAGE;
  HANDLE pipe, thread;
  if (argc != 2) {
    fprintf(stderr, "usage: plain_copy_win PIPE\n");
    return 2;
  }
  pipe = CreateFileA(argv[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
  if (pipe == INVALID_HANDLE_VALUE) {
    fprintf(stderr, "plain_copy_win: cannot open %s (%lu)\n", argv[1], (unsigned long)GetLastError());
    return 1;
  }
  SetNamedPipeHandleState(pipe, &mode, NULL, NULL); /* a byte-type pipe refuses, and needs it not */
  thread = CreateThread(NULL, 0, copy_to_pipe, pipe, 0, NULL);
  if (thread == NULL)
    return 1;
  int code = copy_from_pipe(pipe);
  ExitProcess((UINT)code); /* the other thread may be waiting for standard input */
}
