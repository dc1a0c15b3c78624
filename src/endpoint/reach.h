/* Which addresses can be reached from here, and which lead to the same place: asked of the kinds. */
#ifndef UVR_ENDPOINT_REACH_H
#define UVR_ENDPOINT_REACH_H

#include "address/address.h"
#include "endpoint/via.h"

/* NULL when this system can connect to the address itself; else why not, and what could be done: the end of a
 * sentence. */
const char *uvr_why_no_target(const uvr_address *address);

/* The same for listening. */
const char *uvr_why_no_listener(const uvr_address *address);

/* Decides whether a target goes through `via`, which may be NULL, and marks it so. Returns 0, or UV_ENOTSUP or
 * UV_EINVAL and *error: it can be reached in no way. */
int uvr_choose_via(uvr_address *target, const uvr_via *via, uvrelay_error_t *error);

/* Whether a connection to `target` would arrive at `listener`, in whatever way both are written. What a host's name or
 * a socket file leads to is not looked up. */
bool uvr_is_same_place(const uvr_address *target, const uvr_address *listener);

#endif
