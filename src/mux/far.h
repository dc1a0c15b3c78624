/* The far end of a mux: makes the connections that the near end asks for. */
#ifndef UVR_MUX_FAR_H
#define UVR_MUX_FAR_H

#include "mux/core.h"

/* The near end has opened a stream over the mux's carrier. Returns where it is to live; NULL: there is no memory. */
uvr_yamux_stream *uvr_mux_far_open(uvr_mux *mux);

#endif
