/* Many clients at once: are any refused? Plain Win32, in one file, without the other peers' header: it is meant to be
 * run by hand on Windows, too.
 *
 *   burst [OPTION...] --program=UVRELAY.EXE
 *   burst [OPTION...] ADDRESS
 *
 * The first form does it all: it answers on a TCP port of its own, starts `UVRELAY.EXE serve` with four routes that
 * lead there, and lets the clients come to each: to a TCP port, to another one with max=20, where all clients but 20
 * must wait until they are accepted, to a pipe in byte mode and to one in message mode. But for the route with max=20,
 * all clients are open at the same time.
 *
 * The second form goes to one listener that runs already, tcp://IPV4:PORT or //./pipe/NAME, behind which must be
 * somebody who echoes.
 *
 * All clients connect at the same moment, each from a thread of its own. Each sends 64 bytes of its own and must get
 * them back. TCP clients begin to send when all have connected or been refused, so that those that are not accepted
 * yet have to fit into the listener's backlog. A pipe has only so many free instances: a client that finds all of them
 * busy waits for one, as Windows's documentation tells clients to, and is refused when --wait is over. The report
 * counts those that had to wait.
 *
 * Options: --clients=N (500)  --keep (clients stay open until all are served)  --wait=SECONDS (20; 0: a busy pipe is
 * not tried again)  --limit=SECONDS (120: then the program ends itself)
 *
 * Prints one line for each listener, and ends with 0 if every client was served, 1 if not, 2 if the command line is
 * wrong, 3 if it took too long. */
#define FD_SETSIZE 2048
#include <winsock2.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

enum { CLIENTS_MAX = 2000, TALK = 64, REASONS = 8, STACK = 65536, ROUTES = 4, FEW = 1 /* which of them has max=20 */ };

enum outcome { SERVED, REFUSED, FAILED };

typedef struct burst {
  const wchar_t *address;
  struct sockaddr_in tcp; /* sin_port 0: the address is a pipe */
  DWORD wait_ms;
  int clients, keep;
  HANDLE go, all_knocked, all_done;
  volatile LONG knocked, done, busy;
} burst;

typedef struct client {
  burst *all;
  int number;
  SOCKET socket;
  HANDLE pipe;
  enum outcome outcome;
  const char *step; /* at which it was refused or has failed */
  DWORD error;
} client;

static int say(int code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  return code;
}

/* ---- one client ---- */

static int end_as(client *c, enum outcome outcome, const char *step, DWORD error)
{
  c->outcome = outcome;
  c->step = step;
  c->error = error;
  return 0;
}

static int connect_tcp(client *c)
{
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (c->socket == INVALID_SOCKET)
    return end_as(c, FAILED, "socket", (DWORD)WSAGetLastError());
  if (connect(c->socket, (const struct sockaddr *)&c->all->tcp, sizeof c->all->tcp) != 0)
    return end_as(c, REFUSED, "connect", (DWORD)WSAGetLastError());
  return 1;
}

