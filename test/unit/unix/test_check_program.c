/* Handlers of binfmt_misc: which file each is for, by the description that the kernel gives of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"

/* The program's own files are in no library. */
#include "cli/child/binfmt_unix.c"        /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/check_program_unix.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/child/program_head.c"       /* NOLINT(bugprone-suspicious-include) */

void uvr_wsl_init(uvr_wsl *self)
{
  *self = (uvr_wsl){.run = NULL};
}

bool uvr_wsl_is(const uvr_wsl *self)
{
  (void)self;
  return false;
}

#define MAGIC "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 4d5a\n"

static bool is_handled(const char *status, const char *handler, const char *file, const void *bytes, size_t length)
{
  scratch place;
  uvr_program_head head = {.length = length};
  memcpy(head.bytes, bytes, length);
  scratch_init(&place);
  if (status != NULL) {
    scratch_write(&place, "status", status, strlen(status));
  }
  scratch_write(&place, "register", MAGIC, strlen(MAGIC)); /* is none */
  scratch_write(&place, "handler", handler, strlen(handler));
  bool handled = uvr_binfmt_handles(place.directory, file, &head);
  scratch_clear(&place);
  return handled;
}

static void test_handlers(void **state)
{
  (void)state;
  static const struct {
    const char *status, *handler, *file, *bytes;
    size_t length;
    bool handled;
  } cases[] = {
      {"enabled\n", MAGIC, "/x", "MZ\0", 3, true},
      {"enabled\n", MAGIC, "/x", "MY\0", 3, false},
      {"enabled\n", MAGIC, "/x", "M", 1, false},
      {"enabled\n", MAGIC, "/x", "", 0, false},
      {"disabled\n", MAGIC, "/x", "MZ\0", 3, false},
      {NULL, MAGIC, "/x", "MZ\0", 3, false},
      {"enabled\n", "disabled\ninterpreter /x\nflags: \noffset 0\nmagic 4d5a\n", "/x", "MZ\0", 3, false},
      {"enabled\n", "enabled\ninterpreter /x\nflags: F\noffset 2\nmagic 4d5a\n", "/x", "..MZ", 4, true},
      {"enabled\n", "enabled\ninterpreter /x\nflags: F\noffset 2\nmagic 4d5a\n", "/x", "MZMY", 4, false},
      {"enabled\n", "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f45\nmask fff0\n", "/x", "\x7f\x4f", 2, true},
      {"enabled\n", "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f45\nmask ffff\n", "/x", "\x7f\x4f", 2, false},
      {"enabled\n", "enabled\ninterpreter /x\nflags: \nextension .exe\n", "/a.b/far.exe", "x", 1, true},
      {"enabled\n", "enabled\ninterpreter /x\nflags: \nextension .exe\n", "/a.exe/far", "x", 1, false},
      {"enabled\n", "enabled\ninterpreter /x\nflags: \nextension .exe\n", "/far.exe2", "x", 1, false},
      {"enabled\n", "enabled\n", "/x", "MZ\0", 3, false},
      {"enabled\n", "", "/x", "MZ\0", 3, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    if (is_handled(cases[i].status, cases[i].handler, cases[i].file, cases[i].bytes, cases[i].length) !=
        cases[i].handled) {
      fail_msg("case %u", (unsigned)i);
    }
  }
}

static void test_numbers(void **state)
{
  (void)state;
  const uvr_program_head head = {.length = 4, .bytes = {1, 2, 3, 4}};
  assert_int_equal(uvr_program_number(&head, 0, 4, true), 0x01020304);
  assert_int_equal(uvr_program_number(&head, 0, 4, false), 0x04030201);
  assert_int_equal(uvr_program_number(&head, 2, 2, false), 0x0403);
  assert_int_equal(uvr_program_number(&head, 3, 2, false), 0);
  assert_int_equal(uvr_program_number(&head, 5, 2, false), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_handlers), cmocka_unit_test(test_numbers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
