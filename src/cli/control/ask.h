/* Asking a running `uvrelay serve`: one request, on a loop of its own. Only one that belongs to this user is asked. */
#ifndef UVR_CLI_CONTROL_ASK_H
#define UVR_CLI_CONTROL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uvrelay/common.h"

/* A longer answer is an error. */
#define UVR_CONTROL_ANSWER_MAX ((size_t)16 * 1024 * 1024)

typedef struct uvr_control_answer_text {
  bool ok;     /* the request was understood and done */
  char *text;  /* what was answered, or the sentence that says why not; followed by a NUL; allocated */
  size_t size; /* in bytes, without the NUL */
} uvr_control_answer_text;

/* Asks at this address, as of a uvr_control_place. Returns 0 and *out, to be freed by uvr_control_answer_clear(); or a
 * negative code and *error: no process listens there (any longer), it belongs to another user, there is no whole answer
 * in time. */
int uvr_control_ask(const char *address, const char *request, uint64_t timeout_ms, uvr_control_answer_text *out,
                    uvrelay_error_t *error);

void uvr_control_answer_clear(uvr_control_answer_text *answer);

#endif
