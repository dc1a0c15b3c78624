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
 *   --both=KIND                  one handle for standard input and output; --both-copies=KIND: two duplicates of one
 *   --stderr=KIND                (own: the parent's); same: the very handle of standard output
 *   --keep=in --keep=out         keep the child's end, too, for "mode" and "set"; the end of the output does not show
 *                                then
 *   --limit=SECONDS              (60): then child and parent are ended, with 3
 *   --progress=MS                tell bytes sent and received
 *   --console                    the child has a console of its own, without window
 *   --log=stderr                 print to standard error, as "bridge" needs standard output
 *
 * standard_handles.h describes the kinds.
 *
 * Actions:
 *
 *   text=TEXT  send=TOTAL[,CHUNK[,SEED]]  zero   write to the child's standard input (zero: a zero-byte message, or
 *                                                nothing to a pipe in byte mode)
 *   close-in                                     close it
 *   end-in                                       end the output of our socket
 *   reset                                        close our socket by a reset
 *   bridge                                       pass on our own standard input and output to a child on a socket,
 *                                                until it ends its output
 *   recv=N                                       read exactly N bytes of its standard output
 *   recv-end                                     read until its end
 *   close-out                                    close our end of it
 *   recv-err-end                                 read its standard error until its end
 *   mode=in  mode=out                            print "mode": whether the child's end is "nowait" and "message"
 *   set=in,nowait  set=in,wait  set=out,...      change it
 *   ctrl-c  ctrl-break                           as if pressed in the child's console; prints the error, or 0: some
 *                                                systems know no Ctrl-Break
 *   sleep=MS
 *   await                                        waits for a line on our standard input
 *   wait=MS                                      wait for the child's exit, at most so long: prints "exit" with its
 *                                                code, or "running"
 *
 * At the end of the actions the child, if it still runs, is ended; exit 1 if an action failed. */
#include "standard_handles.h" /* before windows.h */

#include "peer.h"

enum { BUFFER = 1 << 17 };

typedef struct parent {
  peer_log log;
  peer_watchdog dog;
  HANDLE child;
  DWORD child_id, creation;
  int attached; /* to the child's console */
  HANDLE in;    /* we write the child's standard input here */
  HANDLE out;   /* we read the child's standard output here */
  HANDLE err;   /* and its standard error here, unless that is our own */
  HANDLE child_in, child_out, child_err;
  HANDLE kept_in, kept_out; /* duplicates of the child's ends */
  uint8_t *buffer;
} parent;

static int fail(parent *p, const char *action, DWORD error)
{
  peer_event(&p->log, "failed", ",\"action\":\"%s\",\"error\":%lu", action, (unsigned long)error);
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
  if (line == NULL ||
      !CreateProcessA(NULL, line, NULL, NULL, TRUE, p->creation | CREATE_SUSPENDED, NULL, NULL, &startup, &process))
    return fail(p, "start", GetLastError());
  free(line);
  if (p->child_in != NULL)
    CloseHandle(p->child_in);
  if (p->child_out != NULL && p->child_out != p->child_in)
    CloseHandle(p->child_out);
  if (p->err != NULL)
    CloseHandle(p->child_err);
  p->child = process.hProcess;
  p->child_id = process.dwProcessId;
  p->dog.victim = process.hProcess;
  if (!bind_child(process.hProcess)) /* not once it has ended */
    return fail(p, "bind", GetLastError());
  ResumeThread(process.hThread);
  CloseHandle(process.hThread);
  peer_event(&p->log, "started", ",\"pid\":%lu", (unsigned long)process.dwProcessId);
  return 1;
}

