/* Which of the pipes and socket files that Windows has belong to which preset, whose they are, and of which program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/setup/offer_unix.c" /* NOLINT(bugprone-suspicious-include) */

static const char LINES[] =
    "facts=1\0user=Some Body\0sid=S-1-5-21-1-2-3-1001\0"
    "localappdata=C:\\Users\\Some Body\\AppData\\Local\0"
    "pipe=\\\\.\\pipe\\OpenSSH-ssh-agent\tS-1-5-18\tC:\\Windows\\System32\\OpenSSH\\SSH-agent.exe\0"
    "pipe=\\\\.\\pipe\\docker_engine2\tS-1-5-32-544\tC:\\x\\com.docker.backend.exe\0"
    "pipe=\\\\.\\pipe\\docker_engine\tS-1-5-21-1-2-3-1002\tC:\\x\\Some.exe\0"
    "pipe=\\\\.\\pipe\\pageant.Some Body.0123abc\tS-1-5-21-1-2-3-1001\t\0"
    "pipe=\\\\.\\pipe\\many.1\tS-1-5-21-1-2-3-1002\t\0"
    "pipe=\\\\.\\pipe\\many.2\tS-1-5-21-1-2-3-1001\tC:\\x y\\KeePass.exe\0"
    "pipe=\\\\.\\pipe\\bare\0"
    "socket=C:\\Users\\Some Body\\AppData\\Local\\gnupg\\S.gpg-agent\t\0";

/* As the last part of the test of facts: the lines one after the other. */
const char *uvr_facts_get(const uvr_facts *self, const char *name, const char *after)
{
  size_t length = strlen(name);
  for (const char *line = after != NULL ? after + strlen(after) + 1 : self->text; line < self->end;
       line += strlen(line) + 1) {
    if (strncmp(line, name, length) == 0 && line[length] == '=') {
      return line + length + 1;
    }
  }
  return NULL;
}

static const uvr_facts facts = {.text = (char *)LINES, .end = (char *)LINES + sizeof(LINES) - 1};

static void expect(const char *target, const char *place, const char *owner, bool fits, const char *program)
{
  const uvr_preset preset = {.name = "x", .target = target};
  char name[64];
  bool does_fit = false;
  const uvr_offer offer = uvr_offer_find(&facts, &preset);
  if (place == NULL) {
    assert_null(offer.place);
    return;
  }
  assert_int_equal(offer.place_length, strlen(place));
  assert_memory_equal(offer.place, place, strlen(place));
  assert_string_equal(uvr_offer_owner(&facts, &offer, &does_fit), owner);
  assert_int_equal(does_fit, fits);
  assert_string_equal(uvr_offer_program(&offer, name, sizeof(name)), program);
}

static void test_offers(void **state)
{
  (void)state;
  expect("//./pipe/openssh-ssh-agent?owner=user,system,admins", "\\\\.\\pipe\\OpenSSH-ssh-agent", "the system's", true,
         "the Windows OpenSSH agent");
  expect("//./pipe/docker_engine?linger=off", "\\\\.\\pipe\\docker_engine", "another user's", false, "Some.exe");
  expect("//./pipe/docker_engine2", "\\\\.\\pipe\\docker_engine2", "the administrators'", true, "Docker Desktop");
  expect("//./pipe/docker", NULL, NULL, false, NULL);
  expect("//./pipe/docker_engine3", NULL, NULL, false, NULL);
  expect("//./pipe/pageant.%USERNAME%.*?owner=user", "\\\\.\\pipe\\pageant.Some Body.0123abc", "yours", true, "");
  expect("//./pipe/pageant.%USERNAME%", NULL, NULL, false, NULL);
  expect("//./pipe/many.*", "\\\\.\\pipe\\many.2", "yours", true, "KeePass with KeeAgent");
  expect("//./pipe/bare", "\\\\.\\pipe\\bare", "of an unknown owner", true, "");
  expect("assuan:%LOCALAPPDATA%/gnupg/S.gpg-agent?owner=user",
         "C:\\Users\\Some Body\\AppData\\Local\\gnupg\\S.gpg-agent", "of an unknown owner", true, "");
  expect("assuan:%APPDATA%/gnupg/S.gpg-agent", NULL, NULL, false, NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_offers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
