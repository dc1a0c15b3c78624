/* Accepting clients on TCP ports on Windows.
 *
 * Happy path: libuv listens and announces each client, which waits inside libuv until the owner accepts it.
 *
 * Ways to fail: the port cannot be listened on, and nothing is left of it; there is no memory for a client, and it
 * keeps waiting; libuv cannot take a client, and closes it; libuv stops listening, and no more clients will come. */
#include "endpoint/acceptor.h"
#include "endpoint/ip.h"
#include "stream/uv.h"

enum { BACKLOG = 4096 }; /* how many clients may wait to be accepted */

typedef struct acceptor_tcp {
  uvr_acceptor base;
  uv_tcp_t tcp;
  size_t waiting; /* clients that libuv has announced */
  bool paused;
  bool loopback; /* clients come from this computer */
} acceptor_tcp;

static void on_connection(uv_stream_t *server, int status)
{
  acceptor_tcp *self = server->data;
  uvr_acceptor *acceptor = &self->base;
  if (status != 0) { /* libuv has stopped listening */
    uvrelay_error_t error;
    (void)uvr_error_set_system(&error, UVRELAY_PHASE_LISTEN, status, 0, "can no longer accept %s: %s",
                               acceptor->client_name, uv_strerror(status));
    acceptor->on_client(acceptor->user, &error);
    return;
  }
  self->waiting++;
  if (!self->paused) {
    acceptor->on_client(acceptor->user, NULL);
  }
}

/* The owner accepts what has come in the meantime when it resumes. */
static void pause_accepting(uvr_acceptor *acceptor, bool pause)
{
  ((acceptor_tcp *)acceptor)->paused = pause;
}

static int accept_client(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error)
{
  acceptor_tcp *self = (acceptor_tcp *)acceptor;
  while (self->waiting > 0) {
    uvr_stream *stream;
    int code = uvr_stream_uv_new(acceptor->context, UV_TCP, acceptor->client_name, &stream);
    if (code != 0) {
      return uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "%s is waiting: %s", acceptor->client_name,
                                  uv_strerror(code));
    }
    self->waiting--;
    uv_tcp_t *client = (uv_tcp_t *)uvr_stream_uv_handle(stream);
    code = uv_accept((uv_stream_t *)&self->tcp, (uv_stream_t *)client);
    if (code == 0) {
      uvr_stream_uv_tune_tcp(client, !self->loopback);
      uvr_stream_arm(stream);
      *out = stream;
      return 0;
    }
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(&acceptor->closing), &acceptor->closing);
    if (code != UV_EAGAIN && code != UV_ENOTCONN) { /* with these it has disconnected in the meantime */
      (void)uvr_acceptor_lose(acceptor, code, error);
      return UV_EPERM;
    }
  }
  return UV_EAGAIN;
}

static void close_acceptor(uvr_acceptor *acceptor)
{
  uvr_closing_handle(&acceptor->closing, (uv_handle_t *)&((acceptor_tcp *)acceptor)->tcp);
}

static const uvr_acceptor_ops ops = {
    .size = sizeof(acceptor_tcp), .accept = accept_client, .pause = pause_accepting, .close = close_acceptor};

/* Windows cuts a backlog down to 200 unless it is asked for as a negative number, which is what SOMAXCONN_HINT makes of
 * it in Windows's headers, and which libuv does not take. What is asked for first counts: libuv's own call of listen,
 * on a socket that listens already, does not change the backlog. If this call fails, so does libuv's, which tells why:
 * the port is taken, for example. */
static void ask_for_backlog(const uv_tcp_t *tcp)
{
  uv_os_fd_t handle;
  if (uv_fileno((const uv_handle_t *)tcp, &handle) == 0) {
    (void)listen((SOCKET)handle, -BACKLOG);
  }
}

int uvr_acceptor_tcp(const uvr_listen_request *request, const struct sockaddr *ip, uvr_acceptor **out,
                     uvrelay_error_t *error)
{
  struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
  int length = sizeof(bound);
  uvr_context *context = request->context;
  acceptor_tcp *self = (acceptor_tcp *)uvr_acceptor_new(&ops, request, error);
  if (self == NULL) {
    return UV_ENOMEM;
  }
  int code = uv_tcp_init_ex(context->loop, &self->tcp, ip->sa_family);
  if (code != 0) {
    uvr_free(&context->memory, self);
    return uvr_acceptor_fail(error, request->address, code);
  }
  self->tcp.data = self;
  self->loopback = uvr_ip_is_loopback(ip);
  (void)uv_tcp_simultaneous_accepts(&self->tcp, 0); /* with several pending, libuv would accept the last one first */
  code = uv_tcp_bind(&self->tcp, ip, ip->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
  if (code == 0) {
    ask_for_backlog(&self->tcp);
    code = uv_listen((uv_stream_t *)&self->tcp, BACKLOG, on_connection);
  }
  if (code == 0) {
    code = uv_tcp_getsockname(&self->tcp, (struct sockaddr *)&bound, &length);
  }
  if (code != 0) {
    uvr_acceptor_abandon(&self->base);
    return uvr_acceptor_fail(error, request->address, code);
  }
  uvr_address_set_port(request->address, uvr_ip_port((const struct sockaddr *)&bound));
  *out = &self->base;
  return 0;
}
