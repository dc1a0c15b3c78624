/* Attempts to connect through another process: see via.h. */
#ifndef UVR_ENDPOINT_VIA_CONNECT_H
#define UVR_ENDPOINT_VIA_CONNECT_H

#include "endpoint/attempt.h"

/* The connector for addresses that are marked `via`, whatever their kind. */
extern const uvr_connector uvr_via_connector;

#endif
