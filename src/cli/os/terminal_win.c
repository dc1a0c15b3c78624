/* Terminals on Windows: see terminal.h. */
#include "cli/os/terminal.h"

#include <windows.h>

/* A console understands the sequences that move the cursor once it is asked to, from Windows 10 on. */
bool uvr_terminal_can_redraw(void)
{
  HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD mode = 0;
  return GetConsoleMode(output, &mode) && SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
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
