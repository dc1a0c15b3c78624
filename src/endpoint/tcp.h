/* TCP: what other kinds need of its attempts to connect. */
#ifndef UVR_ENDPOINT_TCP_H
#define UVR_ENDPOINT_TCP_H

#include "endpoint/attempt.h"

/* Makes the attempt's stream and begins to connect it to an IP address. on_connected gets attempt->request, later; see
 * uvr_attempt_of_request. Returns 0; or a code, and attempt->error is set if that is UV_ELOOP. */
int uvr_tcp_connect_to(uvr_attempt *attempt, const struct sockaddr *ip, uv_connect_cb on_connected);

#endif
