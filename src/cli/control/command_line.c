/* What the command lines share: see command_line.h. */
#include "cli/control/command_line.h"

#include <limits.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/control/ask_all.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

void uvr_control_say(const char *text)
{
  uvr_text_line line = {.text = NULL};
  uvr_text_line_text(&line, text);
  if (!line.failed) {
    (void)fprintf(stderr, "uvrelay: %.*s\n", (int)line.length, line.text);
  }
  uvr_text_line_clear(&line);
}

int uvr_control_refuse(const char *command, const char *text)
{
  uvr_control_say(text);
  uvr_print_try(command);
  return 2;
}

void uvr_control_say_nobody(int process)
{
  if (process == 0) {
    (void)fprintf(stderr, "uvrelay: no uvrelay serve of this user is running: %s\n", uvr_control_advice());
  } else {
    (void)fprintf(
        stderr,
        "uvrelay: no uvrelay serve of this user is running as process %d: uvrelay status lists those that are\n",
        process);
  }
}

int uvr_control_process(const char *text, int *process)
{
  unsigned number = 0;
  int valid = uvr_number_parse(text, 10, INT_MAX, &number) && number > 0;
  *process = (int)number;
  return valid;
}
