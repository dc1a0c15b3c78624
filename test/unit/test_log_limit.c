/* The limit of the log: what passes at once, what is counted, when counts are written, and that nothing is lost,
 * however many lines of however many sorts there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/output/log_limit.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c" /* NOLINT(bugprone-suspicious-include) */

typedef struct bench {
  uvr_log_limit limit;
  uint64_t now;
  unsigned windows;
  uint64_t lines; /* written */
  uint64_t told;  /* for how many they stand */
  char text[4096];
  size_t length;
} bench;

/* For how many lines this one stands. */
static uint64_t worth(const char *line)
{
  unsigned long long count = 1;
  double time = 0;
  const char *same = strstr(line, ": the same ");
  const char *alike = strstr(line, ": one of ");
  const char *repeated = strstr(line, "\"repeated\":");
  const char *lines = strstr(line, "\"lines\":");
  if (same != NULL) {
    assert_int_equal(sscanf(same, ": the same %llu times in %lg s\n", &count, &time), 2);
  } else if (alike != NULL) {
    assert_int_equal(sscanf(alike, ": one of %llu like it in %lg s\n", &count, &time), 2);
  } else if (repeated != NULL || lines != NULL) {
    assert_int_equal(sscanf(strchr(repeated != NULL ? repeated : lines, ':'), ":%llu", &count), 1);
  } else {
    (void)sscanf(line, "uvrelay: %llu more line", &count);
  }
  return count;
}

static void write_text(void *user, const char *text, size_t length)
{
  bench *b = user;
  char line[KEPT_MAX * 2];
  assert_in_range(length, 1, sizeof(line) - 1);
  memcpy(line, text, length);
  line[length] = '\0';
  assert_ptr_equal(strchr(line, '\n'), line + length - 1);
  b->lines++;
  b->told += worth(line);
  if (b->length + length < sizeof(b->text)) {
    memcpy(b->text + b->length, line, length + 1);
    b->length += length;
  }
}

static uint64_t now(void *user)
{
  return ((bench *)user)->now;
}

static void on_window(void *user)
{
  ((bench *)user)->windows++;
}

static void begin(bench *b, bool is_json)
{
  *b = (bench){.now = 5000};
  b->limit = (uvr_log_limit){.json = is_json,
                             .allowance = {.same = 3, .alike = 20, .all = 40},
                             .write = write_text,
                             .now = now,
                             .on_window = on_window,
                             .user = b};
}

static void add_line(bench *b, const char *listen, const char *text, const char *line)
{
  const uvr_log_topic topic = {.kind = "kind", .listen = listen, .target = "t", .text = text};
  uvr_log_limit_add(&b->limit, &topic, line, strlen(line));
}

/* The line is the text. */
static void add(bench *b, const char *listen, const char *text)
{
  char line[512];
  (void)snprintf(line, sizeof(line), "%s %s\n", listen, text);
  add_line(b, listen, text, line);
}

static void assert_written(bench *b, const char *expected)
{
  b->text[b->length] = '\0';
  assert_string_equal(b->text, expected);
  b->length = 0;
}

static void pass(bench *b, uint64_t ms)
{
  b->now += ms;
  uvr_log_limit_tick(&b->limit);
}

/* The first ones at once; then counts, as long as it goes on; after a quiet time it is new again. */
static void test_same(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int i = 1; i <= 812 + 3; i++) {
    char text[32];
    (void)snprintf(text, sizeof(text), "#%d failed", i);
    add(&b, "a", text);
    b.now += i == 3 ? 1000 : 1;
  }
  assert_written(&b, "a #1 failed\na #2 failed\na #3 failed\n");
  pass(&b, 7000);
  assert_written(&b, "");
  pass(&b, 1200);
  assert_written(&b, "a #815 failed: the same 812 times in 9 s\n");
  assert_int_equal(b.windows, 2);
  add(&b, "a", "#900 failed");
  assert_written(&b, "");
  pass(&b, UVR_LOG_LIMIT_MS);
  assert_written(&b, "a #900 failed\n"); /* it stands for itself */
  pass(&b, UVR_LOG_LIMIT_MS);
  assert_written(&b, "");
  assert_int_equal(b.windows, 3);
  pass(&b, UVR_LOG_LIMIT_MS);
  assert_int_equal(b.windows, 3); /* it is quiet: there is no longer a timer */
  add(&b, "a", "#901 failed");
  assert_written(&b, "a #901 failed\n");
  uvr_log_limit_end(&b.limit);
  assert_written(&b, "");
}

