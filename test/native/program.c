/* Starting uvrelay.exe with standard handles of every kind, and what it says and how it ends: see native.h. */
#include "native.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psapi.h>

enum { FIRST_ROOM = 64 * 1024, PIPE_BYTES = 64 * 1024 };

const char *uvrelay_exe;
static program *last_started;

/* ---- collecting ---- */

static void keep(collector *c, const char *bytes, size_t length)
{
  EnterCriticalSection(&c->lock);
  if (c->length + length + 1 > c->room) {
    c->room = (c->length + length + 1) * 2 + FIRST_ROOM;
    c->data = realloc(c->data, c->room);
    CHECK(c->data != NULL, "there is no memory");
  }
  memcpy(c->data + c->length, bytes, length);
  c->length += length;
  c->data[c->length] = '\0';
  WakeAllConditionVariable(&c->changed);
  LeaveCriticalSection(&c->lock);
}

static void collect(void *argument)
{
  collector *c = argument;
  char buffer[64 * 512];
  size_t got;
  /* A zero-byte message is not the end of what a program writes: that is the closing of its handle. */
  while ((got = end_read(&c->from, buffer, sizeof(buffer))) > 0 || (c->from.pipe != NULL && c->from.why == 0)) {
    keep(c, buffer, got);
  }
  EnterCriticalSection(&c->lock);
  c->ended = true;
  WakeAllConditionVariable(&c->changed);
  LeaveCriticalSection(&c->lock);
}

static void collector_start(collector *c, end from)
{
  InitializeCriticalSection(&c->lock);
  InitializeConditionVariable(&c->changed);
  c->from = from;
  keep(c, "", 0);
  (void)CloseHandle(background(collect, c));
}

/* Waits until there are so many bytes, or the text, or the end. Returns whether they, or it, came. */
static bool collector_wait(collector *c, size_t length, const char *part)
{
  uint64_t until = now_ms() + SOON;
  bool there = false;
  EnterCriticalSection(&c->lock);
  for (;;) {
    there = part != NULL ? strstr(c->data, part) != NULL : c->length >= length;
    if (there || c->ended || now_ms() >= until) {
      break;
    }
    (void)SleepConditionVariableCS(&c->changed, &c->lock, 200);
  }
  LeaveCriticalSection(&c->lock);
  return there;
}

static void collector_wait_end(collector *c)
{
  (void)collector_wait(c, SIZE_MAX, NULL);
  CHECK(c->ended, "the program has ended, but somebody still holds its standard output or error");
}

/* ---- standard handles ---- */

static HANDLE inheritable(HANDLE handle)
{
  CHECK(SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT),
        "cannot make a handle inheritable (%lu)", GetLastError());
  return handle;
}

static HANDLE open_file(const char *path, bool reading, DWORD making)
{
  HANDLE file = CreateFileW(wide(path), reading ? GENERIC_READ : GENERIC_READ | GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, making, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE, "cannot open %s (error %lu)", path, GetLastError());
  return inheritable(file);
}

/* A named pipe whose end the child has is overlapped. The reading end is the server's. */
static HANDLE overlapped_pipe(std_kind kind, bool child_reads, end *ours)
{
  const char *name = unique_pipe();
  DWORD mode = kind == STD_OVERLAPPED ? PIPE_TYPE_BYTE : PIPE_TYPE_MESSAGE;
  mode |= kind == STD_MESSAGE_READ ? PIPE_READMODE_MESSAGE : PIPE_READMODE_BYTE;
  HANDLE reading = CreateNamedPipeW(wide(name), PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED, mode, 1, PIPE_BYTES,
                                    PIPE_BYTES, 0, NULL);
  HANDLE writing = pipe_try(name, GENERIC_WRITE | FILE_READ_ATTRIBUTES, FILE_FLAG_OVERLAPPED);
  CHECK(reading != INVALID_HANDLE_VALUE && writing != INVALID_HANDLE_VALUE, "cannot make a pipe (error %lu)",
        GetLastError());
  *ours = end_of_pipe(child_reads ? writing : reading, false);
  return inheritable(child_reads ? reading : writing);
}

static HANDLE socket_handle(end *ours)
{
  int port;
  SOCKET listener = tcp_listen(&port);
  end connected = tcp_connect(port);
  *ours = tcp_accept(listener);
  (void)closesocket(listener);
  return inheritable((HANDLE)connected.socket);
}

static HANDLE anonymous_pipe(std_kind kind, bool child_reads, end *ours)
{
  DWORD mode = PIPE_READMODE_BYTE | PIPE_NOWAIT;
  HANDLE reading;
  HANDLE writing;
  CHECK(CreatePipe(&reading, &writing, NULL, 0), "cannot make a pipe (error %lu)", GetLastError());
  *ours = end_of_pipe(child_reads ? writing : reading, true);
  HANDLE childs = inheritable(child_reads ? reading : writing);
  CHECK(kind != STD_NOWAIT || SetNamedPipeHandleState(childs, &mode, NULL, NULL),
        "cannot have a pipe not wait (error %lu)", GetLastError());
  return childs;
}

