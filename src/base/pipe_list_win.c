/* Listing pipes: see pipe_list_win.h. The driver of named pipes has one directory, which can be read as any other. */
#include "base/pipe_list_win.h"

enum { NAME_SIZE = 1024 };

DWORD uvr_pipe_list(bool (*on_name)(void *user, const char *name), void *user)
{
  WIN32_FIND_DATAW entry;
  char name[NAME_SIZE];
  HANDLE search = FindFirstFileW(L"\\\\.\\pipe\\*", &entry);
  if (search == INVALID_HANDLE_VALUE) {
    DWORD system = GetLastError();
    return system == ERROR_FILE_NOT_FOUND || system == ERROR_NO_MORE_FILES ? 0 : system;
  }
  bool more = true;
  while (more) {
    if (WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, entry.cFileName, -1, name, sizeof(name), NULL, NULL) > 0) {
      more = on_name(user, name);
    }
    more = more && FindNextFileW(search, &entry);
  }
  (void)FindClose(search);
  return 0;
}
