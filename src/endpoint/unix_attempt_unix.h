/* Attempts to connect to Unix sockets, with a file or abstract: how they are made, and how they end. */
#ifndef UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H
#define UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H

#include <sys/un.h>

#include "endpoint/attempt.h"

/* Why a datagram or seqpacket socket is of no use, as the end of a sentence. */
#define UVR_TAKES_PACKETS "it is a datagram or seqpacket socket, but uvrelay relays byte streams"

/* Makes the attempt's stream and connects it to a Unix socket, which the kernel does at once or not at all. Returns 0
 * or a code of connect(). */
int uvr_unix_attempt_connect(uvr_attempt *attempt, const struct sockaddr_un *to, socklen_t length);

/* Reports failure with a code of connect(): UV_EAGAIN as UV_EBUSY, UV_EPROTOTYPE with what it means there. */
void uvr_unix_attempt_fail(uvr_attempt *attempt, int code);

/* Ends an attempt whose stream is connected: it succeeds, if the option `owner` allows who owns the socket. */
void uvr_unix_attempt_connected(uvr_attempt *attempt);

#endif
