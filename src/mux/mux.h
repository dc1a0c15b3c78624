/* The mux: its carriers one after another, what waits for them, its events, its end. The public handle around it is
 * relay/mux_handle.c, which opens the carriers' streams. */
#ifndef UVR_MUX_MUX_H
#define UVR_MUX_MUX_H

#include "mux/core.h"

/* Makes a mux in *mux, which is all zero but for its `context`, `streams`, `role`, `options` (valid, without zeros that
 * stand for defaults), `allow` and `events`. It has one reference. */
void uvr_mux_init(uvr_mux *mux);

/* Makes a carrier, as yet without a stream. `opener`, `on_end` and `on_closed` as in carrier.h. Returns 0 and *out; or
 * UV_ENOMEM. Only if the mux has none. */
int uvr_mux_attach(uvr_mux *mux, void *opener, void (*on_end)(void *opener, uvr_closing *closing),
                   void (*on_closed)(void *opener), uvr_mux_carrier **out);

/* Ends the carrier, if there is one, in the next wakeup. */
void uvr_mux_detach(uvr_mux *mux);

/* Ends the mux: in the next wakeup what waits fails and the carrier ends; later, when nothing refers to it any more,
 * on_closed comes. Once. */
void uvr_mux_close(uvr_mux *mux);

#endif
