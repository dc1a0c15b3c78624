/* Leaving the console on Windows: see detach.h. The other process runs the same command line, in a console without a
 * window, and finds in a variable of its environment the event by which it tells that it is ready. Its errors go to a
 * file; if it ends before it is ready, the first process shows what it has written there. */
#include "cli/os/detach.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

#include <uv.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/os/wide_win.h"

#define VARIABLE L"UVRELAY_DETACHED"

enum { LOCK_PATIENCE_MS = 30000, HANDLES = 3, PATH_MAX_UNITS = 32768 };

static void fail(uvrelay_error_t *error, const char *what, const char *path)
{
  char quoted[UVR_QUOTED_SIZE];
  DWORD system = GetLastError();
  int code = uv_translate_sys_error((int)system);
  (void)uvr_error_set_system(error, UVRELAY_PHASE_NONE, code, system, "cannot %s%s: %s", what,
                             path == NULL ? "" : uvr_quote(quoted, path), uv_strerror(code));
}

/* Whether this is the other process. */
static bool is_detached(uvr_detached *out)
{
  wchar_t text[32];
  DWORD length = GetEnvironmentVariableW(VARIABLE, text, sizeof(text) / sizeof(text[0]));
  if (length == 0 || length >= sizeof(text) / sizeof(text[0])) {
    return false;
  }
  (void)SetEnvironmentVariableW(VARIABLE, NULL); /* not for what this process starts */
  out->ready = (intptr_t)wcstoull(text, NULL, 10);
  return true;
}

static HANDLE open_inherited(const wchar_t *path, DWORD access, DWORD disposition)
{
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof(inherited), .bInheritHandle = TRUE};
  return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inherited, disposition,
                     FILE_ATTRIBUTE_NORMAL, NULL);
}

static HANDLE open_errors(const char *path)
{
  wchar_t *wide = uvr_to_wide(path);
  HANDLE errors = wide == NULL ? INVALID_HANDLE_VALUE
                               : open_inherited(wide, FILE_APPEND_DATA | GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS);
  free(wide);
  return errors;
}

static BOOL create(HANDLE handles[HANDLES], LPPROC_THREAD_ATTRIBUTE_LIST list, PROCESS_INFORMATION *process)
{
  STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof(startup)}, .lpAttributeList = list};
  const DWORD flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = handles[0];
  startup.StartupInfo.hStdOutput = handles[0];
  startup.StartupInfo.hStdError = handles[1];
  wchar_t *file = malloc(PATH_MAX_UNITS * sizeof(*file));
  wchar_t *line = _wcsdup(GetCommandLineW());
  DWORD length = file == NULL ? 0 : GetModuleFileNameW(NULL, file, PATH_MAX_UNITS);
  if (length == 0 || length == PATH_MAX_UNITS || line == NULL ||
      !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, HANDLES * sizeof(handles[0]),
                                 NULL, NULL)) {
    free(file);
    free(line);
    return FALSE;
  }
  /* Out of the job of a terminal that ends its programs with it, where that is allowed. */
  BOOL made = CreateProcessW(file, line, NULL, NULL, TRUE, flags | CREATE_BREAKAWAY_FROM_JOB, NULL, NULL,
                             &startup.StartupInfo, process) ||
              CreateProcessW(file, line, NULL, NULL, TRUE, flags, NULL, NULL, &startup.StartupInfo, process);
  free(file);
  free(line);
  return made;
}

static BOOL start(HANDLE errors, HANDLE ready, PROCESS_INFORMATION *process)
{
  wchar_t text[32];
  SIZE_T size = 0;
  HANDLE nothing = open_inherited(L"NUL", GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING);
  HANDLE handles[HANDLES] = {nothing, errors, ready};
  (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
  BOOL made = FALSE;
  (void)swprintf(text, sizeof(text) / sizeof(text[0]), L"%llu", (unsigned long long)(uintptr_t)ready);
  if (nothing != INVALID_HANDLE_VALUE && list != NULL && InitializeProcThreadAttributeList(list, 1, 0, &size)) {
    (void)SetEnvironmentVariableW(VARIABLE, text);
    made = create(handles, list, process);
    DWORD error = GetLastError();
    (void)SetEnvironmentVariableW(VARIABLE, NULL);
    DeleteProcThreadAttributeList(list);
    (void)CloseHandle(nothing);
    SetLastError(error);
  }
  free(list);
  return made;
}

/* Shows all that is in the file. */
static void show(HANDLE errors)
{
  char bytes[4096];
  DWORD count = 0;
  if (SetFilePointer(errors, 0, NULL, FILE_BEGIN) == INVALID_SET_FILE_POINTER) {
    return;
  }
  while (ReadFile(errors, bytes, sizeof(bytes), &count, NULL) && count > 0) {
    (void)fwrite(bytes, 1, count, stderr);
  }
}

/* Waits for the other process to be ready or to end. Returns the exit status. */
static int wait_for(HANDLE process, HANDLE ready, HANDLE errors)
{
  const HANDLE both[] = {ready, process};
  DWORD status = 1;
  if (WaitForMultipleObjects(2, both, FALSE, INFINITE) == WAIT_OBJECT_0) {
    return 0;
  }
  (void)GetExitCodeProcess(process, &status);
  show(errors);
  return (int)status;
}

uvr_detach_result uvr_detach(const uvr_detach_options *options, uvr_detached *out, int *status, uvrelay_error_t *error)
{
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof(inherited), .bInheritHandle = TRUE};
  PROCESS_INFORMATION process = {.hProcess = NULL};
  *out = (uvr_detached){.ready = 0};
  if (is_detached(out)) {
    return UVR_DETACH_GO_ON;
  }
  HANDLE errors = open_errors(options->errors);
  if (errors == INVALID_HANDLE_VALUE) {
    fail(error, "open the file ", options->errors);
    return UVR_DETACH_FAILED;
  }
  HANDLE ready = CreateEventW(&inherited, TRUE, FALSE, NULL);
  HANDLE lock = options->lock == NULL ? NULL : CreateMutexW(NULL, FALSE, L"Local\\uvrelay-serve-background");
  if (lock != NULL) {
    (void)WaitForSingleObject(lock, LOCK_PATIENCE_MS);
  }
  bool started = ready != NULL && start(errors, ready, &process);
  if (!started) {
    fail(error, "start in the background", NULL);
  } else {
    *status = wait_for(process.hProcess, ready, errors);
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
  }
  if (lock != NULL) {
    (void)ReleaseMutex(lock);
    (void)CloseHandle(lock);
  }
  if (ready != NULL) {
    (void)CloseHandle(ready);
  }
  (void)CloseHandle(errors);
  return started ? UVR_DETACH_OVER : UVR_DETACH_FAILED;
}

void uvr_detach_ready(uvr_detached *self)
{
  (void)SetEvent((HANDLE)self->ready);
  (void)CloseHandle((HANDLE)self->ready);
}
