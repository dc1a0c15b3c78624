/* The end of a carrier: see carrier.h.
 *
 * Whatever ends it, it ends once: the yamux session is killed, which resets the streams over it; the carrier's own
 * stream and its opener are closed; and the owner is called. The carrier is freed when all is closed, DOWN is
 * delivered, and the last stream has released it. */
#include "mux/carrier_end.h"

#include <stdio.h>

static void maybe_free(uvr_mux_carrier *c)
{
  if (c->state == UVR_CARRIER_CLOSED && c->down_delivered && c->references == 0) {
    void (*on_freed)(void *) = c->config.on_freed;
    void *user = c->config.user;
    uvr_yamux_clear(&c->yamux);
    uvr_free(&c->config.context->memory, c);
    on_freed(user);
  }
}

static void on_all_closed(void *user)
{
  uvr_mux_carrier *c = user;
  c->state = UVR_CARRIER_CLOSED;
  uvr_buffer_put(c->config.buffers, c->sent);
  c->sent = NULL;
  c->config.on_closed(c->config.opener);
  maybe_free(c);
}

void uvr_mux_carrier_end(uvr_mux_carrier *c, uvrelay_mux_down_t how, const uvrelay_error_t *error)
{
  if (c->state >= UVR_CARRIER_ENDING) {
    return;
  }
  if (c->state != UVR_CARRIER_LAST_WORDS) { /* in which both are set already */
    c->how = how;
    c->error = *error;
  }
  c->state = UVR_CARRIER_ENDING;
  c->cut_connections = c->connections;
  c->reading = false;
  (void)uv_timer_stop(&c->timer);
  (void)uv_idle_stop(&c->idle);
  uvr_yamux_kill(&c->yamux);
  uvr_closing_begin(&c->closing, on_all_closed, c);
  uvr_closing_handle(&c->closing, (uv_handle_t *)&c->timer);
  uvr_closing_handle(&c->closing, (uv_handle_t *)&c->idle);
  if (c->stream != NULL) {
    uvr_buffer_put(&c->stream->context->buffers, c->in);
    c->in = NULL;
    uvr_stream_close(c->stream, UVR_CLOSE_NOW, uvr_closing_add(&c->closing), &c->closing);
  }
  c->config.on_end(c->config.opener, &c->closing);
  uvr_closing_end(&c->closing);
  c->config.on_change(c->config.user);
}

void uvr_mux_carrier_end_with(uvr_mux_carrier *c, uvrelay_mux_down_t how, int code, const char *text)
{
  uvrelay_error_t error;
  (void)uvr_error_set(&error, UVRELAY_PHASE_READ, code, "%s", text);
  uvr_mux_carrier_end(c, how, &error);
}

const char *uvr_mux_carrier_other_end(const uvr_mux_carrier *c)
{
  return c->config.role == UVRELAY_MUX_NEAR ? "the far end" : "the near end";
}

void uvr_mux_carrier_end_gone_away(uvr_mux_carrier *c)
{
  char text[64];
  (void)snprintf(text, sizeof(text), "%s is closing the session", uvr_mux_carrier_other_end(c));
  uvr_mux_carrier_end_with(c, UVRELAY_MUX_DOWN_ENDED, 0, text);
}

void uvr_mux_carrier_end_broken(uvr_mux_carrier *c, const char *what, const uvrelay_error_t *error)
{
  uvrelay_error_t own = *error;
  (void)snprintf(own.text, sizeof(own.text), "%s can no longer be %s: %s", uvr_mux_carrier_other_end(c), what,
                 uv_strerror(error->code));
  uvr_mux_carrier_end(c, c->state == UVR_CARRIER_UP ? UVRELAY_MUX_DOWN_BROKEN : UVRELAY_MUX_DOWN_EARLY, &own);
}

bool uvr_mux_carrier_pop_down_event(uvr_mux_carrier *c, uvrelay_mux_event_t *event)
{
  if (c->state < UVR_CARRIER_ENDING || c->down_delivered) {
    return false;
  }
  *event = (uvrelay_mux_event_t){
      .type = UVRELAY_MUX_EVENT_DOWN, .down = c->how, .streams = c->cut_connections, .error = &c->error};
  return true;
}

void uvr_mux_carrier_down_delivered(uvr_mux_carrier *c)
{
  c->down_delivered = true;
  maybe_free(c);
}

void uvr_mux_carrier_ref(uvr_mux_carrier *c)
{
  c->references++;
}

void uvr_mux_carrier_unref(uvr_mux_carrier *c)
{
  c->references--;
  bool last = c->state == UVR_CARRIER_UP && c->references == 0 && uvr_yamux_peer_goes_away(&c->yamux);
  if (last) {
    uvr_mux_carrier_end_gone_away(c);
  }
  maybe_free(c);
}

void *uvr_mux_carrier_opener(const uvr_mux_carrier *c)
{
  return c->state < UVR_CARRIER_ENDING ? c->config.opener : NULL;
}

const uvrelay_error_t *uvr_mux_carrier_fault(const uvr_mux_carrier *c)
{
  return c->state >= UVR_CARRIER_ENDING ? &c->error : NULL;
}
