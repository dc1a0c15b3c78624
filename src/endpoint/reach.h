/* Which addresses this system can connect to or listen on, and which of them lead to the same place. */
#ifndef UVR_ENDPOINT_REACH_H
#define UVR_ENDPOINT_REACH_H

#include "address/address.h"
#include "endpoint/via.h"

/* Returns NULL if this system can connect to the address. Otherwise returns why not, and what to do instead, as the end
 * of a sentence. */
const char *uvr_why_no_target(const uvr_address *address);

/* The same for listening. */
const char *uvr_why_no_listener(const uvr_address *address);

/* Whether what the address leads to may be used. On Windows, opening a file of another computer sends the user's
 * credentials there. Returns 0; or UV_EACCES and *error. */
int uvr_check_remote(const uvr_context *context, const uvr_address *address, uvrelay_error_t *error);

/* Replaces the variables of a target that this system connects to by their values: address/variables.h. On other
 * systems than Windows, and in an address marked `via`, they stay. Returns 0; or UV_EINVAL and *error. */
int uvr_fill_in(uvr_address *target, uvrelay_error_t *error);

/* Decides whether a target is connected to through `via`, which may be NULL, and if so marks the address; if not,
 * replaces its variables. Returns 0; or UV_ENOTSUP, UV_EINVAL or UV_EACCES and *error if the target cannot be reached
 * in either way. */
int uvr_choose_via(const uvr_context *context, uvr_address *target, const uvr_via *via, uvrelay_error_t *error);

/* Whether a connection to `target` would arrive at `listener`, however the two are spelled. Host names are not looked
 * up and socket files of libassuan are not read; of a target that ends in a *, it is whether one could. */
bool uvr_is_same_place(const uvr_address *target, const uvr_address *listener);

#endif
