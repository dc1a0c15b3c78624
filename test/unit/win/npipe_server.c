/* The blocking server and client: see npipe_server.h. */
#include "npipe_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

enum { READ_SIZE = 128 * 1024, NEW_HANDLES = 128 };

static DWORD WINAPI run(void *argument)
{
  server *s = argument;
  s->error = ConnectNamedPipe(s->pipe, NULL) ? 0 : GetLastError();
  /* The client may be here already, and may be gone already, having left something. */
  if (s->error == 0 || s->error == ERROR_PIPE_CONNECTED || s->error == ERROR_NO_DATA) {
    s->error = 0;
    s->serve(s);
  }
  (void)InterlockedExchange(&s->served, 1);
  return 0;
}

void server_start(server *s, bool message, DWORD buffer, server_cb serve)
{
  LARGE_INTEGER now;
  memset(s, 0, sizeof(*s));
  (void)QueryPerformanceCounter(&now);
  (void)snprintf(s->path, sizeof(s->path), "\\\\.\\pipe\\uvrelay-test-%lu-%lld", GetCurrentProcessId(), now.QuadPart);
  (void)snprintf(s->name, sizeof(s->name), "//./pipe/uvrelay-test-%lu-%lld", GetCurrentProcessId(), now.QuadPart);
  s->message = message;
  s->serve = serve;
  DWORD mode = message ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
  s->pipe = CreateNamedPipeA(s->path, PIPE_ACCESS_DUPLEX, mode | PIPE_WAIT, 1, buffer, buffer, 0, NULL);
  assert_true(s->pipe != INVALID_HANDLE_VALUE);
  s->release = CreateEventA(NULL, TRUE, FALSE, NULL);
  assert_non_null(s->release);
  s->thread = CreateThread(NULL, 0, run, s, 0, NULL);
  assert_non_null(s->thread);
}

static HANDLE open_pipe(const char *path)
{
  uint64_t deadline = GetTickCount64() + RIG_PATIENCE_MS;
  for (;;) {
    HANDLE pipe = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY || GetTickCount64() > deadline) {
      return pipe;
    }
    (void)WaitNamedPipeA(path, 100);
  }
}

static DWORD WINAPI run_client(void *argument)
{
  server *c = argument;
  HANDLE pipe = open_pipe(c->path);
  DWORD mode = PIPE_READMODE_MESSAGE;
  if (pipe == INVALID_HANDLE_VALUE) {
    c->error = GetLastError();
  } else {
    c->pipe = pipe;
    c->error = !c->message || SetNamedPipeHandleState(pipe, &mode, NULL, NULL) ? 0 : GetLastError();
  }
  if (c->error == 0) {
    c->serve(c);
  }
  (void)InterlockedExchange(&c->served, 1);
  return 0;
}

void client_start(server *c, const char *path, bool message, server_cb serve)
{
  memset(c, 0, sizeof(*c));
  (void)snprintf(c->path, sizeof(c->path), "%s", path);
  c->message = message;
  c->serve = serve;
  c->release = CreateEventA(NULL, TRUE, FALSE, NULL);
  assert_non_null(c->release);
  c->thread = CreateThread(NULL, 0, run_client, c, 0, NULL);
  assert_non_null(c->thread);
}

void server_release(server *s)
{
  (void)SetEvent(s->release);
}

void server_join(server *s)
{
  server_release(s);
  assert_int_equal(WaitForSingleObject(s->thread, RIG_PATIENCE_MS), WAIT_OBJECT_0);
  (void)CloseHandle(s->thread);
  (void)CloseHandle(s->release);
  if (s->pipe != NULL) {
    (void)CloseHandle(s->pipe);
  }
}

void server_wait(server *s)
{
  (void)WaitForSingleObject(s->release, RIG_PATIENCE_MS);
}

void server_write(server *s, const void *data, size_t size)
{
  DWORD written;
  s->error = WriteFile(s->pipe, data, (DWORD)size, &written, NULL) ? 0 : GetLastError();
}

void server_write_data(server *s, uint64_t from, size_t size)
{
  char *data = malloc(size);
  for (size_t i = 0; data != NULL && i < size; i++) {
    data[i] = rig_byte(2, from + i);
  }
  server_write(s, data, size);
  free(data);
}

bool server_read_once(server *s)
{
  char *data = malloc(READ_SIZE);
  DWORD count = 0;
  bool whole = ReadFile(s->pipe, data, READ_SIZE, &count, NULL) != 0;
  s->error = whole ? 0 : GetLastError();
  bool ok = whole || s->error == ERROR_MORE_DATA;
  for (DWORD i = 0; ok && i < count; i++) {
    s->changed = s->changed || data[i] != rig_byte(1, s->received + i);
  }
  free(data);
  if (!ok) {
    return false;
  }
  s->received += count;
  s->messages += whole && count > 0 ? 1U : 0U;
  s->ends += count == 0 ? 1U : 0U;
  return true;
}

void server_read_all(server *s)
{
  while (server_read_once(s)) {
  }
}

uintptr_t highest_new_handle(void)
{
  HANDLE handles[NEW_HANDLES];
  uintptr_t highest = 0;
  for (unsigned i = 0; i < NEW_HANDLES; i++) {
    handles[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
    assert_non_null(handles[i]);
    highest = (uintptr_t)handles[i] > highest ? (uintptr_t)handles[i] : highest;
  }
  for (unsigned i = 0; i < NEW_HANDLES; i++) {
    (void)CloseHandle(handles[i]);
  }
  return highest;
}
