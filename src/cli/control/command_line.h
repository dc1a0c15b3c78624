/* The command lines of status, reload and env: what they share. */
#ifndef UVR_CLI_CONTROL_COMMAND_LINE_H
#define UVR_CLI_CONTROL_COMMAND_LINE_H

#include <stdint.h>

#include "cli/input/flags.h"

/* How long a serve may take to answer. Reading its configuration again, which may involve files on slow drives, may
 * take the longer time. */
enum { UVR_CONTROL_ANSWER_MS = 3000, UVR_CONTROL_RELOAD_MS = 60000 };

/* Says to standard error what is wrong with the command line, and how to get help. Returns 2. */
int uvr_control_refuse(const char *command, const char *text);

/* Says a sentence to standard error. */
void uvr_control_say(const char *text);

/* Says that no process has answered: no serve of this user runs, or none with this number. */
void uvr_control_say_nobody(int process);

/* Parses the number of a process. Returns false if the text is not one. */
int uvr_control_process(const char *text, int *process);

#endif
