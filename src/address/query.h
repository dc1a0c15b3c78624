/* The options of a route, by name: from the library's caller, and from the queries of its two addresses. Pure. */
#ifndef UVR_ADDRESS_QUERY_H
#define UVR_ADDRESS_QUERY_H

#include <stdbool.h>

#include "address/address.h"
#include "uvrelay.h"

#define UVR_IMPERSONATION_LEVELS "anonymous, identification, impersonation or delegation"

/* One of these names. */
bool uvr_impersonation_parse(const char *text, uvrelay_impersonation_t *level);

/* Reads one side's address with the options behind it, ADDRESS?NAME=VALUE&NAME=VALUE. `given` is kept from one side to
 * the other, at first 0, as an option of the whole route may stand once. Returns 0 or UV_EINVAL and *error. */
int uvr_route_address(const char *text, uvrelay_side_t side, uvrelay_route_options_t *options, unsigned *given,
                      uvr_address *out, uvrelay_error_t *error);

#endif
