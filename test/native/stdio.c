/* Every kind of standard input and output that a Windows parent gives. (A console is in console.c.) */
#include "native.h"

#include <string.h>

enum { MUCH = 1000 * 1000, IN_CHUNK = 7001, OUT_CHUNK = 50021 };

/* To the pipe until its end, and then back. */
static void there_and_back(const launch *how)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(how, "-s %s", s.name);
  pipe_accept(&s);
  HANDLE sending = send_in_background(&p->in, 1, MUCH, IN_CHUNK);
  expect_pattern(&s.e, 1, MUCH);
  join(sending);
  end_close(&p->in);
  expect_end(&s.e, 0);
  send_pattern(&s.e, 2, MUCH, OUT_CHUNK);
  end_shut(&s.e);
  expect_exit(p, 0);
  expect_output(p, 2, MUCH);
  expect_silence(p);
}

static void from_pipe(int in)
{
  there_and_back(&(launch){.in = (std_kind)in});
}

static void to_pipe(int out)
{
  there_and_back(&(launch){.out = (std_kind)out});
}

/* While standard input is silent, the other direction must not wait: on a synchronous handle one call would hold up the
 * other. */
static void conversation(int kind)
{
  const launch how = {.in = (std_kind)kind, .out = (std_kind)kind};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-ei %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hi");
  wait_output(p, 2);
  send_text(&p->in, "abc");
  expect_text(&s.e, "abc");
  send_text(&s.e, "there");
  wait_output(p, 7);
  CHECK(strcmp(p->output.data, "hithere") == 0, "the output is %s", p->output.data);
  end_close(&p->in);
  expect_end(&s.e, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

/* One socket for both directions, as socat gives it: each is half-closed by itself. */
static void one_socket(int variant)
{
  (void)variant;
  const launch how = {.in = STD_SOCKET, .out = STD_SAME};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  exchange(&p->in, &s.e, MUCH, IN_CHUNK);
  end_shut(&p->in);
  expect_end(&s.e, 0);
  send_text(&s.e, "late");
  expect_text(&p->in, "late");
  end_shut(&s.e);
  expect_end(&p->in, 0);
  expect_exit(p, 0);
  expect_silence(p);
}

/* An input that is silent has not ended, and an output that is full loses nothing, even if their pipes do not wait. */
static void nothing_is_lost(int kind)
{
  const launch how = {.in = (std_kind)kind, .out = (std_kind)kind, .read_by_hand = true};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  CHECK(runs_for(p, 300), "it has ended");
  HANDLE sending = send_in_background(&p->in, 1, MUCH, IN_CHUNK);
  expect_pattern(&s.e, 1, MUCH);
  join(sending);
  end_close(&p->in);
  expect_end(&s.e, 0);
  sending = send_in_background(&s.e, 2, MUCH, OUT_CHUNK);
  CHECK(runs_for(p, 300), "it has ended");
  expect_pattern(&p->out, 2, MUCH);
  join(sending);
  end_shut(&s.e);
  expect_end(&p->out, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

/* A pipe that was left not to wait is left so. */
static void state_is_given_back(int variant)
{
  (void)variant;
  const launch how = {.in = STD_NOWAIT};
  DWORD state = 0;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-ei %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "abc");
  expect_text(&s.e, "abc");
  CHECK(GetNamedPipeHandleStateW(p->kept, &state, NULL, NULL, NULL, NULL, 0), "cannot ask for its state (error %lu)",
        GetLastError());
  note("while it is relayed, the pipe %s", (state & PIPE_NOWAIT) != 0 ? "does not wait" : "waits");
  end_close(&p->in);
  expect_exit(p, 0);
  CHECK(GetNamedPipeHandleStateW(p->kept, &state, NULL, NULL, NULL, NULL, 0), "cannot ask for its state (error %lu)",
        GetLastError());
  CHECK((state & PIPE_NOWAIT) != 0, "the pipe waits now");
}

/* Files, read and written from where they stand. */
static void files(int size)
{
  char *content = memory((size_t)size + 1);
  pattern_fill(3, 0, content, (size_t)size);
  const char *in = temporary_file(".in", content, (size_t)size);
  const char *out = temporary_file(".out", "", 0);
  const launch how = {.in = STD_FILE, .out = STD_FILE, .in_file = in, .out_file = out};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  expect_pattern(&s.e, 3, (size_t)size);
  expect_end(&s.e, 0);
  send_pattern(&s.e, 4, (size_t)size, OUT_CHUNK);
  end_close(&s.e);
  expect_exit(p, 0);
  expect_silence(p);
  HANDLE file = CreateFileW(wide(out), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
  end e = end_of_pipe(file, true);
  CHECK(file != INVALID_HANDLE_VALUE, "cannot open %s (error %lu)", out, GetLastError());
  expect_pattern(&e, 4, (size_t)size);
  expect_end(&e, 0);
  end_close(&e);
  (void)DeleteFileW(wide(in));
  (void)DeleteFileW(wide(out));
}

static void nul(int variant)
{
  (void)variant;
  const launch how = {.in = STD_NUL, .out = STD_NUL};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  expect_end(&s.e, 0);
  send_pattern(&s.e, 5, MUCH, OUT_CHUNK);
  end_close(&s.e);
  expect_exit(p, 0);
  expect_silence(p);
}

/* A standard input that is closed counts as empty. */
static void no_input(int variant)
{
  (void)variant;
  const launch how = {.in = STD_NOTHING};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  expect_end(&s.e, 0);
  send_text(&s.e, "reply");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
}

/* A standard output that is closed fails when it is written to. */
static void no_output(int variant)
{
  (void)variant;
  const launch how = {.out = STD_NOTHING};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "%s", s.name);
  pipe_accept(&s);
  CHECK(runs_for(p, 300), "it has ended before there was anything to write");
  send_text(&s.e, "reply");
  expect_exit(p, 1);
  (void)wait_error(p, "standard output");
}

/* What -v says is on standard error only, and has none of the bytes. */
static void verbose(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-v -s %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  end_close(&p->in);
  expect_text(&s.e, "hello");
  expect_end(&s.e, 0);
  send_pattern(&s.e, 6, 1234, 1234);
  end_shut(&s.e);
  expect_exit(p, 0);
  expect_output(p, 6, 1234);
  const char *connecting = strstr(p->errors.data, "connecting");
  const char *connected = strstr(p->errors.data, "connected");
  CHECK(connecting != NULL && connected != NULL && connecting < connected &&
            strstr(connected, "5 bytes sent") != NULL && strstr(connected, "1234 bytes received") != NULL &&
            strstr(connected, s.name) != NULL,
        "-v says: %s", p->errors.data);
  CHECK(strstr(p->errors.data, "hello") == NULL, "-v shows what is relayed: %s", p->errors.data);
}

const scenario stdio_scenarios[] = {
    {"stdio/from-an-anonymous-pipe", from_pipe, STD_ANONYMOUS, 0, 0},
    {"stdio/from-an-overlapped-pipe", from_pipe, STD_OVERLAPPED, 0, 0},
    {"stdio/from-a-message-pipe", from_pipe, STD_MESSAGE, 0, 0},
    {"stdio/from-a-pipe-in-message-mode", from_pipe, STD_MESSAGE_READ, 0, 0},
    {"stdio/from-a-pipe-that-does-not-wait", from_pipe, STD_NOWAIT, 0, 0},
    {"stdio/from-a-socket", from_pipe, STD_SOCKET, 0, 0},
    {"stdio/to-an-overlapped-pipe", to_pipe, STD_OVERLAPPED, 0, 0},
    {"stdio/to-a-message-pipe", to_pipe, STD_MESSAGE, 0, 0},
    {"stdio/to-a-pipe-that-does-not-wait", to_pipe, STD_NOWAIT, 0, 0},
    {"stdio/to-a-socket", to_pipe, STD_SOCKET, 0, 0},
    {"stdio/conversation-anonymous", conversation, STD_ANONYMOUS, 0, 0},
    {"stdio/conversation-overlapped", conversation, STD_OVERLAPPED, 0, 0},
    {"stdio/conversation-message", conversation, STD_MESSAGE, 0, 0},
    {"stdio/conversation-that-does-not-wait", conversation, STD_NOWAIT, 0, 0},
    {"stdio/conversation-sockets", conversation, STD_SOCKET, 0, 0},
    {"stdio/nothing-is-lost", nothing_is_lost, STD_ANONYMOUS, 0, 0},
    {"stdio/nothing-is-lost-without-waiting", nothing_is_lost, STD_NOWAIT, 0, 0},
    {"stdio/one-socket", one_socket, 0, 0, 0},
    {"stdio/state-is-given-back", state_is_given_back, 0, 0, 0},
    {"stdio/files", files, MUCH, 0, 0},
    {"stdio/empty-files", files, 0, 0, 0},
    {"stdio/nul", nul, 0, 0, 0},
    {"stdio/no-input", no_input, 0, 0, 0},
    {"stdio/no-output", no_output, 0, 0, 0},
    {"stdio/verbose", verbose, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
