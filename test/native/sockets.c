/* The one-shot program with targets on TCP, and with socket files of libassuan. */
#include "native.h"

#include <stdio.h>
#include <string.h>

enum { MUCH = 2 * 1000 * 1000, CHUNK = 50021, NONCE = 16 };

static void tcp_both_ways(int variant)
{
  int port;
  (void)variant;
  SOCKET listener = tcp_listen(&port);
  program *p = start(NULL, "tcp://127.0.0.1:%d", port);
  end e = tcp_accept(listener);
  HANDLE to = send_in_background(&p->in, 1, MUCH, CHUNK);
  HANDLE from = send_in_background(&e, 2, MUCH, CHUNK);
  expect_pattern(&e, 1, MUCH);
  join(to);
  join(from);
  end_close(&p->in);
  expect_end(&e, 0);
  CHECK(runs_for(p, 200), "it has ended although the target has not");
  send_text(&e, "late");
  end_close(&e);
  expect_exit(p, 0);
  CHECK(p->output.length == MUCH + 4 && pattern_matches(2, 0, p->output.data, MUCH), "the output is another");
  expect_silence(p);
}

/* It exits when all is written, even if the target reads slowly. */
static void tcp_all_arrives(int variant)
{
  int port;
  (void)variant;
  SOCKET listener = tcp_listen(&port);
  program *p = start(NULL, "-ei tcp://localhost:%d", port);
  end e = tcp_accept(listener);
  send_pattern(&p->in, 3, 150000, CHUNK);
  end_close(&p->in);
  Sleep(300);
  expect_pattern(&e, 3, 150000);
  expect_end(&e, 0);
  end_close(&e);
  expect_exit(p, 0);
}

static void tcp_refused(int variant)
{
  (void)variant;
  int port = unused_port();
  program *p = start(NULL, "tcp://127.0.0.1:%d", port);
  expect_refusal(p, 1, text("tcp://127.0.0.1:%d", port), "ECONNREFUSED", NULL);
}

static void tcp_no_such_name(int variant)
{
  (void)variant;
  program *p = start(NULL, "--timeout=15 tcp://no-such-host.invalid:1");
  expect_refusal(p, 1, "no-such-host.invalid", NULL);
}

/* Half an answer must not look like a whole one. */
static void tcp_killed(int variant)
{
  int port;
  (void)variant;
  SOCKET listener = tcp_listen(&port);
  program *p = start(NULL, "tcp://127.0.0.1:%d", port);
  end e = tcp_accept(listener);
  send_text(&p->in, "hello");
  expect_text(&e, "hello");
  CHECK(TerminateProcess(p->process, 7), "cannot kill it (error %lu)", GetLastError());
  expect_end(&e, WSAECONNRESET);
}

/* ---- socket files ---- */

static const char nonce[NONCE + 1] = "ABCDEFGHIJKLMNOP";

typedef enum file_form { PLAIN, CYGWIN, CYGWIN_SHORT } file_form;

static char *socket_file(file_form form, int port)
{
  char content[128];
  uint32_t words[4];
  memcpy(words, nonce, NONCE);
  int length = form == PLAIN ? snprintf(content, sizeof(content), "%d\n%s", port, nonce)
                             : snprintf(content, sizeof(content), "!<socket >%d s %08lX-%08lX-%08lX-%08lX", port,
                                        (unsigned long)words[0], (unsigned long)words[1], (unsigned long)words[2],
                                        (unsigned long)words[3]) +
                                   1; /* with its NUL */
  return temporary_file(".S.gpg-agent", content, (size_t)length);
}

static void read_exactly(end *e, void *to, size_t length)
{
  char *at = to;
  while (length > 0) {
    size_t part = end_read(e, at, length);
    CHECK(part > 0, "an end (%lu) came amid the handshake", e->why);
    at += part;
    length -= part;
  }
}

/* Cygwin's own servers exchange credentials of three words, libassuan's of two. (uvrelay sends two, and the third if
 * there is no answer.) */
