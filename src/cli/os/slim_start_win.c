/* Keeps the program's start from loading libraries that libuv loads and a relay does not need.
 *
 * user32.dll: libuv calls GetSystemMetrics(SM_CLEANBOOT) to learn whether Windows runs in safe mode. Loading the
 * library makes the process a graphical one, which takes longer than the rest of the start. Here the registry is read
 * instead. ws2_32.dll: in safe mode libuv does not initialise the network, which a relay to a named pipe does not need
 * either; so without sockets this reports safe mode. What libuv calls of that library before it asks is htons(), which
 * is therefore defined here. powrprof.dll (with advapi32.dll and more): libuv registers for a notification when the
 * computer wakes up, to update its timers. None of our timers needs that.
 *
 * This file defines the pointers through which libuv's code calls these functions, so it affects this program only.
 * Other users of such libraries load them on demand (deps/delay-load.cmake). */
#include "cli/os/slim_start.h"

#include <string.h>

#include <windows.h>

// NOLINTBEGIN(bugprone-reserved-identifier, cert-dcl37-c): these names are the linker's
extern int(WINAPI *const __imp_GetSystemMetrics)(int);
extern HMODULE(WINAPI *const __imp_LoadLibraryExA)(LPCSTR, HANDLE, DWORD);
extern unsigned short(WINAPI *const __imp_htons)(unsigned short);
// NOLINTEND(bugprone-reserved-identifier, cert-dcl37-c)

static bool wants_sockets = true; /* only used by the main thread, before libuv starts */

void uvr_slim_start(bool sockets)
{
  wants_sockets = sockets;
}

typedef LSTATUS(WINAPI *get_value)(HKEY, LPCWSTR, LPCWSTR, DWORD, DWORD *, void *, DWORD *);

/* The registry has the value in safe mode only: 1 without network, 2 with it, as SM_CLEANBOOT. */
static int WINAPI get_system_metrics(int index)
{
  if (!wants_sockets) {
    return 1;
  }
  DWORD option = 0;
  DWORD size = sizeof(option);
  HMODULE base = GetModuleHandleW(L"kernelbase.dll"); /* it has RegGetValueW, too, and is loaded in every process */
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
    SetLastError(ERROR_MOD_NOT_FOUND); /* libuv accepts that, as old versions of Windows do not have it */
    return NULL;
  }
  (void)file;
  WCHAR wide[MAX_PATH];
  return MultiByteToWideChar(CP_ACP, 0, name, -1, wide, MAX_PATH) == 0 ? NULL : LoadLibraryExW(wide, NULL, flags);
}

static unsigned short WINAPI swap_bytes(unsigned short value)
{
  return (unsigned short)((value << 8) | (value >> 8)); /* every processor that runs Windows is little-endian */
}

int(WINAPI *const __imp_GetSystemMetrics)(int) = get_system_metrics;
HMODULE(WINAPI *const __imp_LoadLibraryExA)(LPCSTR, HANDLE, DWORD) = load_library_ex;
unsigned short(WINAPI *const __imp_htons)(unsigned short) = swap_bytes;
