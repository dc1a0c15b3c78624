/* A scripted server of one named pipe, in plain blocking Win32.
 *
 *   pipe_server PIPE [OPTION...] -- ACTION... [next ACTION...]...
 *
 * It makes the pipe, says "listening", waits for a client, says "connected", does the actions, closes, and goes on
 * with the next client's actions. Every action prints what it saw as a line of JSON. The first action that fails
 * prints "failed" and ends the program with 1; it ends by itself, with 3, after --limit seconds.
 *
 * Options: --type=message|byte (message)  --in=BYTES --out=BYTES (the buffers, 65536)  --instances=N (1; 0: no limit)
 *   --access=duplex|in|out  --sd=SDDL (security descriptor)  --delay=MS (before the pipe is made)
 *   --repeat=N (the whole script, N times)  --limit=SECONDS (120)  --progress=MS (tell bytes sent and received)
 * Actions:
 *   recv=N            exactly N bytes            recv-message      one message
 *   recv-end          until end of input: a zero-byte message, or the pipe is gone
 *   read-mode=byte|message                       peek-gone         until the client is gone, without reading
 *   send=TOTAL[,MESSAGE[,SEED]]                  text=TEXT         zero              a zero-byte message
 *   try-send=...      as send, but being cut off is no failure
 *   both=TOTAL[,MESSAGE[,SEED[,N]]]              send and receive at the same time, N bytes or until end of input
 *   echo-end          send back what comes until end of input           echo=N    the same, N bytes
 *   flush  close  disconnect  sleep=MS
 *   await             waits for a line on standard input, so that a test decides when it goes on */
#include "peer.h"
#include <sddl.h>

enum { BUFFER = 1 << 20, SIZES = 256 };

typedef struct server {
  peer_log log;
  peer_watchdog dog;
  wchar_t name[256];
  DWORD open_mode, pipe_mode, instances, in_bytes, out_bytes;
  SECURITY_ATTRIBUTES security;
  HANDLE pipe;
  uint8_t *buffer;
  uint8_t *outgoing;
} server;

/* What was received: bytes, their hash, and how they came. */
typedef struct receipt {
  unsigned long long bytes, reads, messages, largest;
  unsigned long long sizes[SIZES]; /* of the first messages (or reads, where there are none) */
  unsigned long long open_message; /* bytes so far of a message whose end has not come */
  double first_ms, last_ms;
  DWORD end; /* 0: a zero-byte message */
  peer_sha256 hash;
} receipt;

static int fail(server *s, const char *action, DWORD error)
{
  peer_event(&s->log, "failed", ",\"action\":\"%s\",\"error\":%lu", action, (unsigned long)error);
  return 0;
}

static void receipt_init(receipt *r)
{
  memset(r, 0, sizeof *r);
  peer_sha256_init(&r->hash);
}

/* One ReadFile. Returns 1 for bytes, 0 for an end, which it notes in the receipt. */
static int receive_some(server *s, receipt *r, DWORD room, DWORD *got)
{
  DWORD error = 0;
  *got = 0;
  if (!ReadFile(s->pipe, s->buffer, room, got, NULL))
    error = GetLastError();
  if ((error == 0 && *got == 0) || (error != 0 && error != ERROR_MORE_DATA)) {
    r->end = error;
    return 0;
  }
  r->last_ms = peer_now_ms() - s->log.start_ms;
  if (r->reads++ == 0)
    r->first_ms = r->last_ms;
  r->bytes += *got;
  InterlockedAdd64(&s->dog.received, (LONG64)*got);
  peer_sha256_add(&r->hash, s->buffer, *got);
  r->open_message += *got;
  if (error == 0) {
    if (r->messages < SIZES)
      r->sizes[r->messages] = r->open_message;
    if (r->open_message > r->largest)
      r->largest = r->open_message;
    r->messages++;
    r->open_message = 0;
  }
  return 1;
}

static void tell_receipt(server *s, const char *action, receipt *r)
{
  char hex[65], sizes[SIZES * 9];
  size_t used = 0;
  peer_sha256_end(&r->hash, hex);
  sizes[0] = '\0';
  for (size_t i = 0; i < SIZES && i < r->messages; i++)
    used += (size_t)__mingw_snprintf(sizes + used, sizeof sizes - used, "%s%llu", i > 0 ? "," : "", r->sizes[i]);
  peer_event(&s->log, action,
             ",\"bytes\":%llu,\"reads\":%llu,\"messages\":%llu,\"largest\":%llu,\"open\":%llu,\"first_ms\":%.1f,"
             "\"last_ms\":%.1f,\"end\":%lu,\"sha256\":\"%s\",\"sizes\":[%s]",
             r->bytes, r->reads, r->messages, r->largest, r->open_message, r->first_ms, r->last_ms,
             (unsigned long)r->end, hex, sizes);
}

