/* Connecting to an IP address, for TCP and for other kinds that connect by TCP. */
#ifndef UVR_ENDPOINT_TCP_H
#define UVR_ENDPOINT_TCP_H

#include "endpoint/attempt.h"
#include "endpoint/ip.h"

/* Parses a target, for the option `ip`: returns the address, in *out; or NULL, unless it is an IP address on TCP. */
const struct sockaddr *uvr_tcp_parse(const uvr_address *address, struct sockaddr_storage out[UVR_IP_MAX]);

/* Makes the attempt's stream and begins to connect it to an IP address; `place` is the same as an address, or NULL if
 * there is none yet: its text costs more than all else here. on_connected is called with attempt->request, perhaps
 * before this returns, and then the attempt may be gone; see uvr_attempt_of_request. Returns 0 or a negative code. With
 * UV_ELOOP, which means that options->check has refused the address, attempt->error is set.
 */
int uvr_tcp_connect_to(uvr_attempt *attempt, const struct sockaddr *ip, const uvr_address *place,
                       uv_connect_cb on_connected);

#endif
