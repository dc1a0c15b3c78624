/* The end of a carrier, and how it is reported. */
#ifndef UVR_MUX_CARRIER_END_H
#define UVR_MUX_CARRIER_END_H

#include "mux/carrier_state.h"

/* Returns the opener from the configuration, or NULL once the carrier has ended. */
void *uvr_mux_carrier_opener(const uvr_mux_carrier *carrier);

/* Returns why the carrier has ended, or NULL if it has not. A stream over it was then reset for this reason. */
const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *carrier);

/* Returns true and sets *event to DOWN if the carrier has ended and this was not delivered yet. The event's error is
 * valid as long as the carrier. */
bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *carrier, uvrelay_mux_event_t *event);

/* The owner has delivered DOWN and no longer uses the carrier, which may be freed now. */
void uvr_mux_carrier_down_delivered(uvr_mux_carrier *carrier);

/* Each ref keeps the carrier and its yamux session in memory for one stream, until its unref. */
void uvr_mux_carrier_ref(uvr_mux_carrier *carrier);
void uvr_mux_carrier_unref(uvr_mux_carrier *carrier);

/* Ends the carrier. DOWN is emitted on the mux's next wakeup; the stream may still be closing. No effect on one that is
 * already ending. */
void uvr_mux_carrier_end(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

/* What the carrier's other end is called. */
const char *uvr_mux_carrier_other_end(const uvr_mux_carrier *carrier);

/* Ends it with an error of reading. */
void uvr_mux_carrier_end_with(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, int code, const char *text);

/* Ends it because the other end has announced that it will open no more streams, and none is left. */
void uvr_mux_carrier_end_gone_away(uvr_mux_carrier *carrier);

/* Ends it because it could not be `what`: "written to" or "read from". */
void uvr_mux_carrier_end_broken(uvr_mux_carrier *carrier, const char *what, const uvrelay_error_t *error);

#endif
