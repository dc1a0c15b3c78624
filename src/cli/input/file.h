/* Reading a whole file into memory. */
#ifndef UVR_CLI_INPUT_FILE_H
#define UVR_CLI_INPUT_FILE_H

#include <stddef.h>

/* Reads a file into *out, to be freed, and adds a NUL; "-" is standard input. Returns 0, UV_EFBIG if the file has more
 * than 16 MiB, UV_ENOMEM, or an error of opening or reading. */
int uvr_file_read(const char *name, char **out, size_t *length);

#endif
