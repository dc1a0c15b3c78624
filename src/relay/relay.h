/* The public relay and its sessions: what relay.c and session.c share. */
#ifndef UVR_RELAY_RELAY_H
#define UVR_RELAY_RELAY_H

#include "relay/opener.h"
#include "relay/pair.h"
#include "uvrelay.h"

struct uvrelay_s {
  uvr_context context;
  uvr_context mux_context; /* the same, with smaller buffers: for what goes over a mux */
  uvrelay_session_t *sessions;
  uvrelay_route_t *routes;
  uvrelay_mux_t *muxes;
  uvrelay_counters_t counters; /* but for the bytes of active sessions */
  uvrelay_error_t error;
  void *data;
  uv_timer_t wakeup; /* brings what must come from the loop */
  uv_timer_t deadline;
  bool stopped; /* no session may start */
  bool cancel;  /* all that there are are to end */
  bool closing;
  uvrelay_cb stop_cb;
  uvrelay_cb close_cb;
};

struct uvrelay_session_s {
  uvrelay_t *relay;
  uvr_context *context; /* the relay's, or its mux_context */
  uvrelay_session_t *next;
  uvrelay_session_t *previous;
  uvr_side left;
  uvr_side right;
  uvr_pair_options options;
  uvrelay_done_cb cb;
  void *user;
  uv_timer_t wakeup; /* brings the next step */
  uvr_dial *dial;    /* of the left side, if that is an address */
  uvr_pair *session; /* the pair of pumps */
  bool cancelled;
  bool ending;
  uint64_t started;  /* loop time, ms */
  unsigned children; /* not closed: 1 for the pair of pumps or its absence, and what else there is */
  uvrelay_result_t result;
};

void uvr_relay_add(uvrelay_t *relay, uvrelay_session_t *session);

/* Reads the public options of a session, which may be NULL. Returns 0 or UV_EINVAL. */
int uvr_pair_options_of(const uvrelay_session_options_t *options, uvr_pair_options *out);

/* Starts a session of a client that was accepted, which belongs to it then. NULL when there is no memory. */
uvrelay_session_t *uvr_relay_start_client(uvrelay_t *relay, uvr_context *context, uvr_stream *client,
                                          const uvr_address *target, uvrelay_mux_t *via,
                                          const uvr_pair_options *options, uvrelay_done_cb cb, void *user);

/* The same with a target that is connected already, and belongs to it as well. */
uvrelay_session_t *uvr_relay_start_pair(uvrelay_t *relay, uvr_context *context, uvr_stream *client, uvr_stream *target,
                                        const uvr_pair_options *options, uvrelay_done_cb cb, void *user);

/* Whether a session or a mux has this stream. */
bool uvr_relay_uses_stream(const uvrelay_t *relay, const uv_stream_t *stream);

/* Decides whether a target goes through the mux, which may be NULL, and marks it so. Returns 0, or UV_ENOTSUP or
 * UV_EINVAL and *error: it can be reached in no way. */
int uvr_relay_choose_via(const uvrelay_t *relay, uvr_address *target, const uvrelay_mux_t *via, uvrelay_error_t *error);

/* Makes the relay look whether what it waits for has come. */
void uvr_relay_wake(uvrelay_t *relay);

/* In route.c, for relay.c. All routes stop to listen; with `remove` they end. */
void uvr_routes_end(uvrelay_t *relay, bool remove);

/* In mux.c, for relay.c. All muxes end. */
void uvr_muxes_end(uvrelay_t *relay);

/* Whether one still listens, or closes what it listens with. */
bool uvr_routes_listen(const uvrelay_t *relay);

/* Its result counts from now on. */
void uvr_relay_remove(uvrelay_t *relay, uvrelay_session_t *session);

#endif
