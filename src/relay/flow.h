/* One direction of a pair: a pump moves bytes from a source to a sink, and then the source's end of input is passed on
 * to the sink. */
#ifndef UVR_RELAY_FLOW_H
#define UVR_RELAY_FLOW_H

#include "relay/pump.h"
#include "uvrelay.h"

typedef enum uvr_flow_state {
  UVR_FLOW_OPEN,        /* bytes flow, or will once both streams are connected */
  UVR_FLOW_PASSING_END, /* the source has ended, and this is being passed on to the sink */
  UVR_FLOW_ENDED,       /* the end was passed on, cannot be passed on, or need not be */
  UVR_FLOW_LOST         /* the sink is gone, and nothing accepts what the source sends */
} uvr_flow_state;

typedef struct uvr_flow uvr_flow;

/* Events about which the pair decides. Each handler may end the flow. */
typedef struct uvr_flow_events {
  void (*on_source_end)(uvr_flow *flow); /* the source has ended; uvr_flow_pass_end passes this on */
  void (*on_source_gone)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_source_failed)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_sink_gone)(uvr_flow *flow, const uvrelay_error_t *error); /* the flow is LOST */
  void (*on_sink_failed)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_ended)(uvr_flow *flow, bool passed); /* the flow is ENDED; `passed`: the sink has got the end */
  void (*on_full)(uvr_flow *flow);               /* both buffers of the pump are full */
} uvr_flow_events;

struct uvr_flow {
  uvr_pump pump; /* must be the first member */
  uvr_flow_state state;
  const uvr_flow_events *events;
  void *user;
  uvrelay_eof_t eof;    /* how the source's end is passed on */
  const char *end_note; /* what is logged after the sink's name when the end was passed on; may be NULL */
};

/* Begins to move bytes. Events may come before this returns. The caller has set `events`, `user`, `eof` and `end_note`;
 * everything else must be zero. */
void uvr_flow_start(uvr_flow *flow, uvr_context *context, uvr_stream *source, uvr_stream *sink);

/* Ends a flow that has not begun, as its source never sends anything. The sink does not get the end: it may go on
 * sending. */
void uvr_flow_skip(uvr_flow *flow);

/* After on_source_end: passes the end on to the sink, if its kind and `eof` allow that. on_ended is called when this is
 * done. `last`: the sink has ended, too, so that on_ended closes it, which shows some kinds the end. */
void uvr_flow_pass_end(uvr_flow *flow, bool last);

/* Ends the flow if the source's end is being passed on: this need not be waited for, as the sink has left by itself. */
void uvr_flow_end(uvr_flow *flow);

/* Stops the flow, because nothing accepts what the source sends. */
void uvr_flow_lose(uvr_flow *flow);

/* Whether the source has ended. */
static inline bool uvr_flow_source_has_ended(const uvr_flow *flow)
{
  return flow->state == UVR_FLOW_PASSING_END || flow->state == UVR_FLOW_ENDED;
}

/* Whether the source, which has ended, was closed altogether, and the sink may be closed at once as well, because that
 * shows its peer the end. Not for TCP sources, for which it takes long to find out. */
bool uvr_flow_source_has_left(const uvr_flow *flow);

/* Whether nothing more is passed on to the sink, not even the end. */
static inline bool uvr_flow_is_over(const uvr_flow *flow)
{
  return flow->state == UVR_FLOW_ENDED || flow->state == UVR_FLOW_LOST;
}

#endif
