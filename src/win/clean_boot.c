/* Keeps user32.dll out of the program's start.
 *
 * The only thing that libuv asks of user32.dll at its start is GetSystemMetrics(SM_CLEANBOOT), whether Windows runs in
 * safe mode. Loading it makes a process a graphical one, which costs more than all the rest of our start. So the
 * program answers that question itself, by defining the pointer through which libuv's code calls the function. What
 * else uses user32.dll loads it on demand (deps/delay-load.cmake). */
#include <windows.h>

/* Windows sets this in the registry in safe mode only: 1 minimal, 2 with network; SM_CLEANBOOT has the same values. */
static int WINAPI get_system_metrics(int index)
{
  DWORD option = 0;
  DWORD size = sizeof(option);
  if (index != SM_CLEANBOOT || RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\Option",
                                            L"OptionValue", RRF_RT_REG_DWORD, NULL, &option, &size) != ERROR_SUCCESS) {
    return 0;
  }
  return (int)option;
}

extern int(WINAPI *const __imp_GetSystemMetrics)(int); // NOLINT(bugprone-reserved-identifier): the linker's name
int(WINAPI *const __imp_GetSystemMetrics)(int) = get_system_metrics; // NOLINT(bugprone-reserved-identifier)
