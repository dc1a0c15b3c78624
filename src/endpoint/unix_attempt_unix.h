/* Attempts to connect to Unix sockets, with a file or abstract: what they fail with. */
#ifndef UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H
#define UVR_ENDPOINT_UNIX_ATTEMPT_UNIX_H

#include "endpoint/attempt.h"

/* Why a datagram or seqpacket socket is of no use, as the end of a sentence. */
#define UVR_TAKES_PACKETS "it takes packets (a datagram or seqpacket socket), but uvrelay relays streams of bytes"

/* Reports failure with a code of connect(): UV_EAGAIN as UV_EBUSY, UV_EPROTOTYPE with what it means there. */
void uvr_unix_attempt_fail(uvr_attempt *attempt, int code);

#endif
