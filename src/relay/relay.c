/* The public relay: the list of its parts, its counters, its options, stopping and closing.
 *
 * Happy path: stopping lets the open sessions end by themselves until the deadline, then cancels them, and calls back
 * when no part is busy. Closing ends every part. When the last part has been removed, the timers are closed, and after
 * the last of them the close callback is called and the relay is freed.
 *
 * No callback is made from within a call. Stopping and closing begin on the wakeup, a timer of 0 ms, so that they may
 * be called from anywhere, even by the log function.
 *
 * Ways to fail: an option is out of its range, or there is no memory, and no relay is made. */
#include "relay/relay.h"

#include <string.h>

#include "base/abi.h"
#include "base/os.h"
#include "endpoint/offload.h"
#include "yamux/yamux.h"

#define MESSAGE_MAX ((size_t)1024 * 1024 * 1024)

static uvr_part *part_of(uvr_list_node *node)
{
  return UVR_LISTED(node, uvr_part, node);
}

/* Closing and stopping. */

static void on_timers_closed(void *user)
{
  uvrelay_t *relay = user;
  uvrelay_allocator_t memory = relay->context.memory;
  uvr_buffer_pool_clear(&relay->mux_context.buffers);
  uvr_context_clear(&relay->context);
  if (relay->close_cb != NULL) {
    relay->close_cb(relay);
  }
  uvr_free(&memory, relay);
}

static void close_timers(uvrelay_t *relay)
{
  relay->closed = true;
  uvr_closing_begin(&relay->closing, on_timers_closed, relay);
  uvr_closing_handle(&relay->closing, (uv_handle_t *)&relay->wakeup);
  uvr_closing_handle(&relay->closing, (uv_handle_t *)&relay->deadline);
  uvr_offload_close(relay->context.offload, uvr_closing_add(&relay->closing), &relay->closing);
  uvr_clock_close(relay->context.clock, uvr_closing_add(&relay->closing), &relay->closing);
  uvr_closing_end(&relay->closing);
}

/* Whether there are parts other than those that are ended last. */
static bool has_others(const uvrelay_t *relay)
{
  uvr_list_node *n = uvr_list_first(&relay->parts);
  while (n != NULL && part_of(n)->ops->ends_last) {
    n = uvr_list_next(&relay->parts, n);
  }
  return n != NULL;
}

static void end_parts(uvrelay_t *relay)
{
  bool last = !has_others(relay);
  for (uvr_list_node *next, *n = uvr_list_first(&relay->parts); n != NULL; n = next) {
    uvr_part *part = part_of(n);
    next = uvr_list_next(&relay->parts, n);
    if (last || !part->ops->ends_last) {
      part->ops->end(part, relay->state);
    }
  }
}

static bool is_busy(const uvrelay_t *relay)
{
  uvr_list_node *n = uvr_list_first(&relay->parts);
  if (relay->state == UVR_RELAY_CLOSING) {
    return n != NULL;
  }
  while (n != NULL && !part_of(n)->ops->is_busy(part_of(n))) {
    n = uvr_list_next(&relay->parts, n);
  }
  return n != NULL;
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_t *relay = timer->data;
  end_parts(relay);
  if (is_busy(relay)) {
    return; /* until a part is removed and wakes the relay */
  }
  (void)uv_timer_stop(&relay->deadline);
  if (relay->state == UVR_RELAY_CLOSING) {
    close_timers(relay);
  } else if (relay->stop_cb != NULL) {
    uvrelay_cb stop_cb = relay->stop_cb;
    relay->stop_cb = NULL;
    stop_cb(relay);
  }
}

void uvr_relay_wake(uvrelay_t *relay)
{
  if (relay->state != UVR_RELAY_OPEN && !relay->closed) {
    (void)uv_timer_start(&relay->wakeup, on_wakeup, 0, 0);
  }
}

