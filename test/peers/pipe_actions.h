/* What an end of a named pipe can be asked to do, the same for pipe_server and pipe_client. Every action prints what it
 * saw as a line of JSON; the first that fails prints "failed". Actions:
 *
 *   recv=N            exactly N bytes            recv-message      one message
 *   recv-end          until end of input: a zero-byte message, or the pipe is gone
 *   read-mode=byte|message                       peek-gone         until the other end is gone, without reading
 *   send=TOTAL[,MESSAGE[,SEED]]                  text=TEXT         zero              a zero-byte message
 *   try-send=...      as send, but being cut off is not a failure
 *   message=N[,SEED]  one message of N bytes, which may be much; being cut off is not a failure
 *   zeros=N           N zero-byte messages; being cut off is not a failure
 *   dribble=N,MS      N bytes, one every so many milliseconds
 *   both=TOTAL[,MESSAGE[,SEED[,N]]]              send and receive at the same time, N bytes or until end of input
 *   echo-end          send back what comes until end of input           echo=N    the same, N bytes
 *   try-echo-end      as echo-end, but being cut off is not a failure
 *   flush  close  disconnect  sleep=MS
 *   await             waits for a line on standard input, so that a test decides when it goes on
 *   meet              waits until all that run at once have come to this point
 *   commands          does the actions that come on standard input, one a line, until a line "." or its end, and prints
 *                     "did" after each */
#ifndef PIPE_ACTIONS_H
#define PIPE_ACTIONS_H

#include "peer.h"

#include <shellapi.h>

enum { BUFFER = 1 << 20, SIZES = 256 };

/* What all ends of one program share. */
typedef struct pipe_ends {
  peer_log log;
  peer_watchdog dog;
  int at_once;           /* so many run at once, a thread each */
  volatile LONG arrived; /* for `meet`: by all together */
  int lines;             /* for `await`: read so far */
  CRITICAL_SECTION input;
  char **script;
} pipe_ends;

typedef struct pipe_end {
  peer_log log;
  pipe_ends *all;
  HANDLE pipe;
  HANDLE read_event, write_event; /* NULL: the handle is not overlapped */
  uint8_t *buffer, *outgoing;
  int meetings, lines; /* how often this end has met, has awaited */
} pipe_end;

/* What was received: bytes, their hash, and how they came. */
typedef struct receipt {
  unsigned long long bytes, reads, messages, largest;
  unsigned long long sizes[SIZES]; /* of the first messages (or reads, where there are none) */
  unsigned long long open_message; /* bytes so far of a message whose end has not come */
  double first_ms, last_ms;
  DWORD end; /* 0: a zero-byte message */
  peer_sha256 hash;
} receipt;

/* Sends and receives at the same time: as each program's handle can. */
static int act_both(pipe_end *e, const char *value);

static int fail(pipe_end *e, const char *action, DWORD error)
{
  peer_event(&e->log, "failed", ",\"action\":\"%s\",\"error\":%lu", action, (unsigned long)error);
  return 0;
}

static void pipe_ends_init(pipe_ends *all)
{
  memset(all, 0, sizeof *all);
  peer_log_init(&all->log);
  all->dog.log = &all->log;
  all->dog.limit_ms = 120000;
  all->at_once = 1;
  InitializeCriticalSection(&all->input);
}

static int pipe_end_init(pipe_end *e, pipe_ends *all, int number)
{
  memset(e, 0, sizeof *e);
  e->log = all->log;
  e->log.client = number;
  e->all = all;
  e->pipe = INVALID_HANDLE_VALUE;
  e->buffer = malloc(BUFFER);
  e->outgoing = malloc(BUFFER);
  return e->buffer != NULL && e->outgoing != NULL;
}

static void receipt_init(receipt *r)
{
  memset(r, 0, sizeof *r);
  peer_sha256_init(&r->hash);
}

/* One ReadFile or WriteFile, until it is done. Returns 0 or the error. */
static DWORD transfer(pipe_end *e, int reading, uint8_t *data, DWORD length, DWORD *done)
{
  OVERLAPPED overlapped = {.hEvent = reading ? e->read_event : e->write_event};
  OVERLAPPED *with = overlapped.hEvent != NULL ? &overlapped : NULL;
  DWORD error;
  *done = 0;
  if (reading ? ReadFile(e->pipe, data, length, done, with) : WriteFile(e->pipe, data, length, done, with))
    return 0;
  error = GetLastError();
  if (with == NULL || (error != ERROR_IO_PENDING && error != ERROR_MORE_DATA))
    return error;
  return GetOverlappedResult(e->pipe, with, done, TRUE) ? 0 : GetLastError();
}