static int open_pipe(client *c)
{
  burst *all = c->all;
  ULONGLONG end = GetTickCount64() + all->wait_ms;
  int was_busy = 0;
  for (;;) {
    DWORD error;
    c->pipe = CreateFileW(all->address, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (c->pipe != INVALID_HANDLE_VALUE)
      return 1;
    error = GetLastError();
    if (error == ERROR_PIPE_BUSY && !was_busy) {
      was_busy = 1;
      InterlockedIncrement(&all->busy);
    }
    if (error != ERROR_PIPE_BUSY || GetTickCount64() >= end)
      return end_as(c, REFUSED, "CreateFile", error);
    WaitNamedPipeW(all->address, 500);
  }
}

static int transfer(client *c, int sending, char *bytes)
{
  for (int done = 0; done < TALK;) {
    DWORD got = 0;
    if (c->socket != INVALID_SOCKET) {
      int n = sending ? send(c->socket, bytes + done, TALK - done, 0) : recv(c->socket, bytes + done, TALK - done, 0);
      if (n < 0)
        return end_as(c, FAILED, sending ? "send" : "recv", (DWORD)WSAGetLastError());
      got = (DWORD)n;
    } else if (!(sending ? WriteFile(c->pipe, bytes + done, (DWORD)(TALK - done), &got, NULL)
                         : ReadFile(c->pipe, bytes + done, (DWORD)(TALK - done), &got, NULL))) {
      return end_as(c, FAILED, sending ? "WriteFile" : "ReadFile", GetLastError());
    }
    if (got == 0)
      return end_as(c, FAILED, "receive: the end instead of an answer", 0);
    done += (int)got;
  }
  return 1;
}

static int talk(client *c)
{
  char sent[TALK] = {0}, received[TALK];
  snprintf(sent, sizeof sent, "this is client number %d of process %lu", c->number, GetCurrentProcessId());
  if (!transfer(c, 1, sent) || !transfer(c, 0, received))
    return 0;
  if (memcmp(sent, received, TALK) != 0)
    return end_as(c, FAILED, "receive: an answer to somebody else", 0);
  c->outcome = SERVED;
  return 1;
}

/* Counts this client, and with the last one sets the event. */
static void count(volatile LONG *counter, const burst *all, HANDLE event)
{
  if (InterlockedIncrement(counter) == all->clients)
    SetEvent(event);
}

static DWORD WINAPI run_client(void *argument)
{
  client *c = argument;
  burst *all = c->all;
  int is_tcp = all->tcp.sin_port != 0;
  WaitForSingleObject(all->go, INFINITE);
  int connected = is_tcp ? connect_tcp(c) : open_pipe(c);
  count(&all->knocked, all, all->all_knocked);
  if (connected && is_tcp)
    WaitForSingleObject(all->all_knocked, INFINITE);
  if (connected)
    (void)talk(c);
  count(&all->done, all, all->all_done);
  if (connected && all->keep)
    WaitForSingleObject(all->all_done, INFINITE);
  if (c->socket != INVALID_SOCKET)
    closesocket(c->socket);
  if (c->pipe != INVALID_HANDLE_VALUE)
    CloseHandle(c->pipe);
  return 0;
}

/* ---- all of them ---- */

typedef struct reason {
  const char *step;
  DWORD error;
  int clients;
} reason;

static void report(const burst *all, const client *clients, ULONGLONG ms)
{
  reason reasons[REASONS] = {{0}};
  int counts[3] = {0};
  for (int i = 0; i < all->clients; i++) {
    const client *c = &clients[i];
    counts[c->outcome]++;
    for (int r = 0; c->outcome != SERVED && r < REASONS; r++) {
      if (reasons[r].clients == 0 || (reasons[r].error == c->error && strcmp(reasons[r].step, c->step) == 0)) {
        reasons[r] = (reason){c->step, c->error, reasons[r].clients + 1};
        break;
      }
    }
  }
  printf("%s: %ls: %d clients at once: %d served, %d refused, %d failed; %ld found the pipe busy; %lu ms",
         counts[SERVED] == all->clients ? "ok" : "NOT OK", all->address, all->clients, counts[SERVED], counts[REFUSED],
         counts[FAILED], (long)all->busy, (unsigned long)ms);
  for (int r = 0; r < REASONS && reasons[r].clients > 0; r++)
    printf("; %d at %s (error %lu)", reasons[r].clients, reasons[r].step, reasons[r].error);
  printf("\n");
  fflush(stdout);
}

/* Lets all clients come, and reports. Returns whether all were served. */
static int run_burst(const burst *settings, const wchar_t *address, const struct sockaddr_in *tcp, int keep)
{
  static client clients[CLIENTS_MAX];
  static HANDLE threads[CLIENTS_MAX];
  burst all = *settings;
  all.address = address;
  all.tcp = *tcp;
  all.keep = keep;
  all.go = CreateEventW(NULL, TRUE, FALSE, NULL);
  all.all_knocked = CreateEventW(NULL, TRUE, FALSE, NULL);
  all.all_done = CreateEventW(NULL, TRUE, FALSE, NULL);
  for (int i = 0; i < all.clients; i++) {
    clients[i] = (client){.all = &all, .number = i, .socket = INVALID_SOCKET, .pipe = INVALID_HANDLE_VALUE};
    threads[i] = CreateThread(NULL, STACK, run_client, &clients[i], STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (threads[i] == NULL)
      ExitProcess((UINT)say(1, "burst: thread %d cannot be made (%lu)\n", i + 1, GetLastError()));
  }
  ULONGLONG start = GetTickCount64();
  SetEvent(all.go);
  WaitForSingleObject(all.all_done, INFINITE);
  ULONGLONG ms = GetTickCount64() - start;
  int served = 0;
  for (int i = 0; i < all.clients; i++) {
    WaitForSingleObject(threads[i], INFINITE);
    CloseHandle(threads[i]);
    served += clients[i].outcome == SERVED;
  }
  CloseHandle(all.go);
  CloseHandle(all.all_knocked);
  CloseHandle(all.all_done);
  report(&all, clients, ms);
  return served == all.clients;
}

/* ---- who echoes ---- */

static int echo_some(SOCKET connection)
{
  char bytes[4096];
  int n = recv(connection, bytes, sizeof bytes, 0);
  return n > 0 && send(connection, bytes, n, 0) == n;
}

static DWORD WINAPI run_echo(void *argument)
{
  static fd_set open;
  SOCKET listener = (SOCKET)(ULONG_PTR)argument;
  FD_SET(listener, &open);
  for (;;) {
    fd_set ready = open;
    if (select(0, &ready, NULL, NULL, NULL) < 0)
      ExitProcess((UINT)say(1, "burst: the echo cannot wait (%d)\n", WSAGetLastError()));
    for (u_int i = 0; i < ready.fd_count; i++) {
      SOCKET one = ready.fd_array[i];
      if (one == listener) {
        SOCKET connection = accept(listener, NULL, NULL);
        if (connection != INVALID_SOCKET)
          FD_SET(connection, &open);
      } else if (!echo_some(one)) {
        FD_CLR(one, &open);
        closesocket(one);
      }
    }
  }
}

/* Starts it. Returns its port, or 0. */
static int start_echo(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int length = sizeof address;
  SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == INVALID_SOCKET || bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, -CLIENTS_MAX) != 0 /* SOMAXCONN_HINT(CLIENTS_MAX) */ ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    return 0;
  HANDLE thread = CreateThread(NULL, 0, run_echo, (void *)(ULONG_PTR)listener, 0, NULL);
  if (thread == NULL)
    return 0;
  CloseHandle(thread);
  return ntohs(address.sin_port);
}

/* ---- the program under test ---- */

typedef struct program {
  HANDLE process, messages;
  wchar_t listens[ROUTES][128];
} program;

/* Whether the bytes are "tcp://127.0.0.1:PORT=" or the like; gives what is before the "=". */
static void take_listener(wchar_t *out, const char *line)
{
  const char *at = strstr(line, ": ");
  int i = 0;
  for (at = at != NULL ? at + 2 : line; *at != '\0' && *at != '=' && *at != '?' && i < 127; at++)
    out[i++] = (wchar_t)(unsigned char)*at;
  out[i] = L'\0';
}

/* Reads lines of the program's log until all routes listen. */
static int wait_until_it_listens(program *p)
{
  char line[1024];
  size_t length = 0;
  DWORD got;
  for (int routes = 0; routes < ROUTES;) {
    if (!ReadFile(p->messages, line + length, 1, &got, NULL) || got == 0)
      return 0;
    length += length < sizeof line - 2 ? 1 : 0;
    if (line[length - 1] != '\n')
      continue;
    line[length] = '\0';
    length = 0;
    if (strstr(line, ": listening") != NULL)
      take_listener(p->listens[routes++], line);
    else
      say(0, "%s", line);
  }
  return 1;
}

/* Shows what else it says, if that is not about a connection that went well. */
static DWORD WINAPI show_messages(void *argument)
{
  static char line[1024];
  DWORD length = 0, got;
  while (ReadFile(argument, line + length, 1, &got, NULL) && got == 1) {
    length += length < sizeof line - 2 ? 1 : 0;
    if (line[length - 1] == '\n') {
      line[length] = '\0';
      length = 0;
      if (strstr(line, "failed") != NULL || strstr(line, "warning") != NULL)
        say(0, "%s", line);
    }
  }
  return 0;
}

/* The process is ended when this one has ended, even if that was killed. Does without, should it fail. */
static void end_with_us(HANDLE process)
{
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                     JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  HANDLE job = CreateJobObjectW(NULL, NULL); /* stays open */
  if (job != NULL && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits))
    (void)AssignProcessToJobObject(job, process);
}

