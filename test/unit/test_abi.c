/* Options structs of older, equal and newer callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <uv.h>

#include "base/abi.h"

typedef struct options {
  size_t size;
  int a;
  uint64_t b;
  const char *c;
} options;

typedef struct older {
  size_t size;
  int a;
} older;

typedef struct newer {
  options known;
  uint64_t d;
  char e;
} newer;

/* A block of exactly `size` bytes, so that a sanitizer sees who reads beyond them. */
static void *exactly(const void *bytes, size_t size)
{
  void *block = malloc(size);
  assert_non_null(block);
  memcpy(block, bytes, size);
  return block;
}

static int copy(options *own, const void *given, size_t size)
{
  void *block = exactly(given, size);
  memset(own, 0x5A, sizeof(*own));
  int code = uvr_abi_copy(own, sizeof(*own), block);
  free(block);
  return code;
}

static void test_equal(void **state)
{
  (void)state;
  options own;
  options given = {.size = sizeof(given), .a = -5, .b = UINT64_MAX, .c = "x"};
  assert_int_equal(copy(&own, &given, sizeof(given)), 0);
  assert_int_equal(own.size, sizeof(own));
  assert_int_equal(own.a, -5);
  assert_true(own.b == UINT64_MAX);
  assert_ptr_equal(own.c, given.c);
}

static void test_none(void **state)
{
  (void)state;
  options own;
  memset(&own, 0x5A, sizeof(own));
  assert_int_equal(uvr_abi_copy(&own, sizeof(own), NULL), 0);
  assert_int_equal(own.size, sizeof(own));
  assert_true(own.a == 0 && own.b == 0 && own.c == NULL);
}

/* What an older struct does not have is zero, whatever lies after it. */
static void test_older(void **state)
{
  (void)state;
  options own;
  older given = {.size = offsetof(older, a) + sizeof(int), .a = 7};
  assert_int_equal(copy(&own, &given, given.size), 0);
  assert_int_equal(own.size, sizeof(own));
  assert_int_equal(own.a, 7);
  assert_true(own.b == 0 && own.c == NULL);

  options behind = {.size = offsetof(options, b), .a = 8, .b = 9, .c = "y"};
  assert_int_equal(copy(&own, &behind, sizeof(behind)), 0);
  assert_int_equal(own.a, 8);
  assert_true(own.b == 0 && own.c == NULL);

  size_t only = sizeof(only);
  assert_int_equal(copy(&own, &only, sizeof(only)), 0);
  assert_int_equal(own.size, sizeof(own));
  assert_true(own.a == 0 && own.b == 0 && own.c == NULL);
}

/* A newer struct is understood as long as it asks for nothing new. */
static void test_newer(void **state)
{
  (void)state;
  options own;
  newer given;
  memset(&given, 0, sizeof(given));
  given.known = (options){.size = sizeof(given), .a = 3, .b = 4, .c = "z"};
  assert_int_equal(copy(&own, &given, sizeof(given)), 0);
  assert_int_equal(own.size, sizeof(own));
  assert_int_equal(own.a, 3);
  assert_int_equal(own.b, 4);
  for (size_t i = sizeof(options); i < sizeof(given); i++) {
    unsigned char *bytes = (unsigned char *)&given;
    bytes[i] = 1;
    assert_int_equal(copy(&own, &given, sizeof(given)), UV_EINVAL);
    bytes[i] = 0;
  }
  assert_int_equal(copy(&own, &given, sizeof(given)), 0);
}

/* A struct whose size was forgotten. */
static void test_no_size(void **state)
{
  (void)state;
  for (size_t size = 0; size < sizeof(size_t); size++) {
    options own;
    options given = {.size = size, .a = 1};
    assert_int_equal(copy(&own, &given, sizeof(given)), UV_EINVAL);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equal), cmocka_unit_test(test_none),    cmocka_unit_test(test_older),
      cmocka_unit_test(test_newer), cmocka_unit_test(test_no_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
