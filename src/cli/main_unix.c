/* The program's entry on Unix. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <uv.h>

#include "cli/cli.h"
#include "stream/nothing_unix.h"

/* What libuv opens before it can report that it lacks something: with fewer it aborts the process. */
enum { DESCRIPTORS_MIN = 4 };

/* Opens those of the descriptors 0, 1 and 2 that are closed, so that nothing else gets one of these numbers. Returns 0,
 * or EMFILE or ENFILE if there are too few descriptors besides. */
static int open_missing(void)
{
  int fds[DESCRIPTORS_MIN];
  int count = 0;
  int fd;
  while (count < DESCRIPTORS_MIN && (fd = uvr_open_nothing(O_RDONLY)) >= 0) {
    if (fd > STDERR_FILENO) {
      fds[count++] = fd;
    }
  }
  int why = count == DESCRIPTORS_MIN ? 0 : errno;
  while (count > 0) {
    (void)close(fds[--count]);
  }
  return why == EMFILE || why == ENFILE ? why : 0;
}

int main(int argc, char **argv)
{
  int why = open_missing();
  if (why != 0) {
    (void)fprintf(stderr, "uvrelay: cannot start: %s: raise the limit (ulimit -n)\n",
                  uv_strerror(uv_translate_sys_error(why)));
    return 1;
  }
  (void)signal(SIGPIPE, SIG_IGN); /* a lost reader is handled as an error of write */
  (void)signal(SIGXFSZ, SIG_IGN); /* so is a file, such as the log, that has reached the limit of its size */
  int status = uvr_cli_main(argc, argv);
  (void)fflush(NULL);
  _exit(status); /* does not wait for a thread that reads standard input */
}
