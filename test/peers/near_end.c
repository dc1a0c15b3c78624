/* A near end that goes away while nothing reads what the far end writes.
 *
 *   near_end PROGRAM...
 *
 * Starts the program with pipes as its standard input and output, and sends it the greeting and pings, without reading
 * the answers, until it takes no more. Then it closes the program's standard input, still without reading, and waits
 * for its exit. Prints "ended MILLISECONDS STATUS", or "still there" after ten seconds, when it ends the program.
 *
 * The pipes are real Windows pipes, which a program started from Linux does not get under Wine. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

enum { PING = 2, SYN = 1, PINGS = 256, FRAME = 12, QUIET_MS = 500, LOOK_MS = 10, LIMIT_MS = 10000, MOST = 1 << 24 };

static HANDLE start(wchar_t *line, HANDLE in, HANDLE out)
{
  STARTUPINFOW startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = in,
                          .hStdOutput = out,
                          .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
  PROCESS_INFORMATION process;
  if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
    return NULL;
  }
  CloseHandle(process.hThread);
  return process.hProcess;
}

/* Writes until nothing is taken for some time. A pipe that does not wait takes a part, or nothing. */
static uint32_t fill(HANDLE pipe)
{
  uint8_t frames[PINGS * FRAME] = {0};
  uint32_t sent = 0;
  DWORD written = 0;
  DWORD mode = PIPE_READMODE_BYTE | PIPE_NOWAIT;
  for (int i = 0; i < PINGS; i++) {
    frames[i * FRAME + 1] = PING;
    frames[i * FRAME + 3] = SYN;
  }
  WriteFile(pipe, "uvrelay-mux/1\n", 14, &written, NULL);
  SetNamedPipeHandleState(pipe, &mode, NULL, NULL);
  for (DWORD quiet = 0; quiet < QUIET_MS && sent < MOST;) {
    uint32_t at = sent % sizeof frames;
    if (WriteFile(pipe, frames + at, (DWORD)(sizeof frames - at), &written, NULL) && written > 0) {
      sent += written;
      quiet = 0;
    } else {
      Sleep(LOOK_MS);
      quiet += LOOK_MS;
    }
  }
  return sent;
}

int wmain(int argc, wchar_t **argv)
{
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  HANDLE in[2];
  HANDLE out[2];
  wchar_t *line = GetCommandLineW();
  line = *line == L'"' ? wcschr(line + 1, L'"') + 1 : line + wcscspn(line, L" ");
  if (argc < 2 || argv[1] == NULL || !CreatePipe(&in[0], &in[1], &inherit, 0) ||
      !CreatePipe(&out[0], &out[1], &inherit, 0)) {
    fprintf(stderr, "near_end: see the comment at the top of its source\n");
    return 2;
  }
  SetHandleInformation(in[1], HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(out[0], HANDLE_FLAG_INHERIT, 0);
  HANDLE process = start(line + wcsspn(line, L" "), in[0], out[1]);
  if (process == NULL) {
    fprintf(stderr, "near_end: cannot start the program: error %lu\n", GetLastError());
    return 1;
  }
  CloseHandle(in[0]);
  CloseHandle(out[1]);
  printf("sent %u\n", (unsigned)fill(in[1]));
  CloseHandle(in[1]);
  ULONGLONG begin = GetTickCount64();
  DWORD status = 0;
  if (WaitForSingleObject(process, LIMIT_MS) == WAIT_OBJECT_0) {
    GetExitCodeProcess(process, &status);
    printf("ended %u %u\n", (unsigned)(GetTickCount64() - begin), (unsigned)status);
  } else {
    TerminateProcess(process, 1);
    printf("still there\n");
  }
  return 0;
}
