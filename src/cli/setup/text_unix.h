/* Text that setup makes: formatted, quoted for others, hashed. */
#ifndef UVR_CLI_SETUP_TEXT_UNIX_H
#define UVR_CLI_SETUP_TEXT_UNIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A formatted text, to be freed; NULL: there is no memory. */
char *uvr_setup_format(const char *format, ...) UVR_PRINTF(1, 2);

/* A word for a POSIX shell, within single quotes if it needs any. To be freed; NULL: there is no memory. */
char *uvr_setup_shell_word(const char *text);

/* A word for the shell fish, within single quotes. The same. */
char *uvr_setup_fish_word(const char *text);

/* A word for a command line in a unit of systemd's, within double quotes. The same. */
char *uvr_setup_unit_word(const char *text);
char *uvr_setup_unit_program(const char *text); /* the first word of a command, where systemd leaves each $ as it is */

/* A hash (FNV-1a) of bytes, to see whether somebody has changed them; it is no protection against attacks. */
uint64_t uvr_setup_hash(const char *bytes, size_t length);

#endif
