/* What stands for something else in the text of an address, a path or a command: ~/ for the home directory and $NAME
 * for a variable. Pure: the caller says where both are looked up. */
#ifndef UVR_ADDRESS_EXPAND_H
#define UVR_ADDRESS_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The size of an expanded text, in bytes with its NUL. */
#define UVR_EXPANDED_SIZE 4096

typedef struct uvr_expander {
  int (*home)(char *buffer, size_t *size); /* as uv_os_homedir */
  /* As uv_os_getenv. If it is NULL, a $ stands for itself. */
  int (*variable)(const char *name, char *buffer, size_t *size);
  bool bare_path;   /* the text may also be a path without a scheme */
  const char *noun; /* what the text is, for messages; NULL: an address */
} uvr_expander;

/* Expands the text of an address, which may have options after it, into `out`:
 *  - ~/ where the path of unix: or assuan: begins becomes the home directory. In a via: address it is refused, as the
 *    far end may have another one; so is ~NAME/.
 *  - $NAME and ${NAME} anywhere become the variable, which must be set and not be empty; $$ becomes a $.
 * Returns 0; or UV_EINVAL and *error, and sets *wrong to the offset in `text` of what is wrong. */
int uvr_expand(const uvr_expander *self, const char *text, char out[UVR_EXPANDED_SIZE], size_t *wrong,
               uvrelay_error_t *error);

/* Expands a command line, which is split into words later:
 *  - ~/ where a word begins, outside of quotes, becomes the home directory.
 *  - $NAME and ${NAME} become the variable, and $$ a $, but not within '...'.
 * What is inserted is put into quotes where it has a character that would split or change it. With `backslash`, a
 * backslash is a quote, as in uvr_command_split(); else, as on Windows, it stands for itself. */
int uvr_expand_command(const uvr_expander *self, const char *text, bool backslash, char out[UVR_EXPANDED_SIZE],
                       size_t *wrong, uvrelay_error_t *error);

#endif
