/* The facts of Windows.
 *
 * The pipes that presets lead to are those of two names, and those whose names begin as Pageant's do. To learn who owns
 * one and which program has made it, it is opened, once, with no right to read or write, and closed again. If all its
 * instances are busy, a short wait for one follows. What the system does not tell is left empty: a user who is not an
 * administrator may not ask for the whole path of a service's program, and gets its name only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <tlhelp32.h>

#include "address/form.h"
#include "base/pipe_list_win.h"
#include "cli/facts/system_facts.h"
#include "cli/os/wide_win.h"
#include "endpoint/sid_win.h"

#define PIPES "\\\\.\\pipe\\"

enum { VALUE_SIZE = 32768, NAME_SIZE = 1100, MAX_PAGEANTS = 32, BUSY_TRIES = 3, BUSY_MS = 200 };

/* The user. */

static void add_variable(uvr_facts_text *out, const char *name, const char *variable)
{
  size_t size = VALUE_SIZE;
  char *value = malloc(size);
  uvr_facts_add(out, name, value != NULL && uv_os_getenv(variable, value, &size) == 0 ? value : NULL);
  free(value);
}

static void add_user(uvr_facts_text *out)
{
  uvr_sid sid;
  char text[UVR_SID_SIZE];
  WCHAR name[256 + 1];
  DWORD size = sizeof(name) / sizeof(name[0]);
  char *user = GetUserNameW(name, &size) ? uvr_to_utf8(name) : NULL;
  uvr_facts_add(out, "user", user);
  uvr_facts_add(out, "sid", uvr_sid_of_user(&sid) == 0 ? uvr_sid_text(text, &sid) : NULL);
  free(user);
  add_variable(out, "localappdata", "LOCALAPPDATA");
  add_variable(out, "appdata", "APPDATA");
  add_variable(out, "userprofile", "USERPROFILE");
}

/* The system. */

typedef const char *(CDECL *wine_version)(void);

static void add_system(uvr_facts_text *out)
{
  uv_utsname_t system;
  uvr_facts_add(out, "windows", uv_os_uname(&system) == 0 ? system.release : NULL);
  HMODULE base = GetModuleHandleW(L"ntdll.dll");
  FARPROC found = base == NULL ? NULL : GetProcAddress(base, "wine_get_version");
  if (found != NULL) {
    wine_version call = (wine_version)(void (*)(void))found;
    uvr_facts_add(out, "wine", call());
  }
}

/* Owners and servers. */

static const char *owner_of(HANDLE file, char text[UVR_SID_SIZE])
{
  uvr_sid owner;
  return uvr_sid_of_owner(file, &owner) == 0 ? uvr_sid_text(text, &owner) : NULL;
}

/* The name of a process's program, without its directory, which everybody may learn. To be freed; NULL: unknown. */
static char *short_name_of(DWORD process)
{
  PROCESSENTRY32W entry = {.dwSize = sizeof(entry)};
  HANDLE processes = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  bool found = false;
  if (processes == INVALID_HANDLE_VALUE) {
    return NULL;
  }
  for (BOOL more = Process32FirstW(processes, &entry); more && !found; more = Process32NextW(processes, &entry)) {
    found = entry.th32ProcessID == process;
    if (found) {
      break;
    }
  }
  (void)CloseHandle(processes);
  return found ? uvr_to_utf8(entry.szExeFile) : NULL;
}

/* The program that has made a pipe. To be freed; NULL: unknown. */
static char *server_of(HANDLE pipe)
{
  ULONG process = 0;
  if (!GetNamedPipeServerProcessId(pipe, &process) || process == 0) {
    return NULL;
  }
  DWORD size = VALUE_SIZE;
  WCHAR *path = malloc(size * sizeof(*path));
  HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process);
  char *name = NULL;
  if (handle != NULL && path != NULL && QueryFullProcessImageNameW(handle, 0, path, &size)) {
    name = uvr_to_utf8(path);
  }
  if (handle != NULL) {
    (void)CloseHandle(handle);
  }
  free(path);
  return name != NULL ? name : short_name_of(process);
}

