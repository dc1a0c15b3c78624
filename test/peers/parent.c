/* Starts a program with standard handles of a given kind, as a Windows program would, and tells what became of it.
 *
 *   parent [OPTION...] ACTION... -- PROGRAM ARGUMENT...
 *
 * Under Wine a program started from Linux gets Unix descriptors, and closing its standard output is not seen before
 * it ends; with this parent it gets real Windows pipes.
 *
 * Options:
 *
 *   --stdin=KIND --stdout=KIND   (anonymous)
 *   --stderr=KIND                (own: the parent's; otherwise one of those that have no end of ours)
 *   --limit=SECONDS              (60): then child and parent are ended, with 3
 *   --progress=MS                tell bytes sent and received
 *   --console                    the child has a console of its own, without window
 *
 * Kinds:
 *
 *   anonymous          a pipe of CreatePipe, not overlapped, as WSL and shells give
 *   anonymous-nowait   the same, and the child's end does not block (PIPE_NOWAIT), as programs of Cygwin leave it
 *   overlapped         a named pipe in byte mode whose child's end is overlapped
 *   message            the same with message type, read in byte mode, as Cygwin and MSYS2 give
 *   message-read       the same, read in message mode, which the child may not change
 *   message-duplex     the same, read in message mode, which the child may change: its end is for both ways
 *   wrong-way          as overlapped, and the child has the end for the other direction
 *   file:PATH          a file (standard output: created anew)
 *   nul                NUL
 *   none               no handle at all (NULL)
 *   invalid            INVALID_HANDLE_VALUE
 *   stale              a number that is no handle
 *   event              a handle that is no file
 *
 * Actions:
 *
 *   text=TEXT  send=TOTAL[,CHUNK[,SEED]]  zero   write to the child's standard input (zero: a zero-byte message)
 *   close-in                                     close it
 *   recv=N                                       read exactly N bytes of its standard output
 *   recv-end                                     read until its end
 *   close-out                                    close our end of it
 *   ctrl-c  ctrl-break                           as if pressed in the child's console; prints the error, or 0: some
 *                                                systems know no Ctrl-Break
 *   sleep=MS
 *   await                                        waits for a line on our standard input
 *   wait=MS                                      wait for the child's exit, at most so long: prints "exit" with its
 *                                                code, or "running"
 *
 * At the end of the actions the child, if it still runs, is ended; exit 1 if an action failed. */
#include "peer.h"

enum { BUFFER = 1 << 16 };

typedef struct parent {
  peer_log log;
  peer_watchdog dog;
  HANDLE child;
  DWORD child_id, creation;
  int attached; /* to the child's console */
  HANDLE in;    /* we write the child's standard input here */
  HANDLE out;   /* we read the child's standard output here */
  HANDLE child_in, child_out, child_err;
  uint8_t *buffer;
} parent;

static int fail(parent *p, const char *action, DWORD error)
{
  peer_event(&p->log, "failed", ",\"action\":\"%s\",\"error\":%lu", action, (unsigned long)error);
  return 0;
}

static HANDLE open_file(const char *path, int for_input)
{
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  return CreateFileA(path, for_input ? GENERIC_READ : GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherit,
                     for_input || strcmp(path, "NUL") == 0 ? OPEN_EXISTING : CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL,
                     NULL);
}

/* A named pipe whose reading end is the server's, as Cygwin makes them; the child's end alone is overlapped. */
static int make_overlapped(HANDLE *reading, HANDLE *writing, int child_reads, DWORD access, DWORD mode)
{
  static const char format[] = "\\\\.\\pipe\\uvrelay-parent-%lu-%s";
  SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
  char name[80];
  __mingw_snprintf(name, sizeof name, format, (unsigned long)GetCurrentProcessId(), child_reads ? "in" : "out");
  *reading = CreateNamedPipeA(name, access | (child_reads ? FILE_FLAG_OVERLAPPED : 0), mode, 1, 65536, 65536, 0,
                              child_reads ? &inherit : NULL);
  if (*reading == INVALID_HANDLE_VALUE)
    return 0;
  *writing = CreateFileA(name, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, child_reads ? NULL : &inherit, OPEN_EXISTING,
                         child_reads ? 0 : FILE_FLAG_OVERLAPPED, NULL);
  return *writing != INVALID_HANDLE_VALUE;
}

