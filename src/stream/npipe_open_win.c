/* Opening a named pipe.
 *
 * Happy path: one CreateFile, overlapped, with an impersonation level, for reading and writing.
 *
 * Where that is denied, it is tried for fewer rights, and then for one direction, as some servers make pipes that only
 * they write to or only they read from. A failed CreateFile takes no instance of the pipe. One that succeeds does, so
 * that the order of tries is: what a pipe of both directions may still grant, then what one of a single direction does.
 * A pipe of both directions that we may only read is not a pipe of one direction: its server expects requests. Windows
 * lets everybody read a pipe unless its server says otherwise, so that this is the usual way to be denied. It can be
 * seen only once the pipe is open: then it is closed, and access was denied.
 *
 * Ways to fail: no such pipe, all instances busy, access denied, the computer not found, and others, each with a
 * message of its own. */
#include "stream/npipe_open_win.h"

#include <windows.h>

#include "address/address.h"

#define FEW_RIGHTS (FILE_READ_ATTRIBUTES | SYNCHRONIZE)

/* FILE_WRITE_ATTRIBUTES is what putting a pipe into message mode needs. Writing needs no mode. */
static const DWORD tries[] = {
    GENERIC_READ | GENERIC_WRITE,
    FILE_READ_DATA | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES | FEW_RIGHTS, /* not FILE_CREATE_PIPE_INSTANCE */
    FILE_READ_DATA | FILE_WRITE_DATA | FEW_RIGHTS,                         /* what MySQL grants ordinary users */
    FILE_READ_DATA | FILE_WRITE_ATTRIBUTES | FEW_RIGHTS,
    FILE_READ_DATA | FEW_RIGHTS,
    FILE_WRITE_DATA | FEW_RIGHTS,
};

static bool is_for_both_ways(DWORD access)
{
  const DWORD both = FILE_READ_DATA | FILE_WRITE_DATA;
  return access == (GENERIC_READ | GENERIC_WRITE) || (access & both) == both;
}

static bool is_both_ways(uvr_pipe_ways ways)
{
  return ways.known && ways.in && ways.out;
}

HANDLE uvr_npipe_open_by(const uvr_npipe_opener *opener, void *user)
{
  HANDLE file = INVALID_HANDLE_VALUE;
  SetLastError(ERROR_ACCESS_DENIED);
  for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]) && GetLastError() == ERROR_ACCESS_DENIED; i++) {
    file = opener->open(user, tries[i]);
    if (file == INVALID_HANDLE_VALUE) {
      continue;
    }
    if (!is_for_both_ways(tries[i]) && is_both_ways(opener->ways_of(file))) {
      opener->close(file);
      file = INVALID_HANDLE_VALUE;
      SetLastError(ERROR_ACCESS_DENIED);
    }
    break;
  }
  return file;
}

typedef struct request {
  const WCHAR *path;
  uvrelay_impersonation_t level;
  DWORD more; /* rights besides those of the tries */
} request;

static HANDLE open_file(void *user, DWORD access)
{
  const request *r = user;
  DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | ((DWORD)r->level << 16); /* SECURITY_ANONYMOUS etc. */
  return CreateFileW(r->path, access | r->more, 0, NULL, OPEN_EXISTING, flags, NULL);
}

static void close_file(HANDLE file)
{
  (void)CloseHandle(file);
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
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EHOSTUNREACH, system, "cannot find the computer of %s",
                                name);
  default:
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, code, system, "cannot open %s", name);
  }
}

int uvr_npipe_open(const char *path, const char *name, uvrelay_impersonation_t level, bool asks_owner, uv_os_fd_t *file,
                   uvrelay_error_t *error)
{
  WCHAR wide[UVR_ADDRESS_PATH_SIZE];
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, UVR_ADDRESS_PATH_SIZE) == 0) {
    return describe(GetLastError(), name, error);
  }
  static const uvr_npipe_opener opener = {.open = open_file, .ways_of = uvr_pipe_ways_of, .close = close_file};
  request wanted = {.path = wide, .level = level, .more = asks_owner ? READ_CONTROL : 0};
  HANDLE opened = uvr_npipe_open_by(&opener, &wanted);
  if (opened == INVALID_HANDLE_VALUE && asks_owner && GetLastError() == ERROR_ACCESS_DENIED) {
    return uvr_error_set_system(error, UVRELAY_PHASE_CONNECT, UV_EACCES, ERROR_ACCESS_DENIED,
                                "access to %s was denied, perhaps because its server does not let clients read its "
                                "owner (READ_CONTROL), which owner= requires",
                                name);
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