/* Pipes. */

/* Opens a pipe to ask about it, with the right to learn its owner if that is granted. A failed try takes no instance.
 */
static HANDLE open_once(const WCHAR *path)
{
  const DWORD flags = SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS;
  HANDLE pipe = CreateFileW(path, READ_CONTROL, 0, NULL, OPEN_EXISTING, flags, NULL);
  if (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED) {
    pipe = CreateFileW(path, 0, 0, NULL, OPEN_EXISTING, flags, NULL);
  }
  return pipe;
}

/* The same, but waits a little for an instance if all are busy. Windows' ssh-agent has one at a time. */
static HANDLE open_to_ask(const WCHAR *path)
{
  HANDLE pipe = open_once(path);
  for (int tries = 0; pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY && tries < BUSY_TRIES;
       tries++) {
    (void)WaitNamedPipeW(path, BUSY_MS);
    pipe = open_once(path);
  }
  return pipe;
}

/* Adds the pipe of this name if there is one. */
static void add_pipe(uvr_facts_text *out, const char *name)
{
  char path[NAME_SIZE];
  char owner[UVR_SID_SIZE];
  (void)snprintf(path, sizeof(path), PIPES "%s", name);
  WCHAR *wide = uvr_to_wide(path);
  if (wide == NULL) {
    out->failed = true;
    return;
  }
  HANDLE pipe = open_to_ask(wide);
  if (pipe != INVALID_HANDLE_VALUE) {
    char *server = server_of(pipe);
    uvr_facts_add_all(out, "pipe", (const char *const[]){path, owner_of(pipe, owner), server}, 3);
    free(server);
    (void)CloseHandle(pipe);
  } else if (GetLastError() != ERROR_FILE_NOT_FOUND) {
    uvr_facts_add_all(out, "pipe", (const char *const[]){path, NULL, NULL}, 3);
  }
  free(wide);
}

typedef struct pageants {
  uvr_facts_text *out;
  unsigned count;
} pageants;

static bool on_pipe(void *user, const char *name)
{
  pageants *self = user;
  if (uvr_begins(name, "pageant.")) {
    add_pipe(self->out, name);
    self->count++;
  }
  return self->count < MAX_PAGEANTS;
}

static void add_pipes(uvr_facts_text *out)
{
  pageants found = {.out = out};
  add_pipe(out, "openssh-ssh-agent");
  add_pipe(out, "docker_engine");
  (void)uvr_pipe_list(on_pipe, &found);
}

/* Socket files. */

static void add_socket_file(uvr_facts_text *out, const char *directory, const char *name)
{
  char owner[UVR_SID_SIZE];
  size_t size = strlen(directory) + strlen(name) + sizeof("\\gnupg\\");
  char *path = malloc(size);
  if (path != NULL) {
    (void)snprintf(path, size, "%s\\gnupg\\%s", directory, name);
  }
  WCHAR *wide = path == NULL ? NULL : uvr_to_wide(path);
  if (wide == NULL) {
    out->failed = true;
  } else if (GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES) {
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE file = CreateFileW(wide, READ_CONTROL, share, NULL, OPEN_EXISTING, 0, NULL);
    uvr_facts_add_all(out, "socket", (const char *const[]){path, owner_of(file, owner)}, 2);
    if (file != INVALID_HANDLE_VALUE) {
      (void)CloseHandle(file);
    }
  }
  free(wide);
  free(path);
}

static void add_socket_files(uvr_facts_text *out)
{
  size_t size = VALUE_SIZE;
  char *directory = malloc(size);
  if (directory == NULL) {
    out->failed = true;
  } else if (uv_os_getenv("LOCALAPPDATA", directory, &size) == 0) {
    add_socket_file(out, directory, "S.gpg-agent");
    add_socket_file(out, directory, "S.gpg-agent.ssh");
  }
  free(directory);
}

void uvr_facts_of_system(uvr_facts_text *out)
{
  add_user(out);
  add_system(out);
  add_pipes(out);
  add_socket_files(out);
}