static int make_anonymous(HANDLE *reading, HANDLE *writing, int child_reads, DWORD wait)
{
  DWORD mode = PIPE_READMODE_BYTE | wait;
  if (!CreatePipe(reading, writing, NULL, 0))
    return 0;
  HANDLE childs = child_reads ? *reading : *writing;
  return SetNamedPipeHandleState(childs, &mode, NULL, NULL) &&
         SetHandleInformation(childs, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

/* Makes one standard handle: the child's end and, for a pipe, ours. */
static int make_handle(const char *kind, int for_input, HANDLE *childs, HANDLE *ours)
{
  const char *path = strncmp(kind, "file:", 5) == 0 ? kind + 5 : strcmp(kind, "nul") == 0 ? "NUL" : NULL;
  HANDLE *reading = for_input ? childs : ours, *writing = for_input ? ours : childs;
  if (strcmp(kind, "none") == 0)
    return 1;
  if (strcmp(kind, "invalid") == 0 || strcmp(kind, "stale") == 0) {
    *childs = strcmp(kind, "stale") == 0 ? (HANDLE)(uintptr_t)0x7ff0 : INVALID_HANDLE_VALUE;
    return 1;
  }
  if (strcmp(kind, "event") == 0) {
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    *childs = CreateEventA(&inherit, TRUE, FALSE, NULL);
    return *childs != NULL;
  }
  if (strcmp(kind, "wrong-way") == 0)
    return make_overlapped(for_input ? ours : childs, for_input ? childs : ours, !for_input, PIPE_ACCESS_INBOUND,
                           PIPE_TYPE_BYTE | PIPE_READMODE_BYTE);
  if (path != NULL) {
    *childs = open_file(path, for_input);
    return *childs != INVALID_HANDLE_VALUE;
  }
  if (strcmp(kind, "anonymous") == 0)
    return make_anonymous(reading, writing, for_input, PIPE_WAIT);
  if (strcmp(kind, "anonymous-nowait") == 0)
    return make_anonymous(reading, writing, for_input, PIPE_NOWAIT);
  if (strcmp(kind, "overlapped") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE);
  if (strcmp(kind, "message") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND, PIPE_TYPE_MESSAGE | PIPE_READMODE_BYTE);
  if (strcmp(kind, "message-read") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_INBOUND, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE);
  if (strcmp(kind, "message-duplex") == 0)
    return make_overlapped(reading, writing, for_input, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE);
  SetLastError(ERROR_INVALID_PARAMETER);
  return 0;
}

/* Windows programs parse their command line themselves: quote what has spaces; our tests pass no quotes. */
static char *command_line(char **words)
{
  size_t length = 1;
  for (char **word = words; *word != NULL; word++)
    length += strlen(*word) + 3;
  char *line = malloc(length);
  if (line == NULL)
    return NULL;
  line[0] = '\0';
  for (char **word = words; *word != NULL; word++) {
    const char *quote = **word == '\0' || strchr(*word, ' ') != NULL ? "\"" : "";
    size_t used = strlen(line);
    __mingw_snprintf(line + used, length - used, "%s%s%s%s", used > 0 ? " " : "", quote, *word, quote);
  }
  return line;
}

/* The child ends with us, even if we are killed. */
static int bind_child(HANDLE child)
{
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
      .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
  HANDLE job = CreateJobObjectW(NULL, NULL); /* closed by our end */
  return job != NULL && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits) &&
         AssignProcessToJobObject(job, child);
}

static int start(parent *p, char **words)
{
  STARTUPINFOA startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  char *line = command_line(words);
  startup.hStdInput = p->child_in;
  startup.hStdOutput = p->child_out;
  startup.hStdError = p->child_err;
  if (line == NULL || !CreateProcessA(NULL, line, NULL, NULL, TRUE, p->creation, NULL, NULL, &startup, &process))
    return fail(p, "start", GetLastError());
  free(line);
  CloseHandle(process.hThread);
  if (p->child_in != NULL)
    CloseHandle(p->child_in);
  if (p->child_out != NULL)
    CloseHandle(p->child_out);
  p->child = process.hProcess;
  p->child_id = process.dwProcessId;
  p->dog.victim = process.hProcess;
  if (!bind_child(process.hProcess))
    return fail(p, "bind", GetLastError());
  peer_event(&p->log, "started", ",\"pid\":%lu", (unsigned long)process.dwProcessId);
  return 1;
}

/* Reads until `wanted` bytes are there or the end has come. */
static int act_recv(parent *p, const char *action, unsigned long long wanted)
{
  unsigned long long bytes = 0;
  double first_ms = 0;
  DWORD error = 0;
  peer_sha256 hash;
  char hex[65];
  peer_sha256_init(&hash);
  while (bytes < wanted && error == 0) {
    DWORD got = 0, room = wanted - bytes < BUFFER ? (DWORD)(wanted - bytes) : BUFFER;
    if (!ReadFile(p->out, p->buffer, room, &got, NULL))
      error = GetLastError();
    if (error == ERROR_MORE_DATA)
      error = 0;
    if (bytes == 0 && got > 0)
      first_ms = peer_now_ms() - p->log.start_ms;
    peer_sha256_add(&hash, p->buffer, got);
    bytes += got;
    InterlockedAdd64(&p->dog.received, (LONG64)got);
  }
  peer_sha256_end(&hash, hex);
  peer_event(&p->log, action, ",\"bytes\":%llu,\"end\":%lu,\"first_ms\":%.1f,\"sha256\":\"%s\"", bytes,
             (unsigned long)error, first_ms, hex);
  return error == 0 || wanted == ~0ull ? 1 : fail(p, action, error);
}

static int act_send(parent *p, const char *value)
{
  peer_stream *stream = malloc(sizeof *stream);
  unsigned long long numbers[3] = {0, BUFFER, 1}, sent = 0; /* total, chunk, seed */
  DWORD error = stream != NULL ? 0 : ERROR_OUTOFMEMORY;
  peer_numbers(value, numbers, 3);
  if (stream != NULL)
    peer_stream_init(stream, numbers[2]);
  if (numbers[1] == 0 || numbers[1] > BUFFER)
    error = ERROR_INVALID_PARAMETER;
  while (error == 0 && sent < numbers[0]) {
    DWORD written = 0, part = (DWORD)(numbers[0] - sent < numbers[1] ? numbers[0] - sent : numbers[1]);
    peer_stream_fill(stream, p->buffer, part);
    if (!WriteFile(p->in, p->buffer, part, &written, NULL))
      error = GetLastError();
    sent += written;
    InterlockedAdd64(&p->dog.sent, (LONG64)written);
  }
  free(stream);
  peer_event(&p->log, "send", ",\"bytes\":%llu,\"error\":%lu", sent, (unsigned long)error);
  return error == 0 ? 1 : fail(p, "send", error);
}

static int act_text(parent *p, const char *text)
{
  DWORD written;
  return WriteFile(p->in, text, (DWORD)strlen(text), &written, NULL) ? 1 : fail(p, "text", GetLastError());
}

static int act_close(parent *p, const char *action, HANDLE *handle)
{
  if (*handle == NULL || !CloseHandle(*handle))
    return fail(p, action, GetLastError());
  *handle = NULL;
  peer_event(&p->log, action, "%s", "");
  return 1;
}

static int act_wait(parent *p, const char *value)
{
  DWORD code = 0;
  double from_ms = peer_now_ms();
  if (WaitForSingleObject(p->child, (DWORD)strtoul(value, NULL, 10)) != WAIT_OBJECT_0) {
    peer_event(&p->log, "running", ",\"waited_ms\":%.1f", peer_now_ms() - from_ms);
    return 1;
  }
  GetExitCodeProcess(p->child, &code);
  peer_event(&p->log, "exit", ",\"code\":%lu,\"waited_ms\":%.1f", (unsigned long)code, peer_now_ms() - from_ms);
  return 1;
}

/* What is pressed in a console comes to all that are attached to it. */
static BOOL WINAPI ignore_event(DWORD event)
{
  (void)event;
  return TRUE;
}

static int act_press(parent *p, const char *action, DWORD event)
{
  DWORD error = 0;
  if (!p->attached) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE); /* which the console would replace */
    FreeConsole();
    if (!AttachConsole(p->child_id) || !SetConsoleCtrlHandler(ignore_event, TRUE))
      return fail(p, action, GetLastError());
    SetStdHandle(STD_INPUT_HANDLE, input);
    p->attached = 1;
  }
  SetLastError(ERROR_NOT_SUPPORTED);
  if (!GenerateConsoleCtrlEvent(event, 0))
    error = GetLastError();
  peer_event(&p->log, action, ",\"error\":%lu", (unsigned long)error);
  return 1;
}

