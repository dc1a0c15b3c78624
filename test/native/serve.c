/* `uvrelay.exe serve`: each pair of what it listens on and what it connects to, its options, what it refuses, what it
 * says, and how it is stopped. */
#include "native.h"

#include <stdio.h>
#include <string.h>

enum { MUCH = 3 * 1000 * 1000, CHUNK = 50021 };
#define NOBODY "tcp://127.0.0.1:9"

static rig rig_of(int pair, const char *flags)
{
  return rig_start((end_kind)(pair / 3), (end_kind)(pair % 3), flags, "");
}

/* Two clients, one after the other; much both ways at once; the counts in the log. */
static void pair(int variant)
{
  rig r = rig_of(variant, "--linger=1");
  for (int number = 1; number <= 2; number++) {
    end client = rig_client(&r);
    end target = rig_accept(&r);
    send_text(&client, "question");
    expect_text(&target, "question");
    send_text(&target, "answer");
    expect_text(&client, "answer");
    exchange(&client, &target, MUCH, CHUNK);
    end_close(&client);
    expect_end(&target, r.target == KIND_BYTE ? ERROR_BROKEN_PIPE : ANY_END);
    end_close(&target);
    (void)wait_error(r.p, text(" #%d: closed after", number));
    (void)wait_error(r.p, text("; %d bytes to the target, %d bytes to the client", MUCH + 8, MUCH + 6));
  }
}

/* The end of the client's input, and the late answer. */
static void half_close(int variant)
{
  rig r = rig_of(variant, "--linger=3");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_pattern(&client, 3, 50000, CHUNK);
  end_shut(&client);
  expect_pattern(&target, 3, 50000);
  if (half_closes(r.target)) {
    expect_end(&target, 0);
  }
  Sleep(500);
  send_pattern(&target, 4, 50000, CHUNK);
  expect_pattern(&client, 4, 50000);
  end_close(&target);
  expect_end(&client, ANY_END);
}

static void target_half_close(int variant)
{
  rig r = rig_of(variant, "--linger=3");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_pattern(&target, 5, 50000, CHUNK);
  end_shut(&target);
  expect_pattern(&client, 5, 50000);
  if (half_closes(r.listen)) {
    expect_end(&client, 0);
  }
  Sleep(500);
  send_pattern(&client, 6, 50000, CHUNK);
  expect_pattern(&target, 6, 50000);
  end_close(&client);
  expect_end(&target, ANY_END);
}

/* Between two pipes messages stay what they are, also those longer than any buffer. */
static void messages_keep_their_bounds(int variant)
{
  static const size_t sizes[] = {1, 100, 65536, 65537, 300000, 5};
  (void)variant;
  rig r = rig_start(KIND_MESSAGE, KIND_MESSAGE, "", "");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  char *buffer = memory(300000);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    HANDLE sending = send_in_background(&client, i, sizes[i], sizes[i]);
    size_t have = 0;
    do {
      have += end_read(&target, buffer + have, 300000 - have);
    } while (target.more);
    join(sending);
    CHECK(have == sizes[i] && pattern_matches(i, 0, buffer, have), "a message of %llu bytes came as one of %llu",
          (unsigned long long)sizes[i], (unsigned long long)have);
  }
  end_shut(&client);
  expect_end(&target, 0);
}

static void max_clients(int variant)
{
  (void)variant;
  rig r = rig_start(KIND_TCP, KIND_TCP, "--max=1", "");
  end first = rig_client(&r);
  end target = rig_accept(&r);
  end second = rig_client(&r); /* the system takes it, uvrelay does not */
  send_text(&second, "second");
  send_text(&first, "first");
  expect_text(&target, "first");
  Sleep(300);
  CHECK(strstr(wait_error(r.p, "#1: opened"), "#2: opened") == NULL, "it has accepted two: %s", r.p->errors.data);
  end_close(&first);
  expect_end(&target, 0);
  end_close(&target);
  target = rig_accept(&r);
  expect_text(&target, "second");
}

static void idle(int variant)
{
  (void)variant;
  rig r = rig_start(KIND_BYTE, KIND_TCP, "--idle=1", "");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  for (int i = 0; i < 4; i++) {
    Sleep(400);
    send_text(&target, "tick");
    expect_text(&client, "tick");
  }
  expect_end(&client, ANY_END);
  expect_end(&target, ANY_END);
}

