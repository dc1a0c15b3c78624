/* Terminals on Unix: see terminal.h. */
#include "cli/os/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_able_terminal(int fd)
{
  const char *kind = getenv("TERM");
  return kind != NULL && *kind != '\0' && strcmp(kind, "dumb") != 0 && isatty(fd) == 1;
}

bool uvr_terminal_can_redraw(void)
{
  return is_able_terminal(STDOUT_FILENO);
}

bool uvr_terminal_has_colours(int fd)
{
  const char *without = getenv("NO_COLOR");
  return (without == NULL || *without == '\0') && is_able_terminal(fd);
}

unsigned long uvr_terminal_begin_colours(int fd)
{
  (void)fd;
  return 0;
}

void uvr_terminal_end_colours(int fd, unsigned long state)
{
  (void)fd;
  (void)state;
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