static int act_await(parent *p)
{
  char byte;
  DWORD got;
  peer_event(&p->log, "await", "%s", "");
  do {
    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL) || got == 0)
      return fail(p, "await", GetLastError());
  } while (byte != '\n');
  return 1;
}

static int act(parent *p, const char *action)
{
  const char *value;
  if ((value = peer_value(action, "text")) != NULL)
    return act_text(p, value);
  if ((value = peer_value(action, "send")) != NULL)
    return act_send(p, value);
  if (strcmp(action, "zero") == 0)
    return act_text(p, "");
  if ((value = peer_value(action, "recv")) != NULL)
    return act_recv(p, "recv", strtoull(value, NULL, 10));
  if (strcmp(action, "recv-end") == 0)
    return act_recv(p, "recv-end", ~0ull);
  if (strcmp(action, "close-in") == 0)
    return act_close(p, action, &p->in);
  if (strcmp(action, "close-out") == 0)
    return act_close(p, action, &p->out);
  if ((value = peer_value(action, "wait")) != NULL)
    return act_wait(p, value);
  if (strcmp(action, "ctrl-c") == 0)
    return act_press(p, action, CTRL_C_EVENT);
  if (strcmp(action, "ctrl-break") == 0)
    return act_press(p, action, CTRL_BREAK_EVENT);
  if (strcmp(action, "await") == 0)
    return act_await(p);
  if ((value = peer_value(action, "sleep")) != NULL) {
    Sleep((DWORD)strtoul(value, NULL, 10));
    return 1;
  }
  return fail(p, action, ERROR_INVALID_PARAMETER);
}

