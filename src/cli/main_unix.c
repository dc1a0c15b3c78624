/* The program's entry on Unix. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

/* Opens what is missing of descriptors 0, 1 and 2, so that no socket gets one of these numbers: a missing input is
 * empty, a missing output cannot be written to. */
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
  (void)setenv("UV_THREADPOOL_SIZE", "2", 1); /* standard input and output are all that blocks */
  (void)signal(SIGPIPE, SIG_IGN);             /* a lost reader is an error of write, and handled there */
  int status = uvr_cli_main(argc, argv);
  (void)fflush(NULL);
  _exit(status); /* no waiting for a thread that reads standard input */
}
