/* How lines look: each style with each mark, in pieces as few as possible, and no line divided that need not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The program's own files are in no library. */
#include "cli/output/log_style.c" /* NOLINT(bugprone-suspicious-include) */
#include "cli/output/text_line.c" /* NOLINT(bugprone-suspicious-include) */

enum { PAPER_SIZE = 65536 };

typedef struct paper {
  char text[PAPER_SIZE];
  size_t length;
  unsigned pieces;
  unsigned torn; /* pieces that do not end with a line */
} paper;

static void write_paper(void *user, const char *text, size_t length)
{
  paper *self = user;
  assert_in_range(length, 1, PAPER_SIZE - 1 - self->length);
  memcpy(self->text + self->length, text, length);
  self->length += length;
  self->text[self->length] = '\0';
  self->pieces++;
  self->torn += text[length - 1] == '\n' ? 0 : 1;
}

/* What has a mark: a level, and a time or none. Without a level there is none. */
static void add(uvr_text_line *all, unsigned level, bool timed, const char *text)
{
  uvr_text_line line = {.text = NULL};
  uvr_text_line_bytes(&line, text, strlen(text));
  if (level > 0) {
    uvr_log_mark(&line, (uvr_log_level)level, timed);
    assert_true(uvr_log_is_marked(line.text));
  } else {
    assert_false(uvr_log_is_marked(line.text));
  }
  uvr_text_line_bytes(all, line.text, line.length);
  uvr_text_line_clear(&line);
}

static const char *render(paper *p, const uvr_log_style *style, const uvr_text_line *lines)
{
  p->length = 0;
  p->text[0] = '\0';
  p->pieces = 0;
  p->torn = 0;
  uvr_log_style_render(style, lines->text, lines->length, write_paper, p);
  return p->text;
}

static const uvr_log_style plain = {.times = false};
static const uvr_log_style times = {.times = true};
static const uvr_log_style journal = {.priorities = true};
static const uvr_log_style colours = {.colours = true};
static paper p;

static void test_levels(void **state)
{
  (void)state;
  uvr_text_line lines = {.text = NULL};
  add(&lines, UVR_LOG_ERROR, false, "error\n");
  add(&lines, UVR_LOG_WARNING, true, "warning\n");
  add(&lines, UVR_LOG_NOTICE, false, "notice\n");
  add(&lines, UVR_LOG_INFO, true, "info\n");
  add(&lines, 0, false, "no mark\n");
  assert_string_equal(render(&p, &plain, &lines), "error\nwarning\nnotice\ninfo\nno mark\n");
  assert_string_equal(render(&p, &journal, &lines), "<3>error\n<4>warning\n<5>notice\n<6>info\n<6>no mark\n");
  assert_string_equal(render(&p, &colours, &lines),
                      "\x1B[31merror\x1B[0m\n\x1B[33mwarning\x1B[0m\nnotice\ninfo\nno mark\n");
  assert_int_equal(p.pieces, 1);
  uvr_text_line_clear(&lines);
}

/* Where there is one, and the style has it. */
static void test_times(void **state)
{
  (void)state;
  int year;
  int end = 0;
  uvr_text_line lines = {.text = NULL};
  add(&lines, UVR_LOG_ERROR, true, "a\n");
  assert_string_equal(render(&p, &journal, &lines), "<3>a\n");
  (void)render(&p, &times, &lines);
  assert_int_equal(sscanf(p.text, "%4d-%*2u-%*2uT%*2u:%*2u:%*2u.%*3uZ a%n", &year, &end), 1);
  assert_in_range(year, 2026, 9999);
  assert_int_equal(end, strlen("2026-11-28T01:02:03.004Z a"));
  assert_string_equal(p.text + end, "\n");
  const uvr_log_style both = {.times = true, .colours = true};
  (void)render(&p, &both, &lines);
  assert_memory_equal(p.text, "\x1B[31m2", 6);
  assert_string_equal(p.text + p.length - 7, " a\x1B[0m\n");
  uvr_text_line_clear(&lines);
  add(&lines, UVR_LOG_ERROR, false, "a\n");
  assert_string_equal(render(&p, &times, &lines), "a\n");
  uvr_text_line_clear(&lines);
}

/* As many lines in a piece as fit, and none divided; of any length in files, and up to a limit elsewhere. */
static void test_pieces(void **state)
{
  (void)state;
  static char text[3 * RENDER_SIZE];
  for (size_t length = 1; length < sizeof(text) - 1; length += 97) {
    uvr_text_line lines = {.text = NULL};
    memset(text, 'x', length);
    text[length] = '\n';
    text[length + 1] = '\0';
    for (int i = 0; i < 3; i++) {
      add(&lines, UVR_LOG_ERROR, true, text);
    }
    (void)render(&p, &times, &lines);
    assert_int_equal(p.length, 3 * (length + 1 + TIME_LENGTH));
    assert_int_equal(p.torn, 0);
    assert_in_range(p.pieces, 1, 3);
    (void)render(&p, &journal, &lines);
    assert_int_equal(p.length, 3 * (length + 1 + 3));
    assert_int_equal(p.torn, length + 1 + 3 > RENDER_SIZE ? 3 : 0);
    (void)render(&p, &colours, &lines);
    assert_int_equal(p.length, 3 * (length + 1 + 9));
    uvr_text_line_clear(&lines);
  }
}

/* Whatever it is, no byte of the text is lost or added. */
static void test_odd_texts(void **state)
{
  (void)state;
  const struct {
    const char *text;
    size_t length;
    const char *plain;
    const char *coloured;
  } cases[] = {{"", 0, "", ""},
               {"\n\n", 2, "\n\n", "\n\n"},
               {"no end", 6, "no end", "no end"},
               {"\x03", 1, "", ""},
               {"\x03no end", 7, "no end", "no end"},
               {"\x03\n", 2, "\n", "\x1B[31m\x1B[0m\n"},
               {"\x0Btoo short for a time\n", 22, "too short for a time\n", "\x1B[31mtoo short for a time\x1B[0m\n"},
               {"\xC3\xA4\n", 3, "\xC3\xA4\n", "\xC3\xA4\n"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvr_text_line lines = {.text = NULL};
    uvr_text_line_bytes(&lines, cases[i].text, cases[i].length);
    assert_string_equal(render(&p, &plain, &lines), cases[i].plain);
    assert_string_equal(render(&p, &colours, &lines), cases[i].coloured);
    uvr_text_line_clear(&lines);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_times),
                                     cmocka_unit_test(test_pieces), cmocka_unit_test(test_odd_texts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
