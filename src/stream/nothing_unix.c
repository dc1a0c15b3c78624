/* Nothing: see nothing_unix.h. It is the null device, or, where there is no /dev, as in a bare container, a pipe
 * without a writer. That can't be written to in any mode. */
#include "stream/nothing_unix.h"

#include <fcntl.h>
#include <unistd.h>

int uvr_open_nothing(int mode)
{
  int ends[2];
  int fd = open("/dev/null", mode | O_CLOEXEC);
  if (fd < 0 && pipe2(ends, O_CLOEXEC) == 0) {
    (void)close(ends[1]);
    fd = ends[0];
  }
  return fd;
}
