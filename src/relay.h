/* The public relay and its sessions: what relay.c and relay_session.c share. */
#ifndef UVR_RELAY_H
#define UVR_RELAY_H

#include "session.h"
#include "uvrelay.h"

struct uvrelay_s {
  uvr_env env;
  uvrelay_session_t *sessions;
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
  unsigned children; /* not closed: 1 for the pair of pumps or its absence, and what else there is */
  uvrelay_result_t result;
};

void uvr_relay_add(uvrelay_t *relay, uvrelay_session_t *session);

/* Its result counts from now on. */
void uvr_relay_remove(uvrelay_t *relay, uvrelay_session_t *session);

#endif
