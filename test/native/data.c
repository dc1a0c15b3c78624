/* Bytes through the one-shot program and a pipe: all of them, in order, and no more of them in memory than a bound. */
#include "native.h"

#include <string.h>

enum { BULK = 15 * 1000 * 1000, PUSHED = 20 * 1000 * 1000, CHUNK = 65536, ODD_CHUNK = 50021 };
/* What may lie on the way: the buffers of uvrelay, of the pipes, and some. */
#define ON_THE_WAY    (4U * 1000 * 1000)
#define MEMORY_GROWTH (4U * 1024 * 1024)

static void to_the_pipe(int type)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "-ei %s", s.name);
  pipe_accept(&s);
  HANDLE sending = send_in_background(&p->in, 1, BULK, ODD_CHUNK);
  expect_pattern(&s.e, 1, BULK);
  join(sending);
  end_close(&p->in);
  expect_end(&s.e, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
  expect_silence(p);
}

static void from_the_pipe(int type)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_pattern(&s.e, 2, BULK, ODD_CHUNK);
  end_close(&s.e); /* what was written before the closing arrives */
  expect_exit(p, 0);
  expect_output(p, 2, BULK);
  expect_silence(p);
}

static void both_ways_at_once(int type)
{
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  HANDLE to = send_in_background(&p->in, 3, BULK, CHUNK);
  HANDLE from = send_in_background(&s.e, 4, BULK, CHUNK);
  expect_pattern(&s.e, 3, BULK);
  join(to);
  join(from);
  wait_output(p, BULK);
  end_close(&s.e);
  expect_exit(p, 0);
  expect_output(p, 4, BULK);
}

/* One after the other, so that each is a write, and on a message-type pipe a message, of its own. */
static void each_size(int type)
{
  static const size_t sizes[] = {1, 2, 63, 255, 256, 1024, 4096, 32767, 65535, 65536, 65537, 131072, 1048575};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  size_t out = 0;
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    step("%llu bytes", (unsigned long long)sizes[i]);
    HANDLE sending = send_in_background(&p->in, 10 + i, sizes[i], sizes[i]);
    expect_pattern(&s.e, 10 + i, sizes[i]);
    join(sending);
    send_pattern(&s.e, 30 + i, sizes[i], sizes[i]);
    wait_output(p, out + sizes[i]);
    CHECK(p->output.length == out + sizes[i] && pattern_matches(30 + i, 0, p->output.data + out, sizes[i]),
          "other bytes than the %llu that were sent came out", (unsigned long long)sizes[i]);
    out += sizes[i];
  }
  end_close(&s.e);
  expect_exit(p, 0);
}

static void every_value(int type)
{
  static const char nasty[] = "\r\n\n\r\x1a\0\xff\x1a";
  char all[256 * 2 + sizeof(nasty)];
  pipe_server s = {.instances = 1};
  for (int i = 0; i < 256; i++) {
    all[i] = (char)i;
    all[511 - i] = (char)i;
  }
  memcpy(all + 512, nasty, sizeof(nasty));
  pipe_listen(&s, type);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  CHECK(end_write(&p->in, all, sizeof(all)), "cannot write to standard input (error %lu)", p->in.why);
  char got[sizeof(all)];
  for (size_t have = 0; have < sizeof(all);) {
    size_t part = end_read(&s.e, got + have, sizeof(all) - have);
    CHECK(part > 0, "an end (%lu) came after %llu bytes", s.e.why, (unsigned long long)have);
    have += part;
  }
  CHECK(memcmp(got, all, sizeof(all)) == 0, "the pipe got other bytes");
  CHECK(end_write(&s.e, all, sizeof(all)), "cannot write to the pipe (error %lu)", s.e.why);
  wait_output(p, sizeof(all));
  CHECK(memcmp(p->output.data, all, sizeof(all)) == 0, "the output has other bytes");
}

/* Each message is longer than any buffer: it is read by ERROR_MORE_DATA again and again. */
static void large_messages(int variant)
{
  enum { COUNT = 20, LARGE = 1000 * 1000 };
  pipe_server s = {.out_bytes = (DWORD)variant};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(NULL, "-ep %s", s.name);
  pipe_accept(&s);
  send_pattern(&s.e, 5, (size_t)COUNT * LARGE, LARGE);
  end_shut(&s.e);
  expect_exit(p, 0);
  expect_output(p, 5, (size_t)COUNT * LARGE);
}

