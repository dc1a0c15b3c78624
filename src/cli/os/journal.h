/* The journal of systemd: journal_unix.c and journal_win.c. */
#ifndef UVR_CLI_OS_JOURNAL_H
#define UVR_CLI_OS_JOURNAL_H

#include <stdbool.h>

/* Whether this descriptor leads to the journal, as the environment variable JOURNAL_STREAM says. On Windows never. */
bool uvr_journal_is(int fd);

#endif