/* One ReadFile. Returns 1 for bytes, 0 for an end, which it notes in the receipt. */
static int receive_some(pipe_end *e, receipt *r, DWORD room, DWORD *got)
{
  DWORD error = transfer(e, 1, e->buffer, room, got);
  if ((error == 0 && *got == 0) || (error != 0 && error != ERROR_MORE_DATA)) {
    r->end = error;
    return 0;
  }
  r->last_ms = peer_now_ms() - e->log.start_ms;
  if (r->reads++ == 0)
    r->first_ms = r->last_ms;
  r->bytes += *got;
  InterlockedAdd64(&e->all->dog.received, (LONG64)*got);
  peer_sha256_add(&r->hash, e->buffer, *got);
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

static void tell_receipt(pipe_end *e, const char *action, receipt *r)
{
  char hex[65], sizes[SIZES * 9];
  size_t used = 0;
  peer_sha256_end(&r->hash, hex);
  sizes[0] = '\0';
  for (size_t i = 0; i < SIZES && i < r->messages; i++)
    used += (size_t)__mingw_snprintf(sizes + used, sizeof sizes - used, "%s%llu", i > 0 ? "," : "", r->sizes[i]);
  peer_event(&e->log, action,
             ",\"bytes\":%llu,\"reads\":%llu,\"messages\":%llu,\"largest\":%llu,\"open\":%llu,\"first_ms\":%.1f,"
             "\"last_ms\":%.1f,\"end\":%lu,\"sha256\":\"%s\",\"sizes\":[%s]",
             r->bytes, r->reads, r->messages, r->largest, r->open_message, r->first_ms, r->last_ms,
             (unsigned long)r->end, hex, sizes);
}

static int act_recv(pipe_end *e, const char *value)
{
  receipt r;
  DWORD got;
  unsigned long long wanted = strtoull(value, NULL, 10);
  receipt_init(&r);
  while (r.bytes < wanted) {
    unsigned long long left = wanted - r.bytes;
    if (!receive_some(e, &r, left < BUFFER ? (DWORD)left : BUFFER, &got)) {
      tell_receipt(e, "recv", &r);
      return fail(e, "recv", r.end);
    }
  }
  tell_receipt(e, "recv", &r);
  return 1;
}

static int act_recv_message(pipe_end *e)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (r.messages == 0) {
    if (!receive_some(e, &r, BUFFER, &got)) {
      tell_receipt(e, "recv-message", &r);
      return r.end == 0 ? 1 : fail(e, "recv-message", r.end);
    }
  }
  tell_receipt(e, "recv-message", &r);
  return 1;
}

static int act_recv_end(pipe_end *e)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (receive_some(e, &r, BUFFER, &got))
    ;
  tell_receipt(e, "recv-end", &r);
  return 1;
}

/* Writes all of it. On failure the error is left in GetLastError. */
static int write_all(pipe_end *e, uint8_t *data, DWORD length)
{
  DWORD written, error = transfer(e, 0, data, length, &written);
  InterlockedAdd64(&e->all->dog.sent, (LONG64)written);
  if (error == 0 && written != length)
    error = ERROR_WRITE_FAULT;
  SetLastError(error);
  return error == 0;
}

/* The next chunk of the stream, at most `left` bytes long, made in the outgoing buffer. */
static DWORD next_chunk(pipe_end *e, peer_stream *stream, unsigned long long left, unsigned long long chunk)
{
  DWORD part = (DWORD)(left < chunk ? left : chunk);
  peer_stream_fill(stream, e->outgoing, part);
  return part;
}

static int act_send(pipe_end *e, const char *value, int may_be_cut_off)
{
  peer_stream *stream = malloc(sizeof *stream);
  unsigned long long numbers[3] = {0, 65536, 1}, sent = 0; /* total, message, seed */
  DWORD error = 0;
  if (stream == NULL)
    return fail(e, "send", ERROR_OUTOFMEMORY);
  peer_numbers(value, numbers, 3);
  peer_stream_init(stream, numbers[2]);
  if (numbers[1] == 0 || numbers[1] > BUFFER)
    error = ERROR_INVALID_PARAMETER;
  while (error == 0 && sent < numbers[0]) {
    DWORD part = next_chunk(e, stream, numbers[0] - sent, numbers[1]);
    if (write_all(e, e->outgoing, part))
      sent += part;
    else
      error = GetLastError();
  }
  free(stream);
  peer_event(&e->log, "send", ",\"bytes\":%llu,\"error\":%lu", sent, (unsigned long)error);
  return error == 0 || may_be_cut_off ? 1 : fail(e, "send", error);
}

