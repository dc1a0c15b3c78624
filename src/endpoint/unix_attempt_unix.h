/* Attempts to connect to Unix sockets, with a file or abstract: how they end. */
#ifndef UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H
#define UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H

#include "endpoint/attempt.h"

/* Why a datagram or seqpacket socket is of no use, as the end of a sentence. */
#define UVR_TAKES_PACKETS "it is a datagram or seqpacket socket, but uvrelay relays byte streams"

/* Reports failure with a code of connect(): UV_EAGAIN as UV_EBUSY, UV_EPROTOTYPE with what it means there. */
void uvr_unix_attempt_fail(uvr_attempt *attempt, int code);

/* Ends an attempt whose stream is connected: it succeeds, if the option `owner` allows who owns the socket. */
void uvr_unix_attempt_connected(uvr_attempt *attempt);

#endif
