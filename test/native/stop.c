/* How serve is stopped: Ctrl-C and Ctrl-Break, pressed in the console of a scenario that has one of its own. */
#include "native.h"

#include <string.h>

/* What is pressed comes to all that share the console. */
static BOOL WINAPI ignore(DWORD event)
{
  (void)event;
  return TRUE;
}

static void press(int key)
{
  static bool ignored;
  if (!ignored) {
    CHECK(SetConsoleCtrlHandler(ignore, TRUE), "cannot ignore keys (error %lu)", GetLastError());
    ignored = true;
  }
  step("pressing %s", key == CTRL_C_EVENT ? "Ctrl-C" : "Ctrl-Break");
  CHECK(GenerateConsoleCtrlEvent((DWORD)key, 0), "cannot press a key (error %lu)", GetLastError());
}

static void nothing_open(int key)
{
  int port = echo_server();
  program *p = serve(NULL, 1, "tcp://127.0.0.1:0=tcp://127.0.0.1:%d", port);
  press(key);
  expect_exit(p, 0);
}

/* A connection over a pipe to TCP on which a text has gone to the target. */
static rig begun(const char *flags, end *client, end *target)
{
  rig r = rig_start(KIND_BYTE, KIND_TCP, flags, "");
  *client = rig_client(&r);
  *target = rig_accept(&r);
  send_text(client, "hello");
  expect_text(target, "hello");
  return r;
}

/* No new client comes in, what is open goes on, and it ends with the last connection. */
static void drains(int key)
{
  end client;
  end target;
  rig r = begun("--drain=30", &client, &target);
  press(key);
  uint64_t until = now_ms() + SOON;
  HANDLE late;
  while ((late = pipe_try(r.listen_name, GENERIC_READ | GENERIC_WRITE, 0)) != INVALID_HANDLE_VALUE) {
    (void)CloseHandle(late);
    CHECK(now_ms() < until, "it still listens");
    Sleep(50);
  }
  CHECK(runs_for(r.p, 300), "it has ended while a client was there");
  send_text(&target, "late answer");
  expect_text(&client, "late answer");
  end_close(&client);
  expect_end(&target, 0);
  end_close(&target);
  expect_exit(r.p, 0);
  CHECK(strstr(r.p->errors.data, "interrupted") == NULL, "it says: %s", r.p->errors.data);
}

static void cuts_after_the_drain(int key)
{
  end client;
  end target;
  rig r = begun("--drain=0.5", &client, &target);
  press(key);
  expect_exit(r.p, 0);
  expect_end(&client, ERROR_BROKEN_PIPE);
  expect_end(&target, ANY_END);
  CHECK(strstr(r.p->errors.data, "1 connection was interrupted") != NULL, "it says: %s", r.p->errors.data);
}

static void second_cuts_at_once(int key)
{
  end client;
  end target;
  rig r = begun("--drain=60", &client, &target);
  press(key);
  CHECK(runs_for(r.p, 500), "it has ended at the first one");
  press(key);
  expect_exit(r.p, 0);
  expect_end(&client, ERROR_BROKEN_PIPE);
}

/* The far end is in the same console, and must not end before its connections do. */
static void far_end_drains(int key)
{
  const char *flags = text("--drain=30 --via \"\\\"%s\\\" mux\"", uvrelay_exe);
  rig r = rig_start(KIND_BYTE, KIND_TCP, flags, "via:");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_text(&client, "hello");
  expect_text(&target, "hello");
  press(key);
  CHECK(runs_for(r.p, 500), "it has ended while a client was there; it says: %s", r.p->errors.data);
  send_text(&target, "late answer");
  expect_text(&client, "late answer");
  end_close(&client);
  expect_end(&target, 0);
  end_close(&target);
  expect_exit(r.p, 0);
}

/* The one-shot program is ended by the system, as any program is that asks for nothing else. (Wine's status is 0 then.)
 */
static void one_shot(int key)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  press(key);
  CHECK(wait_exit(p) != 0 || under_wine(), "it calls that an orderly end");
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

const scenario stop_scenarios[] = {
    {"stop/ctrl-break-nothing-open", nothing_open, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-nothing-open", nothing_open, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-break-drains", drains, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-drains", drains, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-break-cuts-after-the-drain", cuts_after_the_drain, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-break-twice-cuts-at-once", second_cuts_at_once, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-cuts-after-the-drain", cuts_after_the_drain, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-twice-cuts-at-once", second_cuts_at_once, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-break-far-end-drains", far_end_drains, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-far-end-drains", far_end_drains, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-break-one-shot", one_shot, CTRL_BREAK_EVENT, OWN_CONSOLE, 0},
    {"stop/ctrl-c-one-shot", one_shot, CTRL_C_EVENT, OWN_CONSOLE, 0},
    {NULL, NULL, 0, 0, 0},
};