static void on_deadline(uv_timer_t *timer)
{
  uvrelay_t *relay = timer->data;
  relay->state = relay->state == UVR_RELAY_DRAINING ? UVR_RELAY_CANCELLING : relay->state;
  on_wakeup(&relay->wakeup);
}

int uvrelay_stop(uvrelay_t *relay, uint64_t timeout_ms, uvrelay_cb cb)
{
  if (relay->state != UVR_RELAY_OPEN) {
    return UV_EALREADY;
  }
  relay->state = timeout_ms == 0 ? UVR_RELAY_CANCELLING : UVR_RELAY_DRAINING;
  relay->stop_cb = cb;
  if (timeout_ms > 0 && timeout_ms < UINT64_MAX) {
    (void)uv_timer_start(&relay->deadline, on_deadline, timeout_ms, 0);
    uv_unref((uv_handle_t *)&relay->deadline); /* the sessions keep the loop running */
  }
  uvr_relay_wake(relay);
  return 0;
}

void uvrelay_close(uvrelay_t *relay, uvrelay_cb cb)
{
  relay->state = UVR_RELAY_CLOSING;
  relay->close_cb = cb;
  uvr_relay_wake(relay);
}

/* Parts. */

void uvr_relay_add(uvrelay_t *relay, uvr_part *part, const uvr_part_ops *ops)
{
  part->ops = ops;
  uvr_list_prepend(&relay->parts, &part->node);
}

void uvr_relay_remove(uvr_part *part)
{
  uvr_list_remove(&part->node);
}

bool uvr_relay_uses_stream(const uvrelay_t *relay, const uv_stream_t *stream)
{
  for (uvr_list_node *n = uvr_list_first(&relay->parts); n != NULL; n = uvr_list_next(&relay->parts, n)) {
    const uvr_part *part = part_of(n);
    if (part->ops->uses_stream != NULL && part->ops->uses_stream(part, stream)) {
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
  relay->context.offload = uvr_offload_new(&memory);
  if (relay->context.offload == NULL) {
    uvr_context_clear(&relay->context);
    uvr_free(&memory, relay);
    return UV_ENOMEM;
  }
  if (own.buffer_size > 0) {
    relay->context.buffers.large = own.buffer_size;
  }
  if (own.message_size > 0) {
    relay->context.message_size = own.message_size;
  }
  relay->context.remote_files = own.allow_remote_files != 0;
  relay->context.warnings = own.warnings.write != NULL ? own.warnings : own.log;
  relay->context.leftovers = &relay->closing;
  relay->mux_context = relay->context;
  uvr_buffer_pool_init(&relay->mux_context.buffers, &relay->context.memory);
  relay->mux_context.buffers.pipes_of = &relay->context.buffers;
  relay->mux_context.buffers.large = UVR_YAMUX_FRAME_FIRST;
  relay->mux_context.buffers.huge = UVR_BUFFER_LARGE;
  /* A read by libuv on Windows takes several calls of the system, which large reads save. */
  relay->mux_context.buffers.giant = uvr_os_reads_streams() ? 0 : 4 * UVR_BUFFER_LARGE;
  uvr_list_init(&relay->parts);
  uvr_list_init(&relay->hops);
  (void)uv_timer_init(loop, &relay->wakeup); /* cannot fail */
  (void)uv_timer_init(loop, &relay->deadline);
  relay->wakeup.data = relay;
  relay->deadline.data = relay;
  *out = relay;
  return 0;
}

/* Properties. */

void uvrelay_get_counters(const uvrelay_t *relay, uvrelay_counters_t *out, size_t size)
{
  uvrelay_counters_t counters = relay->counters;
  for (uvr_list_node *n = uvr_list_first(&relay->parts); n != NULL; n = uvr_list_next(&relay->parts, n)) {
    uint64_t to_right = 0;
    uint64_t to_left = 0;
    if (part_of(n)->ops->bytes != NULL) {
      part_of(n)->ops->bytes(part_of(n), &to_right, &to_left);
    }
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
