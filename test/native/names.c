/* Names that only Windows knows: pipes found by the beginning of their names, the user's name in them, and what the
 * command facts lists. */
#include "native.h"

#include <stdio.h>
#include <string.h>

/* A pipe whose name is `beginning` and this. */
static pipe_server pipe_of(const char *beginning, const char *rest)
{
  pipe_server s = {.instances = 2};
  (void)snprintf(s.name, sizeof(s.name), "%s%s", beginning, rest);
  pipe_listen(&s, BYTE_PIPE);
  return s;
}

/* Of all pipes of the computer, the one that begins like this. */
static void by_beginning(int variant)
{
  const char *beginning = unique_pipe();
  pipe_server s = pipe_of(beginning, ".0123456789abcdef");
  program *p = start(NULL, "-ep --owner=user,admins %s%s", beginning, variant == 0 ? ".*" : "*");
  pipe_accept(&s);
  send_text(&p->in, "question");
  expect_text(&s.e, "question");
  end_close(&s.e);
  expect_exit(p, 0);
  expect_silence(p);
}

static void none(int variant)
{
  (void)variant;
  const char *beginning = unique_pipe();
  program *p = start(NULL, "%s.*", beginning);
  expect_refusal(p, 1, "there is no pipe whose name begins with", beginning, NULL);
}

static void several(int variant)
{
  (void)variant;
  const char *beginning = unique_pipe();
  (void)pipe_of(beginning, ".1");
  (void)pipe_of(beginning, ".2");
  program *p = start(NULL, "%s.*", beginning);
  expect_refusal(p, 1, "more than one pipe has a name that begins with", beginning, ".1", ".2", NULL);
}

static void user_name(int variant)
{
  (void)variant;
  char user[256];
  DWORD length = GetEnvironmentVariableA("USERNAME", user, sizeof(user));
  CHECK(length > 0 && length < sizeof(user), "USERNAME is not set");
  const char *unique = unique_pipe() + strlen("//./pipe/");
  pipe_server s = pipe_of(text("//./pipe/%s-", unique), user);
  program *p = start(NULL, "-ep //./pipe/%s-%%USERNAME%%", unique);
  pipe_accept(&s);
  send_text(&p->in, "question");
  expect_text(&s.e, "question");
  end_close(&s.e);
  expect_exit(p, 0);
}

/* A pipe whose name begins as Pageant's do is listed, with its owner and its program, which is this one. */
static void facts(int variant)
{
  (void)variant;
  pipe_server s = pipe_of("//./pipe/pageant.", unique_pipe() + strlen("//./pipe/"));
  program *p = start(NULL, "facts");
  expect_exit(p, 0);
  const char *line = strstr(p->output.data, s.name + strlen("//./pipe/"));
  CHECK(line != NULL, "it is not listed in: %s", p->output.data);
  const char *owner = strchr(line, '\t');
  CHECK(owner != NULL && strncmp(owner, "\tS-1-5-", 7) == 0, "there is no owner behind it: %.200s", line);
  CHECK(strstr(line, "native_test.exe") != NULL, "its program is not told: %.200s", line);
}

const scenario name_scenarios[] = {
    {"names/by-their-beginning-and-a-dot", by_beginning, 0, 0, 0},
    {"names/by-their-beginning", by_beginning, 1, 0, 0},
    {"names/none", none, 0, 0, 0},
    {"names/several", several, 0, 0, 0},
    {"names/user", user_name, 0, 0, 0},
    {"names/facts", facts, 0, 0, 0},
    {NULL, NULL, 0, 0, 0},
};
