/* Ends of connections: see native.h. Handles of pipes are overlapped, so that one thread can read while another writes;
 * each call waits for its own event. */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ws2tcpip.h>

enum { BUFFER = 64 * 1024, LOOK_MS = 200 };

end end_of_pipe(HANDLE pipe, bool synchronous)
{
  end e = {.pipe = pipe, .synchronous = synchronous, .socket = INVALID_SOCKET};
  for (int i = 0; i < 2 && !synchronous; i++) {
    e.events[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
    CHECK(e.events[i] != NULL, "cannot make an event (error %lu)", GetLastError());
  }
  return e;
}

end end_of_socket(SOCKET socket)
{
  return (end){.socket = socket};
}

/* One ReadFile or WriteFile. Returns 0 or the error. */
static DWORD transfer(end *e, bool reading, void *bytes, DWORD length, DWORD *done)
{
  OVERLAPPED overlapped = {.hEvent = (HANDLE)((uintptr_t)e->events[!reading] | 1)};
  OVERLAPPED *with = e->synchronous ? NULL : &overlapped;
  *done = 0;
  BOOL ok = reading ? ReadFile(e->pipe, bytes, length, done, with) : WriteFile(e->pipe, bytes, length, done, with);
  DWORD error = ok ? 0 : GetLastError();
  if (with != NULL && error == ERROR_IO_PENDING) {
    error = GetOverlappedResult(e->pipe, with, done, TRUE) ? 0 : GetLastError();
  } else if (with != NULL) {
    *done = (DWORD)overlapped.InternalHigh;
  }
  return error;
}

size_t end_read(end *e, void *to, size_t room)
{
  e->why = 0;
  e->more = false;
  if (e->pipe == NULL) {
    int got = recv(e->socket, to, (int)room, 0);
    e->why = got < 0 ? (DWORD)WSAGetLastError() : 0;
    return got < 0 ? 0 : (size_t)got;
  }
  DWORD got;
  DWORD error = transfer(e, true, to, (DWORD)room, &got);
  e->more = error == ERROR_MORE_DATA;
  if (error != 0 && !e->more) {
    e->why = error;
    return 0;
  }
  return got;
}

bool end_write(end *e, const void *bytes, size_t length)
{
  const char *at = bytes;
  e->why = 0;
  while (length > 0) {
    size_t done;
    if (e->pipe == NULL) {
      int sent = send(e->socket, at, (int)length, 0);
      e->why = sent < 0 ? (DWORD)WSAGetLastError() : 0;
      done = sent < 0 ? 0 : (size_t)sent;
    } else {
      DWORD written;
      e->why = transfer(e, false, (void *)(uintptr_t)at, (DWORD)length, &written);
      done = written;
    }
    if (e->why != 0) {
      return false;
    }
    at += done;
    length -= done;
  }
  return true;
}

void end_shut(end *e)
{
  DWORD done;
  if (e->pipe == NULL) {
    CHECK(shutdown(e->socket, SD_SEND) == 0, "cannot shut down a socket (error %d)", WSAGetLastError());
  } else {
    DWORD error = transfer(e, false, (void *)(uintptr_t) "", 0, &done);
    CHECK(error == 0, "cannot write a zero-byte message (error %lu)", error);
  }
}

void end_close(end *e)
{
  if (e->pipe == NULL) {
    (void)closesocket(e->socket);
  } else {
    (void)CloseHandle(e->pipe);
  }
}

void send_text(end *e, const char *bytes)
{
  CHECK(end_write(e, bytes, strlen(bytes)), "cannot send \"%s\" (error %lu)", bytes, e->why);
}

void expect_text(end *e, const char *bytes)
{
  char got[1024];
  size_t have = 0;
  size_t wanted = strlen(bytes);
  while (have < wanted) {
    size_t part = end_read(e, got + have, wanted - have);
    CHECK(part > 0, "\"%.*s\" and an end (%lu) came instead of \"%s\"", (int)have, got, e->why, bytes);
    have += part;
  }
  CHECK(memcmp(got, bytes, wanted) == 0, "\"%.*s\" came instead of \"%s\"", (int)have, got, bytes);
}

uint64_t send_until_cut(end *e, uint64_t seed, size_t total, size_t chunk)
{
  char *buffer = malloc(chunk);
  size_t sent = 0;
  CHECK(buffer != NULL, "there is no memory");
  while (sent < total) {
    size_t part = total - sent < chunk ? total - sent : chunk;
    pattern_fill(seed, sent, buffer, part);
    if (!end_write(e, buffer, part)) {
      break;
    }
    sent += part;
  }
  free(buffer);
  return sent;
}

void send_pattern(end *e, uint64_t seed, size_t total, size_t chunk)
{
  uint64_t sent = send_until_cut(e, seed, total, chunk);
  CHECK(sent == total, "only %llu of %llu bytes could be sent (error %lu)", (unsigned long long)sent,
        (unsigned long long)total, e->why);
}

void expect_pattern(end *e, uint64_t seed, size_t total)
{
  char *buffer = malloc(BUFFER);
  size_t have = 0;
  CHECK(buffer != NULL, "there is no memory");
  while (have < total) {
    size_t part = end_read(e, buffer, total - have < BUFFER ? total - have : BUFFER);
    CHECK(part > 0, "an end (%lu) came after %llu of %llu bytes", e->why, (unsigned long long)have,
          (unsigned long long)total);
    CHECK(pattern_matches(seed, have, buffer, part), "other bytes came, among %llu from byte %llu on",
          (unsigned long long)part, (unsigned long long)have);
    have += part;
  }
  free(buffer);
}

typedef struct transfer_task {
  end *e;
  uint64_t seed;
  size_t total, chunk;
} transfer_task;

static void run_send(void *argument)
{
  transfer_task *t = argument;
  send_pattern(t->e, t->seed, t->total, t->chunk);
}

static void run_expect(void *argument)
{
  transfer_task *t = argument;
  expect_pattern(t->e, t->seed, t->total);
}

static HANDLE transfer_in_background(void (*run)(void *), transfer_task what)
{
  transfer_task *t = memory(sizeof(*t));
  *t = what;
  return background(run, t);
}

HANDLE send_in_background(end *e, uint64_t seed, size_t total, size_t chunk)
{
  return transfer_in_background(run_send, (transfer_task){e, seed, total, chunk});
}

HANDLE expect_in_background(end *e, uint64_t seed, size_t total)
{
  return transfer_in_background(run_expect, (transfer_task){e, seed, total, 0});
}

void exchange(end *client, end *target, size_t total, size_t chunk)
{
  HANDLE to = send_in_background(client, 1, total, chunk);
  HANDLE from = send_in_background(target, 2, total, chunk);
  HANDLE reading = expect_in_background(target, 1, total);
  expect_pattern(client, 2, total);
  join(to);
  join(from);
  join(reading);
}

void expect_end(end *e, DWORD why)
{
  char byte[16];
  step("waiting for an end");
  size_t got = end_read(e, byte, sizeof(byte));
  CHECK(got == 0, "%llu bytes more came, where an end was due", (unsigned long long)got);
  CHECK(why == ANY_END || e->why == why, "the end came with %lu, not with %lu", e->why, why);
}

/* ---- pipes ---- */

char *unique_pipe(void)
{
  static LONG last; /* of this process */
  return text("//./pipe/uvrelay-native-%lu-%ld", GetCurrentProcessId(), InterlockedIncrement(&last));
}

void pipe_instance(pipe_server *s)
{
  HANDLE pipe = CreateNamedPipeW(wide(s->name), s->access | FILE_FLAG_OVERLAPPED, s->mode, s->instances, s->out_bytes,
                                 s->in_bytes, 0, s->security);
  CHECK(pipe != INVALID_HANDLE_VALUE, "cannot make the pipe %s (error %lu)", s->name, GetLastError());
  s->e = end_of_pipe(pipe, false);
}

void pipe_listen(pipe_server *s, int type)
{
  if (s->name[0] == '\0') {
    (void)snprintf(s->name, sizeof(s->name), "%s", unique_pipe());
  }
  s->mode = type == MESSAGE_PIPE ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  s->access = s->access == 0 ? PIPE_ACCESS_DUPLEX : s->access;
  s->instances = s->instances == 0 ? 1 : s->instances;
  s->out_bytes = s->out_bytes == 0 ? BUFFER : s->out_bytes;
  s->in_bytes = s->in_bytes == 0 ? BUFFER : s->in_bytes;
  pipe_instance(s);
}

void pipe_accept(pipe_server *s)
{
  OVERLAPPED overlapped = {.hEvent = (HANDLE)((uintptr_t)s->e.events[0] | 1)};
  DWORD nothing;
  BOOL ok = ConnectNamedPipe(s->e.pipe, &overlapped);
  DWORD error = ok ? 0 : GetLastError();
  step("waiting for a client of %s", s->name);
  if (error == ERROR_IO_PENDING) {
    while (WaitForSingleObject(s->e.events[0], LOOK_MS) == WAIT_TIMEOUT) {
      check_it_runs();
    }
    error = GetOverlappedResult(s->e.pipe, &overlapped, &nothing, TRUE) ? 0 : GetLastError();
  }
  CHECK(error == 0 || error == ERROR_PIPE_CONNECTED || error == ERROR_NO_DATA, "no client came to %s (error %lu)",
        s->name, error);
  step("%s has a client", s->name);
}

HANDLE pipe_try(const char *name, DWORD access, DWORD flags)
{
  return CreateFileW(wide(name), access, 0, NULL, OPEN_EXISTING, flags, NULL);
}

end pipe_connect(const char *name, int read_mode)
{
  uint64_t until = now_ms() + SOON;
  for (;;) {
    HANDLE pipe = pipe_try(name, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED);
    DWORD mode = read_mode == MESSAGE_PIPE ? PIPE_READMODE_MESSAGE : PIPE_READMODE_BYTE;
    if (pipe != INVALID_HANDLE_VALUE) {
      CHECK(SetNamedPipeHandleState(pipe, &mode, NULL, NULL), "cannot set the mode of %s (error %lu)", name,
            GetLastError());
      return end_of_pipe(pipe, false);
    }
    DWORD error = GetLastError();
    CHECK((error == ERROR_PIPE_BUSY || error == ERROR_FILE_NOT_FOUND) && now_ms() < until,
          "cannot connect to %s (error %lu)", name, error);
    if (!WaitNamedPipeW(wide(name), 1000)) {
      Sleep(5); /* between two instances there is no pipe of the name */
    }
  }
}

/* ---- TCP ---- */

static struct sockaddr_in loopback(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((u_short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static SOCKET new_socket(void)
{
  WSADATA data;
  CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0, "there is no Winsock");
  /* Not inheritable, so that no program that we start keeps a connection open. */
  SOCKET made =
      WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  CHECK(made != INVALID_SOCKET, "cannot make a socket (error %d)", WSAGetLastError());
  return made;
}

SOCKET tcp_listen(int *port)
{
  struct sockaddr_in address = loopback(0);
  int size = sizeof(address);
  SOCKET listener = new_socket();
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, SOMAXCONN) == 0 &&
            getsockname(listener, (struct sockaddr *)&address, &size) == 0,
        "cannot listen on a port (error %d)", WSAGetLastError());
  *port = ntohs(address.sin_port);
  return listener;
}

end tcp_accept(SOCKET listener)
{
  WSAPOLLFD polled = {.fd = listener, .events = POLLRDNORM};
  step("waiting for a TCP client");
  while (WSAPoll(&polled, 1, LOOK_MS) == 0) {
    check_it_runs();
  }
  SOCKET accepted = accept(listener, NULL, NULL);
  CHECK(accepted != INVALID_SOCKET, "no TCP client came (error %d)", WSAGetLastError());
  (void)SetHandleInformation((HANDLE)accepted, HANDLE_FLAG_INHERIT, 0);
  step("a TCP client is there");
  return end_of_socket(accepted);
}

end tcp_connect(int port)
{
  struct sockaddr_in address = loopback(port);
  SOCKET client = new_socket();
  CHECK(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0, "cannot connect to port %d (error %d)",
        port, WSAGetLastError());
  return end_of_socket(client);
}

int unused_port(void)
{
  int port;
  SOCKET listener = tcp_listen(&port);
  (void)closesocket(listener);
  return port;
}
