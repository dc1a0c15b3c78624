/* The mux: many connections over one carrier at a time. The public handle that contains it is in relay/mux_handle.c,
 * which also opens the carriers' streams. */
#ifndef UVR_MUX_MUX_H
#define UVR_MUX_MUX_H

#include "mux/core.h"

/* Initialises *mux with one reference, the owner's. The caller has set `context`, `streams`, `role`, `options`
 * (checked, and with all defaults filled in), `allow` and `events`; everything else must be zero. */
void uvr_mux_init(uvr_mux *mux);

/* Makes a carrier, which does not have its stream yet. The mux must not have one. For `opener`, `on_end` and
 * `on_closed` see uvr_mux_carrier_config. Returns 0 and *out, or UV_ENOMEM. */
int uvr_mux_attach(uvr_mux *mux, void *opener, void (*on_end)(void *opener, uvr_closing *closing),
                   void (*on_closed)(void *opener), uvr_mux_carrier **out);

/* Ends the carrier, if there is one, on the next wakeup. */
void uvr_mux_detach(uvr_mux *mux);

/* Closes the mux. On the next wakeup the carrier ends and the waiting streams fail. on_closed is called once, later,
 * when nothing refers to the mux. Must be called once. */
void uvr_mux_close(uvr_mux *mux);

#endif
