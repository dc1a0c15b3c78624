/* The public mux: its options, its carriers one after another, its events, its end.
 *
 * What must not happen from within a call comes in the turn, a timer of 0 ms: a carrier's end is told, streams that
 * wait are opened, a carrier is asked for. The mux stays until its owner has closed it and nothing refers to it: no
 * route, no session, no stream, no carrier. */
#include "mux/mux.h"

#include <string.h>

#include "base/abi.h"
#include "base/os.h"

#define WINDOW_TOTAL     ((uint64_t)64 * 1024 * 1024)
#define WINDOW_TOTAL_MIN ((uint64_t)128 * 1024)

enum { PING_MS = 30000, PING_TIMEOUT_MS = 10000, GREETING_MS = 30000 };

void uvr_mux_emit(uvrelay_mux_t *mux, uvrelay_mux_event_t event)
{
  if (mux->options.event_cb != NULL) {
    mux->options.event_cb(mux, &event, mux->options.user);
  }
}

/* The end. */

static void free_mux(uvrelay_mux_t *mux)
{
  const uvrelay_allocator_t *memory = &mux->relay->context.memory;
  for (size_t i = 0; mux->allow != NULL && i < mux->options.allow_count; i++) {
    uvr_free(memory, mux->allow[i]);
  }
  uvr_free(memory, mux->allow);
  uvr_free(memory, mux);
}

static void on_wakeup_closed(uv_handle_t *handle)
{
  uvrelay_mux_t *mux = handle->data;
  uvrelay_t *relay = mux->relay;
  *mux->link = mux->next;
  if (mux->next != NULL) {
    mux->next->link = mux->link;
  }
  if (mux->close_cb != NULL) {
    mux->close_cb(mux, mux->close_user);
  }
  free_mux(mux);
  if (relay->stopped) {
    uvr_relay_wake(relay);
  }
}

void uvr_mux_ref(uvrelay_mux_t *mux)
{
  if (mux != NULL) {
    mux->references++;
  }
}

void uvr_mux_unref(uvrelay_mux_t *mux)
{
  if (mux != NULL && --mux->references == 0) {
    uv_close((uv_handle_t *)&mux->wakeup, on_wakeup_closed);
  }
}

/* The turn. */

static void end_carrier(uvrelay_mux_t *mux)
{
  uvrelay_error_t error;
  if (mux->carrier != NULL) {
    (void)uvr_error_set(&error, UVRELAY_PHASE_NONE, 0, "the carrier was taken away");
    uvr_mux_carrier_end(mux->carrier, UVRELAY_MUX_DOWN_DETACHED, &error);
  }
}

static void tell_end(uvrelay_mux_t *mux)
{
  uvr_mux_carrier *carrier = mux->carrier;
  uvrelay_mux_event_t event;
  if (carrier != NULL && uvr_mux_carrier_tell(carrier, &event)) {
    mux->carrier = NULL;
    mux->needed = false;
    uvr_mux_emit(mux, event);
    uvr_mux_carrier_told(carrier);
  }
}

static void on_wakeup(uv_timer_t *timer)
{
  uvrelay_mux_t *mux = timer->data;
  uvr_mux_ref(mux);
  if (mux->detaching || mux->closing) {
    mux->detaching = false;
    end_carrier(mux);
  }
  tell_end(mux);
  uvr_mux_near_open_waiting(mux);
  if (mux->waiting != NULL && mux->carrier == NULL && !mux->needed && !mux->closing) {
    mux->needed = true;
    uvr_mux_emit(mux, (uvrelay_mux_event_t){.type = UVRELAY_MUX_EVENT_NEEDED});
  }
  uvr_mux_unref(mux);
}

void uvr_mux_wake(uvrelay_mux_t *mux)
{
  if (!uv_is_closing((uv_handle_t *)&mux->wakeup)) {
    (void)uv_timer_start(&mux->wakeup, on_wakeup, 0, 0);
  }
}

/* The public functions. */

int uvrelay_mux_attach(uvrelay_mux_t *mux, const uvrelay_endpoint_t *carrier)
{
  uvrelay_t *relay = mux->relay;
  uvr_side side = {.stream = NULL};
  if (mux->closing) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the mux is being closed");
  }
  if (mux->carrier != NULL) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EBUSY, "the mux has a carrier");
  }
  int code = uvr_side_take(relay, &side, carrier, "the carrier");
  if (code == 0) {
    code = uvr_mux_carrier_start(mux, &side);
  }
  if (code == UV_ENOMEM) {
    (void)uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, code, "there is no memory for a carrier");
  }
  if (code != 0) {
    uvr_side_give_back(relay, &side);
  }
  return code;
}

void uvrelay_mux_detach(uvrelay_mux_t *mux)
{
  mux->detaching = mux->carrier != NULL;
  uvr_mux_wake(mux);
}

