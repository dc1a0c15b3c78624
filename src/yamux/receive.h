/* What yamux receives. */
#ifndef UVR_YAMUX_RECEIVE_H
#define UVR_YAMUX_RECEIVE_H

#include "base/error.h"
#include "yamux/types.h"

/* Handles bytes that have arrived. Returns how many of them were used: all, unless too many replies wait to be sent;
 * give it the rest again after the next fill. Returns UV_EPROTO and *error if the peer has broken the rules: then call
 * this no more, but send what uvr_yamux_fill returns, which ends with a go-away. */
int64_t uvr_yamux_receive(uvr_yamux *self, const char *data, size_t length, uvrelay_error_t *error);

#endif
