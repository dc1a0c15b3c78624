/* Opening a file whose path others may not choose. */
#ifndef UVR_CLI_CHILD_TRUSTED_FILE_UNIX_H
#define UVR_CLI_CHILD_TRUSTED_FILE_UNIX_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Whether this user is root or the one of this process. */
bool uvr_is_trusted(uid_t user);

/* Opens the file at a path, as O_PATH does, so that it stays the same file whatever becomes of the path. Follows the
 * symbolic links of root and of this user only, those of directories included. Returns a descriptor and *status, of the
 * file. Or returns -1 and sets errno, to EACCES if the file or one of the links belongs to somebody else. */
int uvr_open_trusted(const char *path, struct stat *status);

#endif
