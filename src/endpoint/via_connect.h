/* Attempts to connect through somebody else: see via.h. */
#ifndef UVR_ENDPOINT_VIA_CONNECT_H
#define UVR_ENDPOINT_VIA_CONNECT_H

#include "endpoint/attempt.h"

/* For addresses that are marked `via`. */
extern const uvr_connector uvr_via_connector;

#endif
