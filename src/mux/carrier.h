/* What carries a mux: one connected stream, from the greeting to its end. The carrier knows neither what the streams
 * over it are for nor how its own stream is opened. */
#ifndef UVR_MUX_CARRIER_H
#define UVR_MUX_CARRIER_H

#include "mux/carrier_end.h"
#include "mux/carrier_state.h"

/* Makes a carrier without a stream. Returns 0 or UV_ENOMEM. */
int uvr_mux_carrier_new(const uvr_mux_carrier_config *config, uvr_mux_carrier **out);

/* Starts the greeting over a connected stream, which then belongs to the carrier. Must not be called after the carrier
 * has ended. */
void uvr_mux_carrier_start(uvr_mux_carrier *carrier, uvr_stream *stream);

/* Whether the greetings were exchanged, so that streams can be opened over it. */
bool uvr_mux_carrier_is_up(const uvr_mux_carrier *carrier);

/* Whether the data of streams over it may be spliced. */
bool uvr_mux_carrier_can_splice(const uvr_mux_carrier *carrier);

/* Whether what they send had better be copied now. */
bool uvr_mux_carrier_prefers_copies(const uvr_mux_carrier *carrier);

/* Near end: somebody begins to wait for the other end: see is_awaited. */
void uvr_mux_carrier_await(uvr_mux_carrier *carrier);

uvr_yamux *uvr_mux_carrier_yamux(uvr_mux_carrier *carrier);

/* Counts a connection over it that has been opened or closed. DOWN reports how many were open. */
void uvr_mux_carrier_count(uvr_mux_carrier *carrier, bool open);

/* Sends what yamux has to send now, not together with what comes later in this iteration of the loop; but if this was
 * done often in it, only then. */
void uvr_mux_carrier_send(uvr_mux_carrier *carrier);

/* Ends it when all that is to be sent was sent, or very soon. May be called again until it has ended. */
void uvr_mux_carrier_finish(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

#endif
