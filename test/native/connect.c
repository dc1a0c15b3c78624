/* Reaching a pipe: absent, busy, denied, in every spelling; and the command line. */
#include "native.h"

#include <stdio.h>
#include <string.h>

#include <sddl.h>

static void absent(int variant)
{
  (void)variant;
  const char *name = unique_pipe();
  program *p = start(NULL, "%s", name);
  expect_refusal(p, 1, "there is no pipe", name, "(ERROR_FILE_NOT_FOUND, 2)", "-p", NULL);
}

static void absent_until_later(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE); /* for its name */
  end_close(&s.e);
  program *p = start(NULL, "-p %s", s.name);
  CHECK(runs_for(p, 700), "it did not wait: %s", p->errors.data);
  pipe_instance(&s);
  pipe_accept(&s);
  send_text(&p->in, "sent");
  expect_text(&s.e, "sent");
  send_text(&s.e, "well");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "well") == 0, "the output is %s", p->output.data);
  expect_silence(p);
}

static void timeout(int variant)
{
  (void)variant;
  const char *name = unique_pipe();
  uint64_t begun = now_ms();
  program *p = start(NULL, "-p --timeout=0.7 %s", name);
  expect_refusal(p, 1, name, "0.7 s", "ERROR_FILE_NOT_FOUND, 2", NULL);
  CHECK(now_ms() - begun >= 650, "it waited for %llu ms only", (unsigned long long)(now_ms() - begun));
}

static void busy(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  program *first = start(NULL, "%s", s.name);
  pipe_accept(&s);
  program *second = start(NULL, "%s", s.name);
  expect_refusal(second, 1, "all instances of", s.name, "are busy (ERROR_PIPE_BUSY, 231): add -p to wait for one",
                 NULL);
  program *third = start(NULL, "-p %s", s.name);
  CHECK(runs_for(third, 300), "it did not wait: %s", third->errors.data);
  end_close(&s.e);
  expect_exit(first, 0);
  pipe_instance(&s);
  pipe_accept(&s);
  send_text(&s.e, "third");
  end_close(&s.e);
  expect_exit(third, 0);
  CHECK(strcmp(third->output.data, "third") == 0, "the output is %s", third->output.data);
}

/* Each takes its turn at a server of one instance. */
static void turns(int variant)
{
  enum { CLIENTS = 8 };
  (void)variant;
  program *clients[CLIENTS];
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = start(NULL, "-p -s %s", s.name);
    send_text(&clients[i]->in, "question");
    end_close(&clients[i]->in);
  }
  for (int i = 0; i < CLIENTS; i++) {
    pipe_accept(&s);
    expect_text(&s.e, "question");
    expect_end(&s.e, 0);
    send_text(&s.e, "answer");
    end_close(&s.e);
    if (i + 1 < CLIENTS) {
      pipe_instance(&s);
    }
  }
  for (int i = 0; i < CLIENTS; i++) {
    expect_exit(clients[i], 0);
    CHECK(strcmp(clients[i]->output.data, "answer") == 0, "the output is %s", clients[i]->output.data);
  }
}

static SECURITY_ATTRIBUTES *descriptor_of(const char *sddl)
{
  SECURITY_ATTRIBUTES *made = memory(sizeof(*made));
  made->nLength = sizeof(*made);
  CHECK(ConvertStringSecurityDescriptorToSecurityDescriptorW(wide(sddl), SDDL_REVISION_1, &made->lpSecurityDescriptor,
                                                             NULL),
        "cannot make a security descriptor (error %lu)", GetLastError());
  return made;
}

/* Also where one direction of a pipe that has two is granted: no client could talk to its server. */
static void denied(int variant)
{
  static const char *const lists[] = {"D:(D;;GA;;;WD)", "D:(A;;GR;;;WD)", "D:(A;;GW;;;WD)"};
  pipe_server s = {.security = descriptor_of(lists[variant])};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "%s", s.name);
  expect_refusal(p, 1, "was denied (ERROR_ACCESS_DENIED, 5): ", s.name, NULL);
}

