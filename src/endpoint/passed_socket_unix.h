/* Listening sockets that a service manager passes to this process (LISTEN_FDS). */
#ifndef UVR_ENDPOINT_PASSED_SOCKET_UNIX_H
#define UVR_ENDPOINT_PASSED_SOCKET_UNIX_H

#include "address/address.h"

/* Finds the listening socket that an fd:// address names. Returns its descriptor and its *family, or a negative code
 * and *error. */
int uvr_passed_socket_find(const uvr_address *address, int *family, uvrelay_error_t *error);

#endif
