/* The variables of the environment that `uvrelay env` sets, in the syntax of each shell. Pure. */
#ifndef UVR_CLI_CONTROL_ENV_TEXT_H
#define UVR_CLI_CONTROL_ENV_TEXT_H

#include <stdbool.h>

#include "cli/output/text_line.h"

typedef enum uvr_shell { UVR_SHELL_SH, UVR_SHELL_FISH, UVR_SHELL_CSH, UVR_SHELL_POWERSHELL, UVR_SHELL_CMD } uvr_shell;

/* The shell of this name, such as "bash". Returns whether there is one. */
bool uvr_shell_find(const char *name, uvr_shell *out);

/* The names of all shells, for messages. */
const char *uvr_shell_names(void);

/* Adds the line that sets a variable, with its newline. Whatever the value is, it is data for the shell, never code.
 * Returns false, and adds nothing, if it cannot be written so for this shell, or if the name is not one. */
bool uvr_env_add(uvr_text_line *self, uvr_shell shell, const char *name, const char *value);

/* Adds a comment, if the shell can have one here. `text` has no control characters. */
void uvr_env_comment(uvr_text_line *self, uvr_shell shell, const char *text);

#endif
