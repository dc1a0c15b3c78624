/* Two programs and one stream between them: `uvrelay.exe serve` whose far end is `uvrelay.exe mux`. */
#include "native.h"

#include <stdlib.h>
#include <string.h>

enum { MUCH = 3 * 1000 * 1000, CHUNK = 50021 };

static const char *via(const char *more)
{
  return text("--linger=1 --via \"\\\"%s\\\" mux%s\"", uvrelay_exe, more);
}

static rig rig_via(int pair)
{
  return rig_start((end_kind)(pair / 3), (end_kind)(pair % 3), via(""), "via:");
}

/* The process of the far end that was started as the `number`th. */
static HANDLE far_end(program *p, int number, DWORD rights)
{
  static const char mark[] = "started (process ";
  uint64_t until = now_ms() + SOON;
  for (;;) {
    const char *at = wait_error(p, mark);
    for (int i = 1; i < number && at != NULL; i++) {
      at = strstr(at + 1, mark);
    }
    at = at != NULL ? strstr(at, mark) : NULL;
    if (at != NULL) {
      HANDLE process = OpenProcess(rights | SYNCHRONIZE, FALSE, (DWORD)atoi(at + strlen(mark)));
      CHECK(process != NULL, "cannot open the far end's process (error %lu)", GetLastError());
      return process;
    }
    CHECK(now_ms() < until && runs_for(p, 20), "no far end was started as number %d: %s", number, p->errors.data);
  }
}

static void pair(int variant)
{
  rig r = rig_via(variant);
  end client = rig_client(&r);
  end target = rig_accept(&r);
  exchange(&client, &target, MUCH, CHUNK);
  end_close(&client);
  expect_end(&target, ANY_END);
  end_close(&target);
  (void)wait_error(r.p, text("; %d bytes to the target, %d bytes to the client", MUCH, MUCH));
}

static void half_close(int variant)
{
  rig r = rig_via(variant);
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_pattern(&client, 3, 50000, CHUNK);
  end_shut(&client);
  expect_pattern(&target, 3, 50000);
  expect_end(&target, 0);
  Sleep(300);
  send_pattern(&target, 4, 50000, CHUNK);
  end_shut(&target);
  expect_pattern(&client, 4, 50000);
  expect_end(&client, 0);
}

/* Its connections end, and the next client is served by the next far end. */
static void far_end_killed(int variant)
{
  rig r = rig_via(variant);
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_text(&client, "hello");
  expect_text(&target, "hello");
  HANDLE first = far_end(r.p, 1, PROCESS_TERMINATE);
  CHECK(TerminateProcess(first, 7), "cannot kill the far end (error %lu)", GetLastError());
  expect_end(&client, r.listen == KIND_TCP && !under_wine() ? WSAECONNRESET : ANY_END);
  expect_end(&target, r.target == KIND_TCP && !under_wine() ? WSAECONNRESET : ANY_END);
  end_close(&target);
  client = rig_client(&r);
  target = rig_accept(&r);
  send_text(&client, "again");
  expect_text(&target, "again");
  (void)far_end(r.p, 2, 0);
}

/* The far end ends with serve, however suddenly that ends. */
static void serve_killed(int variant)
{
  (void)variant;
  rig r = rig_via(8);
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_text(&client, "hello");
  expect_text(&target, "hello");
  HANDLE process = far_end(r.p, 1, 0);
  CHECK(TerminateProcess(r.p->process, 7), "cannot kill serve (error %lu)", GetLastError());
  step("waiting for the end of the far end");
  CHECK(WaitForSingleObject(process, SOON) == WAIT_OBJECT_0, "the far end is still there");
  expect_end(&target, ANY_END);
}

/* What the far end has started, and leaves behind, holds nothing of serve's: the reader of serve's messages sees their
 * end. */
static void descendants(int variant)
{
  (void)variant;
  program *p = serve(NULL, 1, "--via \"\\\"%s\\\" \\\"%s\\\" --helper far\" tcp://127.0.0.1:0=via:tcp://127.0.0.1:9",
                     own_path(), uvrelay_exe);
  end client = tcp_connect(port_of(p, 1));
  (void)wait_error(p, "exited at once with status 5");
  end_close(&client);
  CHECK(TerminateProcess(p->process, 7), "cannot kill serve (error %lu)", GetLastError());
  (void)wait_exit(p); /* which waits for the end of its messages, too */
}

static void allow(int variant)
{
  (void)variant;
  rig r = rig_start(KIND_TCP, KIND_BYTE, via(" --allow=//./pipe/something-else*"), "via:");
  end client = rig_client(&r);
  expect_end(&client, ANY_END);
  (void)wait_error(r.p, "not allowed");
}

static void many(int variant)
{
  enum { CLIENTS = 60 };
  (void)variant;
  end clients[CLIENTS];
  int port = echo_server();
  program *p = serve(NULL, 1, "%s tcp://127.0.0.1:0=via:tcp://127.0.0.1:%d", via(""), port);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = tcp_connect(port_of(p, 1));
    send_pattern(&clients[i], (uint64_t)i, 20000, CHUNK);
  }
  for (int i = 0; i < CLIENTS; i++) {
    step("client %d", i);
    expect_pattern(&clients[i], (uint64_t)i, 20000);
  }
}

const scenario mux_scenarios[] = {
    {"mux/pair-byte-to-message", pair, 1, 0, 0},
    {"mux/pair-message-to-tcp", pair, 5, 0, 0},
    {"mux/pair-tcp-to-byte", pair, 6, 0, 0},
    {"mux/pair-tcp-to-tcp", pair, 8, 0, 0},
    {"mux/half-close-message-to-message", half_close, 4, 0, 0},
    {"mux/half-close-tcp-to-message", half_close, 7, 0, 0},
    {"mux/half-close-message-to-tcp", half_close, 5, 0, 0},
    {"mux/far-end-killed-tcp", far_end_killed, 8, 0, 0},
    {"mux/far-end-killed-pipe", far_end_killed, 0, 0, 0},
    {"mux/serve-killed", serve_killed, 0, 0, 0},
    {"mux/descendants-hold-nothing", descendants, 0, 0, 0},
    {"mux/allow", allow, 0, 0, 0},
    {"mux/many", many, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
