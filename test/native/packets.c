/* Which operations on a pipe send a packet to its completion port. uvrelay gives libuv's port operations that libuv
 * does not know (src/stream/iocp_op_win.c): a packet that is not expected, for an OVERLAPPED that is in use again,
 * would corrupt libuv's list of requests, and one that never comes would be waited for forever. */
#include "native.h"

#include <string.h>

enum { QUIET_MS = 300, ROOM = 100 };

typedef struct ported {
  HANDLE port;
  pipe_server s;
  end client; /* attached to the port */
  OVERLAPPED overlapped;
  char room[ROOM];
  DWORD error;
} ported;

static ported *make(int type, bool skips)
{
  ported *p = memory(sizeof(*p));
  pipe_listen(&p->s, type);
  p->client = pipe_connect(p->s.name, type);
  pipe_accept(&p->s);
  p->port = CreateIoCompletionPort(p->client.pipe, NULL, 1, 1);
  CHECK(p->port != NULL, "cannot make a port (error %lu)", GetLastError());
  CHECK(!skips || SetFileCompletionNotificationModes(p->client.pipe, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS),
        "FILE_SKIP_COMPLETION_PORT_ON_SUCCESS is refused (error %lu)", GetLastError());
  return p;
}

/* How many packets come for the operation before `behind`, one of our own that is posted now, and how many later. */
static int packets(ported *p, int *later)
{
  static OVERLAPPED behind;
  int before = 0;
  bool passed = false;
  CHECK(PostQueuedCompletionStatus(p->port, 0, 2, &behind), "cannot post a packet (error %lu)", GetLastError());
  *later = 0;
  for (;;) {
    DWORD bytes;
    ULONG_PTR key;
    OVERLAPPED *which = NULL;
    (void)GetQueuedCompletionStatus(p->port, &bytes, &key, &which, QUIET_MS);
    if (which == NULL) {
      CHECK(passed, "our own packet is lost");
      return before;
    }
    if (which == &behind) {
      passed = true;
    } else if (passed) {
      ++*later;
    } else {
      before++;
    }
  }
}

static void issue_read(ported *p)
{
  memset(&p->overlapped, 0, sizeof(p->overlapped));
  BOOL ok = ReadFile(p->client.pipe, p->room, ROOM, NULL, &p->overlapped);
  p->error = ok ? 0 : GetLastError();
}

static void issue_write(ported *p)
{
  memset(&p->overlapped, 0, sizeof(p->overlapped));
  BOOL ok = WriteFile(p->client.pipe, "hello", 5, NULL, &p->overlapped);
  p->error = ok ? 0 : GetLastError();
}

/* `at_once` is borne exactly; a packet after our own is never. */
static void expect_packets(ported *p, DWORD error, int at_once)
{
  int later;
  CHECK(p->error == error, "the call gives error %lu, not %lu", p->error, error);
  int before = packets(p, &later);
  note("%d packets", before + later);
  CHECK(before == at_once && later == 0, "%d packets come at once and %d later, where %d is expected", before, later,
        at_once);
}

static void success(int skips)
{
  ported *p = make(MESSAGE_PIPE, skips != 0);
  send_text(&p->s.e, "hello");
  issue_read(p);
  expect_packets(p, 0, skips ? 0 : 1);
  issue_write(p);
  expect_packets(p, 0, skips ? 0 : 1);
}

static void zero_bytes(int skips)
{
  ported *p = make(MESSAGE_PIPE, skips != 0);
  end_shut(&p->s.e);
  issue_read(p);
  expect_packets(p, 0, skips ? 0 : 1);
  CHECK(p->overlapped.InternalHigh == 0, "a zero-byte message has %llu bytes",
        (unsigned long long)p->overlapped.InternalHigh);
}

/* Nothing says whether one comes with the flag. uvrelay bears both, as long as it comes at once: it waits for a packet
 * of its own after it. */
static void more_data(int skips)
{
  int later;
  ported *p = make(MESSAGE_PIPE, skips != 0);
  send_pattern(&p->s.e, 1, ROOM * 3, ROOM * 3);
  for (int part = 1; part <= 2; part++) {
    issue_read(p);
    CHECK(p->error == ERROR_MORE_DATA, "part %d of a message gives error %lu", part, p->error);
    CHECK(p->overlapped.InternalHigh == ROOM, "part %d has %llu bytes", part,
          (unsigned long long)p->overlapped.InternalHigh);
    int before = packets(p, &later);
    note("ERROR_MORE_DATA sends %s with%s FILE_SKIP_COMPLETION_PORT_ON_SUCCESS",
         before + later > 0 ? "a packet" : "no packet", skips ? "" : "out");
    CHECK(later == 0, "the packet comes after what was posted behind it");
    CHECK(skips ? before <= 1 : before == 1, "%d packets come", before);
  }
}

static void gone(int skips)
{
  ported *p = make(MESSAGE_PIPE, skips != 0);
  end_close(&p->s.e);
  issue_read(p);
  expect_packets(p, ERROR_BROKEN_PIPE, 0);
  issue_write(p);
  expect_packets(p, ERROR_NO_DATA, 0);
}

static void disconnected(int skips)
{
  ported *p = make(MESSAGE_PIPE, skips != 0);
  CHECK(DisconnectNamedPipe(p->s.e.pipe), "cannot disconnect (error %lu)", GetLastError());
  issue_read(p);
  expect_packets(p, ERROR_PIPE_NOT_CONNECTED, 0);
  issue_write(p);
  expect_packets(p, ERROR_PIPE_NOT_CONNECTED, 0);
}

