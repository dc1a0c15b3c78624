/* Connecting through somebody else, who is asked to connect to an address that this process can't reach: the near end
 * of a mux implements it. */
#ifndef UVR_ENDPOINT_VIA_H
#define UVR_ENDPOINT_VIA_H

#include <stdint.h>

#include "address/address.h"
#include "stream/stream.h"
#include "uvrelay.h"

typedef struct uvr_via uvr_via;

/* What is to be connected to. */
typedef struct uvr_via_target {
  const uvr_address *address;
  uvrelay_impersonation_t level;
  uvrelay_eof_t eof;
  uint64_t linger_ms; /* 0: never */
} uvr_via_target;

/* `error` NULL: the stream is connected. Else it is to be closed. */
typedef void (*uvr_via_cb)(void *user, const uvrelay_error_t *error);

typedef struct uvr_via_ops {
  /* Gets a stream to a target, whatever has to be waited for. The stream comes at once, and must be closed whatever
   * happens; nothing else may be done with it before on_result, which comes once, later, unless the stream is closed
   * before. Returns 0 or UV_ENOMEM. */
  int (*connect)(uvr_via *via, const uvr_via_target *target, uvr_via_cb on_result, void *user, uvr_stream **out);
  /* Why nothing can be connected now; its code is 0 when nothing is known. */
  const uvrelay_error_t *(*why)(const uvr_via *via);
  /* Keep it until the same number of unrefs. */
  void (*ref)(uvr_via *via);
  void (*unref)(uvr_via *via);
} uvr_via_ops;

struct uvr_via {
  const uvr_via_ops *ops;
};

/* NULL is allowed. */
static inline void uvr_via_ref(uvr_via *via)
{
  if (via != NULL) {
    via->ops->ref(via);
  }
}

static inline void uvr_via_unref(uvr_via *via)
{
  if (via != NULL) {
    via->ops->unref(via);
  }
}

#endif
