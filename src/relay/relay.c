/* The public relay: the list of its sessions, its counters, its options, stopping and closing. A session's own way,
 * from two endpoints to a running pair of pumps and to its end, is in session.c.
 *
 * No callback comes from within a call: stopping and closing begin in the turn, a timer of 0 ms, so that they may be
 * asked for anywhere, even by the log. Closing cancels every session and ends every route and mux; when the last is
 * over the timers are closed, and the close callback comes from the last of them. */
#include "relay/relay.h"

#include <string.h>

#include "base/abi.h"
#include "mux/mux.h"

#define MESSAGE_MAX ((size_t)1024 * 1024 * 1024)

/* Closing and stopping. */

static void on_wakeup_closed(uv_handle_t *handle)
{
  uvrelay_t *relay = handle->data;
  uvrelay_allocator_t memory = relay->context.memory;
  uvr_buffer_pool_clear(&relay->mux_context.buffers);
  uvr_context_clear(&relay->context);
  if (relay->close_cb != NULL) {
    relay->close_cb(relay);
  }
  uvr_free(&memory, relay);
}

static void on_deadline_closed(uv_handle_t *handle)
{
  uvrelay_t *relay = handle->data;
  uv_close((uv_handle_t *)&relay->wakeup, on_wakeup_closed);
}

static void cancel_all(uvrelay_t *relay)
{
  for (uvrelay_session_t *session = relay->sessions; session != NULL; session = session->next) {
    uvrelay_session_cancel(session);
  }
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_t *relay = timer->data;
  if (relay->stopped) {
    uvr_routes_end(relay, relay->closing);
  }
  if (relay->cancel) {
    cancel_all(relay);
  }
  if (relay->closing && relay->sessions == NULL) { /* those over a mux are to end by their cancel */
    uvr_muxes_end(relay);
  }
  if (relay->sessions != NULL ||
      (relay->closing ? relay->routes != NULL || relay->muxes != NULL : uvr_routes_listen(relay))) {
    return; /* the last one's end makes the turn come again */
  }
  (void)uv_timer_stop(&relay->deadline);
  if (relay->closing) {
    if (!uv_is_closing((uv_handle_t *)&relay->deadline)) {
      uv_close((uv_handle_t *)&relay->deadline, on_deadline_closed);
    }
  } else if (relay->stopped && relay->stop_cb != NULL) {
    uvrelay_cb stop_cb = relay->stop_cb;
    relay->stop_cb = NULL;
    stop_cb(relay);
  }
}

void uvr_relay_wake(uvrelay_t *relay)
{
  (void)uv_timer_start(&relay->wakeup, on_wakeup, 0, 0);
}

static void on_deadline(uv_timer_t *timer)
{
  uvrelay_t *relay = timer->data;
  relay->cancel = true;
  on_wakeup(&relay->wakeup);
}

int uvrelay_stop(uvrelay_t *relay, uint64_t timeout_ms, uvrelay_cb cb)
{
  if (relay->stopped) {
    return UV_EALREADY;
  }
  relay->stopped = true;
  relay->stop_cb = cb;
  relay->cancel = timeout_ms == 0;
  if (timeout_ms > 0 && timeout_ms < UINT64_MAX) {
    (void)uv_timer_start(&relay->deadline, on_deadline, timeout_ms, 0);
    uv_unref((uv_handle_t *)&relay->deadline); /* the sessions keep the loop alive */
  }
  uvr_relay_wake(relay);
  return 0;
}

void uvrelay_close(uvrelay_t *relay, uvrelay_cb cb)
{
  relay->stopped = true;
  relay->closing = true;
  relay->cancel = true;
  relay->close_cb = cb;
  uvr_relay_wake(relay);
}

/* The list of sessions. */

void uvr_relay_add(uvrelay_t *relay, uvrelay_session_t *session)
{
  session->next = relay->sessions;
  if (session->next != NULL) {
    session->next->previous = session;
  }
  relay->sessions = session;
  relay->counters.active++;
  relay->counters.started++;
}