static int act_recv(server *s, const char *value)
{
  receipt r;
  DWORD got;
  unsigned long long wanted = strtoull(value, NULL, 10);
  receipt_init(&r);
  while (r.bytes < wanted) {
    unsigned long long left = wanted - r.bytes;
    if (!receive_some(s, &r, left < BUFFER ? (DWORD)left : BUFFER, &got)) {
      tell_receipt(s, "recv", &r);
      return fail(s, "recv", r.end);
    }
  }
  tell_receipt(s, "recv", &r);
  return 1;
}

static int act_recv_message(server *s)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (r.messages == 0) {
    if (!receive_some(s, &r, BUFFER, &got)) {
      tell_receipt(s, "recv-message", &r);
      return r.end == 0 ? 1 : fail(s, "recv-message", r.end);
    }
  }
  tell_receipt(s, "recv-message", &r);
  return 1;
}

static int act_recv_end(server *s)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (receive_some(s, &r, BUFFER, &got))
    ;
  tell_receipt(s, "recv-end", &r);
  return 1;
}

/* Writes all of it. On failure the error is left in GetLastError. */
static int write_all(server *s, const uint8_t *data, DWORD length)
{
  DWORD written = 0;
  BOOL done = WriteFile(s->pipe, data, length, &written, NULL);
  InterlockedAdd64(&s->dog.sent, (LONG64)written);
  if (done && written != length)
    SetLastError(ERROR_WRITE_FAULT);
  return done && written == length;
}

/* The next chunk of the stream, at most `left` bytes long, made in the outgoing buffer. */
static DWORD next_chunk(server *s, peer_stream *stream, unsigned long long left, unsigned long long chunk)
{
  DWORD part = (DWORD)(left < chunk ? left : chunk);
  peer_stream_fill(stream, s->outgoing, part);
  return part;
}

static int act_send(server *s, const char *value, int may_be_cut_off)
{
  peer_stream *stream = malloc(sizeof *stream);
  unsigned long long numbers[3] = {0, 65536, 1}, sent = 0; /* total, message, seed */
  DWORD error = 0;
  if (stream == NULL)
    return fail(s, "send", ERROR_OUTOFMEMORY);
  peer_numbers(value, numbers, 3);
  peer_stream_init(stream, numbers[2]);
  if (numbers[1] == 0 || numbers[1] > BUFFER)
    error = ERROR_INVALID_PARAMETER;
  while (error == 0 && sent < numbers[0]) {
    DWORD part = next_chunk(s, stream, numbers[0] - sent, numbers[1]);
    if (write_all(s, s->outgoing, part))
      sent += part;
    else
      error = GetLastError();
  }
  free(stream);
  peer_event(&s->log, "send", ",\"bytes\":%llu,\"error\":%lu", sent, (unsigned long)error);
  return error == 0 || may_be_cut_off ? 1 : fail(s, "send", error);
}

/* Reads only what is there already, at most about `most` bytes, so that one thread serves both directions: Windows
 * makes the operations on a blocking handle wait for one another, so a second thread that writes would wait for a
 * read that waits for bytes. */
static int receive_what_is_there(server *s, receipt *r, unsigned long long most, int *ended)
{
  DWORD there = 1, got;
  unsigned long long enough = r->bytes + most;
  while (!*ended && there > 0 && r->bytes < enough) {
    if (!PeekNamedPipe(s->pipe, NULL, 0, NULL, &there, NULL))
      return fail(s, "both", GetLastError());
    if (there > 0 && !receive_some(s, r, BUFFER, &got))
      *ended = 1;
  }
  return 1;
}

static int act_both(server *s, const char *value)
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
    DWORD part = next_chunk(s, stream, numbers[0] - sent, numbers[1]);
    fine = write_all(s, s->outgoing, part) ? receive_what_is_there(s, &r, numbers[1], &ended)
                                           : fail(s, "both", GetLastError());
    sent += part;
  }
  free(stream);
  if (fine)
    peer_event(&s->log, "send", ",\"bytes\":%llu,\"error\":0,\"received_meanwhile\":%llu", sent, r.bytes);
  while (fine && !ended && r.bytes < numbers[3] && receive_some(s, &r, BUFFER, &got))
    ;
  tell_receipt(s, "recv-end", &r);
  return fine;
}

