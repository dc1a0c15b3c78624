/* Listening.
 *
 * Happy path: a socket or a named pipe says that clients wait, and they are taken, a bounded number at a time, each as
 * a stream for the owner, until none waits or the owner pauses.
 *
 * Ways to fail: the address is not one to listen on here; the system refuses; a client cannot be taken for want of
 * descriptors or memory, then it waits and is tried again soon; a pipe that can make no more instances fails for good.
 */
#include "endpoint/listen.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "endpoint/npipe_listen.h"

enum {
  AT_ONCE = 32, /* clients taken in a turn of the loop */
  PIPE_BUFFER_SIZE = 65536,
  PIPE_BACKLOG = 8
};

struct uvr_listener {
  uvr_context *context;
  uvr_listen_events events;
  uvr_socket_listener *socket; /* one of the two */
  uvr_npipe_listener *npipe;
  uv_timer_t retry;
  bool paused;
  bool troubled; /* and told */
  bool closing;
  uint64_t trouble; /* loop time of the last one, ms */
  uvr_close_cb on_close;
  void *close_user;
  char client_name[UVR_ADDRESS_CANONICAL_SIZE + 16];
};

/* Taking clients. */

static int take(uvr_listener *listener, uvr_stream **stream, uvrelay_error_t *error)
{
  return listener->socket != NULL ? uvr_socket_take(listener->socket, stream, error)
                                  : uvr_npipe_take(listener->npipe, listener->context, stream, error);
}

static void take_clients(uv_timer_t *timer);

/* What waits is looked at again. A socket tells by itself. */
static void again(uvr_listener *listener, uint64_t ms)
{
  (void)uv_timer_start(&listener->retry, take_clients, ms, 0);
}

static void meet_trouble(uvr_listener *listener, const uvrelay_error_t *error)
{
  listener->trouble = uv_now(listener->context->loop);
  if (listener->socket != NULL) {
    uvr_socket_pause(listener->socket, true);
  }
  again(listener, listener->context->patience.accept_retry_ms);
  if (!listener->troubled) {
    listener->troubled = true;
    listener->events.on_trouble(listener->events.user, error);
  }
}

static void take_clients(uv_timer_t *timer)
{
  uvr_listener *listener = timer->data;
  uvrelay_error_t error;
  (void)uv_timer_stop(timer);
  for (unsigned i = 0; !listener->paused && !listener->closing; i++) {
    uvr_stream *stream;
    if (i == AT_ONCE) {
      again(listener, 0);
      break;
    }
    int code = take(listener, &stream, &error);
    if (code != 0 && code != UV_EAGAIN) {
      meet_trouble(listener, &error);
      return;
    }
    if (listener->troubled &&
        uv_now(listener->context->loop) - listener->trouble >= listener->context->patience.relief_ms) {
      listener->troubled = false;
      listener->events.on_relief(listener->events.user);
    }
    if (code != 0) {
      break;
    }
    listener->events.on_client(listener->events.user, stream);
  }
  if (listener->socket != NULL && !listener->closing) {
    uvr_socket_pause(listener->socket, listener->paused);
  }
  if (listener->troubled && !listener->closing && !listener->paused && !uv_is_active((uv_handle_t *)timer)) {
    again(listener, listener->context->patience.relief_ms);
  }
}

static void on_client(void *user, const uvrelay_error_t *error)
{
  uvr_listener *listener = user;
  if (error == NULL) {
    take_clients(&listener->retry);
  } else {
    listener->events.on_fail(listener->events.user, error);
  }
}

void uvr_listener_pause(uvr_listener *listener, bool pause)
{
  if (listener->paused != pause) {
    listener->paused = pause;
    again(listener, 0);
  }
}

/* Closing. */

static void on_retry_closed(uv_handle_t *handle)
{
  uvr_listener *listener = handle->data;
  uvr_close_cb on_close = listener->on_close;
  void *user = listener->close_user;
  uvr_free(&listener->context->memory, listener);
  on_close(user);
}

static void on_source_closed(void *user)
{
  uv_close((uv_handle_t *)&((uvr_listener *)user)->retry, on_retry_closed);
}

void uvr_listener_close(uvr_listener *listener, uvr_close_cb on_close, void *user)
{
  listener->closing = true;
  listener->on_close = on_close;
  listener->close_user = user;
  (void)uv_timer_stop(&listener->retry);
  if (listener->socket != NULL) {
    uvr_socket_close(listener->socket, on_source_closed, listener);
  } else {
    uvr_npipe_listener_close(listener->npipe, on_source_closed, listener);
  }
}

