/* The far end of Windows: uvrelay in the Linux of WSL that is its default, started by wsl.exe.
 *
 * wsl.exe is looked for in the system's directory only, where only an administrator can put one. It is on most
 * computers, also where WSL is not installed, and then says so when it is started, in the language of Windows and
 * perhaps waiting for a key. So the registry is asked, too, where WSL itself looks for its default distribution. */
#include <stdlib.h>
#include <wchar.h>

#include "base/error.h"
#include "cli/child/far_default.h"
#include "cli/os/wide_win.h"

#include <windows.h>

#define DISTRIBUTIONS L"Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"

/* Adds a name to a directory. Returns whether there is such a file. */
static bool is_there(WCHAR path[MAX_PATH], UINT length, const WCHAR *name)
{
  if (length == 0 || length + wcslen(name) >= MAX_PATH) {
    return false;
  }
  (void)wcscpy(path + length, name);
  DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

/* A program for 32 bits sees another directory in place of the system's own, which it reaches by the second name. */
static bool find_wsl(WCHAR path[MAX_PATH])
{
  return is_there(path, GetSystemDirectoryW(path, MAX_PATH), L"\\wsl.exe") ||
         is_there(path, GetSystemWindowsDirectoryW(path, MAX_PATH), L"\\Sysnative\\wsl.exe");
}

static bool has_distribution(void)
{
  WCHAR name[64];
  DWORD size = sizeof(name);
  return RegGetValueW(HKEY_CURRENT_USER, DISTRIBUTIONS, L"DefaultDistribution", RRF_RT_REG_SZ, NULL, name, &size) ==
         ERROR_SUCCESS;
}

uvr_far_default uvr_far_default_find(uvr_command *out, const char **shown, const char **why, uvrelay_error_t *error)
{
  WCHAR path[MAX_PATH];
  *shown = "wsl.exe -e uvrelay mux";
  if (!find_wsl(path)) {
    *why = "WSL is not installed here (the Windows directory has no wsl.exe)";
    return UVR_FAR_DEFAULT_NONE;
  }
  if (!has_distribution()) {
    *why = "this user has no WSL distribution (wsl --install installs one)";
    return UVR_FAR_DEFAULT_NONE;
  }
  char *file = uvr_to_utf8(path);
  if (file == NULL) {
    (void)uvr_error_set(error, UVRELAY_PHASE_NONE, UV_ENOMEM, "not enough memory to start wsl.exe");
    return UVR_FAR_DEFAULT_FAILED;
  }
  int code = uvr_command_make(out, file, (const char *const[]){"wsl.exe", "-e", "uvrelay", "mux", NULL}, error);
  free(file);
  return code == 0 ? UVR_FAR_DEFAULT_FOUND : UVR_FAR_DEFAULT_FAILED;
}
