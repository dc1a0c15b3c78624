/* Each way in which the one-shot program ends: who hears of it, what still arrives, the exit status; and pipes of one
 * direction. */
#include "native.h"

#include <string.h>

enum { MUCH = 300 * 1000, CHUNK = 50021, MANY = 700 * 1000 };

/* A zero-byte message of the server closes standard output, and that alone. */
static void zero_message(int out)
{
  const launch how = {.out = (std_kind)out, .read_by_hand = true};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-s %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  end_shut(&s.e);
  expect_text(&p->out, "hello");
  expect_end(&p->out, ERROR_BROKEN_PIPE);
  CHECK(runs_for(p, 300), "it has ended although its input goes on");
  send_text(&p->in, "abc");
  expect_text(&s.e, "abc");
  end_close(&p->in);
  expect_end(&s.e, 0);
  expect_exit(p, 0);
  expect_silence(p);
}

static void input_marker(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-s %s", s.name);
  pipe_accept(&s);
  HANDLE sending = send_in_background(&p->in, 1, MUCH, CHUNK);
  expect_pattern(&s.e, 1, MUCH);
  join(sending);
  end_close(&p->in);
  expect_end(&s.e, 0); /* the zero-byte message */
  Sleep(300);
  send_pattern(&s.e, 2, MUCH, CHUNK); /* the late answer */
  end_close(&s.e);
  expect_exit(p, 0);
  expect_output(p, 2, MUCH);
}

/* A reader in byte mode sees the zero-byte message only if nothing lies before it: hence the flush. */
static void marker_for_a_byte_reader(int pause)
{
  pipe_server s = {.instances = 1};
  DWORD mode = PIPE_READMODE_BYTE;
  pipe_listen(&s, MESSAGE_PIPE);
  CHECK(SetNamedPipeHandleState(s.e.pipe, &mode, NULL, NULL), "cannot set the mode (error %lu)", GetLastError());
  program *p = start(NULL, "-s %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  end_close(&p->in);
  Sleep((DWORD)pause);
  char got[100];
  size_t length = end_read(&s.e, got, sizeof(got));
  CHECK(length == 5 && memcmp(got, "hello", 5) == 0, "%llu bytes came, not 5", (unsigned long long)length);
  expect_end(&s.e, 0);
  send_text(&s.e, "reply");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
}

static void without_s(int type)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  end_close(&p->in);
  expect_text(&s.e, "hello");
  CHECK(runs_for(p, 500), "it has ended although the server has not");
  DWORD there = 0;
  DWORD messages = 0;
  CHECK(PeekNamedPipe(s.e.pipe, NULL, 0, NULL, &there, &messages) && there == 0, "something else was sent");
  send_text(&s.e, "reply");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
}

static void ends_with_input(int type)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "-ei -s %s", s.name);
  pipe_accept(&s);
  send_pattern(&p->in, 3, 60000, CHUNK);
  end_close(&p->in);
  expect_exit(p, 0); /* nothing has been read yet: the bytes wait in the pipe */
  expect_pattern(&s.e, 3, 60000);
  expect_end(&s.e, ERROR_BROKEN_PIPE); /* no zero-byte message: -ei wins over -s */
}

static void ends_with_pipe(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-ep %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  end_shut(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "hello") == 0, "the output is %s", p->output.data);
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

/* All of it lies in the pipe before uvrelay reads: read in byte mode, the zero-byte message would be lost, and what is
 * after it would come out. */
static void zero_message_behind_data(int more)
{
  const launch by_hand = {.read_by_hand = true};
  pipe_server s = {.out_bytes = 1 << 20};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&by_hand, "-ep %s", s.name);
  pipe_accept(&s);
  send_pattern(&s.e, 4, MANY, 50000);
  end_shut(&s.e);
  if (more) {
    send_text(&s.e, "more");
  }
  Sleep(200);
  expect_pattern(&p->out, 4, MANY);
  expect_end(&p->out, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

static void more_after_the_end(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  CHECK(FlushFileBuffers(s.e.pipe), "cannot flush (error %lu)", GetLastError());
  end_shut(&s.e);
  send_text(&s.e, "more");
  expect_exit(p, 1);
  CHECK(strcmp(p->output.data, "hello") == 0, "the output is %s", p->output.data);
  (void)wait_error(p, s.name);
}

static void server_leaves(int disconnects)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-v %s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  wait_output(p, 5);
  if (disconnects) {
    CHECK(DisconnectNamedPipe(s.e.pipe), "cannot disconnect (error %lu)", GetLastError());
  } else {
    end_close(&s.e);
  }
  expect_exit(p, 0);
  CHECK(strstr(p->errors.data, disconnects ? "ERROR_PIPE_NOT_CONNECTED, 233" : "ERROR_BROKEN_PIPE, 109") != NULL,
        "it says: %s", p->errors.data);
}