/* Waits until the relay's server or client gets rid of nothing more, and gives what it got rid of. */
typedef struct pusher {
  end *e;
  volatile LONG64 sent;
} pusher;

static void push(void *argument)
{
  pusher *p = argument;
  char *buffer = memory(CHUNK);
  while (p->sent < PUSHED) {
    pattern_fill(6, (uint64_t)p->sent, buffer, CHUNK);
    CHECK(end_write(p->e, buffer, CHUNK), "the push was cut off (error %lu)", p->e->why);
    InterlockedAdd64(&p->sent, CHUNK);
  }
}

static void wait_until_stuck(pusher *p)
{
  LONG64 before = -1;
  while (p->sent != before) {
    before = p->sent;
    Sleep(500);
  }
  CHECK(before > 0 && before < ON_THE_WAY, "%lld bytes were taken while nobody read", before);
}

static void check_it_rests(program *p)
{
  uint64_t grown = memory_of(p);
  uint64_t used = processor_ms(p);
  Sleep(1000);
  grown = memory_of(p) - grown;
  used = processor_ms(p) - used;
  CHECK((int64_t)grown < (int64_t)MEMORY_GROWTH, "its memory grew by %llu bytes in a second",
        (unsigned long long)grown);
  CHECK(used < 300, "it computed for %llu ms of a second in which nothing moved", (unsigned long long)used);
}

/* Much is pushed at a relay whose other side is not read; then they are read. */
static void pushed_from_the_pipe(int type)
{
  const launch by_hand = {.read_by_hand = true};
  enum { TOTAL = (PUSHED + CHUNK - 1) / CHUNK * CHUNK };
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(&by_hand, "%s", s.name);
  pipe_accept(&s);
  pusher pushing = {.e = &s.e};
  HANDLE thread = background(push, &pushing);
  wait_until_stuck(&pushing);
  check_it_rests(p);
  expect_pattern(&p->out, 6, TOTAL);
  join(thread);
  end_close(&s.e);
  expect_end(&p->out, ERROR_BROKEN_PIPE);
  expect_exit(p, 0);
}

static void pushed_from_stdin(int type)
{
  enum { TOTAL = (PUSHED + CHUNK - 1) / CHUNK * CHUNK };
  pipe_server s = {.instances = 1};
  pipe_listen(&s, type);
  program *p = start(NULL, "-ei %s", s.name);
  pipe_accept(&s);
  pusher pushing = {.e = &p->in};
  HANDLE thread = background(push, &pushing);
  wait_until_stuck(&pushing);
  check_it_rests(p);
  expect_pattern(&s.e, 6, TOTAL);
  join(thread);
  end_close(&p->in);
  expect_exit(p, 0);
}

const scenario data_scenarios[] = {
    {"data/to-the-pipe-byte", to_the_pipe, BYTE_PIPE, 0, 0},
    {"data/to-the-pipe-message", to_the_pipe, MESSAGE_PIPE, 0, 0},
    {"data/from-the-pipe-byte", from_the_pipe, BYTE_PIPE, 0, 0},
    {"data/from-the-pipe-message", from_the_pipe, MESSAGE_PIPE, 0, 0},
    {"data/both-ways-at-once-byte", both_ways_at_once, BYTE_PIPE, 0, 0},
    {"data/both-ways-at-once-message", both_ways_at_once, MESSAGE_PIPE, 0, 0},
    {"data/each-size-byte", each_size, BYTE_PIPE, 0, 0},
    {"data/each-size-message", each_size, MESSAGE_PIPE, 0, 0},
    {"data/every-value-byte", every_value, BYTE_PIPE, 0, 0},
    {"data/every-value-message", every_value, MESSAGE_PIPE, 0, 0},
    {"data/large-messages", large_messages, 65536, 0, 0},
    {"data/large-messages-small-buffer", large_messages, 512, 0, 0},
    {"data/pushed-from-the-pipe-byte", pushed_from_the_pipe, BYTE_PIPE, 0, 0},
    {"data/pushed-from-the-pipe-message", pushed_from_the_pipe, MESSAGE_PIPE, 0, 0},
    {"data/pushed-from-stdin-byte", pushed_from_stdin, BYTE_PIPE, 0, 0},
    {"data/pushed-from-stdin-message", pushed_from_stdin, MESSAGE_PIPE, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
