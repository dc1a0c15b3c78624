/* Keeps libraries out of the program's start that libuv loads there and a relay does not need.
 *
 * user32.dll: libuv asks GetSystemMetrics(SM_CLEANBOOT) whether Windows runs in safe mode. Loading it makes a process a
 * graphical one, which costs more than all the rest of our start. Here the registry is asked instead.
 * ws2_32.dll: in safe mode libuv leaves the network alone, which is also right for a relay to a named pipe.
 * powrprof.dll (with advapi32.dll and more): libuv wants to be told when the computer wakes up, to look at its timers
 * anew. None of ours matters more after a sleep than before.
 *
 * It is done by defining the pointers through which libuv's code calls these functions, so it concerns this program
 * only. What else uses such libraries loads them on demand (deps/delay-load.cmake). */
#include "cli/os/slim_start.h"

#include <string.h>

#include <windows.h>

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): these names are the linker's
extern int(WINAPI *const __imp_GetSystemMetrics)(int);
extern HMODULE(WINAPI *const __imp_LoadLibraryExA)(LPCSTR, HANDLE, DWORD);
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

static bool wants_sockets = true; /* of the program's only thread, before libuv starts */

void uvr_slim_start(bool sockets)
{
  wants_sockets = sockets;
}

typedef LSTATUS(WINAPI *get_value)(HKEY, LPCWSTR, LPCWSTR, DWORD, DWORD *, void *, DWORD *);

/* The registry has this value in safe mode only: 1 minimal, 2 with network; SM_CLEANBOOT has the same values. */
static int WINAPI get_system_metrics(int index)
{
  if (!wants_sockets) {
    return 1;
  }
  DWORD option = 0;
  DWORD size = sizeof(option);
  HMODULE base = GetModuleHandleW(L"kernelbase.dll"); /* has it, too, and is in every process */
  FARPROC found = base == NULL ? NULL : GetProcAddress(base, "RegGetValueW");
  if (index != SM_CLEANBOOT || found == NULL) {
    return 0;
  }
  get_value call = (get_value)(void (*)(void))found;
  LSTATUS status = call(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\Option", L"OptionValue",
                        RRF_RT_REG_DWORD, NULL, &option, &size);
  return status == ERROR_SUCCESS ? (int)option : 0;
}

static HMODULE WINAPI load_library_ex(LPCSTR name, HANDLE file, DWORD flags)
{
  if (strcmp(name, "powrprof.dll") == 0) {
    SetLastError(ERROR_MOD_NOT_FOUND); /* which libuv bears, for old versions of Windows */
    return NULL;
  }
  (void)file;
  WCHAR wide[MAX_PATH];
  return MultiByteToWideChar(CP_ACP, 0, name, -1, wide, MAX_PATH) == 0 ? NULL : LoadLibraryExW(wide, NULL, flags);
}

int(WINAPI *const __imp_GetSystemMetrics)(int) = get_system_metrics;
HMODULE(WINAPI *const __imp_LoadLibraryExA)(LPCSTR, HANDLE, DWORD) = load_library_ex;