/* The reader of standard output is gone. */
static void reader_leaves(int out)
{
  const launch how = {.out = (std_kind)out, .read_by_hand = true};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "%s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  expect_text(&p->out, "hello");
  CHECK(runs_for(p, 300), "it has ended by itself");
  end_close(&p->out);
  expect_exit(p, 0);
}

static void killed(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  CHECK(TerminateProcess(p->process, 7), "cannot kill it (error %lu)", GetLastError());
  expect_end(&s.e, ERROR_BROKEN_PIPE);
}

const scenario end_scenarios[] = {
    {"ends/zero-message-closes-stdout", zero_message, STD_ANONYMOUS, 0, 0},
    {"ends/zero-message-closes-overlapped-stdout", zero_message, STD_OVERLAPPED, 0, 0},
    {"ends/s-sends-a-zero-message", input_marker, 0, 0, 0},
    {"ends/s-to-a-reader-in-byte-mode", marker_for_a_byte_reader, 0, 0, 0},
    {"ends/s-to-a-late-reader-in-byte-mode", marker_for_a_byte_reader, 500, 0, 0},
    {"ends/without-s-byte", without_s, BYTE_PIPE, 0, 0},
    {"ends/without-s-message", without_s, MESSAGE_PIPE, 0, 0},
    {"ends/ei-byte", ends_with_input, BYTE_PIPE, 0, 0},
    {"ends/ei-message", ends_with_input, MESSAGE_PIPE, 0, 0},
    {"ends/ep", ends_with_pipe, 0, 0, 0},
    {"ends/zero-message-behind-data", zero_message_behind_data, 0, 0, 0},
    {"ends/zero-message-between-data", zero_message_behind_data, 1, 0, 0},
    {"ends/more-after-the-end", more_after_the_end, 0, 0, 0},
    {"ends/server-closes", server_leaves, 0, 0, 0},
    {"ends/server-disconnects", server_leaves, 1, 0, 0},
    {"ends/reader-leaves", reader_leaves, STD_ANONYMOUS, 0, 0},
    {"ends/reader-leaves-overlapped", reader_leaves, STD_OVERLAPPED, 0, 0},
    {"ends/killed", killed, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};

/* ---- pipes of one direction ---- */

static void outbound(int type)
{
  pipe_server s = {.access = PIPE_ACCESS_OUTBOUND};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  end_close(&p->in); /* which ends nothing */
  send_pattern(&s.e, 5, MUCH, 4096);
  CHECK(runs_for(p, 200), "it has ended although the server writes on");
  end_close(&s.e);
  expect_exit(p, 0);
  expect_output(p, 5, MUCH);
  expect_silence(p);
}

static void inbound(int type)
{
  pipe_server s = {.access = PIPE_ACCESS_INBOUND};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  HANDLE sending = send_in_background(&p->in, 6, MUCH, CHUNK);
  expect_pattern(&s.e, 6, MUCH);
  join(sending);
  end_close(&p->in);
  expect_end(&s.e, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

static void inbound_is_told(int variant)
{
  (void)variant;
  pipe_server s = {.access = PIPE_ACCESS_INBOUND};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-s %s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  end_close(&p->in);
  expect_text(&s.e, "hello");
  expect_end(&s.e, 0);
  expect_end(&s.e, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

static void reader_of_one_way_leaves(int disconnects)
{
  pipe_server s = {.access = PIPE_ACCESS_INBOUND};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "x");
  expect_text(&s.e, "x");
  if (disconnects) {
    CHECK(DisconnectNamedPipe(s.e.pipe), "cannot disconnect (error %lu)", GetLastError());
  } else {
    end_close(&s.e);
  }
  expect_exit(p, 0);
}

static void outbound_takes_nothing(int variant)
{
  (void)variant;
  pipe_server s = {.access = PIPE_ACCESS_OUTBOUND};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&s.e, "hello");
  wait_output(p, 5);
  send_text(&p->in, "question");
  expect_exit(p, 1);
  CHECK(strcmp(p->output.data, "hello") == 0, "the output is %s", p->output.data);
  (void)wait_error(p, "it is a one-way pipe that only its server writes to");
}

const scenario one_way_scenarios[] = {
    {"one-way/outbound-byte", outbound, BYTE_PIPE, 0, 0},
    {"one-way/outbound-message", outbound, MESSAGE_PIPE, 0, 0},
    {"one-way/inbound-byte", inbound, BYTE_PIPE, 0, 0},
    {"one-way/inbound-message", inbound, MESSAGE_PIPE, 0, 0},
    {"one-way/inbound-is-told", inbound_is_told, 0, 0, 0},
    {"one-way/reader-closes", reader_of_one_way_leaves, 0, 0, 0},
    {"one-way/reader-disconnects", reader_of_one_way_leaves, 1, 0, 0},
    {"one-way/outbound-takes-nothing", outbound_takes_nothing, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
