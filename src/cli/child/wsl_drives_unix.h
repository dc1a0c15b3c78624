/* Which directories are Windows drives, by the mount table of WSL. */
#ifndef UVR_CLI_CHILD_WSL_DRIVES_UNIX_H
#define UVR_CLI_CHILD_WSL_DRIVES_UNIX_H

#include <stdbool.h>

typedef struct uvr_wsl_drives {
  char *c;     /* where drive C is mounted, allocated; NULL: nowhere */
  char *first; /* where the drive, or directory of a drive, that was mounted first is; allocated, or NULL */
  bool within; /* `asked` is on a Windows drive */
} uvr_wsl_drives;

/* Reads the mount table, the file "mounts" in `proc`. `virtiofs` is the directory of links from virtiofs' tags to
 * drives; `asked` is a directory, absolute and free of links, or empty. */
uvr_wsl_drives uvr_wsl_find_drives(const char *proc, const char *virtiofs, const char *asked);

void uvr_wsl_drives_clear(uvr_wsl_drives *drives);

/* The path by which Linux reaches a Windows path with a drive, such as C:\Users; NULL: no mounted drive has it, or
 * there is no memory. To be freed. Whether there is such a file is not looked at. */
char *uvr_wsl_find_path(const char *proc, const char *virtiofs, const char *windows);

/* The reverse: the Windows path, with slashes, of an absolute path that Linux reaches it by, links in it not being
 * followed; NULL: it is on no drive of Windows, or there is no memory. To be freed. */
char *uvr_wsl_find_windows_path(const char *proc, const char *virtiofs, const char *path);

#endif