/* Reads until `wanted` bytes are there or the end has come. */
static int act_recv(parent *p, const char *action, HANDLE from, unsigned long long wanted)
{
  unsigned long long bytes = 0;
  double first_ms = 0;
  DWORD error = 0;
  peer_sha256 hash;
  char hex[65];
  peer_sha256_init(&hash);
  while (bytes < wanted && error == 0) {
    DWORD got = 0, room = wanted - bytes < BUFFER ? (DWORD)(wanted - bytes) : BUFFER;
    error = sockets_or_pipe_read(from, p->buffer, room, &got);
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
  unsigned long long numbers[3] = {0, 65536, 1}, sent = 0; /* total, chunk, seed */
  DWORD error = stream != NULL ? 0 : ERROR_OUTOFMEMORY;
  peer_numbers(value, numbers, 3);
  if (stream != NULL)
    peer_stream_init(stream, numbers[2]);
  if (numbers[1] == 0 || numbers[1] > BUFFER)
    error = ERROR_INVALID_PARAMETER;
  while (error == 0 && sent < numbers[0]) {
    DWORD written = 0, part = (DWORD)(numbers[0] - sent < numbers[1] ? numbers[0] - sent : numbers[1]);
    peer_stream_fill(stream, p->buffer, part);
    error = sockets_or_pipe_write(p->in, p->buffer, part, &written);
    sent += written;
    InterlockedAdd64(&p->dog.sent, (LONG64)written);
  }
  free(stream);
  peer_event(&p->log, "send", ",\"bytes\":%llu,\"error\":%lu", sent, (unsigned long)error);
  return error == 0 ? 1 : fail(p, "send", error);
}

static int act_text(parent *p, const char *text)
{
  DWORD written, error = sockets_or_pipe_write(p->in, text, (DWORD)strlen(text), &written);
  return error == 0 ? 1 : fail(p, "text", error);
}

static int act_close(parent *p, const char *action, HANDLE *handle)
{
  if (*handle == NULL || !CloseHandle(*handle))
    return fail(p, action, GetLastError());
  *handle = NULL;
  peer_event(&p->log, action, "%s", "");
  return 1;
}

static int act_reset(parent *p)
{
  HANDLE socket = p->in != NULL && sockets_is_one(p->in) ? p->in : p->out;
  p->in = p->in == socket ? NULL : p->in;
  p->out = p->out == socket ? NULL : p->out;
  peer_event(&p->log, "reset", "%s", "");
  return sockets_reset(socket) ? 1 : fail(p, "reset", (DWORD)WSAGetLastError());
}

static int end_in(parent *p)
{
  return shutdown((SOCKET)p->in, SD_SEND) == 0 ? 1 : fail(p, "end-in", (DWORD)WSAGetLastError());
}

static DWORD WINAPI bridge_in(void *argument)
{
  parent *p = argument;
  static uint8_t bytes[65536]; /* there is one such thread */
  DWORD got, written;
  while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &got, NULL) && got > 0)
    for (DWORD done = 0; done < got; done += written)
      if (sockets_or_pipe_write(p->in, bytes + done, got - done, &written) != 0)
        return 0;
  end_in(p);
  return 0;
}

/* Passes on our standard input and output to a child on a socket, until the child ends its output. */
static int act_bridge(parent *p)
{
  DWORD got, written;
  HANDLE thread = CreateThread(NULL, 0, bridge_in, p, 0, NULL);
  if (thread == NULL)
    return fail(p, "bridge", GetLastError());
  CloseHandle(thread);
  while (sockets_or_pipe_read(p->out, p->buffer, BUFFER, &got) == 0)
    if (!WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), p->buffer, got, &written, NULL) || written < got)
      break;
  return 1;
}

static int act_mode(parent *p, const char *which)
{
  DWORD state = 0;
  if (!GetNamedPipeHandleStateA(strcmp(which, "in") == 0 ? p->kept_in : p->kept_out, &state, NULL, NULL, NULL, NULL, 0))
    return fail(p, "mode", GetLastError());
  peer_event(&p->log, "mode", ",\"of\":\"%s\",\"nowait\":%d,\"message\":%d", which, (state & PIPE_NOWAIT) != 0,
             (state & PIPE_READMODE_MESSAGE) != 0);
  return 1;
}

