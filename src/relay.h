/* The public relay and its sessions: what relay.c and relay_session.c share. */
#ifndef UVR_RELAY_H
#define UVR_RELAY_H

#include "session.h"
#include "uvrelay.h"

struct uvrelay_s {
  uvr_env env;
  uvrelay_session_t *sessions;
  uvrelay_route_t *routes;
  uvrelay_counters_t counters; /* but for the bytes of active sessions */
  uvrelay_error_t error;
  void *data;
  uv_timer_t turn; /* brings what must come from the loop */
  uv_timer_t deadline;
  bool stopped; /* no session may start */
  bool cancel;  /* all that there are are to end */
  bool closing;
  uvrelay_cb stop_cb;
  uvrelay_cb close_cb;
};

/* One side of a session, until the stream belongs to the pair of pumps. */
typedef struct uvr_side {
  uvrelay_endpoint_t endpoint;
  uvr_address *address; /* UVRELAY_ADDRESS */
  uvr_stream *stream;   /* when it is there */
} uvr_side;

struct uvrelay_session_s {
  uvrelay_t *relay;
  uvrelay_session_t *next;
  uvrelay_session_t *previous;
  uvr_side left;
  uvr_side right;
  uvr_session_options options;
  uvrelay_done_cb cb;
  void *user;
  uv_timer_t turn;      /* brings the next step */
  uvr_dial *dial;       /* of the left side, if that is an address */
  uvr_session *session; /* the pair of pumps */
  bool cancelled;
  bool ending;
  uint64_t started;  /* loop time, ms */
  unsigned children; /* not closed: 1 for the pair of pumps or its absence, and what else there is */
  uvrelay_result_t result;
};

void uvr_relay_add(uvrelay_t *relay, uvrelay_session_t *session);

/* Reads the public options of a session, which may be NULL. Returns 0 or UV_EINVAL. */
int uvr_session_options_of(const uvrelay_session_options_t *options, uvr_session_options *out);

/* Starts a session of a client that was accepted, which belongs to it then. NULL when there is no memory. */
uvrelay_session_t *uvr_relay_start_client(uvrelay_t *relay, uvr_stream *client, const uvr_address *target,
                                          const uvr_session_options *options, uvrelay_done_cb cb, void *user);

/* Makes the relay look whether what it waits for has come. */
void uvr_relay_kick(uvrelay_t *relay);

/* In route.c, for relay.c. All routes stop to listen; with `remove` they end. */
void uvr_routes_end(uvrelay_t *relay, bool remove);

/* Whether one still listens, or closes what it listens with. */
bool uvr_routes_listen(const uvrelay_t *relay);

/* Its result counts from now on. */
void uvr_relay_remove(uvrelay_t *relay, uvrelay_session_t *session);

#endif
