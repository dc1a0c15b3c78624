/* Talking with the user: lines on standard output, and questions. */
#ifndef UVR_CLI_SETUP_TALK_UNIX_H
#define UVR_CLI_SETUP_TALK_UNIX_H

#include <stdbool.h>

#include "base/error.h"

/* Prints formatted text; hidden characters in it become \xNN, except for newlines. Returns 0; or a negative code and
 * *error, if it cannot be written. */
int uvr_talk(uvrelay_error_t *error, const char *format, ...) UVR_PRINTF(2, 3);

/* Prints each line of the text after so many blanks and a bar. */
int uvr_talk_lines(const char *text, unsigned indent, uvrelay_error_t *error);

/* Whether there is a user to ask. */
bool uvr_talk_is_possible(void);

/* Asks a question that is answered by yes or no; the empty answer is `otherwise`. Returns 0 and *yes; the end of the
 * input is a no. Or returns a negative code and *error, if there is no user to ask. */
int uvr_talk_ask(const char *question, bool otherwise, bool *yes, uvrelay_error_t *error);

#endif
