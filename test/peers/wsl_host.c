/* The Windows half of a stand-in for WSL's interop: what wsl.exe and wslhost.exe do for a Windows program that was
 * started in WSL without a terminal. test/lib/wsl_init.py is the Linux half, and starts this program.
 *
 *   wsl_host PORT PROGRAM [ARGUMENT...]
 *
 * It connects to the Linux half four times: for the program's standard input, output and error, and to control it. The
 * program gets anonymous pipes of 4 KiB; a thread for each moves 4 KiB at a time between it and its connection. As in
 * WSL, this process keeps the program's ends of the pipes open until the program has ended, so that the Linux side does
 * not learn before then that the program has closed its output.
 *
 * On the control connection it sends two numbers of 32 bits: whether the program was started (0, or the error), and
 * later its exit code. Nothing comes back; when the connection ends, as the Linux half is gone, the program is
 * terminated with exit code 1. */
#include <winsock2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

enum { PIPE_SIZE = 4096, STDIN = 0, CONTROL = 3, CONNECTIONS = 4 };

typedef struct mover {
  SOCKET socket;
  HANDLE pipe; /* our end */
} mover;

static int fail(const char *what, DWORD error)
{
  fprintf(stderr, "wsl_host: %s failed (%lu)\n", what, error);
  return 1;
}

static DWORD WINAPI move_in(void *argument)
{
  mover *m = argument;
  char bytes[PIPE_SIZE];
  DWORD written;
  for (int n; (n = recv(m->socket, bytes, sizeof bytes, 0)) > 0;) {
    if (!WriteFile(m->pipe, bytes, (DWORD)n, &written, NULL))
      break;
  }
  CloseHandle(m->pipe);
  closesocket(m->socket);
  return 0;
}

static DWORD WINAPI move_out(void *argument)
{
  mover *m = argument;
  char bytes[PIPE_SIZE];
  DWORD n;
  while (ReadFile(m->pipe, bytes, sizeof bytes, &n, NULL) && n > 0) {
    DWORD sent = 0;
    for (int some = 1; some > 0 && sent < n; sent += (DWORD)some)
      some = send(m->socket, bytes + sent, (int)(n - sent), 0);
    if (sent != n)
      break;
  }
  CloseHandle(m->pipe);
  closesocket(m->socket);
  return 0;
}

typedef struct watched {
  SOCKET control;
  HANDLE process;
} watched;

static DWORD WINAPI terminate_when_alone(void *argument)
{
  watched *w = argument;
  char byte;
  if (recv(w->control, &byte, 1, 0) <= 0)
    TerminateProcess(w->process, 1);
  return 0;
}

static SOCKET connect_to(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  SOCKET connection = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons((u_short)port);
  if (connection == INVALID_SOCKET || connect(connection, (const struct sockaddr *)&address, sizeof address) != 0)
    ExitProcess((UINT)fail("connect", (DWORD)WSAGetLastError()));
  (void)SetHandleInformation((HANDLE)connection, HANDLE_FLAG_INHERIT, 0);
  return connection;
}

static void send_number(SOCKET control, DWORD number)
{
  (void)send(control, (const char *)&number, sizeof number, 0);
}

/* What follows the first two words of our command line. */
static wchar_t *program_of(wchar_t *line)
{
  for (int words = 0; words < 2; words++) {
    for (int quoted = 0; *line != L'\0' && (quoted || *line != L' '); line++)
      quoted ^= *line == L'"';
    line += wcsspn(line, L" ");
  }
  return line;
}

int wmain(int argc, wchar_t **argv)
{
  WSADATA data;
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  SOCKET sockets[CONNECTIONS];
  HANDLE threads[CONTROL], theirs[CONTROL];
  mover movers[CONTROL];
  DWORD code = 1;
  if (argc < 3)
    return fail("usage: wsl_host PORT PROGRAM [ARGUMENT...]: this", 0) + 1;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
    return fail("WSAStartup", 0);
  for (int i = 0; i < CONNECTIONS; i++)
    sockets[i] = connect_to((int)wcstol(argv[1], NULL, 10));
  for (int i = 0; i < CONTROL; i++) {
    movers[i].socket = sockets[i];
    if (!(i == STDIN ? CreatePipe(&theirs[i], &movers[i].pipe, &inherited, PIPE_SIZE)
                     : CreatePipe(&movers[i].pipe, &theirs[i], &inherited, PIPE_SIZE)) ||
        !SetHandleInformation(movers[i].pipe, HANDLE_FLAG_INHERIT, 0))
      return fail("CreatePipe", GetLastError());
  }
  startup.hStdInput = theirs[0];
  startup.hStdOutput = theirs[1];
  startup.hStdError = theirs[2];
  if (!CreateProcessW(NULL, program_of(GetCommandLineW()), NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &startup,
                      &process)) {
    send_number(sockets[CONTROL], GetLastError());
    return 1;
  }
  send_number(sockets[CONTROL], 0);
  watched both = {sockets[CONTROL], process.hProcess};
  CloseHandle(CreateThread(NULL, 0, terminate_when_alone, &both, 0, NULL));
  for (int i = 0; i < CONTROL; i++)
    threads[i] = CreateThread(NULL, 0, i == STDIN ? move_in : move_out, &movers[i], 0, NULL);
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &code);
  send_number(sockets[CONTROL], code);
  for (int i = 0; i < CONTROL; i++)
    CloseHandle(theirs[i]);
  WaitForMultipleObjects(CONTROL, threads, TRUE, INFINITE);
  return 0;
}
