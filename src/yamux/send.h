/* What yamux sends. */
#ifndef UVR_YAMUX_SEND_H
#define UVR_YAMUX_SEND_H

#include "yamux/types.h"

/* Writes as many whole frames as fit into `buffer`, streams taking turns. Returns their length in bytes, 0 when there
 * is nothing to send. `size` is at least UVR_YAMUX_HEADER + UVR_YAMUX_FRAME_MAX. */
size_t uvr_yamux_fill(uvr_yamux *self, char *buffer, size_t size);

/* Whether uvr_yamux_fill has something to send. */
bool uvr_yamux_has_output(const uvr_yamux *self);

#endif
