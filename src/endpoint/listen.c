/* Listening.
 *
 * Happy path: the acceptor of the address's kind announces clients. They are accepted, a bounded number at a time, and
 * each is handed to the owner as a stream, until none is waiting or the owner pauses.
 *
 * Ways to fail: this system cannot listen on such an address, or refuses to; a client is not allowed to connect, and it
 * is closed; a client cannot be accepted for lack of descriptors or memory, and accepting is tried again after a while;
 * the acceptor fails for good, as when a pipe has no instance left. */
#include "endpoint/listen.h"

#include <stdio.h>

#include "base/alarm.h"
#include "base/list.h"
#include "endpoint/kind.h"
#include "endpoint/owner.h"
#include "endpoint/reach.h"

enum { ACCEPTS_AT_ONCE = 32 }; /* clients accepted before the loop handles other things */

struct uvr_listener {
  uvr_context *context;
  uvr_listen_events events;
  uvr_acceptor *acceptor;
  uvr_alarm retry;
  bool paused;
  bool troubled; /* on_trouble was called, and on_relief was not called since */
  bool closing;
  uint64_t troubled_at; /* loop time when accepting failed last, ms */
  uvr_close_cb on_closed;
  void *closed_user;
  uvr_closing closing_parts;
  char client_name[UVR_ADDRESS_CANONICAL_SIZE + 16];
  char peer_uid[UVRELAY_USERS_SIZE]; /* the option, which may outlive the caller that has given it */
};

/* Accepting clients. */

static void on_retry(uvr_alarm *retry);

/* Accepts later, for clients that the acceptor does not announce again. */
static void retry_after(uvr_listener *listener, uint64_t ms)
{
  uvr_alarm_set(listener->context->clock, &listener->retry, ms, on_retry);
}

static void pause_acceptor(uvr_listener *listener, bool pause)
{
  if (listener->acceptor->ops->pause != NULL) {
    listener->acceptor->ops->pause(listener->acceptor, pause);
  }
}

static void wait_out_trouble(uvr_listener *listener, const uvrelay_error_t *error)
{
  listener->troubled_at = uv_now(listener->context->loop);
  pause_acceptor(listener, true);
  retry_after(listener, listener->context->patience.accept_retry_ms);
  if (!listener->troubled) {
    listener->troubled = true;
    listener->events.on_trouble(listener->events.user, error);
  }
}

/* What is known of the last client, or NULL. */
static const uvrelay_peer_t *peer_of(const uvr_listener *listener)
{
  const uvrelay_peer_t *peer = &listener->acceptor->peer;
  return peer->pid == 0 && peer->uid < 0 ? NULL : peer;
}

static void accept_clients(uvr_listener *listener)
{
  uvrelay_error_t error;
  uvr_alarm_clear(listener->context->clock, &listener->retry);
  for (unsigned i = 0; !listener->paused && !listener->closing; i++) {
    uvr_stream *stream;
    if (i == ACCEPTS_AT_ONCE) {
      retry_after(listener, 0);
      break;
    }
    int code = listener->acceptor->ops->accept(listener->acceptor, &stream, &error);
    if (code == UV_EPERM) {
      listener->events.on_refused(listener->events.user, peer_of(listener), &error);
      continue;
    }
    if (code != 0 && code != UV_EAGAIN) {
      wait_out_trouble(listener, &error);
      return;
    }
    if (listener->troubled &&
        uv_now(listener->context->loop) - listener->troubled_at >= listener->context->patience.relief_ms) {
      listener->troubled = false;
      listener->events.on_relief(listener->events.user);
    }
    if (code != 0) {
      break;
    }
    listener->events.on_client(listener->events.user, stream, peer_of(listener));
  }
  if (!listener->closing) {
    pause_acceptor(listener, listener->paused);
  }
  if (listener->troubled && !listener->closing && !listener->paused && !uvr_alarm_is_set(&listener->retry)) {
    retry_after(listener, listener->context->patience.relief_ms);
  }
}

static void on_retry(uvr_alarm *retry)
{
  accept_clients(UVR_LISTED(retry, uvr_listener, retry));
}

static void on_client(void *user, const uvrelay_error_t *error)
{
  uvr_listener *listener = user;
  if (error == NULL) {
    accept_clients(listener);
  } else {
    listener->events.on_fail(listener->events.user, error);
  }
}

void uvr_listener_pause(uvr_listener *listener, bool pause)
{
  if (listener->paused != pause) {
    listener->paused = pause;
    retry_after(listener, 0);
  }
}

void uvr_listener_hand_over(uvr_listener *listener, void *user)
{
  listener->events.user = user;
}

/* Closing. */

static void on_all_closed(void *user)
{
  uvr_listener *listener = user;
  uvr_close_cb on_closed = listener->on_closed;
  void *closed_user = listener->closed_user;
  uvr_free(&listener->context->memory, listener);
  on_closed(closed_user);
}

void uvr_listener_close(uvr_listener *listener, uvr_close_cb on_closed, void *user)
{
  listener->closing = true;
  listener->on_closed = on_closed;
  listener->closed_user = user;
  uvr_closing_begin(&listener->closing_parts, on_all_closed, listener);
  uvr_alarm_clear(listener->context->clock, &listener->retry);
  uvr_acceptor_close(listener->acceptor, uvr_closing_add(&listener->closing_parts), &listener->closing_parts);
  uvr_closing_end(&listener->closing_parts);
}

/* Starting. */

static void name_clients(uvr_listener *listener, const uvr_address *address)
{
  (void)snprintf(listener->client_name, sizeof(listener->client_name), "a client of %s", address->canonical);
}

int uvr_listen(uvr_context *context, uvr_address *address, const uvr_listen_options *options,
               const uvr_listen_events *events, uvr_listener **out, uvr_address *place, uvrelay_error_t *error)
{
  const char *why = uvr_why_no_listener(address);
  if (why != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP, "cannot listen on %s: %s", address->canonical, why);
  }
  if (uvr_owner_check_peers(address, options->peer_uid, error) != 0) {
    return UV_EINVAL;
  }
  uvr_listener *listener = uvr_alloc(&context->memory, sizeof(*listener));
  if (listener == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "not enough memory to listen on %s",
                         address->canonical);
  }
  listener->context = context;
  listener->events = *events;
  name_clients(listener, address);
  (void)snprintf(listener->peer_uid, sizeof(listener->peer_uid), "%s", options->peer_uid);
  uvr_listen_options own = *options;
  own.peer_uid = listener->peer_uid;
  *place = (uvr_address){.kind = UVR_ADDRESS_NONE};
  const uvr_listen_request request = {.context = context,
                                      .address = address,
                                      .place = place,
                                      .options = &own,
                                      .client_name = listener->client_name,
                                      .on_client = on_client,
                                      .user = listener};
  int code = uvr_kind_of(address)->listen(&request, &listener->acceptor, error);
  if (code != 0) {
    uvr_free(&context->memory, listener);
    return code;
  }
  name_clients(listener, address); /* again, as the address now has the port that was chosen */
  if (place->kind == UVR_ADDRESS_NONE) {
    *place = *address;
  }
  *out = listener;
  return 0;
}
