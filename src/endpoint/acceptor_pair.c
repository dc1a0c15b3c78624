/* Accepting clients on both loopback addresses, 127.0.0.1 and [::1], as one acceptor made of two.
 *
 * Happy path: both listen on the same port, and clients are accepted on each in turn.
 *
 * Ways to fail: the system has only one of the families, and the acceptor of that one works without the other; the port
 * is taken on one address, and then neither is listened on, unless any port would do and another one can be tried; one
 * of the two fails for good, and both are given up. */
#include "endpoint/acceptor.h"
#include "endpoint/ip.h"

enum { PORTS_TRIED = 32 };

typedef struct acceptor_pair {
  uvr_acceptor base;
  uvr_acceptor *parts[2];
  unsigned turn; /* which part accepts next */
  bool failed;
} acceptor_pair;

static void on_part_client(void *user, const uvrelay_error_t *error)
{
  acceptor_pair *self = user;
  if (!self->failed) {
    self->failed = error != NULL;
    self->base.on_client(self->base.user, error);
  }
}

static int accept_client(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error)
{
  acceptor_pair *self = (acceptor_pair *)acceptor;
  int code = UV_EAGAIN;
  for (int i = 0; i < 2 && code == UV_EAGAIN; i++) {
    uvr_acceptor *part = self->parts[self->turn];
    self->turn = 1 - self->turn;
    code = part->ops->accept(part, out, error);
  }
  return code;
}

static void pause_accepting(uvr_acceptor *acceptor, bool pause)
{
  acceptor_pair *self = (acceptor_pair *)acceptor;
  for (int i = 0; i < 2; i++) {
    self->parts[i]->ops->pause(self->parts[i], pause);
  }
}

static void close_acceptor(uvr_acceptor *acceptor)
{
  acceptor_pair *self = (acceptor_pair *)acceptor;
  for (int i = 0; i < 2; i++) {
    uvr_acceptor_close(self->parts[i], uvr_closing_add(&acceptor->closing), &acceptor->closing);
  }
}

static const uvr_acceptor_ops ops = {
    .size = sizeof(acceptor_pair), .accept = accept_client, .pause = pause_accepting, .close = close_acceptor};

/* Whether the code says that the system lacks the address or its family. */
static bool is_absent(int code)
{
  return code == UV_EAFNOSUPPORT || code == UV_EADDRNOTAVAIL || code == UV_EPROTONOSUPPORT;
}

static int say_which(const uvr_listen_request *request, const struct sockaddr *ip, int code, uvrelay_error_t *error)
{
  uvr_address place;
  uvr_ip_to_address(ip, &place);
  return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0,
                              "cannot listen on %s: %s: %s, and localhost means both loopback addresses: choose "
                              "another port, or write only one of the addresses",
                              request->address->canonical, place.canonical, uv_strerror(code));
}

/* Listens on both addresses, if the system has them, with the port of the first one. */
static int listen_on_both(const uvr_listen_request *request, const struct sockaddr_storage ips[2],
                          uvr_acceptor *parts[2], uvrelay_error_t *error)
{
  int code = uvr_acceptor_tcp(request, (const struct sockaddr *)&ips[0], &parts[0], error);
  if (code != 0 && !is_absent(code)) {
    return code == UV_EADDRINUSE ? say_which(request, (const struct sockaddr *)&ips[0], code, error) : code;
  }
  struct sockaddr_storage second = ips[1];
  uvr_ip_set_port((struct sockaddr *)&second, request->address->port);
  int second_code = uvr_acceptor_tcp(request, (const struct sockaddr *)&second, &parts[1], error);
  if (second_code == 0 || (is_absent(second_code) && code == 0)) {
    return 0;
  }
  if (code == 0) {
    uvr_acceptor_abandon(parts[0]);
    parts[0] = NULL;
  }
  return second_code == UV_EADDRINUSE ? say_which(request, (const struct sockaddr *)&second, second_code, error)
                                      : second_code;
}

int uvr_acceptor_tcp_pair(const uvr_listen_request *request, const struct sockaddr_storage ips[2], uvr_acceptor **out,
                          uvrelay_error_t *error)
{
  bool any_port = request->address->port == 0;
  int code = UV_EADDRINUSE;
  acceptor_pair *self = (acceptor_pair *)uvr_acceptor_new(&ops, request, error);
  if (self == NULL) {
    return UV_ENOMEM;
  }
  uvr_listen_request part = *request;
  part.on_client = on_part_client;
  part.user = self;
  for (int i = 0; code == UV_EADDRINUSE && i < (any_port ? PORTS_TRIED : 1); i++) {
    if (any_port) {
      uvr_address_set_port(request->address, 0);
    }
    code = listen_on_both(&part, ips, self->parts, error);
  }
  if (code == 0 && self->parts[0] != NULL && self->parts[1] != NULL) {
    *out = &self->base;
    return 0;
  }
  uvr_acceptor *only = self->parts[self->parts[0] != NULL ? 0 : 1];
  if (code == 0) {
    only->on_client = request->on_client;
    only->user = request->user;
    *out = only;
  }
  uvr_free(&request->context->memory, self);
  return code;
}