static void test_what_is_the_same(void **state)
{
  (void)state;
  static const struct {
    const char *one, *other;
    bool same;
  } cases[] = {
      {"process 7 of user 100", "process 81234 of user 0", true},
      {"status 0xC0000005", "status 0x00000001", true},
      {"says \"hello\" instead", "says \"bye 3\" instead", true},
      {"1 byte", "2 bytes", false},
      {"a", "b", false},
      {"says \"hello", "says \"bye", false},
      {"a 1", "a1", false},
      {"10.0.0.1:80", "10.0.0.2:81", true},
      {"10.0.0.1:80", "10.0.0.2", false},
      {"", "1", false},
      {"\xC3\xA4", "\xC3\xB6", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    bench b;
    begin(&b, false);
    for (int k = 0; k < 3; k++) {
      add(&b, "a", cases[i].one);
    }
    uint64_t before = b.lines;
    add(&b, "a", cases[i].other);
    if ((b.lines == before) != cases[i].same) {
      fail_msg("%s, %s", cases[i].one, cases[i].other);
    }
    uvr_log_limit_end(&b.limit);
    assert_int_equal(b.told, 4);
  }
}

/* Lines in turn, and routes whose names differ in numbers only: each has its own count. */
static void test_sorts(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int i = 0; i < 10; i++) {
    add(&b, "r1", "x");
    add(&b, "r2", "x");
  }
  add(&b, "r1", "y");
  b.now += 300;
  uvr_log_limit_end(&b.limit);
  assert_written(&b, "r1 x\nr2 x\nr1 x\nr2 x\nr1 x\nr2 x\nr1 y\n"
                     "r1 x: the same 7 times in 0.3 s\nr2 x: the same 7 times in 0.3 s\n");
  add(&b, "r1", "x"); /* it goes on after the end */
  assert_written(&b, "r1 x\n");
  uvr_log_limit_end(&b.limit);
}

static void test_less_of_a_topic(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int i = 0; i < 3; i++) {
    uvr_log_limit_add(&b.limit, &(uvr_log_topic){.kind = "k", .text = "x", .same = 1}, "x\n", 2);
  }
  uvr_log_limit_end(&b.limit);
  assert_written(&b, "x\nx: the same 2 times in 0 s\n");
}

/* Of one kind and route, each line another: as many as are allowed, then one for the rest. */
static void test_alike(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int i = 0; i < 1000; i++) {
    const char text[] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676), '\0'};
    add(&b, "r", text);
  }
  assert_int_equal(b.lines, 20);
  add(&b, "other", "is told at once");
  assert_int_equal(b.lines, 21);
  b.length = 0;
  pass(&b, UVR_LOG_LIMIT_MS);
  assert_written(&b, "r lmb: one of 980 like it in 10 s\n");
  uvr_log_limit_end(&b.limit);
  assert_int_equal(b.told, 1001);
}

/* Many routes at once: what is first of its sort goes before what is not, and the rest is counted. */
static void test_all(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 30; i++) {
      char name[16];
      (void)snprintf(name, sizeof(name), "r%d", i);
      add(&b, name, "x");
    }
    assert_int_equal(b.lines, 30);
  }
  for (int i = 0; i < 30; i++) {
    char name[16];
    (void)snprintf(name, sizeof(name), "q%d", i);
    add(&b, name, "x");
  }
  assert_int_equal(b.lines, 40);
  pass(&b, UVR_LOG_LIMIT_MS);
  assert_int_equal(b.lines, 40 + 30 + 1);
  assert_non_null(
      strstr(b.text, "r29 x: the same 2 times in 10 s\nuvrelay: 20 more lines of the log were left out in 10 s\n"));
  uvr_log_limit_end(&b.limit);
  assert_int_equal(b.told, 120);
}

