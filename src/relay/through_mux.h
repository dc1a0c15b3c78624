/* Targets that are connected to through a mux of the public API. */
#ifndef UVR_RELAY_THROUGH_MUX_H
#define UVR_RELAY_THROUGH_MUX_H

#include "address/address.h"
#include "mux/mux.h"
#include "relay/relay.h"

/* The public handle of a mux: see mux_handle.c. */
struct uvrelay_mux_s {
  uvr_mux mux;
  uvr_part part;
  uvrelay_t *relay;
  uvrelay_mux_cb close_cb;
  void *close_user;
};

/* Decides whether a target is connected to through the mux, which may be NULL. If so, marks the address and sets *via
 * to the mux's, otherwise to NULL. Returns 0; or UV_ENOTSUP or UV_EINVAL and *error if the target cannot be reached in
 * either way. */
int uvr_choose_mux(const uvrelay_t *relay, uvr_address *target, uvrelay_mux_t *mux, uvr_via **via,
                   uvrelay_error_t *error);

#endif