static int start_program(program *p, const wchar_t *path, int echo)
{
  wchar_t command[2048];
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION process;
  DWORD id = GetCurrentProcessId();
  swprintf(command, sizeof command / sizeof command[0],
           L"\"%ls\" serve -v tcp://127.0.0.1:0=tcp://127.0.0.1:%d tcp://127.0.0.1:0?max=20=tcp://127.0.0.1:%d "
           L"//./pipe/uvrelay-burst-%lu=tcp://127.0.0.1:%d //./pipe/uvrelay-burst2-%lu?mode=message=tcp://127.0.0.1:%d",
           path, echo, echo, (unsigned long)id, echo, (unsigned long)id, echo);
  if (!CreatePipe(&p->messages, &startup.hStdError, &inherited, 65536) ||
      !SetHandleInformation(p->messages, HANDLE_FLAG_INHERIT, 0))
    return 0;
  if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &process))
    return 0;
  end_with_us(process.hProcess);
  ResumeThread(process.hThread);
  CloseHandle(startup.hStdError);
  CloseHandle(process.hThread);
  p->process = process.hProcess;
  return 1;
}

static struct sockaddr_in tcp_of(const wchar_t *address)
{
  struct sockaddr_in tcp = {.sin_family = AF_INET};
  unsigned a, b, c, d, port;
  if (swscanf(address, L"tcp://%u.%u.%u.%u:%u", &a, &b, &c, &d, &port) == 5) {
    tcp.sin_addr.s_addr = htonl(a << 24 | b << 16 | c << 8 | d);
    tcp.sin_port = htons((u_short)port);
  }
  return tcp;
}

