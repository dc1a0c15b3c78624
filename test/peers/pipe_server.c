/* A scripted server of one named pipe, in plain blocking Win32.
 *
 *   pipe_server PIPE [OPTION...] -- ACTION... [next ACTION...]...
 *
 * It makes the pipe, says "listening", waits for a client, says "connected", does the actions of pipe_actions.h,
 * closes, says "done", and goes on with the next client's actions. The first action that fails ends the program with
 * 1; it ends by itself, with 3, after --limit seconds.
 *
 * Options: --type=message|byte (message)  --in=BYTES --out=BYTES (the buffers, 65536)  --instances=N (1; 0: no limit)
 *   --access=duplex|in|out  --first=1 (fails if there is such a pipe)  --sd=SDDL (security descriptor)
 *   --delay=MS (before the pipe is made)
 *   --repeat=N (the whole script, N times)  --at-once=N (that, in N threads with an instance each)
 *   --limit=SECONDS (120)  --progress=MS (tell bytes sent and received) */
#include "pipe_actions.h"
#include <sddl.h>

typedef struct settings {
  wchar_t name[256];
  DWORD access, first, pipe_mode, instances, in_bytes, out_bytes, delay_ms;
  SECURITY_ATTRIBUTES security;
  int repeat;
} settings;

typedef struct server {
  pipe_end end; /* first, so that its place is the server's */
  settings *set;
} server;

/* Reads only what is there already, at most about `most` bytes, so that one thread serves both directions: Windows
 * makes the operations on a blocking handle wait for one another, so a second thread that writes would wait for a
 * read that waits for bytes. */
static int receive_what_is_there(pipe_end *e, receipt *r, unsigned long long most, int *ended)
{
  DWORD there = 1, got;
  unsigned long long enough = r->bytes + most;
  while (!*ended && there > 0 && r->bytes < enough) {
    if (!PeekNamedPipe(e->pipe, NULL, 0, NULL, &there, NULL))
      return fail(e, "both", GetLastError());
    if (there > 0 && !receive_some(e, r, BUFFER, &got))
      *ended = 1;
  }
  return 1;
}

static int act_both(pipe_end *e, const char *value)
{
  peer_stream *stream = malloc(sizeof *stream);
  unsigned long long numbers[4] = {0, 65536, 1, ~0ull}, sent = 0; /* total, message, seed, wanted */
  int ended = 0, fine = stream != NULL;
  DWORD got;
  receipt r;
  receipt_init(&r);
  peer_numbers(value, numbers, 4);
  if (numbers[1] == 0 || numbers[1] > BUFFER)
    fine = 0;
  if (fine)
    peer_stream_init(stream, numbers[2]);
  while (fine && sent < numbers[0]) {
    DWORD part = next_chunk(e, stream, numbers[0] - sent, numbers[1]);
    fine = write_all(e, e->outgoing, part) ? receive_what_is_there(e, &r, numbers[1], &ended)
                                           : fail(e, "both", GetLastError());
    sent += part;
  }
  free(stream);
  if (fine)
    peer_event(&e->log, "send", ",\"bytes\":%llu,\"error\":0,\"received_meanwhile\":%llu", sent, r.bytes);
  while (fine && !ended && r.bytes < numbers[3] && receive_some(e, &r, BUFFER, &got))
    ;
  tell_receipt(e, "recv-end", &r);
  return fine;
}

