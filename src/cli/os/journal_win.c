/* Windows has no such journal: see journal.h. */
#include "cli/os/journal.h"

bool uvr_journal_is(int fd)
{
  (void)fd;
  return false;
}
