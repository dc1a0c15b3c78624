/* Starts a program with a console of its own, with ours, or with none, and tells whether the console's window shows
 * while the program relays. Plain Win32, in one file: it is meant to be run by hand on Windows, too.
 *
 *   console alone|shared|none UVRELAY.EXE [FLAG...]
 *
 * alone: the program gets a new console, in which there is no other process. shared: we make a new console for
 * ourselves, in which the program then is, too. none: the program has no console.
 *
 * The program's target is a TCP port of ours, its standard input and output are pipes of ours, its standard error is
 * our standard error. When it has connected, the window is looked at; then the connection is closed, and the program
 * has to end by itself.
 *
 * Prints one line, such as "alone: visible before, hidden after, class ConsoleWindowClass; exit status 0", and ends
 * with 0, or with 1 if something went wrong, 2 if the command line is wrong, 3 if it took longer than 60 s. */
#include <winsock2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

enum { LIMIT_MS = 60000 };

static int fail(const char *what, DWORD error)
{
  fprintf(stderr, "console: %s failed (%lu)\n", what, error);
  return 1;
}

static DWORD WINAPI end_when_it_takes_too_long(void *argument)
{
  (void)argument;
  Sleep(LIMIT_MS);
  fprintf(stderr, "console: it takes too long\n");
  ExitProcess(3);
}

static const char *look_at(HWND window)
{
  return window == NULL ? "none" : IsWindowVisible(window) ? "visible" : "hidden";
}

/* Gives the socket and its port. */
static SOCKET listen_somewhere(int *port)
{
  WSADATA data;
  struct sockaddr_in address = {.sin_family = AF_INET};
  int length = sizeof address;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
    return INVALID_SOCKET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    return INVALID_SOCKET;
  *port = ntohs(address.sin_port);
  (void)SetHandleInformation((HANDLE)listener, HANDLE_FLAG_INHERIT, 0);
  return listener;
}

/* Starts the program with its target. Gives our ends of its standard input and output. */
static int start(wchar_t **words, int port, DWORD flags, PROCESS_INFORMATION *process, HANDLE ends[2])
{
  static wchar_t command[4096];
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  for (; *words != NULL; words++)
    swprintf(command + wcslen(command), 4096 - wcslen(command), L"\"%ls\" ", *words);
  swprintf(command + wcslen(command), 4096 - wcslen(command), L"tcp://127.0.0.1:%d", port);
  if (!CreatePipe(&startup.hStdInput, &ends[0], &inherited, 0) ||
      !CreatePipe(&ends[1], &startup.hStdOutput, &inherited, 0))
    return 0;
  (void)SetHandleInformation(ends[0], HANDLE_FLAG_INHERIT, 0);
  (void)SetHandleInformation(ends[1], HANDLE_FLAG_INHERIT, 0);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  BOOL ok = CreateProcessW(NULL, command, NULL, NULL, TRUE, flags, NULL, NULL, &startup, process);
  CloseHandle(startup.hStdInput);
  CloseHandle(startup.hStdOutput);
  return ok;
}

int wmain(int argc, wchar_t **argv)
{
  static char output[1024];
  int port = 0;
  HANDLE ends[2], out = GetStdHandle(STD_OUTPUT_HANDLE);
  PROCESS_INFORMATION process;
  wchar_t class_name[64] = L"none";
  DWORD status = 0, written;
  const char *before = "not looked at";
  if (argc < 3 || (wcscmp(argv[1], L"alone") != 0 && wcscmp(argv[1], L"shared") != 0 && wcscmp(argv[1], L"none") != 0))
    return fprintf(stderr, "usage: console alone|shared|none UVRELAY.EXE [FLAG...]\n"), 2;
  if (CreateThread(NULL, 0, end_when_it_takes_too_long, NULL, 0, NULL) == NULL)
    return fail("CreateThread", GetLastError());
  SOCKET listener = listen_somewhere(&port);
  if (listener == INVALID_SOCKET)
    return fail("listening", (DWORD)WSAGetLastError());
  if (*argv[1] == L's') {
    HANDLE error = GetStdHandle(STD_ERROR_HANDLE);
    (void)FreeConsole();
    if (!AllocConsole())
      return fail("AllocConsole", GetLastError());
    (void)SetStdHandle(STD_ERROR_HANDLE, error);
    before = look_at(GetConsoleWindow());
  }
  if (!start(argv + 2, port,
             *argv[1] == L'a'   ? CREATE_NEW_CONSOLE
             : *argv[1] == L'n' ? DETACHED_PROCESS
                                : 0,
             &process, ends))
    return fail("starting the program", GetLastError());
  SOCKET connection = accept(listener, NULL, NULL);
  if (connection == INVALID_SOCKET)
    return fail("accept", (DWORD)WSAGetLastError());
  HWND window = NULL;
  if (*argv[1] == L'a') {
    (void)FreeConsole();
    if (!AttachConsole(process.dwProcessId))
      return fail("AttachConsole", GetLastError());
  }
  if (*argv[1] != L'n')
    window = GetConsoleWindow();
  const char *after = look_at(window);
  if (window != NULL)
    GetClassNameW(window, class_name, 64);
  closesocket(connection);
  CloseHandle(ends[0]);
  WaitForSingleObject(process.hProcess, INFINITE);
  GetExitCodeProcess(process.hProcess, &status);
  int length = snprintf(output, sizeof output, "%ls: %s before, %s after, class %ls; exit status %lu\n", argv[1],
                        before, after, class_name, status);
  return WriteFile(out, output, (DWORD)length, &written, NULL) ? 0 : 1;
}
