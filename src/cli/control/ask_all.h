/* Asking every running `uvrelay serve` of this user, one after the other. */
#ifndef UVR_CLI_CONTROL_ASK_ALL_H
#define UVR_CLI_CONTROL_ASK_ALL_H

#include <stddef.h>
#include <stdint.h>

#include "cli/control/ask.h"
#include "cli/control/place.h"

/* Sends the request to each, or only to the process of this number if it is not 0, and gives each answer to `answer`.
 * Skips processes that have ended meanwhile. For one that does not answer, `failed` gets an *error that says why.
 * Returns the number of calls of both. */
size_t uvr_control_ask_all(const char *request, int process, uint64_t timeout_ms,
                           void (*answer)(void *user, int process, const uvr_control_answer_text *text),
                           void (*failed)(void *user, int process, const uvrelay_error_t *error), void *user);

#endif
