/* Which directories are Windows drives: WSL's part of the mount table. */
#ifndef UVR_CLI_CHILD_WSL_DRIVES_UNIX_H
#define UVR_CLI_CHILD_WSL_DRIVES_UNIX_H

#include <stdbool.h>

#include "cli/child/wsl.h"

typedef struct uvr_wsl_drives {
  char *c;     /* where drive C is mounted, allocated; NULL: nowhere */
  char *first; /* the same for the drive, or directory of a drive, that was mounted first */
  bool within; /* the directory that was asked for is on one */
} uvr_wsl_drives;

/* Reads the mount table. `asked` is a directory, absolute and free of links, or empty. */
uvr_wsl_drives uvr_wsl_find_drives(const uvr_wsl *self, const char *asked);

void uvr_wsl_drives_clear(uvr_wsl_drives *drives);

#endif
