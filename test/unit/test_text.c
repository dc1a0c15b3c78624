/* Times and sizes as text: each unit, the limits, what is refused, and that what is printed is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_times(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint64_t ms;
  } times[] = {
      {"0", 0},
      {"0.0", 0},
      {"0ms", 0},
      {"1", 1000},
      {"2.5", 2500},
      {".5", 500},
      {"5.", 5000},
      {"5.s", 5000},
      {"1ms", 1},
      {"0.1ms", 1},
      {"1.0000000ms", 1},
      {"1.0001", 1001},
      {"007s", 7000},
      {"1.5m", 90000},
      {"2h", 7200000},
      {"0.0000001h", 1},
      {"1.0000000000000001s", 1001},
      {"999999999.9ms", 1000000000},
  };
  static const char *const wrong[] = {"",   ".",   "s",    "ms",   ".h",  "-1",    "-1s",   "+1", " 1",
                                      "1 ", "5 s", "1e3",  "1e3s", "0x1", "1,5",   "1.5.5", "1S", "1H",
                                      "1M", "1Ms", "1sec", "1min", "1d",  "1m30s", "1ss",   "inf"};
  uint64_t ms = 0;
  for (size_t i = 0; i < COUNT(times); i++) {
    if (!uvr_time_parse(times[i].text, &ms) || ms != times[i].ms) {
      fail_msg("%s: %llu", times[i].text, (unsigned long long)ms);
    }
  }
  for (size_t i = 0; i < COUNT(wrong); i++) {
    if (uvr_time_parse(wrong[i], &ms)) {
      fail_msg("%s was accepted", wrong[i]);
    }
  }
}

/* However many digits there are, and whatever the unit, a time that is too long never seems short. */
static void test_long_times(void **state)
{
  (void)state;
  static const char *const units[] = {"", "ms", "s", "m", "h"};
  for (size_t u = 0; u < COUNT(units); u++) {
    for (int digits = 9; digits < 60; digits++) {
      char text[80];
      uint64_t ms = 0;
      (void)snprintf(text, sizeof(text), "%.*s.%.*s%s", digits,
                     "999999999999999999999999999999999999999999999999999999999999", digits % 15, "99999999999999999",
                     units[u]);
      assert_true(uvr_time_parse(text, &ms));
      assert_true(ms >= 999999999);
    }
  }
}

static void test_time_text(void **state)
{
  (void)state;
  static const struct {
    uint64_t ms;
    const char *text;
  } times[] = {
      {0, "0 s"},
      {1, "0.001 s"},
      {500, "0.5 s"},
      {1000, "1 s"},
      {30000, "30 s"},
      {59999, "59.999 s"},
      {60000, "1 min"},
      {90000, "90 s"},
      {300000, "5 min"},
      {3600000, "1 h"},
      {5400000, "90 min"},
      {86400000, "24 h"},
      {86399999, "86399.999 s"},
      {UINT64_MAX, "18446744073709551.615 s"},
  };
  char text[UVR_TIME_SIZE];
  for (size_t i = 0; i < COUNT(times); i++) {
    assert_ptr_equal(uvr_time_text(text, times[i].ms), text);
    assert_string_equal(text, times[i].text);
  }
}

static void test_sizes(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint64_t bytes;
  } sizes[] = {{"0", 0}, {"1", 1}, {"1k", 1024}, {"2M", 2097152}, {"1g", 1073741824}, {"1024G", 1099511627776}};
  static const char *const wrong[] = {"",
                                      "K",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1 K",
                                      "1.5M",
                                      "1KB",
                                      "1KiB",
                                      "1T",
                                      "1e3",
                                      "0x10",
                                      "1025G",
                                      "1099511627777",
                                      "18446744073709551617",
                                      "99999999999999999999999G"};
  uint64_t bytes = 0;
  for (size_t i = 0; i < COUNT(sizes); i++) {
    assert_true(uvr_size_parse(sizes[i].text, (uint64_t)1 << 40, &bytes));
    assert_int_equal(bytes, sizes[i].bytes);
  }
  for (size_t i = 0; i < COUNT(wrong); i++) {
    if (uvr_size_parse(wrong[i], (uint64_t)1 << 40, &bytes)) {
      fail_msg("%s was accepted", wrong[i]);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_long_times),
      cmocka_unit_test(test_time_text),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