/* Reading, writing, attributes, waiting: what MySQL grants ordinary users; and all but making instances. */
static void few_rights(int variant)
{
  static const char *const lists[] = {"D:(A;;0x100083;;;WD)", "D:(A;;0x12019b;;;WD)"};
  pipe_server s = {.security = descriptor_of(lists[variant])};
  pipe_listen(&s, BYTE_PIPE);
  program *p = start(NULL, "%s", s.name);
  pipe_accept(&s);
  send_text(&p->in, "hello");
  expect_text(&s.e, "hello");
  send_text(&s.e, "reply");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
}

static void spelling(int variant)
{
  static const char *const forms[] = {"\\\\.\\pipe\\%s", "npipe:////./pipe/%s", "npipe:%s", "//./PIPE/%s"};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  const char *name = strrchr(s.name, '/') + 1;
  char address[256];
  (void)snprintf(address, sizeof(address), forms[variant], name);
  program *p = start(NULL, "%s", address);
  pipe_accept(&s);
  send_text(&s.e, "here");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "here") == 0, "the output is %s", p->output.data);
}

/* Not of the code page, and with a blank. */
static void unusual_name(int variant)
{
  (void)variant;
  pipe_server s = {.instances = 1};
  pipe_listen(&s, BYTE_PIPE);
  end_close(&s.e);
  strcat(s.name, "-gr\xc3\xbcn \xd0\xb6 \xe9\xb3\xa5");
  program *missing = start(NULL, "\"%s\"", s.name);
  expect_refusal(missing, 1, s.name, NULL);
  pipe_instance(&s);
  program *p = start(NULL, "\"%s\"", s.name);
  pipe_accept(&s);
  send_text(&s.e, "here");
  end_close(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "here") == 0, "the output is %s", p->output.data);
}

static void another_computer(int variant)
{
  (void)variant;
  program *p = start(NULL, "//no-such-host.invalid/pipe/x");
  CHECK(WaitForSingleObject(p->process, 60000) == WAIT_OBJECT_0, "it still looks for a computer after a minute");
  expect_refusal(p, 1, "//no-such-host.invalid/pipe/x", NULL);
}

const scenario connect_scenarios[] = {
    {"connect/absent", absent, 0, 0, 0},
    {"connect/absent-until-later", absent_until_later, 0, 0, 0},
    {"connect/timeout", timeout, 0, 0, 0},
    {"connect/busy", busy, 0, 0, 0},
    {"connect/turns", turns, 0, 0, 0},
    {"connect/denied", denied, 0, 0, 0},
    {"connect/denied-but-reading", denied, 1, 0, 0},
    {"connect/denied-but-writing", denied, 2, 0, 0},
    {"connect/few-rights", few_rights, 0, 0, 0},
    {"connect/few-rights-and-the-mode", few_rights, 1, 0, 0},
    {"connect/backslashes", spelling, 0, 0, 0},
    {"connect/npipe-with-slashes", spelling, 1, 0, 0},
    {"connect/npipe", spelling, 2, 0, 0},
    {"connect/upper-case", spelling, 3, 0, 0},
    {"connect/unusual-name", unusual_name, 0, 0, 0},
    {"connect/another-computer", another_computer, 0, 0, 90},
    {NULL, NULL, 0, 0, 0},
};

/* ---- the command line ---- */

typedef struct wrong {
  const char *arguments;
  const char *word;
} wrong;

static void wrong_usage(int variant)
{
  static const wrong lines[] = {
      {"", "TARGET"},
      {"//./pipe/a //./pipe/b", "//./pipe/b"},
      {"-x //./pipe/a", "-x"},
      {"--nonsense=1 //./pipe/a", "nonsense"},
      {"-ei=maybe //./pipe/a", "maybe"},
      {"--timeout=soon //./pipe/a", "soon"},
      {"//./pipe/a -ei", "-ei"},
      {"nothing://x", "nothing://x"},
      {"//./pipe/", "//./pipe/"},
      {"serve", "LISTEN=TARGET"},
      {"serve --nonsense npipe:x=tcp://127.0.0.1:9", "nonsense"},
      {"mux --nonsense", "nonsense"},
  };
  (void)variant;
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    expect_refusal(start(NULL, "%s", lines[i].arguments), 2, lines[i].word, NULL);
  }
}

