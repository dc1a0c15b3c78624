/* One direction of a pair: a pump from its source to its sink, and then the passing on of the source's end. */
#ifndef UVR_RELAY_FLOW_H
#define UVR_RELAY_FLOW_H

#include "relay/pump.h"
#include "uvrelay.h"

typedef enum uvr_flow_state {
  UVR_FLOW_OPEN,        /* bytes flow, or will */
  UVR_FLOW_TELLING_END, /* the source's end of input has come, and the sink does not know of it yet */
  UVR_FLOW_ENDED,       /* the sink knows, or cannot be told */
  UVR_FLOW_LOST         /* nobody takes what the source sends */
} uvr_flow_state;

typedef struct uvr_flow uvr_flow;

/* What the pair decides upon. Each may end the flow. */
typedef struct uvr_flow_events {
  void (*on_source_end)(uvr_flow *flow); /* the end of input, to be passed on by uvr_flow_pass_end */
  void (*on_source_gone)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_source_failed)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_sink_gone)(uvr_flow *flow, const uvrelay_error_t *error); /* the flow is LOST */
  void (*on_sink_failed)(uvr_flow *flow, const uvrelay_error_t *error);
  void (*on_ended)(uvr_flow *flow, bool told); /* the flow is ENDED; `told`: the sink knows */
  void (*on_full)(uvr_flow *flow);             /* both buffers of the pump are full; may be NULL */
} uvr_flow_events;

struct uvr_flow {
  uvr_pump pump; /* first: a flow is found from it */
  uvr_flow_state state;
  const uvr_flow_events *events;
  void *user;
  uvrelay_eof_t eof; /* how the sink is to learn of the source's end */
  const char *told;  /* logged, behind the sink's name, when it knows; may be NULL */
};

/* Begins to move bytes; events may come before this returns. What other members there are is set before. */
void uvr_flow_start(uvr_flow *flow, uvr_context *context, uvr_stream *source, uvr_stream *sink);

/* After on_source_end: tells the sink, if its kind and `eof` allow that. on_ended comes once that is done. */
void uvr_flow_pass_end(uvr_flow *flow);

/* The sink need not be told any more: it is gone, after it has learnt of the end or while it was being told. */
void uvr_flow_end(uvr_flow *flow);

/* Nobody takes anything any more. */
void uvr_flow_lose(uvr_flow *flow);

/* Whether the source's end of input has come. */
static inline bool uvr_flow_source_has_ended(const uvr_flow *flow)
{
  return flow->state == UVR_FLOW_TELLING_END || flow->state == UVR_FLOW_ENDED;
}

/* Whether nothing more goes to the sink, not even the end. */
static inline bool uvr_flow_is_over(const uvr_flow *flow)
{
  return flow->state == UVR_FLOW_ENDED || flow->state == UVR_FLOW_LOST;
}

#endif
