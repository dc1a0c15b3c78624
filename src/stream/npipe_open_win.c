/* Opening a named pipe.
 *
 * Happy path: one CreateFile, overlapped, with an impersonation level. Where that is denied, one more for fewer rights.
 *
 * Ways to fail: no such pipe, all instances busy, access denied, the computer not found, and others, each with a
 * message of its own. */
#include "stream/npipe_open_win.h"

#include <windows.h>

#include "address/address.h"
#include "base/file_query_win.h"

static HANDLE open_with(const WCHAR *path, DWORD access, uvrelay_impersonation_t level)
{
  DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | ((DWORD)level << 16); /* SECURITY_ANONYMOUS and so on */
  return CreateFileW(path, access, 0, NULL, OPEN_EXISTING, flags, NULL);
}

static int describe(DWORD system, const char *name, uvrelay_error_t *error)
{
  int code = uv_translate_sys_error((int)system);
  switch (system) {
  case ERROR_FILE_NOT_FOUND:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_ENOENT, system, "there is no pipe %s", name);
  case ERROR_PIPE_BUSY:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EBUSY, system, "all instances of %s are busy", name);
  case ERROR_ACCESS_DENIED:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EACCES, system, "access to %s was denied", name);
  case ERROR_PATH_NOT_FOUND:
  case ERROR_BAD_NETPATH:
  case ERROR_BAD_NET_NAME:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EHOSTUNREACH, system,
                                "the computer of %s cannot be found", name);
  default:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code, system, "%s cannot be opened", name);
  }
}

int uvr_npipe_open(const char *path, const char *name, uvrelay_impersonation_t level, uv_os_fd_t *file,
                   uvrelay_error_t *error)
{
  WCHAR wide[UVR_ADDRESS_PATH_SIZE];
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, UVR_ADDRESS_PATH_SIZE) == 0) {
    return describe(GetLastError(), name, error);
  }
  HANDLE opened = open_with(wide, GENERIC_READ | GENERIC_WRITE, level);
  if (opened == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED) {
    /* MySQL grants ordinary users only these rights. */
    opened = open_with(wide, FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, level);
    /* Wine grants these rights on a one-way pipe, too, where one direction would never carry anything. */
    if (opened != INVALID_HANDLE_VALUE && uvr_pipe_is_one_way(opened)) {
      (void)CloseHandle(opened);
      opened = INVALID_HANDLE_VALUE;
      SetLastError(ERROR_ACCESS_DENIED);
    }
  }
  if (opened == INVALID_HANDLE_VALUE) {
    return describe(GetLastError(), name, error);
  }
  *file = opened;
  return 0;
}

void uvr_npipe_discard(uv_os_fd_t file)
{
  (void)CloseHandle(file);
}
