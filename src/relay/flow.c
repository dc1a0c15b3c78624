/* One direction of a pair, as a small state machine. Events of the pump change its state. Every change goes through
 * set_state, which checks it.
 *
 *   OPEN -> PASSING_END   the source has ended, and all its bytes are written
 *   PASSING_END -> ENDED  the end was passed on, cannot be passed on, or need not be
 *   OPEN -> ENDED         the source never sends anything
 *   any -> LOST           the sink is gone
 *
 * Ways to fail: the source or the sink fails, or the source is gone. The flow only reports this; the pair ends it. */
#include "relay/flow.h"

#include <assert.h>
#include <inttypes.h>

static void set_state(uvr_flow *flow, uvr_flow_state state)
{
  assert(state == UVR_FLOW_LOST || (state == UVR_FLOW_PASSING_END && flow->state == UVR_FLOW_OPEN) ||
         (state == UVR_FLOW_ENDED && (flow->state == UVR_FLOW_PASSING_END || flow->pump.source == NULL)));
  flow->state = state;
  if (state == UVR_FLOW_PASSING_END) {
    uvr_log_line(&flow->pump.source->context->log, "%s: end of input after %" PRIu64 " bytes", flow->pump.source->name,
                 uvr_pump_bytes(&flow->pump));
  }
}

static void on_end_passed(void *user, uvr_outcome outcome, const uvrelay_error_t *error)
{
  uvr_flow *flow = user;
  if (outcome == UVR_FAILED) {
    flow->events->on_sink_failed(flow, error);
  } else if (flow->state == UVR_FLOW_PASSING_END) {
    if (flow->end_note != NULL) {
      uvr_log_line(&flow->pump.sink->context->log, "%s: %s", flow->pump.sink->name,
                   outcome == UVR_DONE ? flow->end_note : error->text);
    }
    set_state(flow, UVR_FLOW_ENDED);
    flow->events->on_ended(flow, true);
  }
}

void uvr_flow_pass_end(uvr_flow *flow, bool last)
{
  uvr_stream *sink = flow->pump.sink;
  if (last && sink->closing_ends && flow->eof != UVRELAY_EOF_NONE) {
    on_end_passed(flow, UVR_DONE, NULL);
    return;
  }
  bool marks = flow->eof == UVRELAY_EOF_MARKER && uvr_stream_can_mark_end(sink);
  if (flow->eof != UVRELAY_EOF_NONE && (sink->can_half_close || marks)) {
    uvr_stream_shutdown(sink, on_end_passed, flow);
    return;
  }
  set_state(flow, UVR_FLOW_ENDED);
  flow->events->on_ended(flow, false);
}

bool uvr_flow_source_has_left(const uvr_flow *flow)
{
  uvr_stream *source = flow->pump.source;
  return flow->eof != UVRELAY_EOF_NONE && flow->pump.sink->closing_ends && !source->is_tcp &&
         !uvr_stream_watches_any_time(source) && uvr_stream_is_lost(source);
}

void uvr_flow_end(uvr_flow *flow)
{
  if (flow->state == UVR_FLOW_PASSING_END) {
    set_state(flow, UVR_FLOW_ENDED);
  }
}

void uvr_flow_skip(uvr_flow *flow)
{
  set_state(flow, UVR_FLOW_ENDED);
}

void uvr_flow_lose(uvr_flow *flow)
{
  uvr_pump_stop(&flow->pump);
  set_state(flow, UVR_FLOW_LOST);
}

static void on_pump_end(uvr_pump *pump, uvr_pump_end end, const uvrelay_error_t *error)
{
  uvr_flow *flow = (uvr_flow *)pump;
  switch (end) {
  case UVR_PUMP_SOURCE_ENDED:
    set_state(flow, UVR_FLOW_PASSING_END);
    flow->events->on_source_end(flow);
    break;
  case UVR_PUMP_SOURCE_GONE:
    flow->events->on_source_gone(flow, error);
    break;
  case UVR_PUMP_SOURCE_FAILED:
    flow->events->on_source_failed(flow, error);
    break;
  case UVR_PUMP_SINK_GONE:
    uvr_log_line(&pump->sink->context->log, "%s", error->text);
    set_state(flow, UVR_FLOW_LOST);
    flow->events->on_sink_gone(flow, error);
    break;
  case UVR_PUMP_SINK_FAILED:
    flow->events->on_sink_failed(flow, error);
    break;
  }
}

static void on_pump_full(uvr_pump *pump)
{
  uvr_flow *flow = (uvr_flow *)pump;
  flow->events->on_full(flow);
}

void uvr_flow_start(uvr_flow *flow, uvr_context *context, uvr_stream *source, uvr_stream *sink)
{
  uvr_pump_start(&flow->pump, context, source, sink, on_pump_end);
  flow->pump.on_full = on_pump_full;
  if (uvr_pump_is_full(&flow->pump)) {
    flow->events->on_full(flow);
  }
}
