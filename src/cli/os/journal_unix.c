/* The journal: see journal.h. systemd sets JOURNAL_STREAM to the device and the inode of the socket that it has made
 * standard output or error of a service, with a colon between them. A child process may have inherited the variable and
 * not the socket, so both are compared. */
#include "cli/os/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool uvr_journal_is(int fd)
{
  char text[48];
  struct stat status;
  const char *stream = getenv("JOURNAL_STREAM");
  if (stream == NULL || fstat(fd, &status) != 0) {
    return false;
  }
  (void)snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
  return strcmp(stream, text) == 0;
}
