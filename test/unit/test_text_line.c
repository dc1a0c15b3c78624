/* Lines that are built piece by piece: short ones need no memory, so that what is to be said when there is none can be
 * said; longer ones grow, or fail as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool no_memory;

static void *allocate(void *block, size_t size)
{
  return no_memory ? NULL : realloc(block, size);
}

/* The program's own files are in no library. */
#define realloc allocate
#include "cli/output/text_line.c" /* NOLINT(bugprone-suspicious-include) */
#undef realloc

enum { MANY = 100000 };

static char byte_at(size_t i)
{
  return (char)('a' + i % 23);
}

static void assert_bytes(const uvr_text_line *line, size_t length)
{
  assert_false(line->failed);
  assert_int_equal(line->length, length);
  for (size_t i = 0; i < length; i++) {
    assert_int_equal(line->text[i], byte_at(i));
  }
}

static void add(uvr_text_line *line, size_t length)
{
  while (length-- > 0) {
    char c = byte_at(line->length);
    uvr_text_line_bytes(line, &c, 1);
  }
}

static void test_short(void **state)
{
  (void)state;
  uvr_text_line line = {.text = NULL};
  no_memory = true;
  for (int i = 0; i < 2; i++) {
    add(&line, UVRELAY_ERROR_TEXT_SIZE * 2);
    assert_bytes(&line, UVRELAY_ERROR_TEXT_SIZE * 2);
    uvr_text_line_clear(&line);
  }
  no_memory = false;
}

static void test_long(void **state)
{
  (void)state;
  uvr_text_line line = {.text = NULL};
  add(&line, MANY);
  assert_bytes(&line, MANY);
  uvr_text_line_clear(&line);
  add(&line, 5);
  assert_bytes(&line, 5);
  uvr_text_line_clear(&line);
}

static void test_long_without_memory(void **state)
{
  (void)state;
  uvr_text_line line = {.text = NULL};
  no_memory = true;
  for (int i = 0; i < MANY; i++) {
    uvr_text_line_bytes(&line, "x", 1);
  }
  no_memory = false;
  assert_true(line.failed);
  uvr_text_line_clear(&line);
  assert_false(line.failed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_short),
      cmocka_unit_test(test_long),
      cmocka_unit_test(test_long_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