static HANDLE make_handle(std_kind kind, bool child_reads, const char *file, end *ours)
{
  switch (kind) {
  case STD_ANONYMOUS:
  case STD_NOWAIT:
    return anonymous_pipe(kind, child_reads, ours);
  case STD_SOCKET:
    return socket_handle(ours);
  case STD_OVERLAPPED:
  case STD_MESSAGE:
  case STD_MESSAGE_READ:
    return overlapped_pipe(kind, child_reads, ours);
  case STD_FILE:
    return open_file(file, child_reads, child_reads ? OPEN_EXISTING : CREATE_ALWAYS);
  case STD_NUL:
    return open_file("NUL", child_reads, OPEN_EXISTING);
  case STD_CONSOLE:
    return open_file(child_reads ? "CONIN$" : "CONOUT$", false, OPEN_EXISTING);
  default:
    return NULL;
  }
}

static bool has_other_end(std_kind kind)
{
  return kind <= STD_SOCKET;
}

static void close_handle(std_kind kind, HANDLE handle)
{
  if (kind == STD_SOCKET) {
    (void)closesocket((SOCKET)handle);
  } else if (handle != NULL) {
    (void)CloseHandle(handle);
  }
}

/* ---- starting ---- */

program *start(const launch *how, const char *format, ...)
{
  static const launch usual = {.in = STD_ANONYMOUS};
  char arguments[4096];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(arguments, sizeof(arguments), format, args);
  va_end(args);
  how = how != NULL ? how : &usual;
  program *p = memory(sizeof(*p));
  end errors = {.pipe = NULL};
  HANDLE handles[3];
  handles[0] = make_handle(how->in, true, how->in_file, &p->in);
  handles[1] = how->out == STD_SAME ? handles[0] : make_handle(how->out, false, how->out_file, &p->out);
  handles[2] = make_handle(how->err, false, NULL, &errors);
  STARTUPINFOW startup = {.cb = sizeof(startup),
                          .dwFlags = STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW,
                          .wShowWindow = how->visible ? SW_SHOWNOACTIVATE : SW_HIDE,
                          .hStdInput = handles[0],
                          .hStdOutput = handles[1],
                          .hStdError = handles[2]};
  PROCESS_INFORMATION made;
  const char *exe = how->program != NULL ? how->program : uvrelay_exe;
  step("uvrelay %s", arguments);
  CHECK(CreateProcessW(wide(exe), wide(text("\"%s\" %s", exe, arguments)), NULL, NULL, TRUE, how->creation, NULL, NULL,
                       &startup, &made),
        "cannot start %s (error %lu)", exe, GetLastError());
  if (how->in == STD_NOWAIT) {
    (void)DuplicateHandle(GetCurrentProcess(), handles[0], GetCurrentProcess(), &p->kept, 0, FALSE,
                          DUPLICATE_SAME_ACCESS);
  }
  close_handle(how->in, handles[0]);
  close_handle(how->out, how->out == STD_SAME ? NULL : handles[1]);
  close_handle(how->err, handles[2]);
  (void)CloseHandle(made.hThread);
  p->process = made.hProcess;
  p->id = made.dwProcessId;
  p->before = last_started;
  last_started = p;
  if (has_other_end(how->out) && !how->read_by_hand) {
    collector_start(&p->output, p->out);
  }
  if (has_other_end(how->err)) {
    collector_start(&p->errors, errors);
  }
  return p;
}

/* ---- what it does ---- */

void wait_output(program *p, size_t length)
{
  CHECK(collector_wait(&p->output, length, NULL), "%llu bytes of output came instead of %llu; it says: %s",
        (unsigned long long)p->output.length, (unsigned long long)length, p->errors.data);
}

void expect_output(program *p, uint64_t seed, size_t total)
{
  wait_output(p, total);
  CHECK(p->output.length == total, "%llu bytes of output came instead of %llu", (unsigned long long)p->output.length,
        (unsigned long long)total);
  CHECK(pattern_matches(seed, 0, p->output.data, total), "the output has other bytes than were sent");
}

char *wait_error(program *p, const char *part)
{
  step("waiting until standard error has \"%s\"", part);
  CHECK(collector_wait(&p->errors, 0, part), "standard error has not \"%s\" but \"%s\"", part, p->errors.data);
  EnterCriticalSection(&p->errors.lock);
  size_t length = p->errors.length + 1;
  char *copy = memcpy(memory(length), p->errors.data, length);
  LeaveCriticalSection(&p->errors.lock);
  return copy;
}

bool runs_for(program *p, DWORD ms)
{
  return WaitForSingleObject(p->process, ms) == WAIT_TIMEOUT;
}

DWORD wait_exit(program *p)
{
  DWORD status = 0;
  step("waiting until the program ends");
  CHECK(!runs_for(p, SOON), "the program still runs; it says: %s", p->errors.data != NULL ? p->errors.data : "");
  (void)GetExitCodeProcess(p->process, &status);
  if (p->output.data != NULL) {
    collector_wait_end(&p->output);
  }
  if (p->errors.data != NULL) {
    collector_wait_end(&p->errors);
  }
  return status;
}

