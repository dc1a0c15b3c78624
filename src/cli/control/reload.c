/* The command reload: see commands.h. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/control/ask_all.h"
#include "cli/control/command_line.h"
#include "cli/control/commands.h"
#include "cli/output/print.h"
#include "cli/output/text_line.h"

static const char usage[] = "Usage: uvrelay reload [PROCESS]\n"
                            "\n"
                            "Makes the running uvrelay serve read its configuration files again. Unchanged\n"
                            "routes keep their listeners and connections, removed routes drain as when serve\n"
                            "stops, and new routes start. If a file has an error, nothing changes. If several\n"
                            "serves run, all of them reload, or only the one with this process number.\n"
                            "\n"
                            "Exit status: 0; 1 if none runs or a reload failed; 2 for wrong usage.\n";

static void say(int process, const char *text)
{
  char head[64];
  uvr_text_line line = {.text = NULL};
  (void)snprintf(head, sizeof(head), "process %d: ", process);
  uvr_text_line_bytes(&line, head, strlen(head));
  uvr_text_line_bytes(&line, text, strlen(text) + 1);
  if (!line.failed) {
    uvr_control_say(line.text);
  }
  uvr_text_line_clear(&line);
}

static void on_answer(void *user, int process, const uvr_control_answer_text *answer)
{
  bool *failed = user;
  if (!answer->ok) {
    *failed = true;
    say(process, answer->text);
    return;
  }
  uvr_text_line line = {.text = NULL};
  uvr_text_line_add(&line, "uvrelay: process %d: ", process);
  uvr_text_line_bytes(&line, answer->text, answer->size + 1);
  if (!line.failed && uvr_print(line.text) != 0) {
    *failed = true;
  }
  uvr_text_line_clear(&line);
}

static void on_failed(void *user, int process, const uvrelay_error_t *error)
{
  bool *failed = user;
  *failed = true;
  say(process, error->text);
}

int uvr_cli_reload(int argc, char **argv)
{
  static const uvr_flag flags[] = {{"help", 0, UVR_FLAG_ALONE, NULL}, {"h", 0, UVR_FLAG_ALONE, NULL}};
  char quoted[UVR_QUOTED_SIZE];
  char text[UVR_QUOTED_SIZE + 64];
  uvrelay_error_t error;
  uvr_parsed_flag flag;
  int process = 0;
  uvr_flags parser = {.table = flags,
                      .count = sizeof(flags) / sizeof(flags[0]),
                      .all = "the flag of reload is --help",
                      .argc = argc,
                      .argv = argv,
                      .next = 1,
                      .error = &error};
  uvr_flags_step step = uvr_flags_next(&parser, &flag);
  if (step == UVR_FLAGS_FOUND || (argc == 2 && strcmp(argv[1], "help") == 0)) {
    return uvr_print(usage);
  }
  if (step == UVR_FLAGS_WRONG) {
    return uvr_control_refuse("reload", error.text);
  }
  if (argc - parser.next > 1 || (argc > parser.next && !uvr_control_process(argv[parser.next], &process))) {
    (void)snprintf(text, sizeof(text), "%s is not a process number", uvr_quote(quoted, argv[argc - 1]));
    return uvr_control_refuse("reload", text);
  }
  bool failed = false;
  if (uvr_control_ask_all("reload", process, UVR_CONTROL_RELOAD_MS, on_answer, on_failed, &failed) == 0) {
    uvr_control_say_nobody(process);
    return 1;
  }
  return failed ? 1 : 0;
}
