/* Asking every running `uvrelay serve` of this user, one after the other. */
#ifndef UVR_CLI_CONTROL_ASK_ALL_H
#define UVR_CLI_CONTROL_ASK_ALL_H

#include <stddef.h>
#include <stdint.h>

#include "cli/control/ask.h"
#include "cli/control/place.h"

/* Sends the request to each, or only to the process of this number if it is not 0, and gives each answer to `answer`.
 * One that has ended meanwhile is left out; of one that does not answer, *error, given to `failed`, says why. Returns
 * how many have been given to either. */
size_t uvr_control_ask_all(const char *request, int process, uint64_t timeout_ms,
                           void (*answer)(void *user, int process, const uvr_control_answer_text *text),
                           void (*failed)(void *user, int process, const uvrelay_error_t *error), void *user);

#endif
