/* Dialling: from an address to a connected stream, with retries and a time limit. */
#ifndef UVR_ENDPOINT_DIAL_H
#define UVR_ENDPOINT_DIAL_H

#include <stdint.h>

#include "endpoint/attempt.h"

typedef struct uvr_dial_options {
  unsigned retry;          /* what is retried: bits of uvrelay_retry_t */
  uint32_t retry_first_ms; /* delay before the second attempt, doubled for each further one; 0: 10 */
  uint32_t retry_last_ms;  /* the longest such delay; 0: 200 */
  uint64_t timeout_ms;     /* limit for all attempts together; 0: none */
  bool address_lasts;      /* longer than the dial, which then does not copy it */
  bool at_once;            /* uvr_dial_now is called next, so no alarm is set for the first attempt */
  uvr_connect_options connect;
} uvr_dial_options;

typedef struct uvr_dial uvr_dial;

/* `stream` belongs to the callee. If it is NULL, the dial has failed, and `error`, which belongs to the dial, says why.
 */
typedef void (*uvr_dial_cb)(void *user, uvr_stream *stream, const uvrelay_error_t *error);

/* Starts to dial. The address is copied, unless the options say that it lasts. on_result is called once, later, unless
 * the dial is closed first. Returns the dial, which must be closed, or NULL when there is no memory. */
uvr_dial *uvr_dial_start(uvr_context *context, const uvr_address *address, const uvr_dial_options *options,
                         uvr_dial_cb on_result, void *user);

/* Makes the first attempt now instead of in the next turn of the loop. on_result may be called before this returns, and
 * may close the dial. Only for a caller that was itself called from the loop, right after uvr_dial_start. */
void uvr_dial_now(uvr_dial *dial);

/* From now on an absent target is a failure. Returns whether it is being waited for right now: then nothing more comes
 * of the dial. */
bool uvr_dial_stop_waiting(uvr_dial *dial);

/* Ends the dial, whether or not it has a result, and frees it. on_closed is called once, perhaps before
 * this returns, and last. */
void uvr_dial_close(uvr_dial *dial, uvr_close_cb on_closed, void *user);

#endif
