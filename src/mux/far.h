/* The far end of a mux, which makes the connections that the near end asks for. */
#ifndef UVR_MUX_FAR_H
#define UVR_MUX_FAR_H

#include "mux/core.h"

/* Handles a stream that the near end has opened over the mux's carrier. Returns the memory for it, or NULL when there
 * is none. */
uvr_yamux_stream *uvr_mux_far_open(uvr_mux *mux);

#endif