/* Makes the pipe unless the last client's is still there (it was disconnected), and waits for a client. */
static int accept_client(server *s)
{
  pipe_end *e = &s->end;
  settings *set = s->set;
  if (e->pipe == INVALID_HANDLE_VALUE)
    e->pipe = CreateNamedPipeW(set->name, set->access | set->first, set->pipe_mode, set->instances, set->out_bytes,
                               set->in_bytes, 0, set->security.lpSecurityDescriptor != NULL ? &set->security : NULL);
  if (e->pipe == INVALID_HANDLE_VALUE)
    return fail(e, "create", GetLastError());
  peer_event(&e->log, "listening", "%s", "");
  if (!ConnectNamedPipe(e->pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) {
    DWORD error = GetLastError();
    /* A client that came and went before this call is a client nevertheless. */
    if (error != ERROR_NO_DATA)
      return fail(e, "connect", error);
  }
  peer_event(&e->log, "connected", "%s", "");
  return 1;
}

static DWORD WINAPI serve(void *argument)
{
  server *s = argument;
  pipe_end *e = &s->end;
  int one_thread = e->all->at_once == 1;
  for (int round = 0; round < s->set->repeat; round++) {
    for (char **action = e->all->script; *action != NULL;) {
      int disconnected = 0;
      e->log.client += one_thread;
      if (!accept_client(s))
        return PEER_FAILED;
      for (; *action != NULL && strcmp(*action, "next") != 0; action++) {
        if (!act(e, *action))
          return PEER_FAILED;
        disconnected = strcmp(*action, "disconnect") == 0;
      }
      if (*action != NULL)
        action++;
      if (!disconnected && e->pipe != INVALID_HANDLE_VALUE) {
        CloseHandle(e->pipe);
        e->pipe = INVALID_HANDLE_VALUE;
      }
      peer_event(&e->log, "done", "%s", "");
    }
  }
  return 0;
}

static int set_security(settings *set, const char *sddl)
{
  set->security.nLength = sizeof set->security;
  return ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1,
                                                              &set->security.lpSecurityDescriptor, NULL);
}

/* One option. Returns 0 if there is no such option or its value is wrong. */
static int set_option(settings *set, pipe_ends *all, const char *word)
{
  const char *value;
  if ((value = peer_value(word, "--type")) != NULL)
    set->pipe_mode =
        strcmp(value, "byte") == 0 ? PIPE_TYPE_BYTE | PIPE_READMODE_BYTE : PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE;
  else if ((value = peer_value(word, "--access")) != NULL)
    set->access = strcmp(value, "in") == 0    ? PIPE_ACCESS_INBOUND
                  : strcmp(value, "out") == 0 ? PIPE_ACCESS_OUTBOUND
                                              : PIPE_ACCESS_DUPLEX;
  else if ((value = peer_value(word, "--first")) != NULL)
    set->first = strcmp(value, "1") == 0 ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0;
  else if ((value = peer_value(word, "--in")) != NULL)
    set->in_bytes = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--out")) != NULL)
    set->out_bytes = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--instances")) != NULL)
    set->instances = strcmp(value, "0") == 0 ? PIPE_UNLIMITED_INSTANCES : (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--delay")) != NULL)
    set->delay_ms = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--repeat")) != NULL)
    set->repeat = (int)strtol(value, NULL, 10);
  else if ((value = peer_value(word, "--sd")) != NULL)
    return set_security(set, value);
  else
    return common_option(all, word);
  return 1;
}

int main(int argc, char **argv)
{
  settings set = {.access = PIPE_ACCESS_DUPLEX,
                  .pipe_mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
                  .instances = 1,
                  .in_bytes = 65536,
                  .out_bytes = 65536,
                  .repeat = 1};
  pipe_ends all;
  server *servers;
  int i = 2, fine = 1;
  pipe_ends_init(&all);
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (!set_option(&set, &all, argv[i])) {
      fprintf(stderr, "pipe_server: cannot use the option %s\n", argv[i]);
      return PEER_USAGE;
    }
  }
  servers = calloc((size_t)all.at_once, sizeof *servers);
  for (int k = 0; fine && k < all.at_once; k++) {
    fine = servers != NULL && pipe_end_init(&servers[k].end, &all, all.at_once > 1 ? k + 1 : 0);
    if (fine)
      servers[k].set = &set;
  }
  if (i >= argc || !fine || !pipe_name(set.name)) {
    fprintf(stderr, "usage: pipe_server PIPE [OPTION...] -- ACTION... [next ACTION...]...\n");
    return PEER_USAGE;
  }
  all.script = argv + i + 1;
  peer_watchdog_start(&all.dog);
  Sleep(set.delay_ms);
  return run_all(&all, serve, servers, sizeof *servers);
}
