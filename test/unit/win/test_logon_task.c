/* The XML of the scheduled task: what means something in XML is escaped, and nothing else is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/setup/logon_task_win.c" /* NOLINT(bugprone-suspicious-include) */

static void assert_has(const char *xml, const char *part)
{
  if (strstr(xml, part) == NULL) {
    fail_msg("no %s in %s", part, xml);
  }
}

static void test_escaped(void **state)
{
  (void)state;
  const uvr_logon_task task = {.sid = "S-1-5-21-1-2-3-1001",
                               .conhost = "C:\\W&S\\conhost.exe",
                               .program = "C:\\Program Files\\J\xC3\xBCrgen & 'S\xC3\xB6hne' $p\\uvrelay.exe",
                               .log = "C:\\<a>\"b\"\\serve.log",
                               .home = "C:\\Users\\\xE2\x82\xAC"};
  char *xml = uvr_logon_task_xml(&task);
  assert_non_null(xml);
  assert_has(xml, "<Command>C:\\W&amp;S\\conhost.exe</Command>");
  assert_has(
      xml,
      "<Arguments>--headless \"C:\\Program Files\\J\xC3\xBCrgen &amp; &apos;S\xC3\xB6hne&apos; $p\\uvrelay.exe\" serve "
      "--log-file=\"C:\\&lt;a&gt;&quot;b&quot;\\serve.log\"</Arguments>");
  assert_has(xml, "<WorkingDirectory>C:\\Users\\\xE2\x82\xAC</WorkingDirectory>");
  const char *first = strstr(xml, "<UserId>S-1-5-21-1-2-3-1001</UserId>");
  assert_non_null(first);
  assert_non_null(strstr(first + 1, "<UserId>S-1-5-21-1-2-3-1001</UserId>"));
  assert_string_equal(xml + strlen(xml) - 8, "</Task>\n");
  free(xml);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_escaped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
