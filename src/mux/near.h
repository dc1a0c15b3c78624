/* The near end of a mux, which asks the far end for connections. */
#ifndef UVR_MUX_NEAR_H
#define UVR_MUX_NEAR_H

#include "mux/core.h"

/* The operations of the mux's member `via`: connecting through the mux. */
extern const uvr_via_ops uvr_mux_near_ops;

/* Opens the waiting streams as far as the carrier has room for them. If the mux is being closed, they fail instead. */
void uvr_mux_near_open_waiting(uvr_mux *mux);

/* Whether a stream waits to be opened or to be answered. */
bool uvr_mux_near_is_awaited(const uvr_mux *mux);

#endif