static int act_set(parent *p, const char *value)
{
  DWORD wait = strstr(value, ",nowait") != NULL ? PIPE_NOWAIT : PIPE_WAIT;
  return set_wait(strncmp(value, "in,", 3) == 0 ? p->kept_in : p->kept_out, wait) ? 1 : fail(p, "set", GetLastError());
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
    return act_recv(p, "recv", p->out, strtoull(value, NULL, 10));
  if (strcmp(action, "recv-end") == 0)
    return act_recv(p, "recv-end", p->out, ~0ull);
  if (strcmp(action, "recv-err-end") == 0)
    return act_recv(p, "recv-err-end", p->err, ~0ull);
  if (strcmp(action, "end-in") == 0)
    return end_in(p);
  if (strcmp(action, "bridge") == 0)
    return act_bridge(p);
  if (strcmp(action, "reset") == 0)
    return act_reset(p);
  if ((value = peer_value(action, "mode")) != NULL)
    return act_mode(p, value);
  if ((value = peer_value(action, "set")) != NULL)
    return act_set(p, value);
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

typedef struct parent_kinds {
  const char *in, *out, *both, *err;
  int copies;
  int keep_in, keep_out;
} parent_kinds;

/* Returns false if it is none. */
static int take_option(parent *p, parent_kinds *kinds, const char *word)
{
  const char *value;
  if ((value = peer_value(word, "--stdin")) != NULL)
    kinds->in = value;
  else if ((value = peer_value(word, "--stdout")) != NULL)
    kinds->out = value;
  else if ((value = peer_value(word, "--both")) != NULL)
    kinds->both = value;
  else if ((value = peer_value(word, "--both-copies")) != NULL) {
    kinds->both = value;
    kinds->copies = 1;
  } else if ((value = peer_value(word, "--stderr")) != NULL)
    kinds->err = value;
  else if (strcmp(word, "--keep=in") == 0)
    kinds->keep_in = 1;
  else if (strcmp(word, "--keep=out") == 0)
    kinds->keep_out = 1;
  else if ((value = peer_value(word, "--limit")) != NULL)
    p->dog.limit_ms = 1000 * (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--progress")) != NULL)
    p->dog.progress_ms = (DWORD)strtoul(value, NULL, 10);
  else if (strcmp(word, "--log=stderr") == 0)
    p->log.out = GetStdHandle(STD_ERROR_HANDLE);
  else if (strcmp(word, "--console") == 0)
    p->creation = CREATE_NO_WINDOW;
  else
    return 0;
  return 1;
}

static int copy_handle(HANDLE handle, int inherit, HANDLE *copy)
{
  HANDLE self = GetCurrentProcess();
  return DuplicateHandle(self, handle, self, copy, 0, inherit, DUPLICATE_SAME_ACCESS);
}

static int make_handles(parent *p, const parent_kinds *kinds)
{
  p->child_err = GetStdHandle(STD_ERROR_HANDLE);
  if (strcmp(kinds->err, "own") != 0 && strcmp(kinds->err, "same") != 0) {
    p->child_err = NULL;
    if (!make_handle(kinds->err, 0, &p->child_err, &p->err))
      return 0;
  }
  if (kinds->both != NULL) {
    if (!make_handle(kinds->both, 1, &p->child_in, &p->in))
      return 0;
    p->out = p->in;
    p->child_out = p->child_in;
    if (kinds->copies && !copy_handle(p->child_in, TRUE, &p->child_out))
      return 0;
  } else if (!make_handle(kinds->in, 1, &p->child_in, &p->in) || !make_handle(kinds->out, 0, &p->child_out, &p->out))
    return 0;
  if (strcmp(kinds->err, "same") == 0)
    p->child_err = p->child_out;
  return (!kinds->keep_in || copy_handle(p->child_in, FALSE, &p->kept_in)) &&
         (!kinds->keep_out || copy_handle(p->child_out, FALSE, &p->kept_out));
}

int main(int argc, char **argv)
{
  parent p = {.buffer = malloc(BUFFER)};
  parent_kinds kinds = {.in = "anonymous", .out = "anonymous", .err = "own"};
  int first, dashes, fine = 1;
  peer_log_init(&p.log);
  p.dog.log = &p.log;
  p.dog.limit_ms = 60000;
  for (first = 1; first < argc && take_option(&p, &kinds, argv[first]); first++)
    ;
  for (dashes = first; dashes < argc && strcmp(argv[dashes], "--") != 0; dashes++)
    ;
  if (dashes + 1 >= argc || p.buffer == NULL) {
    fprintf(stderr, "usage: parent [OPTION...] ACTION... -- PROGRAM ARGUMENT...\n");
    return PEER_USAGE;
  }
  if (!make_handles(&p, &kinds)) {
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
