/* What was probably meant by a text that is not an address. Pure. */
#ifndef UVR_ADDRESS_MEANT_H
#define UVR_ADDRESS_MEANT_H

#include <stdbool.h>
#include <stddef.h>

/* Size in bytes of a suggestion with its NUL: a longer one would not fit into the error's text. */
#define UVR_MEANT_SIZE 112

/* Whether a text is an address, with flags such as UVR_ADDRESS_LISTEN. */
typedef bool uvr_meant_check(const char *text, unsigned flags);

/* Guesses which address was meant. Returns `meant`, which the check accepts and every shell leaves as it is, or NULL.
 */
const char *uvr_meant(const char *text, unsigned flags, uvr_meant_check *accepts, char meant[UVR_MEANT_SIZE]);

/* The address that the scheme of another program begins, as it is written here, such as unix:///PATH for UNIX-CONNECT:;
 * or NULL. */
const char *uvr_meant_foreign(const char *text);

/* The NAME of a //./pipe/NAME that was damaged on its way here, or NULL: a shell removes backslashes; MSYS replaces //
 * by / and puts its own directory before a /. */
const char *uvr_meant_pipe(const char *text);

#endif
