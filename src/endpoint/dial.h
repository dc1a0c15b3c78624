/* From an address to a connected stream, with retry and a deadline. */
#ifndef UVR_ENDPOINT_DIAL_H
#define UVR_ENDPOINT_DIAL_H

#include <stdint.h>

#include "endpoint/attempt.h"

typedef struct uvr_dial_options {
  unsigned retry;              /* bits of uvrelay_retry_t */
  uint32_t retry_first_ms;     /* to the second attempt; doubled for each one after; 0: 10 */
  uint32_t retry_last_ms;      /* but never longer than this; 0: 200 */
  uint64_t timeout_ms;         /* for everything together; 0: none */
  uvr_connect_options connect; /* its spare_fd belongs to the dial */
} uvr_dial_options;

typedef struct uvr_dial uvr_dial;

/* Either a stream, which belongs to the callee, or NULL and an error, which lasts as long as the call. */
typedef void (*uvr_dial_cb)(void *user, uvr_stream *stream, const uvrelay_error_t *error);

/* Starts to dial; the address is copied. on_result comes once, later, unless the dial is closed before. Returns the
 * dial, which must be closed, or NULL when there is no memory. */
uvr_dial *uvr_dial_start(uvr_context *context, const uvr_address *address, const uvr_dial_options *options,
                         uvr_dial_cb on_result, void *user);

/* Ends the dial, whether it has had its result or not, and frees it. on_closed comes once, later, last. */
void uvr_dial_close(uvr_dial *dial, uvr_close_cb on_closed, void *user);

#endif
