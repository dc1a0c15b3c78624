/* What can be done about an error of a route. */
#ifndef UVR_RELAY_ROUTE_HINT_H
#define UVR_RELAY_ROUTE_HINT_H

#include "uvrelay/common.h"

/* A phrase that may name options of routes; or NULL if there is nothing to suggest, or the error's text suggests it. */
const char *uvr_route_hint(const uvrelay_error_t *error);

#endif