static int act_message(pipe_end *e, const char *value)
{
  unsigned long long numbers[2] = {0, 1}; /* length, seed */
  peer_stream *stream = malloc(sizeof *stream);
  DWORD error = ERROR_OUTOFMEMORY, written = 0;
  uint8_t *data;
  peer_numbers(value, numbers, 2);
  data = malloc((size_t)numbers[0] + 1);
  if (stream != NULL && data != NULL) {
    peer_stream_init(stream, numbers[1]);
    peer_stream_fill(stream, data, (size_t)numbers[0]);
    error = transfer(e, 0, data, (DWORD)numbers[0], &written);
  }
  free(stream);
  free(data);
  peer_event(&e->log, "message", ",\"bytes\":%lu,\"error\":%lu", (unsigned long)written, (unsigned long)error);
  return error == ERROR_OUTOFMEMORY ? fail(e, "message", error) : 1;
}

static int act_zeros(pipe_end *e, const char *value)
{
  unsigned long long wanted = strtoull(value, NULL, 10), sent = 0;
  DWORD error = 0;
  while (sent < wanted && error == 0) {
    error = write_all(e, e->buffer, 0) ? 0 : GetLastError();
    sent += error == 0;
  }
  peer_event(&e->log, "zeros", ",\"sent\":%llu,\"error\":%lu", sent, (unsigned long)error);
  return 1;
}

static int act_dribble(pipe_end *e, const char *value)
{
  unsigned long long numbers[2] = {0, 100}; /* bytes, ms */
  peer_numbers(value, numbers, 2);
  for (unsigned long long i = 0; i < numbers[0]; i++) {
    e->outgoing[0] = (uint8_t)i;
    if (!write_all(e, e->outgoing, 1))
      return fail(e, "dribble", GetLastError());
    Sleep((DWORD)numbers[1]);
  }
  peer_event(&e->log, "dribble", "%s", "");
  return 1;
}

static int act_echo(pipe_end *e, unsigned long long wanted, int may_be_cut_off)
{
  receipt r;
  DWORD got;
  receipt_init(&r);
  while (r.bytes < wanted && receive_some(e, &r, BUFFER, &got)) {
    if (!write_all(e, e->buffer, got)) {
      if (may_be_cut_off)
        break;
      return fail(e, "echo", GetLastError());
    }
  }
  tell_receipt(e, "echo", &r);
  return 1;
}

static int act_peek_gone(pipe_end *e)
{
  DWORD there;
  while (PeekNamedPipe(e->pipe, NULL, 0, NULL, &there, NULL))
    Sleep(5);
  peer_event(&e->log, "peek-gone", ",\"error\":%lu", (unsigned long)GetLastError());
  return 1;
}

/* Reads a line of standard input, without its end, cut to the room there is. Returns 0 at the end of input. */
static int read_line(char *line, size_t room)
{
  size_t length = 0;
  char byte;
  DWORD got;
  for (;;) {
    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL) || got == 0)
      return 0;
    if (byte == '\n')
      break;
    if (length + 1 < room)
      line[length++] = byte;
  }
  line[length] = '\0';
  return 1;
}

/* Of all that await at once, the first reads the line. */
static int act_await(pipe_end *e)
{
  char line[8];
  int fine = 1;
  peer_event(&e->log, "await", "%s", "");
  e->lines++;
  EnterCriticalSection(&e->all->input);
  if (e->all->lines < e->lines) {
    fine = read_line(line, sizeof line);
    e->all->lines++;
  }
  LeaveCriticalSection(&e->all->input);
  return fine ? 1 : fail(e, "await", ERROR_HANDLE_EOF);
}

static int act_meet(pipe_end *e)
{
  LONG all = (LONG)(++e->meetings * e->all->at_once);
  (void)InterlockedIncrement(&e->all->arrived);
  while (InterlockedCompareExchange(&e->all->arrived, 0, 0) < all)
    Sleep(5);
  peer_event(&e->log, "meet", "%s", "");
  return 1;
}

static int act_read_mode(pipe_end *e, const char *value)
{
  DWORD mode = strcmp(value, "message") == 0 ? PIPE_READMODE_MESSAGE : PIPE_READMODE_BYTE;
  return SetNamedPipeHandleState(e->pipe, &mode, NULL, NULL) ? 1 : fail(e, "read-mode", GetLastError());
}

/* flush, close, disconnect, zero: a name, a call, a line. */
static int act_simple(pipe_end *e, const char *action)
{
  BOOL done;
  if (strcmp(action, "flush") == 0) {
    done = FlushFileBuffers(e->pipe);
  } else if (strcmp(action, "zero") == 0) {
    done = write_all(e, e->buffer, 0);
  } else if (strcmp(action, "disconnect") == 0) {
    done = DisconnectNamedPipe(e->pipe);
  } else if (strcmp(action, "close") == 0) {
    done = CloseHandle(e->pipe);
    e->pipe = INVALID_HANDLE_VALUE;
  } else {
    SetLastError(ERROR_INVALID_PARAMETER);
    done = FALSE;
  }
  if (!done)
    return fail(e, action, GetLastError());
  peer_event(&e->log, action, "%s", "");
  return 1;
}