static void greet(end *e, file_form form)
{
  char got[NONCE];
  uint32_t credentials[3];
  size_t size = form == CYGWIN ? 12 : 8;
  read_exactly(e, got, NONCE);
  CHECK(memcmp(got, nonce, NONCE) == 0, "another nonce than the file's was sent");
  if (form != PLAIN) {
    CHECK(end_write(e, nonce, NONCE), "cannot send the nonce back (error %lu)", e->why);
    read_exactly(e, credentials, size);
    CHECK(end_write(e, credentials, size), "cannot send credentials (error %lu)", e->why);
  }
}

static void assuan(int form)
{
  int port;
  SOCKET listener = tcp_listen(&port);
  char *path = socket_file((file_form)form, port);
  program *p = start(NULL, "-v -a \"%s\"", path);
  end e = tcp_accept(listener);
  greet(&e, (file_form)form);
  send_text(&e, "OK Pleased to meet you\n");
  send_text(&p->in, "BYE\n");
  end_close(&p->in);
  expect_text(&e, "BYE\n");
  send_text(&e, "OK closing connection\n");
  end_close(&e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "OK Pleased to meet you\nOK closing connection\n") == 0, "the output is %s",
        p->output.data);
  CHECK(strstr(p->errors.data, "connected") != NULL && strstr(p->errors.data, "ABCD") == NULL &&
            strstr(p->errors.data, "44434241") == NULL && strstr(p->errors.data, "41424344") == NULL,
        "it says: %s", p->errors.data);
  (void)DeleteFileW(wide(path));
}

static void assuan_refusals(int variant)
{
  static const char *const contents[] = {"",
                                         "0\nABCDEFGHIJKLMNOP",
                                         "70000\nABCDEFGHIJKLMNOP",
                                         "80\nABCDEFGH",
                                         "!<socket >80 s 01234567-89ABCDEF",
                                         "MZ and so on"};
  (void)variant;
  for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
    char *path = temporary_file(".S.gpg-agent", contents[i], strlen(contents[i]));
    expect_refusal(start(NULL, "-p --timeout=60 -a \"%s\"", path), 1, strrchr(path, '/'), NULL);
    (void)DeleteFileW(wide(path));
  }
  char *path = socket_file(PLAIN, unused_port());
  expect_refusal(start(NULL, "-a \"%s\"", path), 1, strrchr(path, '/'), "ECONNREFUSED", "-p", NULL);
  (void)DeleteFileW(wide(path));
  expect_refusal(start(NULL, "-a \"%s\"", path), 1, strrchr(path, '/'), "-p", NULL);
  expect_refusal(start(NULL, "-a //server/share/S"), 1, "another computer", "--allow-remote-files", NULL);
}

/* An agent that starts later writes its file then. */
static void assuan_later(int variant)
{
  int port;
  (void)variant;
  SOCKET listener = tcp_listen(&port);
  char *ready = socket_file(PLAIN, port);
  char *path = text("%s.later", ready);
  program *p = start(NULL, "-p -a \"%s\"", path);
  CHECK(runs_for(p, 500), "it did not wait: %s", p->errors.data);
  CHECK(MoveFileW(wide(ready), wide(path)), "cannot rename a file (error %lu)", GetLastError());
  end e = tcp_accept(listener);
  greet(&e, PLAIN);
  send_text(&e, "OK");
  end_close(&e);
  end_close(&p->in);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "OK") == 0, "the output is %s", p->output.data);
  (void)DeleteFileW(wide(path));
}

const scenario socket_scenarios[] = {
    {"tcp/both-ways", tcp_both_ways, 0, 0, 0},
    {"tcp/all-arrives", tcp_all_arrives, 0, 0, 0},
    {"tcp/refused", tcp_refused, 0, 0, 0},
    {"tcp/no-such-name", tcp_no_such_name, 0, 0, 0},
    {"tcp/killed", tcp_killed, 0, 0, 0},
    {"assuan/plain", assuan, PLAIN, 0, 0},
    {"assuan/cygwin", assuan, CYGWIN, 0, 0},
    {"assuan/cygwin-by-libassuan", assuan, CYGWIN_SHORT, 0, 0},
    {"assuan/refusals", assuan_refusals, 0, 0, 0},
    {"assuan/later", assuan_later, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