/* Starting. */

bool uvr_listen_is_loopback(const struct sockaddr *address)
{
  if (address->sa_family == AF_INET) {
    const unsigned char *bytes = (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
    return bytes[0] == 127;
  }
  static const unsigned char one[16] = {[15] = 1};
  static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
  const unsigned char *bytes = (const unsigned char *)&((const struct sockaddr_in6 *)address)->sin6_addr;
  return memcmp(bytes, one, sizeof(one)) == 0 || (memcmp(bytes, mapped, sizeof(mapped)) == 0 && bytes[12] == 127);
}

uint16_t uvr_listen_port(const struct sockaddr *address)
{
  return ntohs(address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                             : ((const struct sockaddr_in6 *)address)->sin6_port);
}

int uvr_listen_refuse_remote(const char *name, uvrelay_error_t *error)
{
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EACCES,
                       "%s could be reached from other computers, and whoever reaches it may use the target: listen on "
                       "127.0.0.1 or [::1], or allow it (--allow-remote)",
                       name);
}

static int find_ip(const uvr_address *address, struct sockaddr_storage *ip, uvrelay_error_t *error)
{
  const char *host = uvr_is_same_word(address->host, "localhost") ? "127.0.0.1" : address->host;
  if (uv_ip4_addr(host, address->port, (struct sockaddr_in *)ip) == 0 ||
      uv_ip6_addr(host, address->port, (struct sockaddr_in6 *)ip) == 0) {
    return 0;
  }
  return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                       "%s cannot be listened on: write an IPv4 address, an IPv6 address in brackets, or localhost",
                       address->canonical);
}

static int listen_npipe(uvr_listener *listener, const uvr_address *address, const uvr_listen_options *options,
                        uvrelay_error_t *error)
{
  if (address->host[0] != '\0') {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "%s is a pipe of another computer: only a pipe of this one can be listened on",
                         address->canonical);
  }
  const uvr_npipe_listen_options own = {.message = options->message,
                                        .buffer_size = PIPE_BUFFER_SIZE,
                                        .backlog = PIPE_BACKLOG,
                                        .client_name = listener->client_name};
  return uvr_npipe_listen(listener->context, address->path, address->canonical, &own, on_client, listener,
                          &listener->npipe, error);
}

static int start(uvr_listener *listener, uvr_address *address, const uvr_listen_options *options,
                 uvrelay_error_t *error)
{
  struct sockaddr_storage ip;
  const char *lacks = uvr_os_lacks_listener(address->kind);
  if (lacks != NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOTSUP, "cannot listen on %s: %s", address->canonical, lacks);
  }
  if (address->kind == UVR_ADDRESS_NPIPE) {
    return listen_npipe(listener, address, options, error);
  }
  if (address->kind == UVR_ADDRESS_TCP) {
    memset(&ip, 0, sizeof(ip));
    int code = find_ip(address, &ip, error);
    if (code != 0) {
      return code;
    }
    if (!options->allow_remote && !uvr_listen_is_loopback((const struct sockaddr *)&ip)) {
      return uvr_listen_refuse_remote(address->canonical, error);
    }
  }
  return uvr_listen_socket(listener->context, address,
                           address->kind == UVR_ADDRESS_TCP ? (const struct sockaddr *)&ip : NULL, options,
                           listener->client_name, on_client, listener, &listener->socket, error);
}

int uvr_listen(uvr_context *context, uvr_address *address, const uvr_listen_options *options,
               const uvr_listen_events *events, uvr_listener **out, uvrelay_error_t *error)
{
  uvr_listener *listener = uvr_alloc(&context->memory, sizeof(*listener));
  if (listener == NULL) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_ENOMEM, "there is no memory to listen on %s",
                         address->canonical);
  }
  listener->context = context;
  listener->events = *events;
  (void)snprintf(listener->client_name, sizeof(listener->client_name), "a client of %s", address->canonical);
  int code = start(listener, address, options, error);
  if (code != 0) {
    uvr_free(&context->memory, listener);
    return code;
  }
  (void)snprintf(listener->client_name, sizeof(listener->client_name), "a client of %s", address->canonical);
  (void)uv_timer_init(context->loop, &listener->retry);
  listener->retry.data = listener;
  *out = listener;
  return 0;
}