static int act_text(pipe_end *e, const char *text)
{
  DWORD length = (DWORD)strlen(text);
  if (length > BUFFER)
    return fail(e, "text", ERROR_INVALID_PARAMETER);
  memcpy(e->outgoing, text, length);
  return write_all(e, e->outgoing, length) ? 1 : fail(e, "text", GetLastError());
}

static int act_commands(pipe_end *e);

static int act(pipe_end *e, const char *action)
{
  const char *value;
  if ((value = peer_value(action, "recv")) != NULL)
    return act_recv(e, value);
  if ((value = peer_value(action, "send")) != NULL)
    return act_send(e, value, 0);
  if ((value = peer_value(action, "try-send")) != NULL)
    return act_send(e, value, 1);
  if ((value = peer_value(action, "both")) != NULL)
    return act_both(e, value);
  if ((value = peer_value(action, "message")) != NULL)
    return act_message(e, value);
  if ((value = peer_value(action, "zeros")) != NULL)
    return act_zeros(e, value);
  if ((value = peer_value(action, "dribble")) != NULL)
    return act_dribble(e, value);
  if ((value = peer_value(action, "echo")) != NULL)
    return act_echo(e, strtoull(value, NULL, 10), 0);
  if ((value = peer_value(action, "text")) != NULL)
    return act_text(e, value);
  if ((value = peer_value(action, "read-mode")) != NULL)
    return act_read_mode(e, value);
  if ((value = peer_value(action, "sleep")) != NULL) {
    Sleep((DWORD)strtoul(value, NULL, 10));
    return 1;
  }
  if (strcmp(action, "recv-message") == 0)
    return act_recv_message(e);
  if (strcmp(action, "recv-end") == 0)
    return act_recv_end(e);
  if (strcmp(action, "echo-end") == 0)
    return act_echo(e, ~0ull, 0);
  if (strcmp(action, "try-echo-end") == 0)
    return act_echo(e, ~0ull, 1);
  if (strcmp(action, "peek-gone") == 0)
    return act_peek_gone(e);
  if (strcmp(action, "await") == 0)
    return act_await(e);
  if (strcmp(action, "meet") == 0)
    return act_meet(e);
  if (strcmp(action, "commands") == 0)
    return act_commands(e);
  return act_simple(e, action);
}

static int act_commands(pipe_end *e)
{
  char line[1024];
  while (read_line(line, sizeof line) && strcmp(line, ".") != 0) {
    if (!act(e, line))
      return 0;
    peer_event(&e->log, "did", "%s", "");
  }
  return 1;
}

/* The pipe's name, the first argument, as the system got it, not as the C library converted it, with backslashes. */
static int pipe_name(wchar_t name[256])
{
  int count;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (words == NULL || count < 2 || wcslen(words[1]) >= 256)
    return 0;
  for (size_t i = 0; i <= wcslen(words[1]); i++)
    name[i] = words[1][i] == L'/' ? L'\\' : words[1][i];
  LocalFree(words);
  return 1;
}

/* Options that both programs have. Returns 0 if it is none of them. */
static int common_option(pipe_ends *all, const char *word)
{
  const char *value;
  if ((value = peer_value(word, "--limit")) != NULL)
    all->dog.limit_ms = 1000 * (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--progress")) != NULL)
    all->dog.progress_ms = (DWORD)strtoul(value, NULL, 10);
  else if ((value = peer_value(word, "--at-once")) != NULL)
    all->at_once = (int)strtol(value, NULL, 10);
  else
    return 0;
  return 1;
}

/* Runs `run` in so many threads at once. Returns the exit status: that of the first that is not 0, at once. */
static int run_all(pipe_ends *all, DWORD(WINAPI *run)(void *), void *arguments, size_t size)
{
  HANDLE *threads;
  DWORD code = 0;
  if (all->at_once == 1)
    return (int)run(arguments);
  threads = calloc((size_t)all->at_once, sizeof *threads);
  if (threads == NULL)
    return PEER_FAILED;
  for (int i = 0; i < all->at_once; i++) {
    threads[i] = CreateThread(NULL, 0, run, (char *)arguments + (size_t)i * size, 0, NULL);
    if (threads[i] == NULL)
      return PEER_FAILED;
  }
  for (int i = 0; i < all->at_once && code == 0; i++) {
    WaitForSingleObject(threads[i], INFINITE);
    GetExitCodeThread(threads[i], &code);
  }
  return (int)code;
}

#endif
