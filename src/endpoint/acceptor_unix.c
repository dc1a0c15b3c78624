/* Accepting clients on listening sockets on Unix.
 *
 * Happy path: the socket is polled; when it is readable, the owner is called and accepts clients. A client is accepted
 * only while there are also descriptors for its target. libuv does not do the accepting, because it closes connections
 * when descriptors run out; here they wait in the kernel until there are enough descriptors again.
 *
 * Ways to fail: the socket cannot be made, and nothing is left of it; a client cannot be accepted for want of
 * descriptors or memory, and it keeps waiting; a client is not allowed to connect, and it is closed. */
#include "endpoint/acceptor_unix.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/os.h"
#include "endpoint/ip.h"
#include "stream/uv.h"

enum { SPARE_DESCRIPTORS = 6 };

typedef struct acceptor_unix {
  uvr_acceptor base;
  uv_poll_t poll;
  int fd;
  int accepted;        /* an accepted client that there was no memory for yet, or -1 */
  uv_handle_type type; /* of the clients' handles */
  bool (*admits)(int fd, const char *name, uvrelay_error_t *error);
  bool polling;
  uvr_socket_file file;
} acceptor_unix;

/* Clients. */

static void on_readable(uv_poll_t *poll, int status, int events)
{
  acceptor_unix *self = poll->data;
  (void)status; /* the next accept reports the error */
  (void)events;
  self->base.on_client(self->base.user, NULL);
}

static void pause_accepting(uvr_acceptor *acceptor, bool pause)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  if (self->polling == pause) {
    self->polling = !pause;
    if (pause) {
      (void)uv_poll_stop(&self->poll);
    } else {
      (void)uv_poll_start(&self->poll, UV_READABLE, on_readable);
    }
  }
}

/* Whether there are enough descriptors for a client, for its target, and a few for other parts of the process. */
static bool has_spare(const uv_loop_t *loop)
{
  int spare[SPARE_DESCRIPTORS];
  int count = 0;
  while (count < SPARE_DESCRIPTORS && (spare[count] = uvr_os_open_spare_fd(loop)) > 0) {
    count++;
  }
  bool enough = count == SPARE_DESCRIPTORS;
  while (count > 0) {
    uvr_os_close_spare_fd(&spare[--count]);
  }
  return enough;
}

static int make_stream(acceptor_unix *self, int fd, uvr_stream **out)
{
  uvr_stream *stream;
  int code = uvr_stream_uv_new(self->base.context, self->type, self->base.client_name, &stream);
  if (code != 0) {
    self->accepted = fd;
    return code;
  }
  uv_stream_t *handle = uvr_stream_uv_handle(stream);
  code = self->type == UV_TCP ? uv_tcp_open((uv_tcp_t *)handle, fd) : uv_pipe_open((uv_pipe_t *)handle, fd);
  if (code != 0) {
    (void)close(fd);
    uvr_stream_close(stream, UVR_CLOSE_NOW, uvr_closing_add(&self->base.closing), &self->base.closing);
    return code;
  }
  if (self->type == UV_TCP) {
    uvr_stream_uv_tune_tcp((uv_tcp_t *)handle);
  }
  *out = stream;
  return 0;
}

static int accept_client(uvr_acceptor *acceptor, uvr_stream **out, uvrelay_error_t *error)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  int fd = self->accepted;
  int code = UV_EMFILE;
  self->accepted = -1;
  if (fd >= 0) {
    code = make_stream(self, fd, out);
  } else if (has_spare(acceptor->context->loop)) {
    do {
      fd = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    code = fd >= 0 ? 0 : errno == EPERM ? UV_EACCES : -errno; /* a firewall's refusal leaves the client waiting */
    if (code == 0 && self->admits != NULL && !self->admits(fd, acceptor->client_name, error)) {
      (void)close(fd);
      return UV_EPERM;
    }
    code = code != 0 ? code : make_stream(self, fd, out);
  }
  if (code != 0 && code != UV_EAGAIN) {
    (void)uvr_error_set_system(error, UVRELAY_PHASE_LISTEN, code, 0, "%s has to wait: %s", acceptor->client_name,
                               uv_strerror(code));
  }
  return code;
}

/* Closing. */

static void close_acceptor(uvr_acceptor *acceptor)
{
  acceptor_unix *self = (acceptor_unix *)acceptor;
  uvr_socket_file_remove(&self->file);
  uvr_closing_handle(&acceptor->closing, (uv_handle_t *)&self->poll);
  (void)close(self->fd);
  if (self->accepted >= 0) {
    (void)close(self->accepted);
  }
}

/* Starting. */

static const uvr_acceptor_ops ops = {
    .size = sizeof(acceptor_unix), .accept = accept_client, .pause = pause_accepting, .close = close_acceptor};

int uvr_acceptor_unix(const uvr_listen_request *request, const uvr_unix_listener *listener, uvr_acceptor **out,
                      uvrelay_error_t *error)
{
  acceptor_unix *self = (acceptor_unix *)uvr_acceptor_new(&ops, request, error);
  uvr_socket_file file = {.path = ""};
  if (listener->file != NULL) {
    file = *listener->file;
  }
  int code = self == NULL ? UV_ENOMEM : uv_poll_init(request->context->loop, &self->poll, listener->fd);
  if (code != 0) {
    uvr_socket_file_remove(&file);
    (void)close(listener->fd);
    uvr_free(&request->context->memory, self);
    return self == NULL ? code : uvr_acceptor_fail(error, request->address, code);
  }
  self->fd = listener->fd;
  self->accepted = -1;
  self->type = listener->type;
  self->admits = listener->admits;
  self->file = file;
  self->poll.data = self;
  pause_accepting(&self->base, false);
  *out = &self->base;
  return 0;
}

int uvr_acceptor_tcp(const uvr_listen_request *request, const struct sockaddr *ip, uvr_acceptor **out,
                     uvrelay_error_t *error)
{
  struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
  socklen_t length = ip->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
  socklen_t bound_length = sizeof(bound);
  int on = 1;
  int fd = socket(ip->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return uvr_acceptor_fail(error, request->address, -errno);
  }
  bool ipv6 = ip->sa_family == AF_INET6; /* such a socket accepts IPv6 only, as on Windows */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) || bind(fd, ip, length) != 0 ||
      listen(fd, UVR_ACCEPTOR_BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&bound, &bound_length) != 0) {
    int code = uvr_acceptor_fail(error, request->address, -errno);
    (void)close(fd);
    return code;
  }
  uvr_address_set_port(request->address, uvr_ip_port((const struct sockaddr *)&bound));
  return uvr_acceptor_unix(request, &(uvr_unix_listener){.fd = fd, .type = UV_TCP}, out, error);
}
