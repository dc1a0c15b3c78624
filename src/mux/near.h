/* The near end of a mux: asks the far end for connections. */
#ifndef UVR_MUX_NEAR_H
#define UVR_MUX_NEAR_H

#include "mux/core.h"

/* Connecting through the mux: its member `via`. */
extern const uvr_via_ops uvr_mux_near_ops;

/* Opens what waits, as far as there is room; fails it if the mux is being closed. */
void uvr_mux_near_open_waiting(uvr_mux *mux);

#endif
