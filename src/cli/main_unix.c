/* The program's entry on Unix. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* Opens those of the descriptors 0, 1 and 2 that are closed, so that no socket gets one of these numbers. Standard
 * input is then empty, and standard output cannot be written to. */
static void open_missing(void)
{
  int fd;
  do {
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) {
    (void)close(fd);
  }
}

int main(int argc, char **argv)
{
  open_missing();
  (void)signal(SIGPIPE, SIG_IGN); /* a lost reader is handled as an error of write */
  int status = uvr_cli_main(argc, argv);
  (void)fflush(NULL);
  _exit(status); /* does not wait for a thread that reads standard input */
}
