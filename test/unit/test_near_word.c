/* Mistyped words: what is near a known one, and how near, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/near_word.h"

static const struct {
  const char *word;
  const char *known;
  unsigned changes;
} cases[] = {
    {"serve", "serve", 0},  {"SERVE", "serve", 0},
    {"server", "serve", 0}, {"serv", "serve", 0},
    {"ser", "serve", 0},    {"se", "serve", 3},
    {"srve", "serve", 1},   {"sreve", "serve", 1},
    {"xsrve", "serve", 2},  {"xxsrve", "serve", 3},
    {"sxxve", "serve", 2},  {"Setup-ssh", "setup", 0},
    {"muxx", "mux", 1},     {"mix", "mux", 1},
    {"mu", "mux", 3},       {"mxu", "mux", 1},
    {"", "mux", 3},         {"ei", "ei", 0},
    {"EI", "ei", 0},        {"ej", "ei", 3},
    {"e", "ei", 3},         {"docker", "doctor", 2},
    {"doc", "doctor", 0},   {"owner", "user", 3},
    {"timeuot", "time", 0}, {"aaaaaaaaaaaaaaaaaaaaaaaaa", "aaa", 3},
};

static void test_nearness(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    unsigned changes = uvr_near_word(cases[i].word, strlen(cases[i].word), cases[i].known);
    if (changes != cases[i].changes) {
      fail_msg("from %s to %s: %u", cases[i].word, cases[i].known, changes);
    }
  }
}

/* Only the first bytes of a text may be the word. */
static void test_length(void **state)
{
  (void)state;
  assert_int_equal(uvr_near_word("serve=1", 5, "serve"), 0);
  assert_int_equal(uvr_near_word("mux=1", 3, "mux"), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearness), cmocka_unit_test(test_length)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
