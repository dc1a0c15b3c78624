/* Connecting through another process, which is asked to connect to an address that this one cannot reach. The near end
 * of a mux implements this interface. */
#ifndef UVR_ENDPOINT_VIA_H
#define UVR_ENDPOINT_VIA_H

#include <stdint.h>

#include "address/address.h"
#include "stream/stream.h"
#include "uvrelay.h"

typedef struct uvr_via uvr_via;

/* What to connect to. The options are passed on to the other process. */
typedef struct uvr_via_target {
  const uvr_address *address; /* marked `via` */
  uvrelay_impersonation_t level;
  uvrelay_eof_t eof;
  uint64_t linger_ms; /* 0: no limit */
  const char *owner;  /* who may own it: see owner.h; NULL: anybody */
  bool waits_for_absent;
} uvr_via_target;

/* `error` is NULL when the stream is connected. Otherwise nothing can be done with the stream but close it. */
typedef void (*uvr_via_cb)(void *user, const uvrelay_error_t *error);

typedef struct uvr_via_ops {
  /* Makes a stream at once and begins to connect it to a target. The stream must be closed in every case, and only that
   * may be done with it before on_result. on_result is called once, later, however long that takes, unless the stream
   * is closed first. Returns 0 and *out, or UV_ENOMEM. */
  int (*connect)(uvr_via *via, const uvr_via_target *target, uvr_via_cb on_result, void *user, uvr_stream **out);
  /* Returns why nothing can be connected at present. Its code is 0 if no reason is known. */
  const uvrelay_error_t *(*why)(const uvr_via *via);
  /* Each ref keeps the object in memory until its unref. */
  void (*ref)(uvr_via *via);
  void (*unref)(uvr_via *via);
} uvr_via_ops;

struct uvr_via {
  const uvr_via_ops *ops;
};

/* Both functions accept NULL. */
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
