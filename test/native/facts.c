/* What Windows does with pipes and sockets, as far as uvrelay leans on it. No program runs here but this one: where one
 * of these fails, Windows is not what the source believes. docs/windows-truth.md says where each is leant on. */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winternl.h>

/* ---- pipes ---- */

/* Both ends of a new pipe. */
static void make_pair(pipe_server *s, int type, int client_mode, end *client)
{
  pipe_listen(s, type);
  *client = pipe_connect(s->name, client_mode);
  pipe_accept(s);
}

static void zero_byte_message(int variant)
{
  char got[100];
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, MESSAGE_PIPE, &client);
  send_text(&s.e, "hello");
  end_shut(&s.e);
  send_text(&s.e, "abc");
  CHECK(end_read(&client, got, sizeof(got)) == 5, "the first message is not 5 bytes long");
  expect_end(&client, 0);
  CHECK(end_read(&client, got, sizeof(got)) == 3, "the message behind the zero-byte one is not 3 bytes long");
}

/* Which is why uvrelay reads in message mode. */
static void zero_byte_message_in_byte_mode(int variant)
{
  char got[100];
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, BYTE_PIPE, &client);
  send_text(&s.e, "hello");
  end_shut(&s.e);
  send_text(&s.e, "abc");
  size_t first = end_read(&client, got, sizeof(got));
  note("one read gives %llu of 5 + 0 + 3 bytes", (unsigned long long)first);
  CHECK(first == 8 || first == 5, "a read gives %llu bytes", (unsigned long long)first);
}

/* And why it flushes before it writes one: then it arrives even so. */
static void lone_zero_byte_message_in_byte_mode(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, BYTE_PIPE, &client);
  end_shut(&s.e);
  expect_end(&client, 0);
}

/* Either is borne: nothing, or a read of 0 bytes, which means nothing on such a pipe. */
static void empty_write_to_a_byte_pipe(int variant)
{
  char got[100];
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, BYTE_PIPE, BYTE_PIPE, &client);
  end_shut(&s.e);
  send_text(&s.e, "abc");
  size_t first = end_read(&client, got, sizeof(got));
  note("the reader %s it", first == 0 ? "sees" : "does not see");
  CHECK(client.why == 0, "the read fails with %lu", client.why);
  if (first == 0) {
    expect_text(&client, "abc");
  }
}

/* The count is in the OVERLAPPED, not in what ReadFile stores. */
static void more_data(int variant)
{
  char got[100];
  OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  DWORD stored = 77;
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, MESSAGE_PIPE, &client);
  send_pattern(&s.e, 1, 250, 250);
  BOOL ok = ReadFile(client.pipe, got, sizeof(got), &stored, &overlapped);
  DWORD error = ok ? 0 : GetLastError();
  note("ReadFile stores %lu", stored);
  CHECK(error == ERROR_MORE_DATA && overlapped.InternalHigh == 100, "the error is %lu, the count %llu", error,
        (unsigned long long)overlapped.InternalHigh);
  CHECK(pattern_matches(1, 0, got, 100), "other bytes came");
  CHECK(end_read(&client, got, sizeof(got)) == 100 && client.more, "the second part is not one");
  CHECK(end_read(&client, got, sizeof(got)) == 50 && !client.more, "the last part is not one");
}

static void busy_and_absent(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, BYTE_PIPE, BYTE_PIPE, &client);
  uint64_t begun = now_ms();
  CHECK(pipe_try(s.name, GENERIC_READ, 0) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY,
        "a busy pipe gives error %lu", GetLastError());
  CHECK(now_ms() - begun < 2000, "a busy pipe takes %llu ms to say so", (unsigned long long)(now_ms() - begun));
  const char *absent = unique_pipe();
  CHECK(pipe_try(absent, GENERIC_READ, 0) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_NOT_FOUND,
        "an absent pipe gives error %lu", GetLastError());
  CHECK(!WaitNamedPipeW(wide(absent), 1) && GetLastError() == ERROR_FILE_NOT_FOUND, "waiting for it gives error %lu",
        GetLastError());
  CHECK(!WaitNamedPipeW(wide(s.name), 1) && GetLastError() != ERROR_FILE_NOT_FOUND,
        "waiting for a busy pipe gives error %lu", GetLastError());
}