/* A target that is not there costs its client, not the listener. */
static void absent_target(int variant)
{
  (void)variant;
  const char *name = unique_pipe();
  program *p = serve(NULL, 2, "tcp://127.0.0.1:0=%s tcp://127.0.0.1:0=%s?absent=wait", name, name);
  end client = tcp_connect(port_of(p, 1));
  expect_end(&client, ANY_END);
  (void)wait_error(p, "there is no pipe");
  end waits = tcp_connect(port_of(p, 2));
  send_text(&waits, "hello");
  Sleep(300);
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  end_close(&s.e);
  (void)snprintf(s.name, sizeof(s.name), "%s", name);
  pipe_instance(&s);
  pipe_accept(&s);
  expect_text(&s.e, "hello");
  send_text(&s.e, "booted");
  expect_text(&waits, "booted");
}

/* Clients that come while all instances of the target are busy wait their turn. */
static void busy_target(int variant)
{
  enum { CLIENTS = 10 };
  (void)variant;
  end clients[CLIENTS];
  rig r = rig_start(KIND_TCP, KIND_MESSAGE, "", "");
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = tcp_connect(port_of(r.p, 1));
    send_text(&clients[i], "q");
    end_shut(&clients[i]);
  }
  for (int i = 0; i < CLIENTS; i++) {
    end target = rig_accept(&r);
    expect_text(&target, "q");
    expect_end(&target, 0);
    send_text(&target, "answer");
    rig_ready(&r); /* before the last one closes: else there would be no pipe for a moment */
    end_close(&target);
  }
  for (int i = 0; i < CLIENTS; i++) {
    expect_text(&clients[i], "answer");
    expect_end(&clients[i], 0);
  }
}

static void config_file(int variant)
{
  (void)variant;
  int port = echo_server();
  const char *name = unique_pipe();
  CHECK(SetEnvironmentVariableW(L"UVRELAY_NATIVE_PIPE", wide(name)), "cannot set a variable");
  const char *content =
      text("\xef\xbb\xbf# comment\r\n\r\n linger=3 # three\r\n"
           "tcp://127.0.0.1:0=tcp://127.0.0.1:%d\r\n\t${UVRELAY_NATIVE_PIPE}=tcp://127.0.0.1:%d # x\r\n",
           port, port);
  char *path = temporary_file("-\xc3\xbc.conf", content, strlen(content));
  program *p = serve(NULL, 2, "\"--config=%s\"", path);
  end first = tcp_connect(port_of(p, 1));
  end second = pipe_connect(name, BYTE_PIPE);
  send_text(&first, "one");
  send_text(&second, "two");
  expect_text(&first, "one");
  expect_text(&second, "two");
  (void)DeleteFileW(wide(path));
  path = temporary_file(".conf", "# fine\r\ncolour=blue\r\n", 21);
  expect_refusal(start(NULL, "serve \"--config=%s\"", path), 2, strrchr(path, '/'), ":2:", "colour", NULL);
  (void)DeleteFileW(wide(path));
}

static void refusals(int variant)
{
  int port;
  (void)variant;
  (void)tcp_listen(&port);
  pipe_server taken = {.instances = PIPE_UNLIMITED_INSTANCES};
  pipe_listen(&taken, BYTE_PIPE);
  expect_refusal(start(NULL, "serve tcp://127.0.0.1:%d=" NOBODY, port), 1, "EADDRINUSE", text(":%d", port), NULL);
  expect_refusal(start(NULL, "serve npipe:ring=//./pipe/RING"), 2, "would be its own target", NULL);
  expect_refusal(start(NULL, "serve npipe:one=npipe:two npipe:two=npipe:one"), 2, "in a loop", NULL);
  expect_refusal(start(NULL, "serve //HOST/pipe/x=" NOBODY), 1, "another computer", NULL);
  expect_refusal(start(NULL, "serve npipe:x?mode=stream=" NOBODY), 2, "mode", "stream", NULL);
  expect_refusal(start(NULL, "serve tcp://127.0.0.1:0?eof=marker=" NOBODY), 2, "eof", "tcp", NULL);
  program *p = start(NULL, "serve tcp://0.0.0.0:0=" NOBODY);
  CHECK(wait_exit(p) != 0 && strstr(p->errors.data, "--allow-remote") != NULL, "it says: %s", p->errors.data);
  p = start(NULL, "serve unix:///C:/x.sock=" NOBODY);
  CHECK(wait_exit(p) != 0 && strstr(p->errors.data, "Windows") != NULL, "it says: %s", p->errors.data);
}

