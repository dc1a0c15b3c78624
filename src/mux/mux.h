/* The mux: what its files share. mux.c is the public handle, mux_carrier.c one carrier's life, mux_near.c and mux_far.c
 * what the two ends do with streams, stream_mux.c a stream of the mux as the rest of the relay sees it. */
#ifndef UVR_MUX_MUX_H
#define UVR_MUX_MUX_H

#include "address/address.h"
#include "relay/relay.h"
#include "uvrelay/mux.h"
#include "yamux/yamux.h"

/* The longest request and the longest answer, in bytes with their newlines. */
#define UVR_MUX_LINE_MAX 2048

typedef struct uvr_mux_carrier uvr_mux_carrier;

struct uvrelay_mux_s {
  uvrelay_t *relay;
  uvrelay_mux_t *next; /* of the relay's */
  uvrelay_mux_t **link;
  uvrelay_mux_role_t role;
  uvrelay_mux_options_t options;
  char **allow;                   /* the patterns, ours */
  uvr_mux_carrier *carrier;       /* the one in use, or NULL */
  struct uvr_mux_stream *waiting; /* near: streams to be opened, in their order */
  struct uvr_mux_stream **waiting_end;
  uvrelay_error_t why; /* there is no carrier; its code is 0 when nothing is known */
  uv_timer_t wakeup;   /* brings what must come from the loop */
  bool needed;         /* was told */
  bool detaching;
  bool closing;
  unsigned references; /* by routes, sessions, streams and carriers: until then it stays */
  uvrelay_mux_cb close_cb;
  void *close_user;
};

/* Keeps the mux until the same number of unrefs; NULL is allowed. */
void uvr_mux_ref(uvrelay_mux_t *mux);
void uvr_mux_unref(uvrelay_mux_t *mux);

void uvr_mux_emit(uvrelay_mux_t *mux, uvrelay_mux_event_t event);

/* Makes the turn come. */
void uvr_mux_wake(uvrelay_mux_t *mux);

/* The carrier: mux_carrier.c. */

/* Takes over the side that was taken of an endpoint. Returns 0 or UV_ENOMEM. */
int uvr_mux_carrier_start(uvrelay_mux_t *mux, const uvr_side *side);

/* Whether streams can be opened over it. */
bool uvr_mux_carrier_is_up(const uvr_mux_carrier *carrier);

uvr_yamux *uvr_mux_carrier_session(uvr_mux_carrier *carrier);
bool uvr_mux_carrier_uses_stream(const uvr_mux_carrier *carrier, const uv_stream_t *stream);

/* Why a stream over it was reset: the carrier's own end, or NULL while it has none. */
const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *carrier);

/* For the mux's turn: whether it has ended and this is not yet told, with the event; and that it is told now. */
bool uvr_mux_carrier_tell(uvr_mux_carrier *carrier, uvrelay_mux_event_t *event);
void uvr_mux_carrier_told(uvr_mux_carrier *carrier);

/* Keeps it, for the stream that works with its session, until uvr_mux_carrier_drop. */
void uvr_mux_carrier_hold(uvr_mux_carrier *carrier);
void uvr_mux_carrier_drop(uvr_mux_carrier *carrier);

/* Ends it: DOWN comes when it is closed. Only once it has begun to end that has no effect. */
void uvr_mux_carrier_end(uvr_mux_carrier *carrier, uvrelay_mux_down_t how, const uvrelay_error_t *error);

/* The near end: mux_near.c. */

/* What is to be asked of the far end. */
typedef struct uvr_mux_target {
  const uvr_address *address;
  uvrelay_impersonation_t level;
  uvrelay_eof_t eof;
  uint64_t linger_ms; /* 0: never */
} uvr_mux_target;

/* Gets a stream to a target, whatever has to be waited for. The stream comes at once, to be closed by the callee
 * whatever happens; nothing may be done with it before on_result, which comes once, later, unless it is closed before:
 * error NULL: it is connected. Returns 0 or UV_ENOMEM. */
typedef void (*uvr_mux_connect_cb)(void *user, const uvrelay_error_t *error);
int uvr_mux_connect(uvrelay_mux_t *mux, const uvr_mux_target *target, uvr_mux_connect_cb on_result, void *user,
                    uvr_stream **out);

/* Opens what waits, as far as there is room; fails it if the mux is being closed. */
void uvr_mux_near_open_waiting(uvrelay_mux_t *mux);

/* The far end: mux_far.c. */

/* The near end has opened a stream over the carrier: where it is to live; NULL: there is no memory. */
uvr_yamux_stream *uvr_mux_far_open(uvr_mux_carrier *carrier, uvrelay_mux_t *mux);

#endif