/* A failed CreateFile takes no instance. */
static void one_way(int inbound)
{
  pipe_server s = {.access = inbound ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_OUTBOUND};
  pipe_listen(&s, MESSAGE_PIPE);
  CHECK(pipe_try(s.name, GENERIC_READ | GENERIC_WRITE, 0) == INVALID_HANDLE_VALUE &&
            GetLastError() == ERROR_ACCESS_DENIED,
        "opened for both ways, it gives error %lu", GetLastError());
  DWORD rights = FILE_READ_ATTRIBUTES | SYNCHRONIZE;
  rights |= inbound ? FILE_WRITE_DATA : FILE_READ_DATA | FILE_WRITE_ATTRIBUTES;
  HANDLE client = pipe_try(s.name, rights, FILE_FLAG_OVERLAPPED);
  CHECK(client != INVALID_HANDLE_VALUE, "opened for its one way, it gives error %lu", GetLastError());
  DWORD mode = PIPE_READMODE_MESSAGE;
  CHECK(inbound || SetNamedPipeHandleState(client, &mode, NULL, NULL), "message mode is refused (error %lu)",
        GetLastError());
}

/* What a server has written before it closes arrives; what it has written before it disconnects does not. */
static void last_words(int disconnects)
{
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, MESSAGE_PIPE, &client);
  send_text(&s.e, "hello");
  if (disconnects) {
    CHECK(DisconnectNamedPipe(s.e.pipe), "cannot disconnect (error %lu)", GetLastError());
    expect_end(&client, ERROR_PIPE_NOT_CONNECTED);
    CHECK(!end_write(&client, "x", 1) && client.why == ERROR_PIPE_NOT_CONNECTED, "a write gives %lu", client.why);
  } else {
    end_close(&s.e);
    expect_text(&client, "hello");
    expect_end(&client, ERROR_BROKEN_PIPE);
    CHECK(!end_write(&client, "x", 1) && client.why == ERROR_NO_DATA, "a write gives %lu", client.why);
  }
}

typedef struct flushing {
  HANDLE pipe, thread;
  volatile DWORD error;
  volatile LONG over;
} flushing;

static void flush(void *argument)
{
  flushing *f = argument;
  f->error = FlushFileBuffers(f->pipe) ? 0 : GetLastError();
  (void)InterlockedExchange(&f->over, 1);
}

typedef enum flush_end { FLUSH_READ, FLUSH_CANCELLED, FLUSH_GONE } flush_end;

/* FlushFileBuffers waits for the reader, and can be cut short. That it ends with the reader is what matters, not how:
 * the zero-byte message that uvrelay writes next fails then. */
static void flush_waits(int how)
{
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, MESSAGE_PIPE, MESSAGE_PIPE, &client);
  send_text(&s.e, "hello");
  flushing f = {.pipe = s.e.pipe};
  f.thread = background(flush, &f);
  Sleep(300);
  CHECK(!f.over, "it does not wait for the reader (error %lu)", f.error);
  switch ((flush_end)how) {
  case FLUSH_READ:
    expect_text(&client, "hello");
    break;
  case FLUSH_CANCELLED:
    CHECK(CancelSynchronousIo(f.thread), "cannot cancel it (error %lu)", GetLastError());
    break;
  default:
    end_close(&client);
  }
  join(f.thread);
  note("it ends with error %lu", f.error);
  CHECK(how != FLUSH_READ || f.error == 0, "it fails with %lu", f.error);
  CHECK(how != FLUSH_CANCELLED || f.error == ERROR_OPERATION_ABORTED, "it ends with %lu", f.error);
}

