/* Who inherits what.
 *
 *   descendants stay SECONDS               does nothing for so long
 *   descendants leave SECONDS PROGRAM...   starts `descendants stay`, which inherits all that can be inherited, and
 *                                          leaves it behind; then it runs the program and waits for it
 *   descendants watch PROGRAM...           makes a pipe whose writing end can be inherited, and runs the program; when
 *                                          that has ended, it tells whether anybody still holds that end: prints
 *                                          "nobody" or "somebody"
 *   descendants read PROGRAM...            the same, and the pipe is the program's standard error, which it prints
 *
 * The exit status is the program's. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

enum { FAILED = 99, PATIENCE_MS = 2000, LOOK_MS = 20 };

/* Starts a program that inherits all that can be inherited, with this command line and standard error. Returns its
 * handle or NULL. */
static HANDLE start(wchar_t *line, HANDLE error)
{
  STARTUPINFOW startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
                          .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
                          .hStdError = error};
  PROCESS_INFORMATION process;
  if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
    fprintf(stderr, "descendants: cannot start it: error %lu\n", GetLastError());
    return NULL;
  }
  CloseHandle(process.hThread);
  return process.hProcess;
}

/* Runs it to its end. Returns its exit status. */
static int run(wchar_t *line)
{
  DWORD status = FAILED;
  HANDLE process = start(line, GetStdHandle(STD_ERROR_HANDLE));
  if (process != NULL) {
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &status);
    CloseHandle(process);
  }
  return (int)status;
}

/* What is left of our own command line after so many words, none of which has a blank or a quote within. */
static wchar_t *rest_of_line(int words)
{
  wchar_t *line = GetCommandLineW();
  for (int i = 0; i < words; i++) {
    line += wcsspn(line, L" ");
    line = *line == L'"' ? wcschr(line + 1, L'"') + 1 : line + wcscspn(line, L" ");
  }
  return line + wcsspn(line, L" ");
}

static int leave(const wchar_t *seconds, wchar_t *line)
{
  wchar_t own[MAX_PATH];
  wchar_t child[MAX_PATH + 32];
  GetModuleFileNameW(NULL, own, MAX_PATH);
  swprintf(child, sizeof child / sizeof child[0], L"\"%ls\" stay %ls", own, seconds);
  return start(child, GetStdHandle(STD_ERROR_HANDLE)) == NULL ? FAILED : run(line);
}

/* Prints what is in the pipe. Returns whether anybody may still write to it. */
static BOOL pass_on(HANDLE reading)
{
  char bytes[4096];
  DWORD count = 0;
  if (!PeekNamedPipe(reading, NULL, 0, NULL, &count, NULL)) {
    return FALSE;
  }
  if (count > 0 && ReadFile(reading, bytes, sizeof bytes, &count, NULL)) {
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
  }
  return TRUE;
}

static int watch(wchar_t *line, int as_error)
{
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  HANDLE reading;
  HANDLE writing;
  DWORD status = FAILED;
  DWORD waited = 0;
  if (!CreatePipe(&reading, &writing, &inherit, 0)) {
    return FAILED;
  }
  SetHandleInformation(reading, HANDLE_FLAG_INHERIT, 0);
  HANDLE process = start(line, as_error ? writing : GetStdHandle(STD_ERROR_HANDLE));
  CloseHandle(writing);
  if (process == NULL) {
    return FAILED;
  }
  while (pass_on(reading) && waited < PATIENCE_MS) {
    waited += WaitForSingleObject(process, LOOK_MS) == WAIT_OBJECT_0 ? LOOK_MS : 0;
    Sleep(waited > 0 ? LOOK_MS : 0);
  }
  WaitForSingleObject(process, INFINITE);
  GetExitCodeProcess(process, &status);
  printf("%s\n", waited < PATIENCE_MS ? "nobody" : "somebody");
  return (int)status;
}

int wmain(int argc, wchar_t **argv)
{
  if (argc == 3 && wcscmp(argv[1], L"stay") == 0) {
    Sleep(1000 * (DWORD)wcstoul(argv[2], NULL, 10));
    return 0;
  }
  if (argc > 3 && wcscmp(argv[1], L"leave") == 0) {
    return leave(argv[2], rest_of_line(3));
  }
  if (argc > 2 && (wcscmp(argv[1], L"watch") == 0 || wcscmp(argv[1], L"read") == 0)) {
    return watch(rest_of_line(2), wcscmp(argv[1], L"read") == 0);
  }
  fprintf(stderr, "descendants: see the comment at the top of its source\n");
  return 2;
}