static int act_echo(server *s, unsigned long long wanted)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (r.bytes < wanted && receive_some(s, &r, BUFFER, &got)) {
    if (!write_all(s, s->buffer, got))
      return fail(s, "echo", GetLastError());
  }
  tell_receipt(s, "echo", &r);
  return 1;
}

static int act_peek_gone(server *s)
{
  DWORD there;
  while (PeekNamedPipe(s->pipe, NULL, 0, NULL, &there, NULL))
    Sleep(5);
  peer_event(&s->log, "peek-gone", ",\"error\":%lu", (unsigned long)GetLastError());
  return 1;
}

static int act_await(server *s)
{
  char byte;
  DWORD got;
  peer_event(&s->log, "await", "%s", "");
  do {
    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL) || got == 0)
      return fail(s, "await", GetLastError());
  } while (byte != '\n');
  return 1;
}

static int act_read_mode(server *s, const char *value)
{
  DWORD mode = strcmp(value, "message") == 0 ? PIPE_READMODE_MESSAGE : PIPE_READMODE_BYTE;
  return SetNamedPipeHandleState(s->pipe, &mode, NULL, NULL) ? 1 : fail(s, "read-mode", GetLastError());
}

/* flush, close, disconnect, zero: a name, a call, a line. */
static int act_simple(server *s, const char *action)
{
  BOOL done;
  if (strcmp(action, "flush") == 0) {
    done = FlushFileBuffers(s->pipe);
  } else if (strcmp(action, "zero") == 0) {
    done = write_all(s, s->buffer, 0);
  } else if (strcmp(action, "disconnect") == 0) {
    done = DisconnectNamedPipe(s->pipe);
  } else if (strcmp(action, "close") == 0) {
    done = CloseHandle(s->pipe);
    s->pipe = INVALID_HANDLE_VALUE;
  } else {
    SetLastError(ERROR_INVALID_PARAMETER);
    done = FALSE;
  }
  if (!done)
    return fail(s, action, GetLastError());
  peer_event(&s->log, action, "%s", "");
  return 1;
}

static int act_text(server *s, const char *text)
{
  return write_all(s, (const uint8_t *)text, (DWORD)strlen(text)) ? 1 : fail(s, "text", GetLastError());
}

static int act(server *s, const char *action)
{
  const char *value;
  if ((value = peer_value(action, "recv")) != NULL)
    return act_recv(s, value);
  if ((value = peer_value(action, "send")) != NULL)
    return act_send(s, value, 0);
  if ((value = peer_value(action, "try-send")) != NULL)
    return act_send(s, value, 1);
  if ((value = peer_value(action, "both")) != NULL)
    return act_both(s, value);
  if ((value = peer_value(action, "echo")) != NULL)
    return act_echo(s, strtoull(value, NULL, 10));
  if ((value = peer_value(action, "text")) != NULL)
    return act_text(s, value);
  if ((value = peer_value(action, "read-mode")) != NULL)
    return act_read_mode(s, value);
  if ((value = peer_value(action, "sleep")) != NULL) {
    Sleep((DWORD)strtoul(value, NULL, 10));
    return 1;
  }
  if (strcmp(action, "recv-message") == 0)
    return act_recv_message(s);
  if (strcmp(action, "recv-end") == 0)
    return act_recv_end(s);
  if (strcmp(action, "echo-end") == 0)
    return act_echo(s, ~0ull);
  if (strcmp(action, "peek-gone") == 0)
    return act_peek_gone(s);
  if (strcmp(action, "await") == 0)
    return act_await(s);
  return act_simple(s, action);
}

