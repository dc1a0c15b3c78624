/* The command env: see commands.h.
 *
 * It is called from ~/.bashrc: it is quick, and whatever goes wrong it prints nothing that a shell could take for
 * something else, and returns 0. A serve answers with lines of NAME, a tab and VALUE; the syntax of the shell is made
 * here. If several serves set a variable, the first one counts. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/control/ask_all.h"
#include "cli/control/command_line.h"
#include "cli/control/commands.h"
#include "cli/control/env_text.h"
#include "cli/os/terminal.h"
#include "cli/output/print.h"

enum { PATIENCE_MS = 1000, NAMES_MAX = 32 };

typedef struct environment {
  uvr_shell shell;
  uvr_text_line text;
  char names[NAMES_MAX][64]; /* that are set already */
  size_t count;
} environment;

static const char usage[] = "Usage: eval \"$(uvrelay env)\"\n"
                            "\n"
                            "Prints shell commands that set the variables by which programs find the running\n"
                            "routes of presets, such as export SSH_AUTH_SOCK='/home/me/.uvrelay/agent.sock'.\n"
                            "Without such routes it prints a comment.\n"
                            "\n"
                            "Flags:\n"
                            "  --shell=NAME          for sh (also bash, zsh, dash, ksh), fish, csh (tcsh),\n"
                            "                        powershell (pwsh) or cmd; the default is sh, on Windows\n"
                            "                        powershell\n"
                            "  --help                print this help and exit\n"
                            "\n"
                            "In the startup file of your shell:\n"
                            "  bash, zsh:    eval \"$(uvrelay env)\"\n"
                            "  fish:         uvrelay env --shell=fish | source\n"
                            "  tcsh:         eval \"`uvrelay env --shell=csh`\"\n"
                            "  PowerShell:   uvrelay.exe env | Out-String | Invoke-Expression\n"
                            "  cmd:          for /f \"delims=\" %i in ('uvrelay.exe env --shell=cmd') do @%i\n"
                            "\n"
                            "Exit status: 0, even if no serve runs; 2 for wrong usage.\n";

static bool is_set(environment *self, const char *name)
{
  for (size_t i = 0; i < self->count; i++) {
    if (strcmp(self->names[i], name) == 0) {
      return true;
    }
  }
  return false;
}

static void add_line(environment *self, char *line)
{
  char *tab = strchr(line, '\t');
  if (tab == NULL) {
    return;
  }
  *tab = '\0';
  if (self->count < NAMES_MAX && strlen(line) < sizeof(self->names[0]) && !is_set(self, line) &&
      uvr_env_add(&self->text, self->shell, line, tab + 1)) {
    memcpy(self->names[self->count++], line, strlen(line) + 1);
  }
}

static void on_answer(void *user, int process, const uvr_control_answer_text *answer)
{
  (void)process;
  char *line = answer->text;
  while (answer->ok && *line != '\0') {
    char *end = line + strcspn(line, "\n");
    char *next = *end == '\0' ? end : end + 1;
    *end = '\0';
    add_line(user, line);
    line = next;
  }
}

static void on_failed(void *user, int process, const uvrelay_error_t *error)
{
  (void)user;
  (void)process;
  (void)error;
}

static int print_environment(uvr_shell shell)
{
  environment *self = calloc(1, sizeof(*self));
  if (self == NULL) {
    return 0;
  }
  self->shell = shell;
  size_t heard = uvr_control_ask_all("env", 0, PATIENCE_MS, on_answer, on_failed, self);
  if (self->count == 0) {
    uvr_env_comment(&self->text, shell,
                    heard == 0 ? "uvrelay: no uvrelay serve of this user is running"
                               : "uvrelay: no running route sets a variable");
  }
  uvr_text_line_bytes(&self->text, "", 1);
  int status = self->text.failed ? 0 : uvr_print(self->text.text);
  uvr_text_line_clear(&self->text);
  free(self);
  return status;
}

int uvr_cli_env(int argc, char **argv)
{
  enum { SHELL, HELP };
  static const uvr_flag flags[] = {{"shell", SHELL, UVR_FLAG_VALUE, "--shell=NAME, such as --shell=fish"},
                                   {"help", HELP, UVR_FLAG_ALONE, NULL},
                                   {"h", HELP, UVR_FLAG_ALONE, NULL}};
  char quoted[UVR_QUOTED_SIZE];
  char text[UVR_QUOTED_SIZE + 256];
  uvrelay_error_t error;
  uvr_parsed_flag flag;
  uvr_shell shell = uvr_terminal_is_windows() ? UVR_SHELL_POWERSHELL : UVR_SHELL_SH;
  uvr_flags parser = {.table = flags,
                      .count = sizeof(flags) / sizeof(flags[0]),
                      .all = "the flags of env are --shell and --help",
                      .argc = argc,
                      .argv = argv,
                      .next = 1,
                      .error = &error};
  uvr_flags_step step;
  while ((step = uvr_flags_next(&parser, &flag)) == UVR_FLAGS_FOUND) {
    if (flag.id == HELP) {
      return uvr_print(usage);
    }
    if (!uvr_shell_find(flag.value, &shell)) {
      (void)snprintf(text, sizeof(text), "unknown shell %s in --shell: write one of %s", uvr_quote(quoted, flag.value),
                     uvr_shell_names());
      return uvr_control_refuse("env", text);
    }
  }
  if (step == UVR_FLAGS_WRONG) {
    return uvr_control_refuse("env", error.text);
  }
  if (argc == 2 && strcmp(argv[1], "help") == 0) {
    return uvr_print(usage);
  }
  if (parser.next < argc) {
    (void)snprintf(text, sizeof(text), "%s: env takes no arguments, only flags", uvr_quote(quoted, argv[parser.next]));
    return uvr_control_refuse("env", text);
  }
  return print_environment(shell);
}
