/* Sockets that the service manager passes on (LISTEN_FDS). */
#ifndef UVR_ENDPOINT_PASSED_SOCKET_UNIX_H
#define UVR_ENDPOINT_PASSED_SOCKET_UNIX_H

#include "address/address.h"

/* The listening socket that an fd:// address names, and its family. Returns its descriptor, or a negative code and
 * *error. */
int uvr_passed_socket(const uvr_address *address, int *family, uvrelay_error_t *error);

#endif
