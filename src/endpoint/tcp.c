/* TCP as a kind of endpoint.
 *
 * Connecting: an IP address is connected to at once. A name is looked up on the thread pool, and its addresses are
 * tried one after another. On the loopback interface, the connection is there as soon as it was asked for, unless the
 * target's backlog is full.
 *
 * Ways to fail: the name is not found; none of its addresses accepts the connection, and the error of the last one is
 * reported; an address leads back to the route's own listener, which shows only when the name has been looked up; an
 * address to listen on is a name, or other computers could reach it and that was not allowed. */
#include "endpoint/tcp.h"

#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "endpoint/ip.h"
#include "endpoint/kind.h"
#include "endpoint/look_up.h"
#include "stream/uv.h"

typedef struct tcp_attempt {
  uvr_attempt base;
  uvr_look_up look_up;
  struct sockaddr_storage *addresses; /* that the name has, with their port */
  size_t count;
  size_t next;
  int failed; /* what an address that may be connected to has failed with; 0: none was tried */
} tcp_attempt;

static void connect_next(tcp_attempt *self);

/* Connecting. */

/* One address cannot be connected to: tries the next one. */
static void fail_address(tcp_attempt *self, int code)
{
  self->failed = code != UV_ELOOP ? code : self->failed;
  if (self->next < self->count) {
    uvr_attempt_drop_stream(&self->base);
    connect_next(self);
  } else if (self->failed == 0) {
    uvr_attempt_fail(&self->base);
  } else {
    uvr_attempt_fail_with(&self->base, self->failed);
  }
}

static void on_connected(uv_connect_t *request, int code)
{
  uvr_attempt *attempt = uvr_attempt_of_request(request, code);
  if (attempt == NULL) {
    return;
  }
  if (code == 0) {
    uvr_attempt_succeed(attempt);
  } else {
    fail_address((tcp_attempt *)attempt, code);
  }
}

static void on_probed(uv_write_t *probe, int code)
{
  uvr_attempt *attempt = probe->data;
  attempt->on_connected(&attempt->request, code);
}

/* Reports the result at once if the system knows it, as it does on the loopback interface. The options are set last:
 * libuv sets them again on a socket that it opens. */
static int begin_to_connect(uvr_attempt *attempt, uv_tcp_t *tcp, const struct sockaddr *ip)
{
  uv_buf_t nothing = uv_buf_init("", 0);
  bool loopback = uvr_ip_is_loopback(ip);
  int code = loopback ? uvr_os_connect(tcp, ip) : UV_ENOSYS;
  bool waits = code == UV_EALREADY;
  if (code == UV_ENOSYS) {
    code = uv_tcp_connect(&attempt->request, tcp, ip, attempt->on_connected);
    waits = true;
  } else if (waits) {
    attempt->probe.data = attempt;
    code = uv_write(&attempt->probe, (uv_stream_t *)tcp, &nothing, 1, on_probed);
  }
  if (code == 0) {
    uvr_stream_uv_tune_tcp(tcp, !loopback);
  }
  if (code == 0 && !waits) {
    attempt->on_connected(&attempt->request, 0);
  }
  return code;
}

int uvr_tcp_connect_to(uvr_attempt *attempt, const struct sockaddr *ip, const uvr_address *place,
                       uv_connect_cb on_connected_to)
{
  const uvr_connect_options *options = attempt->options;
  if (options->check != NULL) {
    uvr_address found;
    if (place == NULL) {
      uvr_ip_to_address(ip, &found);
      place = &found;
    }
    if (options->check(options->check_user, place, &attempt->error) != 0) {
      return UV_ELOOP;
    }
  }
  uvr_os_close_spare_fd(&attempt->options->spare_fd);
  int code = uvr_stream_uv_new_tcp(attempt->context, ip->sa_family, attempt->address->canonical, &attempt->stream);
  if (code == 0) {
    uv_tcp_t *tcp = (uv_tcp_t *)uvr_stream_uv_handle(attempt->stream);
    if (options->arms) {
      uvr_stream_arm(attempt->stream);
    }
    attempt->on_connected = on_connected_to;
    code = begin_to_connect(attempt, tcp, ip);
  }
  return code;
}

static void connect_to(tcp_attempt *self, const struct sockaddr *ip, const uvr_address *place)
{
  int code = uvr_tcp_connect_to(&self->base, ip, place, on_connected);
  if (code != 0) {
    fail_address(self, code);
  }
}

static void connect_next(tcp_attempt *self)
{
  connect_to(self, (const struct sockaddr *)&self->addresses[self->next++], NULL);
}

static bool is_ip(const struct addrinfo *found)
{
  return found->ai_family == AF_INET || found->ai_family == AF_INET6;
}