void uvr_relay_remove(uvrelay_t *relay, uvrelay_session_t *session)
{
  if (session->next != NULL) {
    session->next->previous = session->previous;
  }
  if (session->previous != NULL) {
    session->previous->next = session->next;
  } else {
    relay->sessions = session->next;
  }
  relay->counters.active--;
  relay->counters.failed += session->result.reason == UVRELAY_REASON_FAILED ? 1U : 0U;
  relay->counters.to_right += session->result.to_right;
  relay->counters.to_left += session->result.to_left;
  if (relay->sessions == NULL && relay->stopped) {
    uvr_relay_wake(relay);
  }
}

/* One that is ending closes its streams, which shows, and the memory of those that are closed may be in use again. */
bool uvr_relay_uses_stream(const uvrelay_t *relay, const uv_stream_t *stream)
{
  for (const uvrelay_session_t *s = relay->sessions; s != NULL; s = s->next) {
    if (!s->ending && (uvr_side_is_stream(&s->left, stream) || uvr_side_is_stream(&s->right, stream))) {
      return true;
    }
  }
  for (const uvrelay_mux_t *mux = relay->muxes; mux != NULL; mux = mux->next) {
    if (mux->carrier != NULL && uvr_mux_carrier_uses_stream(mux->carrier, stream)) {
      return true;
    }
  }
  return false;
}

/* Making. */

int uvrelay_new(uvrelay_t **out, uv_loop_t *loop, const uvrelay_options_t *options)
{
  uvrelay_options_t own;
  *out = NULL;
  int code = uvr_abi_copy(&own, sizeof(own), options);
  if (code != 0) {
    return code;
  }
  if ((own.allocator.allocate == NULL) != (own.allocator.release == NULL) ||
      (own.buffer_size != 0 && !uvr_buffer_may_be_large(own.buffer_size)) || own.message_size > MESSAGE_MAX) {
    return UV_EINVAL;
  }
  uvrelay_allocator_t memory = own.allocator.allocate != NULL ? own.allocator : uvr_memory_default();
  uvrelay_t *relay = uvr_alloc(&memory, sizeof(*relay));
  if (relay == NULL) {
    return UV_ENOMEM;
  }
  code = uvr_context_init(&relay->context, loop, &memory, &own.log);
  if (code != 0) {
    uvr_free(&memory, relay);
    return code;
  }
  if (own.buffer_size > 0) {
    relay->context.buffers.large = own.buffer_size;
  }
  if (own.message_size > 0) {
    relay->context.message_size = own.message_size;
  }
  relay->mux_context = relay->context;
  uvr_buffer_pool_init(&relay->mux_context.buffers, &relay->context.memory);
  relay->mux_context.buffers.large = UVR_YAMUX_FRAME_MAX;
  (void)uv_timer_init(loop, &relay->wakeup); /* which cannot fail */
  (void)uv_timer_init(loop, &relay->deadline);
  relay->wakeup.data = relay;
  relay->deadline.data = relay;
  *out = relay;
  return 0;
}

/* Questions. */

void uvrelay_get_counters(const uvrelay_t *relay, uvrelay_counters_t *out, size_t size)
{
  uvrelay_counters_t counters = relay->counters;
  for (const uvrelay_session_t *session = relay->sessions; session != NULL; session = session->next) {
    uint64_t to_right;
    uint64_t to_left;
    uvrelay_session_bytes(session, &to_right, &to_left);
    counters.to_right += to_right;
    counters.to_left += to_left;
  }
  memset(out, 0, size);
  memcpy(out, &counters, size < sizeof(counters) ? size : sizeof(counters));
}

const uvrelay_error_t *uvrelay_error(const uvrelay_t *relay)
{
  return &relay->error;
}

uv_loop_t *uvrelay_get_loop(const uvrelay_t *relay)
{
  return relay->context.loop;
}

void *uvrelay_get_data(const uvrelay_t *relay)
{
  return relay->data;
}

void uvrelay_set_data(uvrelay_t *relay, void *data)
{
  relay->data = data;
}

const char *uvrelay_version(void)
{
  return UVRELAY_VERSION;
}
