/* Terminals on Windows: see terminal.h. */
#include "cli/os/terminal.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* A console understands the sequences that move the cursor once it is asked to, from Windows 10 on. */
bool uvr_terminal_can_redraw(void)
{
  HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD mode = 0;
  return GetConsoleMode(output, &mode) && SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

static HANDLE console_of(int fd)
{
  return GetStdHandle(fd == 1 ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE);
}

/* A console that is not asked to shows the sequences themselves. Older ones cannot be asked. */
unsigned long uvr_terminal_begin_colours(int fd)
{
  DWORD mode = 0;
  if (GetConsoleMode(console_of(fd), &mode)) {
    (void)SetConsoleMode(console_of(fd), mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  }
  return mode;
}

void uvr_terminal_end_colours(int fd, unsigned long state)
{
  (void)SetConsoleMode(console_of(fd), state);
}

bool uvr_terminal_has_colours(int fd)
{
  DWORD mode = 0;
  const char *without = getenv("NO_COLOR");
  const char *kind = getenv("TERM"); /* of the shells of MSYS2 and Cygwin */
  if ((without != NULL && *without != '\0') || (kind != NULL && strcmp(kind, "dumb") == 0) ||
      !GetConsoleMode(console_of(fd), &mode)) {
    return false;
  }
  bool able = SetConsoleMode(console_of(fd), mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  uvr_terminal_end_colours(fd, mode);
  return able;
}

bool uvr_terminal_is_there(void)
{
  return false;
}

bool uvr_terminal_hangup_may_ask(void)
{
  return false;
}

bool uvr_terminal_is_windows(void)
{
  return true;
}
