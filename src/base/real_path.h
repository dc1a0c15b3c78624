/* Where an open file really is: its path without links, whatever name it was opened by. */
#ifndef UVR_BASE_REAL_PATH_H
#define UVR_BASE_REAL_PATH_H

#include <stddef.h>

#include <uv.h>

/* A message for a failure: the name, and why. */
#define UVR_REAL_PATH_UNKNOWN "cannot determine the real path of %s, which decides whether it is allowed: %s"

/* Writes the path of an open file, as addresses have it: on Windows with slashes, C:/x or //HOST/share/x. Returns 0;
 * UV_ENOENT if the file was removed; or another negative code where the system cannot tell it, or it is too long. */
int uvr_real_path(uv_file file, char *path, size_t size);

/* The same of a file or a directory that need not be opened. */
int uvr_real_path_of(const char *name, char *path, size_t size);

#endif
