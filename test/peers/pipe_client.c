/* A scripted client of one named pipe, in plain Win32. Its handle is overlapped, so that it can send and receive at
 * the same time.
 *
 *   pipe_client PIPE [OPTION...] -- ACTION...
 *
 * It opens the pipe, says "connected" and its process, does the actions of pipe_actions.h, closes and says "done". The
 * first action that fails ends the program with 1; it ends by itself, with 3, after --limit seconds.
 *
 * Options: --mode=byte|message (byte: how it reads)  --access=duplex|in|out
 *   --wait=MS (20000: so long it tries to open a pipe that is busy or not there yet)
 *   --repeat=N (all of it, N times)  --at-once=N (that, in N threads)
 *   --limit=SECONDS (120)  --progress=MS (tell bytes sent and received) */
#include "pipe_actions.h"

typedef struct settings {
  wchar_t name[256];
  DWORD access, mode, wait_ms;
  int repeat;
} settings;

typedef struct client {
  pipe_end end;
  settings *set;
} client;

typedef struct sending {
  pipe_end *end;
  const char *value;
} sending;

static DWORD WINAPI send_beside(void *argument)
{
  sending *s = argument;
  return act_send(s->end, s->value, 0) ? 0 : 1;
}

static int act_both(pipe_end *e, const char *value)
{
  unsigned long long numbers[4] = {0, 65536, 1, ~0ull}; /* total, message, seed, wanted */
  sending s = {e, value};
  DWORD got, code = 1;
  receipt r;
  HANDLE thread = CreateThread(NULL, 0, send_beside, &s, 0, NULL);
  if (thread == NULL)
    return fail(e, "both", GetLastError());
  receipt_init(&r);
  peer_numbers(value, numbers, 4);
  while (r.bytes < numbers[3] && receive_some(e, &r, BUFFER, &got))
    ;
  WaitForSingleObject(thread, INFINITE);
  GetExitCodeThread(thread, &code);
  CloseHandle(thread);
  tell_receipt(e, "recv-end", &r);
  return code == 0;
}

/* As a client must that does not give up: a pipe that is busy is waited for, one that is not there is tried again. */
static int open_pipe(client *c)
{
  pipe_end *e = &c->end;
  settings *set = c->set;
  double end_ms = peer_now_ms() + set->wait_ms;
  unsigned busy = 0, absent = 0;
  for (;;) {
    DWORD error;
    e->pipe = CreateFileW(set->name, set->access, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (e->pipe != INVALID_HANDLE_VALUE)
      break;
    error = GetLastError();
    if ((error != ERROR_PIPE_BUSY && error != ERROR_FILE_NOT_FOUND) || peer_now_ms() > end_ms)
      return fail(e, "open", error);
    if (error == ERROR_PIPE_BUSY) {
      busy++;
      WaitNamedPipeW(set->name, 200);
    } else {
      absent++;
      Sleep(20);
    }
  }
  if (set->mode != PIPE_READMODE_BYTE && !SetNamedPipeHandleState(e->pipe, &set->mode, NULL, NULL)) {
    DWORD error = GetLastError(); /* a server may hang up at once, which the actions are to see */
    if (error != ERROR_PIPE_NOT_CONNECTED && error != ERROR_BROKEN_PIPE && error != ERROR_NO_DATA)
      return fail(e, "read-mode", error);
  }
  peer_event(&e->log, "connected", ",\"busy\":%u,\"absent\":%u,\"pid\":%lu", busy, absent, GetCurrentProcessId());
  return 1;
}

static DWORD WINAPI run(void *argument)
{
  client *c = argument;
  pipe_end *e = &c->end;
  for (int round = 0; round < c->set->repeat; round++) {
    if (!open_pipe(c))
      return PEER_FAILED;
    for (char **action = e->all->script; *action != NULL; action++) {
      if (!act(e, *action))
        return PEER_FAILED;
    }
    if (e->pipe != INVALID_HANDLE_VALUE)
      CloseHandle(e->pipe);
    peer_event(&e->log, "done", "%s", "");
  }
  return 0;
}

static int set_option(settings *set, pipe_ends *all, const char *word)
{
  const char *value;
  if ((value = peer_value(word, "--mode")) != NULL)
    set->mode = strcmp(value, "message") == 0 ? PIPE_READMODE_MESSAGE : PIPE_READMODE_BYTE;
  else if ((value = peer_value(word, "--access")) != NULL)
    set->access = strcmp(value, "in") == 0    ? GENERIC_READ | FILE_WRITE_ATTRIBUTES
                  : strcmp(value, "out") == 0 ? GENERIC_WRITE | FILE_READ_ATTRIBUTES
                                              : GENERIC_READ | GENERIC_WRITE;
  else if ((value = peer_value(word, "--wait")) != NULL)
    set->wait_ms = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--repeat")) != NULL)
    set->repeat = (int)strtol(value, NULL, 10);
  else
    return common_option(all, word);
  return 1;
}

int main(int argc, char **argv)
{
  settings set = {.access = GENERIC_READ | GENERIC_WRITE, .mode = PIPE_READMODE_BYTE, .wait_ms = 20000, .repeat = 1};
  pipe_ends all;
  client *clients;
  int i = 2, fine = 1;
  pipe_ends_init(&all);
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (!set_option(&set, &all, argv[i])) {
      fprintf(stderr, "pipe_client: cannot use the option %s\n", argv[i]);
      return PEER_USAGE;
    }
  }
  clients = calloc((size_t)all.at_once, sizeof *clients);
  for (int k = 0; fine && k < all.at_once; k++) {
    fine = clients != NULL && pipe_end_init(&clients[k].end, &all, k + 1);
    if (fine) {
      clients[k].set = &set;
      clients[k].end.read_event = CreateEventW(NULL, TRUE, FALSE, NULL);
      clients[k].end.write_event = CreateEventW(NULL, TRUE, FALSE, NULL);
      fine = clients[k].end.read_event != NULL && clients[k].end.write_event != NULL;
    }
  }
  if (i >= argc || !fine || !pipe_name(set.name)) {
    fprintf(stderr, "usage: pipe_client PIPE [OPTION...] -- ACTION...\n");
    return PEER_USAGE;
  }
  all.script = argv + i + 1;
  peer_watchdog_start(&all.dog);
  return run_all(&all, run, clients, sizeof *clients);
}