int main(int argc, char **argv)
{
  parent p = {.buffer = malloc(BUFFER)};
  const char *kind_in = "anonymous", *kind_out = "anonymous", *kind_err = "own", *value;
  HANDLE none = NULL;
  int first, dashes, fine = 1;
  peer_log_init(&p.log);
  p.dog.log = &p.log;
  p.dog.limit_ms = 60000;
  for (first = 1; first < argc && strncmp(argv[first], "--", 2) == 0 && argv[first][2] != '\0'; first++) {
    if ((value = peer_value(argv[first], "--stdin")) != NULL)
      kind_in = value;
    else if ((value = peer_value(argv[first], "--stdout")) != NULL)
      kind_out = value;
    else if ((value = peer_value(argv[first], "--stderr")) != NULL)
      kind_err = value;
    else if ((value = peer_value(argv[first], "--limit")) != NULL)
      p.dog.limit_ms = 1000 * (DWORD)strtoul(value, NULL, 10);
    else if ((value = peer_value(argv[first], "--progress")) != NULL)
      p.dog.progress_ms = (DWORD)strtoul(value, NULL, 10);
    else if (strcmp(argv[first], "--console") == 0)
      p.creation = CREATE_NO_WINDOW;
    else
      break;
  }
  for (dashes = first; dashes < argc && strcmp(argv[dashes], "--") != 0; dashes++)
    ;
  if (dashes + 1 >= argc || p.buffer == NULL) {
    fprintf(stderr, "usage: parent [OPTION...] ACTION... -- PROGRAM ARGUMENT...\n");
    return PEER_USAGE;
  }
  p.child_err = GetStdHandle(STD_ERROR_HANDLE);
  if (strcmp(kind_err, "own") != 0) {
    p.child_err = NULL;
    fine = make_handle(kind_err, 0, &p.child_err, &none);
  }
  if (!fine || !make_handle(kind_in, 1, &p.child_in, &p.in) || !make_handle(kind_out, 0, &p.child_out, &p.out)) {
    fail(&p, "make-handle", GetLastError());
    return PEER_FAILED;
  }
  if (!start(&p, argv + dashes + 1))
    return PEER_FAILED;
  peer_watchdog_start(&p.dog);
  for (int i = first; fine && i < dashes; i++)
    fine = act(&p, argv[i]);
  TerminateProcess(p.child, 98);
  return p.dog.expired ? PEER_TIMEOUT : fine ? 0 : PEER_FAILED;
}