/* Either every route listens or none does. */
static void all_or_nothing(int variant)
{
  int port;
  (void)variant;
  const char *name = unique_pipe();
  (void)tcp_listen(&port);
  expect_refusal(start(NULL, "serve %s=" NOBODY " tcp://127.0.0.1:%d=" NOBODY, name, port), 1, "EADDRINUSE", NULL);
  CHECK(pipe_try(name, GENERIC_READ, 0) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_FILE_NOT_FOUND,
        "the pipe of the other route is left (error %lu)", GetLastError());
}

static void json_and_status(int variant)
{
  (void)variant;
  int port = echo_server();
  program *p = start(NULL, "serve -v --json --status=0.3 %s=tcp://127.0.0.1:%d", unique_pipe(), port);
  char *said = wait_error(p, "\"event\":\"listening\"");
  char *name = strstr(said, "//./pipe/");
  CHECK(name != NULL, "it says: %s", said);
  name[strcspn(name, "\"?=")] = '\0';
  end client = pipe_connect(name, BYTE_PIPE);
  send_text(&client, "1234567");
  expect_text(&client, "1234567");
  (void)wait_error(p, text("\"peer_pid\":%lu", GetCurrentProcessId()));
  (void)wait_error(p, "\"to_target\":7,\"to_client\":7");
  end_close(&client);
  (void)wait_error(p, "\"event\":\"closed\"");
}

/* Peers of a process that is killed must not take half an answer for a whole one. */
static void killed(int listen)
{
  rig r = rig_start((end_kind)listen, KIND_TCP, "", "");
  end client = rig_client(&r);
  end target = rig_accept(&r);
  send_text(&client, "hello");
  expect_text(&target, "hello");
  send_text(&target, "hello");
  expect_text(&client, "hello");
  CHECK(TerminateProcess(r.p->process, 7), "cannot kill it (error %lu)", GetLastError());
  expect_end(&client, listen == KIND_TCP ? WSAECONNRESET : ERROR_BROKEN_PIPE);
  expect_end(&target, WSAECONNRESET);
}

#define ALL_PAIRS(name, function)                                                                                      \
  {name "-byte-to-byte", function, 0, 0, 0}, {name "-byte-to-message", function, 1, 0, 0},                             \
      {name "-byte-to-tcp", function, 2, 0, 0}, {name "-message-to-byte", function, 3, 0, 0},                          \
      {name "-message-to-message", function, 4, 0, 0}, {name "-message-to-tcp", function, 5, 0, 0},                    \
      {name "-tcp-to-byte", function, 6, 0, 0}, {name "-tcp-to-message", function, 7, 0, 0},                           \
  {                                                                                                                    \
    name "-tcp-to-tcp", function, 8, 0, 0                                                                              \
  }

const scenario serve_scenarios[] = {
    ALL_PAIRS("serve/pair", pair),
    {"serve/half-close-message-to-byte", half_close, 3, 0, 0},
    {"serve/half-close-message-to-message", half_close, 4, 0, 0},
    {"serve/half-close-message-to-tcp", half_close, 5, 0, 0},
    {"serve/half-close-tcp-to-byte", half_close, 6, 0, 0},
    {"serve/half-close-tcp-to-message", half_close, 7, 0, 0},
    {"serve/target-half-close-byte-to-message", target_half_close, 1, 0, 0},
    {"serve/target-half-close-message-to-message", target_half_close, 4, 0, 0},
    {"serve/target-half-close-message-to-tcp", target_half_close, 5, 0, 0},
    {"serve/target-half-close-tcp-to-message", target_half_close, 7, 0, 0},
    {"serve/target-half-close-tcp-to-tcp", target_half_close, 8, 0, 0},
    {"serve/messages-keep-their-bounds", messages_keep_their_bounds, 0, 0, 0},
    {"serve/max", max_clients, 0, 0, 0},
    {"serve/idle", idle, 0, 0, 0},
    {"serve/absent-target", absent_target, 0, 0, 0},
    {"serve/busy-target", busy_target, 0, 0, 0},
    {"serve/config-file", config_file, 0, 0, 0},
    {"serve/refusals", refusals, 0, 0, 0},
    {"serve/all-or-nothing", all_or_nothing, 0, 0, 0},
    {"serve/json-and-status", json_and_status, 0, 0, 0},
    {"serve/killed-tcp", killed, KIND_TCP, 0, 0},
    {"serve/killed-pipe", killed, KIND_BYTE, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
