/* Making directories that are missing, such as the one of a socket that is to be listened on. */
#ifndef UVR_CLI_OS_DIRECTORY_H
#define UVR_CLI_OS_DIRECTORY_H

#include "uvrelay/common.h"

/* Directories that were made. Initialise it with zeros. */
typedef struct uvr_made_directories {
  char **paths;
  unsigned count;
} uvr_made_directories;

/* Makes the directory at an absolute path, and those above it, as far as they are missing, for this user alone (0700).
 * Those that exist stay as they are. Nothing is made right in the root directory, where that was hardly meant, nor
 * where another user could put something else in its place: all directories above must belong to root or to this user,
 * and be writable for no one else, unless their sticky bit keeps others from moving what is in them; and the same users
 * must own the links on the way. If all exist, it looks no closer.
 *
 * Adds what was made to *made, which may be NULL. Returns 0; or a negative code and *error, and has made nothing. */
int uvr_directory_make(const char *path, uvr_made_directories *made, uvrelay_error_t *error);

/* The same for the directory that the file at an absolute path is in. */
int uvr_directory_make_for(const char *file, uvr_made_directories *made, uvrelay_error_t *error);

/* Says what uvr_directory_make_for() would say, and makes nothing. */
int uvr_directory_check_for(const char *file, uvrelay_error_t *error);

/* Removes those that were made, as far as they are empty, and frees the memory. */
void uvr_made_directories_remove(uvr_made_directories *self);

/* Keeps them, and frees the memory. */
void uvr_made_directories_clear(uvr_made_directories *self);

#endif