static void help(int variant)
{
  static const char *const asked[] = {"--help", "help", "-h", "serve --help", "help serve", "help mux"};
  (void)variant;
  for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
    program *p = start(NULL, "%s", asked[i]);
    expect_exit(p, 0);
    expect_silence(p);
    CHECK(strstr(p->output.data, "Usage: uvrelay") != NULL, "`%s` shows: %s", asked[i], p->output.data);
  }
}

static void version(int variant)
{
  (void)variant;
  program *p = start(NULL, "--version");
  expect_exit(p, 0);
  expect_silence(p);
  CHECK(strncmp(p->output.data, "uvrelay ", 8) == 0 && strstr(p->output.data, "\nlibuv ") != NULL &&
            strstr(p->output.data, "\nWindows ") != NULL && p->output.data[p->output.length - 1] == '\n',
        "the version is %s", p->output.data);
}

/* The name that npiperelay's users have in their scripts. */
static void old_name(int variant)
{
  (void)variant;
  char *copy = temporary_file("-npiperelay.exe", "", 0);
  CHECK(CopyFileW(wide(uvrelay_exe), wide(copy), FALSE), "cannot copy %s (error %lu)", uvrelay_exe, GetLastError());
  const launch how = {.program = copy};
  pipe_server s = {.instances = 1};
  pipe_listen(&s, MESSAGE_PIPE);
  program *p = start(&how, "-ep -s %s", s.name);
  pipe_accept(&s);
  end_close(&p->in);
  expect_end(&s.e, 0);
  send_text(&s.e, "reply");
  end_shut(&s.e);
  expect_exit(p, 0);
  CHECK(strcmp(p->output.data, "reply") == 0, "the output is %s", p->output.data);
  (void)DeleteFileW(wide(copy));
}

/* In a directory whose name is not of the code page and has a blank, with a far end from there. */
static void unusual_place(int variant)
{
  (void)variant;
  char *directory = temporary_file("-gr\xc3\xbcn \xd0\xb6 \xe9\xb3\xa5", "", 0);
  (void)DeleteFileW(wide(directory));
  CHECK(CreateDirectoryW(wide(directory), NULL), "cannot make a directory (error %lu)", GetLastError());
  char *copy = text("%s/uvrelay.exe", directory);
  CHECK(CopyFileW(wide(uvrelay_exe), wide(copy), FALSE), "cannot copy %s (error %lu)", uvrelay_exe, GetLastError());
  const launch how = {.program = copy};
  int port = echo_server();
  program *p = serve(&how, 1, "--via \"\\\"%s\\\" mux\" tcp://127.0.0.1:0=via:tcp://127.0.0.1:%d", copy, port);
  end client = tcp_connect(port_of(p, 1));
  send_text(&client, "hello");
  expect_text(&client, "hello");
  CHECK(TerminateProcess(p->process, 7), "cannot end it (error %lu)", GetLastError());
  (void)wait_exit(p);
  uint64_t until = now_ms() + SOON; /* the far end ends soon after */
  while (!DeleteFileW(wide(copy)) && now_ms() < until) {
    Sleep(50);
  }
  (void)RemoveDirectoryW(wide(directory));
}

static void unix_sockets(int variant)
{
  (void)variant;
  program *p = start(NULL, "unix:///C:/x.sock");
  DWORD status = wait_exit(p);
  CHECK((status == 1 || status == 2) && strstr(p->errors.data, "unix:///C:/x.sock") != NULL &&
            strstr(p->errors.data, "Windows") != NULL,
        "status %lu, and it says: %s", status, p->errors.data);
}

const scenario usage_scenarios[] = {
    {"usage/wrong", wrong_usage, 0, 0, 0},
    {"usage/help", help, 0, 0, 0},
    {"usage/version", version, 0, 0, 0},
    {"usage/old-name", old_name, 0, 0, 0},
    {"usage/unusual-place", unusual_place, 0, 0, 0},
    {"usage/unix-sockets-are-refused", unix_sockets, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
