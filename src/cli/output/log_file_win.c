/* Opening the log's file on Windows: see log_file.h. Others may read, rename and remove it meanwhile, as far as they
 * may open it. */
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>

#include "cli/os/wide_win.h"
#include "cli/output/log_file.h"
#include "endpoint/user_only_win.h"

enum { SHARE = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

/* Removes what is in it. Returns 0 or a Windows code. */
static DWORD empty_file(const WCHAR *path)
{
  HANDLE file = CreateFileW(path, GENERIC_WRITE, SHARE, NULL, TRUNCATE_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) {
    return GetLastError();
  }
  (void)CloseHandle(file);
  return 0;
}

/* Opens a file that is there already, or makes one that only this user may open. An elevated process makes one that the
 * user's others may read, too. Returns 0 or a Windows code. */
static DWORD open_file(const WCHAR *path, HANDLE *out)
{
  uvr_user_only only;
  const DWORD access = FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
  DWORD system = uvr_user_only_init(&only);
  if (system != 0 || !SetSecurityDescriptorSacl(&only.descriptor, FALSE, NULL, FALSE)) {
    return system != 0 ? system : GetLastError();
  }
  *out = CreateFileW(path, access, SHARE, &only.attributes, OPEN_ALWAYS, 0, NULL);
  return *out == INVALID_HANDLE_VALUE ? GetLastError() : 0;
}

static bool is_directory(const WCHAR *path)
{
  DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

int uvr_log_file_open_fd(const char *path, bool empties, uv_file *out)
{
  HANDLE file = INVALID_HANDLE_VALUE;
  WCHAR *wide = uvr_to_wide(path);
  if (wide == NULL) {
    return UV_ENOMEM;
  }
  DWORD system = empties ? empty_file(wide) : 0;
  system = system == 0 ? open_file(wide, &file) : system;
  int code = system == 0 ? 0 : is_directory(wide) ? UV_EINVAL : uv_translate_sys_error((int)system);
  free(wide);
  if (code != 0) {
    return code;
  }
  *out =
      GetFileType(file) == FILE_TYPE_DISK ? _open_osfhandle((intptr_t)file, _O_APPEND | _O_BINARY | _O_NOINHERIT) : -1;
  if (*out < 0) {
    code = GetFileType(file) == FILE_TYPE_DISK ? UV_EMFILE : UV_EINVAL;
    (void)CloseHandle(file);
  }
  return code;
}