void expect_exit(program *p, DWORD status)
{
  DWORD code = wait_exit(p);
  CHECK(code == status, "the exit status is %lu (0x%lx), not %lu; it says: %s", code, code, status,
        p->errors.data != NULL ? p->errors.data : "");
}

void expect_refusal(program *p, DWORD status, ...)
{
  va_list parts;
  const char *part;
  expect_exit(p, status);
  const char *said = p->errors.data;
  const char *line_end = strchr(said, '\n');
  CHECK(strncmp(said, "uvrelay: ", 9) == 0, "standard error does not begin with the program's name: %s", said);
  CHECK(line_end != NULL && (status == 2 || line_end[1] == '\0'), "standard error has not one line: %s", said);
  va_start(parts, status);
  while ((part = va_arg(parts, const char *)) != NULL) {
    const char *found = strstr(said, part);
    CHECK(found != NULL && found < line_end, "the message has not \"%s\": %s", part, said);
  }
  va_end(parts);
  CHECK(p->output.length == 0, "something is on standard output: %s", p->output.data);
}

void expect_silence(program *p)
{
  CHECK(p->errors.length == 0, "the program says: %s", p->errors.data);
}

uint64_t processor_ms(program *p)
{
  FILETIME made;
  FILETIME ended;
  FILETIME kernel;
  FILETIME user;
  CHECK(GetProcessTimes(p->process, &made, &ended, &kernel, &user), "cannot ask for the time used (error %lu)",
        GetLastError());
  uint64_t used = ((uint64_t)kernel.dwHighDateTime << 32) + kernel.dwLowDateTime;
  used += ((uint64_t)user.dwHighDateTime << 32) + user.dwLowDateTime;
  return used / 10000;
}

uint64_t memory_of(program *p)
{
  PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof(counters)};
  CHECK(K32GetProcessMemoryInfo(p->process, &counters, sizeof(counters)), "cannot ask for memory (error %lu)",
        GetLastError());
  return counters.PagefileUsage;
}

void check_it_runs(void)
{
  DWORD status = 0;
  for (program *p = last_started; p != NULL; p = p->before) {
    if (runs_for(p, 0)) {
      return;
    }
  }
  if (last_started != NULL) {
    (void)GetExitCodeProcess(last_started->process, &status);
    if (last_started->errors.data != NULL) {
      collector_wait_end(&last_started->errors);
    }
    fail("no client comes, as the program has ended with status %lu (0x%lx); it says: %s", status, status,
         last_started->errors.data != NULL ? last_started->errors.data : "");
  }
}

/* ---- serve ---- */

program *serve(const launch *how, int routes, const char *format, ...)
{
  char arguments[3072];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(arguments, sizeof(arguments), format, args);
  va_end(args);
  program *p = start(how, "serve -v %s", arguments);
  for (int i = 1; i <= routes; i++) {
    (void)port_of(p, i);
  }
  return p;
}

/* The lines are "uvrelay: LISTEN=TARGET: listening", in the order of the routes. */
int port_of(program *p, int route)
{
  uint64_t until = now_ms() + SOON;
  for (;;) {
    const char *at = wait_error(p, ": listening");
    for (int i = 1; (at = strstr(at, "uvrelay: ")) != NULL; at++) {
      const char *line_end = strchr(at, '\n');
      const char *found = strstr(at, ": listening");
      if (line_end == NULL || found == NULL) {
        break;
      }
      if (found > line_end || i++ < route) {
        continue;
      }
      const char *equals = strchr(at, '=');
      const char *colon = equals;
      while (colon > at && *colon != ':') {
        colon--;
      }
      return atoi(colon + 1); /* 0 where it is a pipe */
    }
    CHECK(now_ms() < until && runs_for(p, 10), "route %d does not listen; it says: %s", route, p->errors.data);
  }
}

char *temporary_file(const char *ending, const void *content, size_t length)
{
  static LONG last;
  wchar_t directory[MAX_PATH];
  char utf8[MAX_PATH * 3];
  DWORD written;
  CHECK(GetTempPathW(MAX_PATH, directory) != 0, "there is no directory for temporary files");
  (void)WideCharToMultiByte(CP_UTF8, 0, directory, -1, utf8, sizeof(utf8), NULL, NULL);
  char *path = text("%suvrelay-native-%lu-%ld%s", utf8, GetCurrentProcessId(), InterlockedIncrement(&last), ending);
  HANDLE file =
      CreateFileW(wide(path), GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY, NULL);
  CHECK(file != INVALID_HANDLE_VALUE && WriteFile(file, content, (DWORD)length, &written, NULL),
        "cannot write %s (error %lu)", path, GetLastError());
  (void)CloseHandle(file);
  for (char *at = path; *at != '\0'; at++) {
    *at = *at == '\\' ? '/' : *at;
  }
  return path;
}
