/* Routes that are nearly right: what is suggested, that it is good itself, and where nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address/meant_route.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
  const char *text;
  const char *meant;
} cases[] = {
    {"unix:///a->tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a=>tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a -> tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a = tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a,tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a|tcp://b:1", "unix:///a=tcp://b:1"},
    {"unix:///a?perm=0660 via:tcp://b:1?idle=5", "unix:///a?perm=0660=via:tcp://b:1?idle=5"},
    {"/run/a=/run/b", "unix:///run/a=unix:///run/b"},
    {"/run/a /run/b", "unix:///run/a=unix:///run/b"},
    {"8080=80", "tcp://127.0.0.1:8080=tcp://127.0.0.1:80"},
    {"8080 localhost:80", "tcp://127.0.0.1:8080=tcp://localhost:80"},
    {"unix:///a=localhost:80", "unix:///a=tcp://localhost:80"},
    {"~/s ./pipe/x", "unix://~/s=//./pipe/x"},
    {"unix:///a pipe:x", "unix:///a=//./pipe/x"},
    {"socat UNIX-LISTEN:/tmp/s,fork TCP:h:80", "unix:/tmp/s=TCP:h:80"},
    {"socat -d -d TCP-LISTEN:8080,fork,reuseaddr UNIX-CONNECT:/run/s", "tcp://127.0.0.1:8080=unix:/run/s"},
    {"UNIX-LISTEN:/s,fork EXEC:\"npiperelay.exe -ei -s //./pipe/docker_engine\",nofork",
     "unix:/s=//./pipe/docker_engine"},
    {"UNIX-LISTEN:/s,fork EXEC:'npiperelay.exe -ei -s //./pipe/openssh-ssh-agent'",
     "unix:/s=//./pipe/openssh-ssh-agent"},
    {"LocalForward 8080 h:80", "tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"localforward 127.0.0.1:8080 h:80", "tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"-L 8080:h:80", "tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"-L8080:h:80", "tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"-L localhost:8080:h:80", "tcp://127.0.0.1:8080=via:tcp://h:80"},
    {"", NULL},
    {"x", NULL},
    {"LISTEN=TARGET", NULL},
    {"unix:///a", NULL},
    {"unix:///a=", NULL},
    {"=tcp://b:1", NULL},
    {"unix:///a tcp://b:1 tcp://c:1", NULL},
    {"LocalForward 8080", NULL},
    {"-L", NULL},
    {"-L :::", NULL},
    {"-L x:y:z", NULL},
    {"a b c d e f g h i j k", NULL},
    {"\"", NULL},
    {"unix:///a \"", NULL},
};

static void test_cases(void **state)
{
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    char meant[UVR_MEANT_ROUTE_SIZE];
    const char *found = uvr_meant_route(cases[i].text, meant);
    if ((found == NULL) != (cases[i].meant == NULL) || (found != NULL && strcmp(found, cases[i].meant) != 0)) {
      fail_msg("%s: %s", cases[i].text, found == NULL ? "nothing" : found);
    }
  }
}

/* Long texts, and any texts made of what is looked for. */
static void test_rubbish(void **state)
{
  (void)state;
  static const char pieces[] = "unix:///a=tcp://b:1 -> \"'\\?,;|L~/.pipeEXEC:8";
  srand(7);
  for (unsigned round = 0; round < 20000; round++) {
    char text[1200];
    char meant[UVR_MEANT_ROUTE_SIZE];
    size_t length = round % 50 == 0 ? (size_t)rand() % (sizeof(text) - 1) : (size_t)rand() % 60;
    for (size_t i = 0; i < length; i++) {
      text[i] = pieces[(size_t)rand() % (sizeof(pieces) - 1)];
    }
    text[length] = '\0';
    const char *found = uvr_meant_route(text, meant);
    assert_true(found == NULL || (strlen(found) < UVR_MEANT_ROUTE_SIZE && strchr(found, '=') != NULL));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_rubbish)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
