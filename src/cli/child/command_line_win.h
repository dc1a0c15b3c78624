/* A command line of Windows. */
#ifndef UVR_CLI_CHILD_COMMAND_LINE_WIN_H
#define UVR_CLI_CHILD_COMMAND_LINE_WIN_H

#include <stdbool.h>
#include <wchar.h>

typedef struct uvr_command_line {
  wchar_t *file; /* what is started: the program, or cmd.exe for a batch file */
  wchar_t *line;
} uvr_command_line;

/* Whether a program's file is a batch file, which cmd.exe runs. */
bool uvr_is_batch_file(const char *file);

/* Whether cmd.exe can be given this word as it is: it cannot keep a double quote, a percent sign or the end of a line
 * from meaning something. */
bool uvr_is_batch_word(const char *word);

/* Makes the command line of a program's file and words, to be cleared. Returns 0; or UV_ENOMEM, UV_EINVAL, or what the
 * system says, with nothing to clear. */
int uvr_command_line_make(const char *file, char *const words[], uvr_command_line *out);

void uvr_command_line_clear(uvr_command_line *self);

#endif
