/* Whether the process has descriptors left for one more client and its target. */
#ifndef UVR_ENDPOINT_ROOM_UNIX_H
#define UVR_ENDPOINT_ROOM_UNIX_H

#include "base/context.h"

/* Returns whether there are enough descriptors for a client, for its target, and a few for other parts of the process.
 * Call it before each client is accepted. `near_fd` is any descriptor that was opened lately, or 0: the free ones are
 * looked for next to it. */
bool uvr_room_take(uvr_context *context, int near_fd);

#endif