static int burst_upon_program(const burst *settings, const wchar_t *path)
{
  static program p;
  int echo = start_echo();
  if (echo == 0)
    return say(1, "burst: no TCP port can be listened on (%d)\n", WSAGetLastError());
  if (!start_program(&p, path, echo))
    return say(1, "burst: %ls cannot be started (%lu)\n", path, GetLastError());
  int all_served = wait_until_it_listens(&p);
  if (!all_served)
    say(1, "burst: %ls does not listen\n", path);
  HANDLE reader = CreateThread(NULL, 0, show_messages, p.messages, 0, NULL);
  for (int route = 0; route < ROUTES && p.listens[ROUTES - 1][0] != L'\0'; route++) {
    struct sockaddr_in tcp = tcp_of(p.listens[route]);
    all_served &= run_burst(settings, p.listens[route], &tcp, route != FEW);
  }
  TerminateProcess(p.process, 1);
  WaitForSingleObject(p.process, INFINITE);
  if (reader != NULL)
    WaitForSingleObject(reader, 5000);
  return all_served ? 0 : 1;
}

/* ---- the command line ---- */

static DWORD WINAPI end_when_it_takes_too_long(void *argument)
{
  Sleep((DWORD)(ULONG_PTR)argument * 1000);
  say(0, "burst: it takes too long\n");
  ExitProcess(3);
}

static const wchar_t *value_of(const wchar_t *word, const wchar_t *name)
{
  size_t length = wcslen(name);
  return wcsncmp(word, name, length) == 0 && word[length] == L'=' ? word + length + 1 : NULL;
}

int wmain(int argc, wchar_t **argv)
{
  burst settings = {.clients = 500, .wait_ms = 20000};
  DWORD limit = 120;
  const wchar_t *value, *path = NULL, *address = NULL;
  WSADATA data;
  for (int i = 1; i < argc; i++) {
    if ((value = value_of(argv[i], L"--clients")) != NULL)
      settings.clients = (int)wcstol(value, NULL, 10);
    else if ((value = value_of(argv[i], L"--wait")) != NULL)
      settings.wait_ms = (DWORD)wcstoul(value, NULL, 10) * 1000;
    else if ((value = value_of(argv[i], L"--limit")) != NULL)
      limit = (DWORD)wcstoul(value, NULL, 10);
    else if ((value = value_of(argv[i], L"--program")) != NULL)
      path = value;
    else if (wcscmp(argv[i], L"--keep") == 0)
      settings.keep = 1;
    else
      address = argv[i];
  }
  if ((path == NULL) == (address == NULL) || settings.clients < 1 || settings.clients > CLIENTS_MAX)
    return say(2,
               "usage: burst [--clients=1..%d] [--keep] [--wait=SECONDS] [--limit=SECONDS] "
               "--program=UVRELAY.EXE | ADDRESS\n",
               CLIENTS_MAX);
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
    return say(1, "burst: Windows Sockets cannot be used\n");
  HANDLE dog = CreateThread(NULL, 0, end_when_it_takes_too_long, (void *)(ULONG_PTR)limit, 0, NULL);
  if (dog == NULL)
    return say(1, "burst: no thread can be made (%lu)\n", GetLastError());
  if (path != NULL)
    return burst_upon_program(&settings, path);
  struct sockaddr_in tcp = tcp_of(address);
  if (tcp.sin_port == 0 && wcsncmp(address, L"tcp:", 4) == 0)
    return say(2, "burst: %ls is neither tcp://IPV4:PORT nor a pipe\n", address);
  return run_burst(&settings, address, &tcp, settings.keep) ? 0 : 1;
}