/* Anything may come: no more is written than is allowed, no memory is held without limit, and nothing is lost. */
static void test_anything(void **state)
{
  (void)state;
  uint32_t random = 12345;
  for (int is_json = 0; is_json < 2; is_json++) {
    bench b;
    begin(&b, is_json);
    b.limit.allowance = (uvr_log_allowance){.same = 5, .alike = 1000, .all = 3000};
    uint64_t added = 0;
    for (int window = 0; window < 20; window++) {
      uint64_t before = b.lines;
      unsigned many = window % 3 == 0 ? 20000 : window % 3 == 1 ? 50 : 0;
      for (unsigned i = 0; i < many; i++) {
        char listen[16];
        char text[16];
        char line[128];
        random = random * 1664525U + 1013904223U;
        (void)snprintf(listen, sizeof(listen), "r%u", random >> 28);
        (void)snprintf(text, sizeof(text), "%c%c%c", 'a' + (int)(random >> 8) % 26, 'a' + (int)(random >> 13) % 26,
                       'a' + (int)(random >> 18) % 26);
        (void)snprintf(line, sizeof(line), is_json ? "{\"a\":\"%s %s\"}\n" : "%s %s\n", listen, text);
        add_line(&b, listen, text, line);
        added++;
      }
      assert_in_range(b.limit.capacity, 0, SORTS_MAX);
      pass(&b, UVR_LOG_LIMIT_MS);
      assert_in_range(b.lines - before, 0, 2 * 3000 + 2);
    }
    assert_true(b.told <= added);
    uvr_log_limit_end(&b.limit);
    assert_int_equal(b.told, added);
    assert_null(b.limit.sorts);
  }
}

static void test_json(void **state)
{
  (void)state;
  bench b;
  begin(&b, true);
  for (int i = 0; i < 10; i++) {
    add_line(&b, "r", "x", "{\"a\":1}\n");
  }
  b.now += 250;
  b.length = 0;
  uvr_log_limit_end(&b.limit);
  assert_written(&b, "{\"a\":1,\"repeated\":7,\"repeated_ms\":250}\n");
}

/* A line that is too long to be kept is written, and later counted. */
static void test_long_lines(void **state)
{
  (void)state;
  bench b;
  static char line[KEPT_MAX + 100];
  memset(line, 'x', sizeof(line) - 2);
  line[sizeof(line) - 2] = '\n';
  begin(&b, false);
  for (int i = 0; i < 8; i++) {
    add_line(&b, "r", "x", line);
  }
  assert_int_equal(b.lines, 3);
  b.length = 0;
  uvr_log_limit_end(&b.limit);
  assert_written(&b, "uvrelay: 5 more lines of the log were left out in 0 s\n");
}

/* Without a timer counts come with the next line. */
static void test_late(void **state)
{
  (void)state;
  bench b;
  begin(&b, false);
  for (int i = 0; i < 5; i++) {
    add(&b, "a", "x");
  }
  b.length = 0;
  b.now += 100000;
  add(&b, "b", "y");
  assert_written(&b, "a x: the same 2 times in 100 s\nb y\n");
  uvr_log_limit_end(&b.limit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same),     cmocka_unit_test(test_what_is_the_same),
      cmocka_unit_test(test_sorts),    cmocka_unit_test(test_less_of_a_topic),
      cmocka_unit_test(test_alike),    cmocka_unit_test(test_all),
      cmocka_unit_test(test_anything), cmocka_unit_test(test_json),
      cmocka_unit_test(test_late),     cmocka_unit_test(test_long_lines),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
