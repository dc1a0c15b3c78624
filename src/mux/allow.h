/* What a far end is allowed to connect to: the option `allow`. */
#ifndef UVR_MUX_ALLOW_H
#define UVR_MUX_ALLOW_H

#include "mux/core.h"

/* Whether a request for this address, with this level of impersonation, may be dialled. *open becomes false if what the
 * address leads to, an IP address, a file or a pipe, must be checked by uvr_mux_allow_check_place. Returns 0; or
 * UV_EACCES and *error. */
int uvr_mux_allow_check(const uvr_mux *mux, const uvr_address *address, uvrelay_impersonation_t level, bool *open,
                        uvrelay_error_t *error);

/* Whether the place that an address leads to may be connected to, with this level: see uvr_connect_options. */
int uvr_mux_allow_check_place(const uvr_mux *mux, const uvr_address *address, const uvr_address *place,
                              uvrelay_impersonation_t level, uvrelay_error_t *error);

#endif