void uvrelay_mux_explain(uvrelay_mux_t *mux, const uvrelay_error_t *why)
{
  mux->why = *why;
}

void uvrelay_mux_close(uvrelay_mux_t *mux, uvrelay_mux_cb cb, void *user)
{
  bool was_closing = mux->closing; /* by the relay's close */
  mux->closing = true;
  mux->close_cb = cb;
  mux->close_user = user;
  if (!was_closing) {
    uvr_mux_wake(mux);
    uvr_mux_unref(mux);
  }
}

void uvr_muxes_end(uvrelay_t *relay)
{
  for (uvrelay_mux_t *next, *mux = relay->muxes; mux != NULL; mux = next) {
    next = mux->next;
    if (!mux->closing) {
      uvrelay_mux_close(mux, NULL, NULL);
    }
  }
}

/* Making. */

static int copy_patterns(uvrelay_mux_t *mux, const uvrelay_mux_options_t *options)
{
  const uvrelay_allocator_t *memory = &mux->relay->context.memory;
  mux->options.allow_count = 0;
  mux->allow = uvr_alloc(memory, (options->allow_count + 1) * sizeof(*mux->allow));
  for (size_t i = 0; mux->allow != NULL && i < options->allow_count; i++) {
    size_t size = strlen(options->allow[i]) + 1;
    mux->allow[i] = uvr_alloc(memory, size);
    if (mux->allow[i] == NULL) {
      return UV_ENOMEM;
    }
    memcpy(mux->allow[i], options->allow[i], size);
    mux->options.allow_count++;
  }
  return mux->allow == NULL ? UV_ENOMEM : 0;
}

static int check_options(uvrelay_mux_options_t *options)
{
  options->window_total = options->window_total == 0 ? WINDOW_TOTAL : options->window_total;
  options->ping_ms = options->ping_ms == 0 ? PING_MS : options->ping_ms;
  options->ping_timeout_ms = options->ping_timeout_ms == 0 ? PING_TIMEOUT_MS : options->ping_timeout_ms;
  options->greeting_ms = options->greeting_ms == 0 ? GREETING_MS : options->greeting_ms;
  return options->window_total < WINDOW_TOTAL_MIN || (options->allow_count > 0 && options->allow == NULL) ? UV_EINVAL
                                                                                                          : 0;
}

int uvrelay_mux_new(uvrelay_mux_t **out, uvrelay_t *relay, uvrelay_mux_role_t role,
                    const uvrelay_mux_options_t *options)
{
  uvrelay_mux_options_t own;
  *out = NULL;
  if (relay->stopped) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ESHUTDOWN, "the relay is stopped");
  }
  if (uvr_abi_copy(&own, sizeof(own), options) != 0 || check_options(&own) != 0 || (unsigned)role > UVRELAY_MUX_FAR) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_EINVAL, "an option of the mux is out of its range");
  }
  uvrelay_mux_t *mux = uvr_alloc(&relay->context.memory, sizeof(*mux));
  if (mux != NULL) {
    mux->relay = relay;
    mux->role = role;
    mux->options = own;
    if (copy_patterns(mux, &own) != 0) {
      free_mux(mux);
      mux = NULL;
    }
  }
  if (mux == NULL) {
    return uvr_error_set(&relay->error, UVRELAY_PHASE_NONE, UV_ENOMEM, "there is no memory for a mux");
  }
  mux->options.allow = NULL;
  mux->waiting_end = &mux->waiting;
  mux->references = 1;
  (void)uv_timer_init(relay->context.loop, &mux->wakeup);
  mux->wakeup.data = mux;
  mux->next = relay->muxes;
  mux->link = &relay->muxes;
  if (mux->next != NULL) {
    mux->next->link = &mux->next;
  }
  relay->muxes = mux;
  *out = mux;
  return 0;
}

/* What goes through one. */

int uvr_relay_choose_via(const uvrelay_t *relay, uvr_address *target, const uvrelay_mux_t *via, uvrelay_error_t *error)
{
  const char *lacks = target->via ? NULL : uvr_os_lacks(target);
  if (!target->via && lacks != NULL && via != NULL) {
    uvr_address_set_via(target);
  }
  if (target->via && strchr(target->canonical, '?') != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                         "cannot connect to %s: to a far end a ? begins options", target->canonical);
  }
  if (target->via) {
    return via == NULL ? uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_ENOTSUP,
                                       "cannot connect to %s: there is no far end to do it", target->canonical)
           : via->relay != relay || via->role != UVRELAY_MUX_NEAR || via->closing
               ? uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_EINVAL,
                               "cannot connect to %s: `via` is no open near end of the same relay", target->canonical)
               : 0;
  }
  return lacks == NULL ? 0
                       : uvr_error_set(error, UVRELAY_PHASE_ADDRESS, UV_ENOTSUP, "cannot connect to %s: %s",
                                       target->canonical, lacks);
}
