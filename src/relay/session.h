/* A session of the public relay. */
#ifndef UVR_RELAY_SESSION_H
#define UVR_RELAY_SESSION_H

#include "endpoint/dial.h"
#include "relay/opener.h"
#include "relay/pair.h"
#include "relay/relay.h"

/* Options that were checked: of its pair, and of dialling an address. */
typedef struct uvr_session_options {
  uvr_pair_options pair;
  uvr_dial_options dial;
} uvr_session_options;

/* Reads the public options of a session, which may be NULL. Returns 0 or UV_EINVAL. */
int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out);

/* Starts a session of a client that was accepted, which belongs to it then. `target`, which goes through `via` if that
 * is not NULL, must outlast the session. NULL when there is no memory. */
uvrelay_session_t *uvr_session_start_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                            const uvr_address *target, uvr_via *via, const uvr_session_options *options,
                                            uvrelay_done_cb cb, void *user);

/* The same with a target that is connected already, and belongs to it as well. */
uvrelay_session_t *uvr_session_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          uvr_stream *target, const uvr_session_options *options, uvrelay_done_cb cb,
                                          void *user);

#endif
