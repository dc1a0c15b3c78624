/* A stand-in for wsl.exe, which starts a program in Linux: for the command `wsl.exe -e uvrelay mux` it starts the
 * program of Windows that UVRELAY_TEST_FAR_END names, on its own standard handles, waits for it, and ends as it does.
 * UVRELAY_TEST_FAR_END_ARGUMENTS replaces the argument mux: a program that leads to one in Linux has others.
 * With UVRELAY_TEST_WSL_SAYS it writes that to standard error instead, and exits with 1, as wsl.exe does when it fails.
 */
#include <windows.h>

#include <stdio.h>
#include <wchar.h>

int wmain(int argc, wchar_t **argv)
{
  WCHAR text[1024];
  WCHAR arguments[512] = L"mux";
  WCHAR line[2048];
  STARTUPINFOW how = {.cb = sizeof(how), .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  DWORD status = 1;
  if (GetEnvironmentVariableW(L"UVRELAY_TEST_WSL_SAYS", text, 1024) > 0) {
    (void)fprintf(stderr, "%ls\n", text);
    return 1;
  }
  if (argc != 4 || wcscmp(argv[1], L"-e") != 0 || wcscmp(argv[2], L"uvrelay") != 0 || wcscmp(argv[3], L"mux") != 0 ||
      GetEnvironmentVariableW(L"UVRELAY_TEST_FAR_END", text, 1024) == 0) {
    (void)fprintf(stderr, "wsl: not what is expected: %d words\n", argc);
    return 99;
  }
  (void)GetEnvironmentVariableW(L"UVRELAY_TEST_FAR_END_ARGUMENTS", arguments, 512);
  (void)_snwprintf(line, 2048, L"\"%ls\" %ls", text, arguments);
  how.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  how.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (!CreateProcessW(text, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &process)) {
    (void)fprintf(stderr, "wsl: cannot start %ls: %lu\n", text, GetLastError());
    return 98;
  }
  (void)WaitForSingleObject(process.hProcess, INFINITE);
  (void)GetExitCodeProcess(process.hProcess, &status);
  return (int)status;
}
