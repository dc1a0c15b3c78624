/* Sessions of the public relay: how the routes and muxes of a relay start them. */
#ifndef UVR_RELAY_SESSION_H
#define UVR_RELAY_SESSION_H

#include "relay/given.h"

/* Makes a session of an accepted client, which then belongs to it. Until uvr_session_start_client, it may only be
 * cancelled. `options` must outlast the session. With it, `size` bytes are allocated for the caller, which `cb` gets as
 * `user` and uvr_session_user returns. Returns NULL when there is no memory, and the client still belongs to the
 * caller. */
uvrelay_session_t *uvr_session_new_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          const uvr_session_options *options, uvrelay_done_cb cb, size_t size);
void *uvr_session_user(const uvrelay_session_t *session);

/* Starts it: connects it to a target, through `via` if that is not NULL. Both must outlast the session. */
void uvr_session_start_client(uvrelay_session_t *session, const uvr_address *target, uvr_via *via);

/* From now on an absent target is not waited for: if it is, or would be, the session is cancelled. */
void uvr_session_stop_waiting(uvrelay_session_t *session);

/* Starts a session between a client and a target that are connected already and then belong to it. Returns NULL when
 * there is no memory, and both still belong to the caller. */
uvrelay_session_t *uvr_session_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          uvr_stream *target, const uvr_pair_options *options, uvrelay_done_cb cb,
                                          void *user);

#endif