/* A cancelled read takes no byte from the pipe. */
static void cancelled_read(int variant)
{
  char got[100];
  DWORD count;
  (void)variant;
  pipe_server s = {.instances = 1};
  end client;
  make_pair(&s, BYTE_PIPE, BYTE_PIPE, &client);
  for (int i = 0; i < 200; i++) {
    OVERLAPPED overlapped = {.hEvent = client.events[0]};
    BOOL ok = ReadFile(client.pipe, got, sizeof(got), NULL, &overlapped);
    CHECK(!ok && GetLastError() == ERROR_IO_PENDING, "a read of an empty pipe gives error %lu", GetLastError());
    if (i % 2 == 1) {
      send_text(&s.e, "hello");
    }
    (void)CancelIoEx(client.pipe, &overlapped);
    ok = GetOverlappedResult(client.pipe, &overlapped, &count, TRUE);
    CHECK(ok ? count == 5 : GetLastError() == ERROR_OPERATION_ABORTED, "the read ends with error %lu", GetLastError());
    if (!ok && i % 2 == 1) {
      expect_text(&client, "hello");
    }
  }
}

typedef NTSTATUS(NTAPI *query_file)(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, FILE_INFORMATION_CLASS);

static LONG query(HANDLE file, int class, void *out, ULONG size)
{
  IO_STATUS_BLOCK status;
  query_file call =
      (query_file)(void (*)(void))GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryInformationFile");
  return call(file, &status, out, size, (FILE_INFORMATION_CLASS) class);
}

/* FilePipeLocalInformation tells without reading that the other end is gone, and which ways a pipe has. */
static void state_of_a_pipe(int disconnects)
{
  ULONG told[10]; /* of FILE_PIPE_LOCAL_INFORMATION, ten numbers */
  pipe_server s = {.access = PIPE_ACCESS_INBOUND};
  pipe_listen(&s, BYTE_PIPE);
  HANDLE client = pipe_try(s.name, FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_FLAG_OVERLAPPED);
  pipe_accept(&s);
  LONG status = query(client, 24, told, sizeof(told));
  CHECK(status >= 0 && told[8] == 3 && told[1] == 0 && told[9] == 0,
        "connected: status 0x%lx, state %lu, configuration %lu, end %lu", status, told[8], told[1], told[9]);
  if (disconnects) {
    CHECK(DisconnectNamedPipe(s.e.pipe), "cannot disconnect (error %lu)", GetLastError());
  } else {
    end_close(&s.e);
  }
  status = query(client, 24, told, sizeof(told));
  note("status 0x%lx, state %lu", status, told[8]);
  CHECK(status >= 0 ? told[8] == 4 || told[8] == 1 : status == (LONG)0xC00000B0 || status == (LONG)0xC000014B,
        "the other end is gone: status 0x%lx, state %lu", status, told[8]);
}

/* A reader learns that the writer has left although there is still something to read. */
static void state_of_a_rest(int variant)
{
  ULONG told[10];
  char bytes[8];
  DWORD count = 0;
  (void)variant;
  pipe_server s = {.access = PIPE_ACCESS_OUTBOUND};
  pipe_listen(&s, BYTE_PIPE);
  HANDLE client = pipe_try(s.name, GENERIC_READ, 0);
  pipe_accept(&s);
  send_text(&s.e, "rest");
  end_close(&s.e);
  LONG status = query(client, 24, told, sizeof(told));
  CHECK(status >= 0 && told[8] == 4, "the writer is gone: status 0x%lx, state %lu", status, told[8]);
  CHECK(ReadFile(client, bytes, sizeof(bytes), &count, NULL) && count == 4, "%lu bytes (error %lu)", count,
        GetLastError());
}

