/* Starting a process on Windows: see spawn.h. libuv would let it inherit every handle that can be inherited, which all
 * that this process has inherited itself can: the log's reader, for one, would see its end only when the last
 * descendant of the child has gone. So the process is started here, with a list of its handles.
 *
 * It belongs to a job that ends it together with this process. A thread of the system's pool waits for its exit and
 * wakes the loop.
 *
 * CreateProcessW gives a batch file to cmd.exe, which would look for it by the name in the command line, in the current
 * directory first, and run the user's AutoRun. So cmd.exe is started here, too, with the file's path. */
#include "cli/child/spawn.h"

#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include "cli/child/command_line_win.h"

enum { HANDLES = 3 };

struct uvr_spawn {
  uv_async_t async; /* the process has exited */
  HANDLE process;
  HANDLE wait;
  HANDLE job;
  DWORD number;
  int signal; /* that has ended it */
  bool exited;
  uvr_spawn_options options;
};

/* The process. */

static HANDLE make_job(void)
{
  HANDLE job = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation = {.LimitFlags = 0}};
  /* No dialog about a crash is shown, and what it starts is not in the job. */
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK |
                                            JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK |
                                            JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
  if (job != NULL && !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
    (void)CloseHandle(job);
    return NULL;
  }
  return job;
}

/* Starts the process suspended, with these handles. */
static DWORD create(const wchar_t *file, wchar_t *line, HANDLE handles[HANDLES], LPPROC_THREAD_ATTRIBUTE_LIST list,
                    PROCESS_INFORMATION *process)
{
  STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof(startup)}, .lpAttributeList = list};
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW;
  startup.StartupInfo.wShowWindow = SW_HIDE;
  startup.StartupInfo.hStdInput = handles[0];
  startup.StartupInfo.hStdOutput = handles[1];
  startup.StartupInfo.hStdError = handles[2];
  for (size_t i = 0; i < HANDLES; i++) {
    if (!SetHandleInformation(handles[i], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
      return GetLastError();
    }
  }
  BOOL created =
      UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, HANDLES * sizeof(handles[0]), NULL,
                                NULL) &&
      CreateProcessW(file, line, NULL, NULL, TRUE, CREATE_NO_WINDOW | CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT,
                     NULL, NULL, &startup.StartupInfo, process);
  DWORD error = created ? 0 : GetLastError();
  for (size_t i = 0; i < HANDLES; i++) {
    (void)SetHandleInformation(handles[i], HANDLE_FLAG_INHERIT, 0);
  }
  return error;
}

static DWORD start(uvr_spawn *self, const uvr_command_line *command)
{
  HANDLE handles[HANDLES] = {NULL};
  PROCESS_INFORMATION process = {.hProcess = NULL};
  SIZE_T size = 0;
  (void)InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
  if (list == NULL || !InitializeProcThreadAttributeList(list, 1, 0, &size)) {
    free(list);
    return ERROR_NOT_ENOUGH_MEMORY;
  }
  for (size_t i = 0; i < HANDLES; i++) {
    handles[i] = (HANDLE)_get_osfhandle(self->options.stdio[i]);
  }
  DWORD error = create(command->file, command->line, handles, list, &process);
  DeleteProcThreadAttributeList(list);
  free(list);
  if (error != 0) {
    return error;
  }
  self->process = process.hProcess;
  self->number = process.dwProcessId;
  self->job = make_job();
  if (self->job != NULL) {
    (void)AssignProcessToJobObject(self->job, self->process); /* without it, it ends by the end of its input */
  }
  (void)ResumeThread(process.hThread);
  (void)CloseHandle(process.hThread);
  return 0;
}

/* Its exit. */

static void CALLBACK on_wait(void *user, BOOLEAN timed_out)
{
  (void)timed_out;
  (void)uv_async_send(&((uvr_spawn *)user)->async);
}

static void stop_waiting(uvr_spawn *self)
{
  if (self->wait != NULL) {
    (void)UnregisterWaitEx(self->wait, INVALID_HANDLE_VALUE);
    self->wait = NULL;
  }
}

static void on_async(uv_async_t *async)
{
  uvr_spawn *self = async->data;
  DWORD status = 1;
  if (!self->exited) {
    self->exited = true;
    stop_waiting(self);
    (void)GetExitCodeProcess(self->process, &status);
    self->options.on_exit(self->options.user, status, self->signal);
  }
}

static void free_all(uvr_spawn *self)
{
  const HANDLE handles[] = {self->process, self->job};
  for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
    if (handles[i] != NULL) {
      (void)CloseHandle(handles[i]);
    }
  }
  free(self);
}

static void on_closed(uv_handle_t *handle)
{
  uvr_spawn *self = handle->data;
  if (self->number != 0) {
    self->options.on_closed(self->options.user);
  }
  free_all(self);
}

int uvr_spawn_start(uv_loop_t *loop, const uvr_spawn_options *options, uvr_spawn **out)
{
  uvr_command_line command;
  uvr_spawn *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return UV_ENOMEM;
  }
  self->options = *options;
  int code = uvr_command_line_make(options->file, options->argv, &command);
  code = code == 0 ? uv_async_init(loop, &self->async, on_async) : code;
  if (code != 0) {
    uvr_command_line_clear(&command);
    free(self);
    return code;
  }
  self->async.data = self;
  DWORD error = start(self, &command);
  uvr_command_line_clear(&command);
  if (error == 0 && !RegisterWaitForSingleObject(&self->wait, self->process, on_wait, self, INFINITE,
                                                 WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE)) {
    error = GetLastError();
    self->wait = NULL;
    self->number = 0;
    (void)TerminateProcess(self->process, 1);
  }
  if (error != 0) {
    uv_close((uv_handle_t *)&self->async, on_closed);
    return uv_translate_sys_error((int)error);
  }
  *out = self;
  return 0;
}

int uvr_spawn_number(const uvr_spawn *self)
{
  return (int)self->number;
}

void uvr_spawn_signal(uvr_spawn *self, int signal)
{
  if (!self->exited && TerminateProcess(self->process, 1)) {
    self->signal = signal;
  }
}

void uvr_spawn_close(uvr_spawn *self)
{
  stop_waiting(self);
  self->exited = true;
  uv_close((uv_handle_t *)&self->async, on_closed);
}
