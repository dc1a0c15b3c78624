/* Sessions of the public relay: how the routes and muxes of a relay start them. */
#ifndef UVR_RELAY_SESSION_H
#define UVR_RELAY_SESSION_H

#include "endpoint/dial.h"
#include "relay/opener.h"
#include "relay/pair.h"
#include "relay/relay.h"

/* Checked options: for the pair, and for dialling an address. */
typedef struct uvr_session_options {
  uvr_pair_options pair;
  uvr_dial_options dial;
} uvr_session_options;

/* Checks the public options of a session, which may be NULL for the defaults; all but `owner`, which *out only points
 * to. Returns 0 and *out, or UV_EINVAL. */
int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out);

/* Starts a session between an accepted client, which then belongs to it, and a target, which it dials, through `via` if
 * that is not NULL. `target` must outlast the session. Returns NULL when there is no memory, and the client still
 * belongs to the caller. */
uvrelay_session_t *uvr_session_start_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                            const uvr_address *target, uvr_via *via, const uvr_session_options *options,
                                            uvrelay_done_cb cb, void *user);

/* From now on an absent target is not waited for: if it is, or would be, the session is cancelled. */
void uvr_session_stop_waiting(uvrelay_session_t *session);

/* The same for a target that is connected already, and then also belongs to the session. */
uvrelay_session_t *uvr_session_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          uvr_stream *target, const uvr_session_options *options, uvrelay_done_cb cb,
                                          void *user);

#endif
