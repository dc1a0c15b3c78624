/* Where an open file is, on Windows: the system tells it of each handle. */
#include "base/real_path.h"

#include <stdint.h>
#include <string.h>

#include <windows.h>

enum { NAME_MAX_UNITS = 1200 };

static int path_of(HANDLE handle, char *path, size_t size)
{
  wchar_t name[NAME_MAX_UNITS];
  DWORD units = GetFinalPathNameByHandleW(handle, name, NAME_MAX_UNITS, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
  if (units == 0) {
    return uv_translate_sys_error((int)GetLastError());
  }
  if (units >= NAME_MAX_UNITS) {
    return UV_ENAMETOOLONG;
  }
  const wchar_t *begin = name;
  if (wcsncmp(name, L"\\\\?\\UNC\\", 8) == 0) {
    name[6] = L'\\';
    begin = name + 6;
  } else if (wcsncmp(name, L"\\\\?\\", 4) == 0) {
    begin = name + 4;
  }
  if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, begin, -1, path, (int)size, NULL, NULL) == 0) {
    return UV_ENAMETOOLONG;
  }
  for (char *slash = strchr(path, '\\'); slash != NULL; slash = strchr(slash, '\\')) {
    *slash = '/';
  }
  return 0;
}

int uvr_real_path(uv_file file, char *path, size_t size)
{
  uv_os_fd_t handle = uv_get_osfhandle(file);
  return handle == INVALID_HANDLE_VALUE ? UV_EBADF : path_of(handle, path, size);
}

int uvr_real_path_of(const char *name, char *path, size_t size)
{
  wchar_t wide[NAME_MAX_UNITS];
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, NAME_MAX_UNITS) == 0) {
    return UV_ENAMETOOLONG;
  }
  HANDLE handle = CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    return uv_translate_sys_error((int)GetLastError());
  }
  int code = path_of(handle, path, size);
  (void)CloseHandle(handle);
  return code;
}
