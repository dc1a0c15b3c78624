/* Many clients at once, names that are not found beside them, and what many connections leave behind. */
#include "native.h"

#include <string.h>

enum { CLIENTS = 500, EACH = 2000, WARM_UP = 50, IN_TURN = 200, NAMES = 20, ROUNDS = 20, SLOW_MS = 2000 };

/* All are connected at the same time, and each gets its own bytes. */
static void at_once(int listen)
{
  static end clients[CLIENTS];
  int port = echo_server();
  const char *name = unique_pipe();
  program *p = listen == KIND_TCP ? serve(NULL, 1, "tcp://127.0.0.1:0=tcp://127.0.0.1:%d", port)
                                  : serve(NULL, 1, "%s=tcp://127.0.0.1:%d", name, port);
  for (int i = 0; i < CLIENTS; i++) {
    step("client %d connects", i);
    clients[i] = listen == KIND_TCP ? tcp_connect(port_of(p, 1)) : pipe_connect(name, BYTE_PIPE);
  }
  for (int i = 0; i < CLIENTS; i++) {
    step("client %d sends", i);
    send_pattern(&clients[i], (uint64_t)i, EACH, EACH);
  }
  for (int i = 0; i < CLIENTS; i++) {
    step("client %d receives", i);
    expect_pattern(&clients[i], (uint64_t)i, EACH);
  }
  for (int i = 0; i < CLIENTS; i++) {
    end_close(&clients[i]);
  }
  if (listen != KIND_TCP) { /* (a TCP client that has closed looks like one that waits for an answer) */
    uint64_t until = now_ms() + SOON;
    while (strstr(wait_error(p, "closed after"), text("#%d: closed after", CLIENTS)) == NULL) {
      CHECK(now_ms() < until && runs_for(p, 50), "not all have been closed");
    }
  }
  CHECK(strstr(p->errors.data, "failed") == NULL, "it says: %s", p->errors.data);
}

/* A name that is not found delays only those who ask for it. */
static void names_beside_an_echo(int variant)
{
  static end slow[NAMES];
  (void)variant;
  int port = echo_server();
  program *p = serve(NULL, 2,
                     "tcp://127.0.0.1:0=tcp://127.0.0.1:%d tcp://127.0.0.1:0=tcp://uvrelay-no-such-host.invalid:1 "
                     "tcp://127.0.0.1:0=tcp://uvrelay-no-other-host.invalid:1",
                     port);
  end echo = tcp_connect(port_of(p, 1));
  for (int i = 0; i < NAMES; i++) {
    slow[i] = tcp_connect(port_of(p, 2 + i % 2));
  }
  uint64_t longest = 0;
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t begun = now_ms();
    send_text(&echo, "ping");
    expect_text(&echo, "ping");
    end another = tcp_connect(port_of(p, 1));
    send_text(&another, "new");
    expect_text(&another, "new");
    end_close(&another);
    uint64_t took = now_ms() - begun;
    longest = took > longest ? took : longest;
    Sleep(20);
  }
  note("the slowest of %d rounds beside the look-ups took %llu ms", ROUNDS, (unsigned long long)longest);
  CHECK(longest < SLOW_MS, "a round beside the look-ups took %llu ms", (unsigned long long)longest);
  (void)wait_error(p, "uvrelay-no-such-host.invalid");
  for (int i = 0; i < NAMES; i++) {
    expect_end(&slow[i], ANY_END);
  }
}

static void in_turn(program *p, const char *name, int count)
{
  for (int i = 0; i < count; i++) {
    end client = name == NULL ? tcp_connect(port_of(p, 1)) : pipe_connect(name, BYTE_PIPE);
    send_text(&client, "question");
    expect_text(&client, "question");
    end_close(&client);
  }
}

static DWORD handles_of(program *p)
{
  DWORD count = 0;
  CHECK(GetProcessHandleCount(p->process, &count), "cannot count handles (error %lu)", GetLastError());
  return count;
}

/* 200 connections leave no handle. What is closed may take a moment. */
static void handles(int listen)
{
  int port = echo_server();
  const char *name = listen == KIND_TCP ? NULL : unique_pipe();
  program *p = serve(NULL, 1, "--linger=0.2 %s=tcp://127.0.0.1:%d", name == NULL ? "tcp://127.0.0.1:0" : name, port);
  in_turn(p, name, WARM_UP);
  Sleep(1000);
  DWORD before = handles_of(p);
  in_turn(p, name, IN_TURN);
  uint64_t until = now_ms() + SOON;
  DWORD after = handles_of(p);
  while (after > before + 10 && now_ms() < until) {
    Sleep(100);
    after = handles_of(p);
  }
  note("%lu handles before, %lu after %d connections", before, after, IN_TURN);
  CHECK(before > 0 && after <= before + 10, "it has %lu handles, and had %lu before %d connections", after, before,
        IN_TURN);
}

const scenario many_scenarios[] = {
    {"many/tcp", at_once, KIND_TCP, ALONE, 60},
    {"many/pipe", at_once, KIND_BYTE, ALONE, 60},
    {"many/names-beside-an-echo", names_beside_an_echo, 0, ALONE, 90},
    {"many/handles-tcp", handles, KIND_TCP, 0, 0},
    {"many/handles-pipe", handles, KIND_BYTE, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
