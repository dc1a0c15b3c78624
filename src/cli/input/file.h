/* A whole file in memory. */
#ifndef UVR_CLI_INPUT_FILE_H
#define UVR_CLI_INPUT_FILE_H

#include <stddef.h>

/* Reads it into *out, to be freed, with a NUL behind it; "-" is standard input. Returns 0; UV_EFBIG when it has more
 * than 16 MiB, UV_ENOMEM, or what opening or reading gave. */
int uvr_file_read(const char *name, char **out, size_t *length);

#endif
