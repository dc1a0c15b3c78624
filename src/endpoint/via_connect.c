/* Attempts to connect through another process.
 *
 * Happy path: the via makes a stream at once and reports later that it is connected.
 *
 * Ways to fail: the via reports an error; there is no memory. */
#include "endpoint/via_connect.h"

static void on_result(void *user, const uvrelay_error_t *error)
{
  uvr_attempt *attempt = user;
  if (attempt->over) {
    return;
  }
  if (error == NULL) {
    uvr_attempt_succeed(attempt);
  } else {
    attempt->error = *error;
    uvr_attempt_fail(attempt);
  }
}

static void via_connect(uvr_attempt *attempt)
{
  uvr_via *via = attempt->options->via;
  const uvr_via_target target = {.address = attempt->address,
                                 .level = attempt->options->level,
                                 .eof = attempt->options->eof,
                                 .linger_ms = attempt->options->linger_ms,
                                 .owner = attempt->options->owner,
                                 .waits_for_absent = attempt->options->waits_for_absent};
  int code = via->ops->connect(via, &target, on_result, attempt, &attempt->stream);
  if (code != 0) {
    uvr_attempt_fail_with(attempt, code);
  }
}

const uvr_connector uvr_via_connector = {.size = sizeof(uvr_attempt), .connect = via_connect};