/* Keeps the addresses that were found, as the list of them belongs to all who wait for it. */
static int keep(tcp_attempt *self, const struct addrinfo *addresses)
{
  size_t count = 0;
  for (const struct addrinfo *found = addresses; found != NULL; found = found->ai_next) {
    count += is_ip(found) ? 1 : 0;
  }
  if (count == 0) {
    return UV_EAI_NODATA;
  }
  self->addresses = uvr_alloc(&self->base.context->memory, count * sizeof(*self->addresses));
  if (self->addresses == NULL) {
    return UV_ENOMEM;
  }
  for (const struct addrinfo *found = addresses; found != NULL; found = found->ai_next) {
    if (is_ip(found)) {
      memcpy(&self->addresses[self->count], found->ai_addr, found->ai_addrlen);
      uvr_ip_set_port((struct sockaddr *)&self->addresses[self->count], self->base.address->port);
      self->count++;
    }
  }
  return 0;
}

static void on_looked_up(void *user, int code, const struct addrinfo *addresses)
{
  tcp_attempt *self = user;
  code = code == 0 ? keep(self, addresses) : code;
  self->base.waits_for = NULL;
  if (code != 0) {
    (void)uvr_error_set_system(&self->base.error, UVRELAY_PHASE_ADDRESS, code, 0, "cannot find the host of %s: %s",
                               self->base.address->canonical, uv_strerror(code));
    uvr_attempt_fail(&self->base);
  } else {
    connect_next(self);
  }
}

static void look_up(tcp_attempt *self)
{
  uvr_attempt_keep_room(self->base.context, self->base.options);
  self->base.waits_for = "its name is still being looked up: no name server answers";
  int code = uvr_look_up_start(self->base.context, &self->look_up, self->base.address->host, on_looked_up, self);
  if (code != 0) {
    uvr_attempt_fail_with(&self->base, code);
  }
}

const struct sockaddr *uvr_tcp_parse(const uvr_address *address, struct sockaddr_storage out[UVR_IP_MAX])
{
  bool has_zone = strchr(address->host, '%') != NULL; /* which a look-up checks */
  bool is_ip_address = address->kind == UVR_ADDRESS_TCP && !has_zone && uvr_ip_of_address(address, out) == 1;
  return is_ip_address ? (const struct sockaddr *)out : NULL;
}

static void tcp_connect(uvr_attempt *attempt)
{
  tcp_attempt *self = (tcp_attempt *)attempt;
  struct sockaddr_storage ips[UVR_IP_MAX];
  const struct sockaddr *ip =
      attempt->options->ip != NULL ? attempt->options->ip : uvr_tcp_parse(attempt->address, ips);
  if (ip != NULL) {
    connect_to(self, ip, attempt->address);
  } else {
    look_up(self);
  }
}

static void tcp_close(uvr_attempt *attempt)
{
  uvr_look_up_abandon(&((tcp_attempt *)attempt)->look_up);
}

static void tcp_clear(uvr_attempt *attempt)
{
  uvr_free(&attempt->context->memory, ((tcp_attempt *)attempt)->addresses);
}

static const uvr_connector connector = {
    .size = sizeof(tcp_attempt), .connect = tcp_connect, .close = tcp_close, .clear = tcp_clear};

/* Listening. */

static int tcp_listen(const uvr_listen_request *request, uvr_acceptor **out, uvrelay_error_t *error)
{
  struct sockaddr_storage ips[UVR_IP_MAX];
  const uvr_address *address = request->address;
  size_t count = uvr_ip_of_address(address, ips);
  if (count == 0) {
    return uvr_error_set(error, UVRELAY_PHASE_LISTEN, UV_EINVAL,
                         "cannot listen on %s: write an IPv4 address, an IPv6 address in brackets, or localhost",
                         address->canonical);
  }
  if (!request->options->allow_remote && !uvr_ip_is_loopback((const struct sockaddr *)&ips[0])) {
    return uvr_ip_refuse_remote(address->canonical, error);
  }
  return count == 2 ? uvr_acceptor_tcp_pair(request, ips, out, error)
                    : uvr_acceptor_tcp(request, (const struct sockaddr *)&ips[0], out, error);
}

/* Names are not looked up here. The addresses that a name leads to are checked when they are connected to. */
static bool tcp_same_place(const uvr_address *target, const uvr_address *listener)
{
  struct sockaddr_storage to[UVR_IP_MAX];
  struct sockaddr_storage at[UVR_IP_MAX];
  if (target->port != listener->port) {
    return false;
  }
  size_t to_count = uvr_ip_of_address(target, to);
  size_t at_count = uvr_ip_of_address(listener, at);
  if (to_count == 0 || at_count == 0) {
    return uvr_is_same_word(target->host, listener->host);
  }
  for (size_t i = 0; i < to_count * at_count; i++) {
    if (uvr_ip_leads_to((const struct sockaddr *)&to[i % to_count], (const struct sockaddr *)&at[i / to_count])) {
      return true;
    }
  }
  return false;
}

const uvr_kind uvr_tcp_kind = {.connector = &connector, .listen = tcp_listen, .same_place = tcp_same_place};
