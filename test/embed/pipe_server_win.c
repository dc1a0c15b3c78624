/* See pipe_server_win.h. Its buffer is shorter than the longest message, so that it sees ERROR_MORE_DATA. */
#include "pipe_server_win.h"

#include <stdlib.h>

#include <windows.h>

enum { BUFFER = 4096 };

static void receive_message(HANDLE pipe, unsigned seed, size_t size)
{
  char buffer[BUFFER];
  size_t place = 0;
  DWORD got = 0;
  BOOL whole;
  do {
    whole = ReadFile(pipe, buffer, BUFFER, &got, NULL);
    CHECK(whole || GetLastError() == ERROR_MORE_DATA);
    CHECK(place + got <= size);
    host_verify(buffer, got, seed, place);
    place += got;
  } while (!whole);
  CHECK(place == size);
}

static void receive(HANDLE pipe, const messages_t *messages)
{
  for (size_t i = 0; i < messages->count; i++) {
    receive_message(pipe, messages->seed + (unsigned)i, messages->sizes[i]);
  }
  receive_message(pipe, 0, 0); /* the end of input */
}

static void reply(HANDLE pipe, const messages_t *messages)
{
  char *buffer = malloc(MESSAGE_SIZE_MAX);
  DWORD written;
  CHECK(buffer != NULL);
  for (size_t i = 0; i < messages->count; i++) {
    host_fill(buffer, messages->sizes[i], messages->seed + (unsigned)i, 0);
    CHECK(WriteFile(pipe, buffer, (DWORD)messages->sizes[i], &written, NULL));
    CHECK(written == messages->sizes[i]);
  }
  CHECK(FlushFileBuffers(pipe));
  CHECK(WriteFile(pipe, buffer, 0, &written, NULL));
  free(buffer);
}

static void serve(void *argument)
{
  HANDLE pipe = argument;
  messages_t expected = conversation_request();
  messages_t answer = conversation_reply();
  DWORD available = 0;
  CHECK(ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED);
  receive(pipe, &expected);
  Sleep(CONVERSATION_LATE_MS);
  CHECK(PeekNamedPipe(pipe, NULL, 0, NULL, &available, NULL)); /* the client is still there, and silent */
  CHECK(available == 0);
  reply(pipe, &answer);
  CHECK(CloseHandle(pipe));
}

void pipe_server_start(pipe_server_t *server, const char *name)
{
  server->pipe =
      CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE,
                       PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS, 1, 512, 512, 0, NULL);
  CHECK(server->pipe != INVALID_HANDLE_VALUE);
  CHECK_CODE(uv_thread_create(&server->thread, serve, server->pipe), 0);
}

void pipe_server_join(pipe_server_t *server)
{
  CHECK_CODE(uv_thread_join(&server->thread), 0);
}