/* Makes the pipe unless the last client's is still there (it was disconnected), and waits for a client. */
static int accept_client(server *s, int client)
{
  if (s->pipe == INVALID_HANDLE_VALUE)
    s->pipe = CreateNamedPipeW(s->name, s->open_mode, s->pipe_mode, s->instances, s->out_bytes, s->in_bytes, 0,
                               s->security.lpSecurityDescriptor != NULL ? &s->security : NULL);
  if (s->pipe == INVALID_HANDLE_VALUE)
    return fail(s, "create", GetLastError());
  peer_event(&s->log, "listening", ",\"client\":%d", client);
  if (!ConnectNamedPipe(s->pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) {
    DWORD error = GetLastError();
    /* A client that came and went before this call is a client nevertheless. */
    if (error != ERROR_NO_DATA)
      return fail(s, "connect", error);
  }
  peer_event(&s->log, "connected", ",\"client\":%d", client);
  return 1;
}

static int serve(server *s, char **script, int repeat)
{
  int client = 0;
  for (int round = 0; round < repeat; round++) {
    for (char **action = script; *action != NULL;) {
      int disconnected = 0;
      if (!accept_client(s, ++client))
        return PEER_FAILED;
      for (; *action != NULL && strcmp(*action, "next") != 0; action++) {
        if (!act(s, *action))
          return PEER_FAILED;
        disconnected = strcmp(*action, "disconnect") == 0;
      }
      if (*action != NULL)
        action++;
      if (!disconnected && s->pipe != INVALID_HANDLE_VALUE) {
        CloseHandle(s->pipe);
        s->pipe = INVALID_HANDLE_VALUE;
      }
      peer_event(&s->log, "done", ",\"client\":%d", client);
    }
  }
  return 0;
}

static int set_security(server *s, const char *sddl)
{
  s->security.nLength = sizeof s->security;
  return ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, &s->security.lpSecurityDescriptor,
                                                              NULL);
}

/* One option. Returns 0 if there is no such option or its value is wrong. */
static int set_option(server *s, const char *word, DWORD *delay_ms, int *repeat)
{
  const char *value;
  if ((value = peer_value(word, "--type")) != NULL)
    s->pipe_mode =
        strcmp(value, "byte") == 0 ? PIPE_TYPE_BYTE | PIPE_READMODE_BYTE : PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE;
  else if ((value = peer_value(word, "--access")) != NULL)
    s->open_mode = strcmp(value, "in") == 0    ? PIPE_ACCESS_INBOUND
                   : strcmp(value, "out") == 0 ? PIPE_ACCESS_OUTBOUND
                                               : PIPE_ACCESS_DUPLEX;
  else if ((value = peer_value(word, "--in")) != NULL)
    s->in_bytes = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--out")) != NULL)
    s->out_bytes = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--instances")) != NULL)
    s->instances = strcmp(value, "0") == 0 ? PIPE_UNLIMITED_INSTANCES : (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--limit")) != NULL)
    s->dog.limit_ms = 1000 * (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--progress")) != NULL)
    s->dog.progress_ms = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--delay")) != NULL)
    *delay_ms = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--repeat")) != NULL)
    *repeat = (int)strtol(value, NULL, 10);
  else if ((value = peer_value(word, "--sd")) != NULL)
    return set_security(s, value);
  else
    return 0;
  return 1;
}

/* The name as the system got it, not as the C library converted it, with backslashes. */
static int set_name(server *s)
{
  int count;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (words == NULL || count < 2 || wcslen(words[1]) >= 256)
    return 0;
  for (size_t i = 0; i <= wcslen(words[1]); i++)
    s->name[i] = words[1][i] == L'/' ? L'\\' : words[1][i];
  LocalFree(words);
  return 1;
}

int main(int argc, char **argv)
{
  server s = {.open_mode = PIPE_ACCESS_DUPLEX,
              .pipe_mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
              .instances = 1,
              .in_bytes = 65536,
              .out_bytes = 65536,
              .pipe = INVALID_HANDLE_VALUE};
  DWORD delay_ms = 0;
  int repeat = 1, i = 2;
  peer_log_init(&s.log);
  s.dog.log = &s.log;
  s.dog.limit_ms = 120000;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (!set_option(&s, argv[i], &delay_ms, &repeat)) {
      fprintf(stderr, "pipe_server: cannot use the option %s\n", argv[i]);
      return PEER_USAGE;
    }
  }
  s.buffer = malloc(BUFFER);
  s.outgoing = malloc(BUFFER);
  if (i >= argc || !set_name(&s) || s.buffer == NULL || s.outgoing == NULL) {
    fprintf(stderr, "usage: pipe_server PIPE [OPTION...] -- ACTION... [next ACTION...]...\n");
    return PEER_USAGE;
  }
  peer_watchdog_start(&s.dog);
  Sleep(delay_ms);
  return serve(&s, argv + i + 1, repeat);
}