/* FileModeInformation tells whether a handle is overlapped. */
static void mode_of_a_handle(int variant)
{
  HANDLE reading;
  HANDLE writing;
  ULONG mode;
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  CHECK(query(s.e.pipe, 16, &mode, sizeof(mode)) >= 0 && (mode & 0x30) == 0, "an overlapped pipe has mode 0x%lx", mode);
  CHECK(CreatePipe(&reading, &writing, NULL, 0) && query(reading, 16, &mode, sizeof(mode)) >= 0 && (mode & 0x30) != 0 &&
            query(writing, 16, &mode, sizeof(mode)) >= 0 && (mode & 0x30) != 0,
        "an anonymous pipe has mode 0x%lx", mode);
  HANDLE nul = CreateFileW(L"NUL", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
  CHECK(query(nul, 16, &mode, sizeof(mode)) >= 0 && (mode & 0x30) != 0, "NUL has mode 0x%lx", mode);
}

/* A socket's handle has the rights to read and to write, however it was made. A handle that lacks one is none. */
static void rights_of_a_socket(int flags)
{
  ACCESS_MASK rights = 0;
  const ACCESS_MASK both = FILE_READ_DATA | FILE_WRITE_DATA;
  WSADATA data;
  CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0, "there is no Winsock");
  SOCKET socket = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, (DWORD)flags);
  LONG status = query((HANDLE)socket, 8, &rights, sizeof(rights));
  CHECK(status >= 0 && (rights & both) == both, "status 0x%lx, rights 0x%lx", status, rights);
  CHECK(GetFileType((HANDLE)socket) == FILE_TYPE_PIPE, "its type is %lu", GetFileType((HANDLE)socket));
  (void)closesocket(socket);
}