/* One that is pending sends exactly one, however it ends: by data, by a part of a message, by the end of the pipe, or
 * because it is cancelled. */
static void pending(int skips)
{
  for (int how = 0; how < 4; how++) {
    ported *p = make(MESSAGE_PIPE, skips != 0);
    issue_read(p);
    CHECK(p->error == ERROR_IO_PENDING, "a read of an empty pipe gives error %lu", p->error);
    if (how == 0) {
      send_text(&p->s.e, "hello");
    } else if (how == 1) {
      send_pattern(&p->s.e, 1, ROOM * 2, ROOM * 2);
    } else if (how == 2) {
      end_close(&p->s.e);
    } else {
      CHECK(CancelIoEx(p->client.pipe, &p->overlapped), "cannot cancel (error %lu)", GetLastError());
    }
    DWORD bytes;
    ULONG_PTR key;
    OVERLAPPED *which = NULL;
    (void)GetQueuedCompletionStatus(p->port, &bytes, &key, &which, SOON);
    CHECK(which == &p->overlapped, "no packet comes for end %d", how);
    int later;
    CHECK(packets(p, &later) == 0 && later == 0, "a second packet comes for end %d", how);
    BOOL ok = GetOverlappedResult(p->client.pipe, &p->overlapped, &bytes, FALSE);
    static const DWORD errors[] = {0, ERROR_MORE_DATA, ERROR_BROKEN_PIPE, ERROR_OPERATION_ABORTED};
    CHECK((ok ? 0 : GetLastError()) == errors[how], "end %d is error %lu", how, GetLastError());
  }
}

/* An event whose lowest bit is set keeps the packet from coming. */
static void event_with_the_low_bit(int variant)
{
  DWORD bytes;
  int later;
  (void)variant;
  ported *p = make(MESSAGE_PIPE, false);
  OVERLAPPED overlapped = {.hEvent = (HANDLE)((uintptr_t)CreateEventW(NULL, TRUE, FALSE, NULL) | 1)};
  CHECK(!ReadFile(p->client.pipe, p->room, ROOM, NULL, &overlapped) && GetLastError() == ERROR_IO_PENDING,
        "a read of an empty pipe gives error %lu", GetLastError());
  send_text(&p->s.e, "hello");
  CHECK(GetOverlappedResult(p->client.pipe, &overlapped, &bytes, TRUE) && bytes == 5, "it ends with error %lu",
        GetLastError());
  CHECK(packets(p, &later) == 0 && later == 0, "a packet comes nevertheless");
  overlapped.InternalHigh = 0;
  CHECK(WriteFile(p->client.pipe, "hello", 5, NULL, &overlapped), "a write gives error %lu", GetLastError());
  CHECK(packets(p, &later) == 0 && later == 0, "a packet comes for a write that was done at once");
}

/* A listener's ConnectNamedPipe: none if the client is there already, one if it comes later or is never to come. */
static void connecting(int variant)
{
  DWORD bytes;
  ULONG_PTR key;
  int later;
  (void)variant;
  for (int how = 0; how < 3; how++) {
    ported *p = memory(sizeof(*p));
    pipe_listen(&p->s, BYTE_PIPE);
    p->port = CreateIoCompletionPort(p->s.e.pipe, NULL, 1, 1);
    if (how == 0) {
      p->client = pipe_connect(p->s.name, BYTE_PIPE);
    }
    BOOL ok = ConnectNamedPipe(p->s.e.pipe, &p->overlapped);
    DWORD error = ok ? 0 : GetLastError();
    CHECK(error == (how == 0 ? (DWORD)ERROR_PIPE_CONNECTED : (DWORD)ERROR_IO_PENDING),
          "ConnectNamedPipe gives error %lu", error);
    if (how == 1) {
      p->client = pipe_connect(p->s.name, BYTE_PIPE);
    } else if (how == 2) {
      CHECK(CancelIoEx(p->s.e.pipe, &p->overlapped), "cannot cancel (error %lu)", GetLastError());
    }
    if (how > 0) {
      OVERLAPPED *which = NULL;
      (void)GetQueuedCompletionStatus(p->port, &bytes, &key, &which, SOON);
      CHECK(which == &p->overlapped, "no packet comes");
    }
    CHECK(packets(p, &later) == 0 && later == 0, "a packet comes that nobody expects");
  }
}

const scenario packet_facts[] = {
    {"packets/success", success, 0, 0, 0},
    {"packets/success-skipped", success, 1, 0, 0},
    {"packets/zero-bytes", zero_bytes, 0, 0, 0},
    {"packets/zero-bytes-skipped", zero_bytes, 1, 0, 0},
    {"packets/more-data", more_data, 0, 0, 0},
    {"packets/more-data-skipped", more_data, 1, 0, 0},
    {"packets/gone", gone, 0, 0, 0},
    {"packets/gone-skipped", gone, 1, 0, 0},
    {"packets/disconnected", disconnected, 0, 0, 0},
    {"packets/disconnected-skipped", disconnected, 1, 0, 0},
    {"packets/pending", pending, 0, 0, 0},
    {"packets/pending-skipped", pending, 1, 0, 0},
    {"packets/event-with-the-low-bit", event_with_the_low_bit, 0, 0, 0},
    {"packets/connecting", connecting, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
