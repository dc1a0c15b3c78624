/* Terminals on Unix: see terminal.h. */
#include "cli/os/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool uvr_terminal_can_redraw(void)
{
  const char *kind = getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && kind != NULL && *kind != '\0' && strcmp(kind, "dumb") != 0;
}

/* When the terminal hangs up, the system takes it from all processes of its session, so that this does not open. */
bool uvr_terminal_is_there(void)
{
  int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) {
    (void)close(fd);
  }
  return fd >= 0;
}

bool uvr_terminal_hangup_may_ask(void)
{
  return true;
}

bool uvr_terminal_is_windows(void)
{
  return false;
}