/* A client that has come and gone before the server looks: what it has written can be read. */
static void come_and_gone(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  end client = pipe_connect(s.name, BYTE_PIPE);
  send_text(&client, "hello");
  end_close(&client);
  OVERLAPPED overlapped = {.hEvent = s.e.events[0]};
  BOOL ok = ConnectNamedPipe(s.e.pipe, &overlapped);
  DWORD error = ok ? 0 : GetLastError();
  CHECK(error == ERROR_NO_DATA || error == ERROR_PIPE_CONNECTED, "ConnectNamedPipe gives error %lu", error);
  note("ConnectNamedPipe gives error %lu", error);
  expect_text(&s.e, "hello");
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

const scenario pipe_facts[] = {
    {"facts/zero-byte-message", zero_byte_message, 0, 0, 0},
    {"facts/zero-byte-message-in-byte-mode", zero_byte_message_in_byte_mode, 0, 0, 0},
    {"facts/lone-zero-byte-message-in-byte-mode", lone_zero_byte_message_in_byte_mode, 0, 0, 0},
    {"facts/empty-write-to-a-byte-pipe", empty_write_to_a_byte_pipe, 0, 0, 0},
    {"facts/more-data", more_data, 0, 0, 0},
    {"facts/busy-and-absent", busy_and_absent, 0, 0, 0},
    {"facts/one-way-outbound", one_way, 0, 0, 0},
    {"facts/one-way-inbound", one_way, 1, 0, 0},
    {"facts/closing-keeps-what-was-written", last_words, 0, 0, 0},
    {"facts/disconnecting-discards-it", last_words, 1, 0, 0},
    {"facts/flush-waits-for-the-reader", flush_waits, FLUSH_READ, 0, 0},
    {"facts/flush-can-be-cancelled", flush_waits, FLUSH_CANCELLED, 0, 0},
    {"facts/flush-ends-with-the-reader", flush_waits, FLUSH_GONE, 0, 0},
    {"facts/cancelled-read-takes-nothing", cancelled_read, 0, 0, 0},
    {"facts/state-of-a-closed-pipe", state_of_a_pipe, 0, 0, 0},
    {"facts/state-of-a-disconnected-pipe", state_of_a_pipe, 1, 0, 0},
    {"facts/state-of-a-pipe-with-a-rest", state_of_a_rest, 0, 0, 0},
    {"facts/mode-of-a-handle", mode_of_a_handle, 0, 0, 0},
    {"facts/rights-of-a-socket", rights_of_a_socket, WSA_FLAG_OVERLAPPED, 0, 0},
    {"facts/rights-of-a-socket-that-waits", rights_of_a_socket, 0, 0, 0},
    {"facts/come-and-gone", come_and_gone, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};

/* ---- processes ---- */

/* `--helper far`: starts a process that inherits what it can and outlives this one, and fails as a far end. */
static void far_end_with_a_descendant(void)
{
  STARTUPINFOW startup = {.cb = sizeof(startup)};
  PROCESS_INFORMATION made;
  wchar_t self[MAX_PATH];
  (void)GetModuleFileNameW(NULL, self, MAX_PATH);
  CHECK(CreateProcessW(self, wide(text("native_test \"%s\" --helper sleep", uvrelay_exe)), NULL, NULL, TRUE, 0, NULL,
                       NULL, &startup, &made),
        "cannot start a process (error %lu)", GetLastError());
  ExitProcess(5);
}

/* `--helper PORT|PIPE 0|1`: connects, says hello, and waits to be killed. A socket is armed, or not:
 * with SO_LINGER of no time, its closing is a reset. */
void helper(int count, char **words)
{
  if (strcmp(words[0], "sleep") == 0) {
    Sleep(INFINITE);
  }
  if (strcmp(words[0], "far") == 0) {
    far_end_with_a_descendant();
  }
  bool tcp = count > 0 && words[0][0] != '/';
  end e = tcp ? tcp_connect(atoi(words[0])) : pipe_connect(words[0], BYTE_PIPE);
  struct linger armed = {.l_onoff = 1, .l_linger = 0};
  if (tcp && count > 1 && strcmp(words[1], "1") == 0) {
    CHECK(setsockopt(e.socket, SOL_SOCKET, SO_LINGER, (const char *)&armed, sizeof(armed)) == 0,
          "cannot set SO_LINGER (error %d)", WSAGetLastError());
  }
  send_text(&e, "hello");
  Sleep(INFINITE);
}

const char *own_path(void)
{
  wchar_t self[MAX_PATH];
  char path[MAX_PATH * 3];
  (void)GetModuleFileNameW(NULL, self, MAX_PATH);
  (void)WideCharToMultiByte(CP_UTF8, 0, self, -1, path, sizeof(path), NULL, NULL);
  return text("%s", path);
}

static program *start_helper(const char *where, int armed)
{
  const char *path = own_path();
  const launch how = {.in = STD_NUL, .out = STD_NUL, .err = STD_NUL, .program = path};
  return start(&how, "\"%s\" --helper %s %d", uvrelay_exe, where, armed);
}

/* uvrelay arms its sockets while a connection is under way, so that a kill is a reset and no orderly end. */
static void killed_socket(int armed)
{
  int port;
  SOCKET listener = tcp_listen(&port);
  program *p = start_helper(text("%d", port), armed);
  end e = tcp_accept(listener);
  char byte;
  expect_text(&e, "hello");
  CHECK(TerminateProcess(p->process, 7), "cannot kill a process (error %lu)", GetLastError());
  size_t got = end_read(&e, &byte, 1);
  note("the peer sees %s (%lu)", e.why == 0 ? "an end" : "a reset", e.why);
  CHECK(got == 0 && (!armed || e.why == WSAECONNRESET), "an armed socket's end is %lu", e.why);
}

static void killed_pipe(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start_helper(s.name, 0);
  pipe_accept(&s);
  DWORD there = 0;
  while (PeekNamedPipe(s.e.pipe, NULL, 0, NULL, &there, NULL) && there < 5) {
    check_it_runs();
    Sleep(5);
  }
  CHECK(TerminateProcess(p->process, 7), "cannot kill a process (error %lu)", GetLastError());
  expect_text(&s.e, "hello");
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

/* Each end can ask for the other's process. */
static void process_of_a_peer(int variant)
{
  ULONG id = 0;
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start_helper(s.name, 0);
  pipe_accept(&s);
  expect_text(&s.e, "hello");
  CHECK(GetNamedPipeClientProcessId(s.e.pipe, &id) && id == p->id, "the client's process is %lu, not %lu", id, p->id);
}

const scenario process_facts[] = {
    {"facts/killed-socket-that-is-armed", killed_socket, 1, 0, 0},
    {"facts/killed-socket-that-is-not", killed_socket, 0, 0, 0},
    {"facts/killed-pipe", killed_pipe, 0, 0, 0},
    {"facts/process-of-a-peer", process_of_a_peer, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
