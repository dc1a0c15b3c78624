/* The options of a route by name, as the library's caller gives them and as the queries of its two addresses do. Pure.
 */
#ifndef UVR_ADDRESS_QUERY_H
#define UVR_ADDRESS_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "address/address.h"
#include "uvrelay.h"

#define UVR_IMPERSONATION_LEVELS "anonymous, identification, impersonation or delegation"

/* Parses one of these names. */
bool uvr_impersonation_parse(const char *text, uvrelay_impersonation_t *level);

/* The name of a valid level. */
const char *uvr_impersonation_name(uvrelay_impersonation_t level);

/* Whether a text, of UVRELAY_NAME_SIZE bytes at most, is a good name for a route. */
bool uvr_route_name_check(const char *text);

/* Where the option of this name, of `length` bytes, may appear: UVRELAY_LEFT after a listener only, UVRELAY_RIGHT after
 * a target only; UVRELAY_SIDE_NONE: after both, or there is no such option. */
uvrelay_side_t uvr_route_option_side(const char *name, size_t length);

/* The name of the i-th option, or NULL after the last one. */
const char *uvr_route_option_name(size_t i);

/* Parses one side's address and the options after it, ADDRESS?NAME=VALUE&NAME=VALUE. An option of the whole route may
 * be given once, on either side: *given keeps count of them; set it to 0 before the first side and hand it over for the
 * second. Returns 0 or UV_EINVAL and *error. */
int uvr_route_address(const char *text, uvrelay_side_t side, uvrelay_route_options_t *options, unsigned *given,
                      uvr_address *out, uvrelay_error_t *error);

#endif
